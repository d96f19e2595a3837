"""What a user sees before and during a run, in a terminal and in a notebook."""
