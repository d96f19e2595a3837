"""From an address to files on disk: downloads, archives, offline bundles."""
