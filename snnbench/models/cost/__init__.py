"""What a training takes: seconds and memory."""
