"""The layers that stacked networks are made of."""
