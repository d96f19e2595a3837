"""What is stored: rows, folders, stale rows, the selection, published scores, provenance, the log of a run."""
