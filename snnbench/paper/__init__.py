"""What the paper shows beside its benchmark: its theory and its figures."""
