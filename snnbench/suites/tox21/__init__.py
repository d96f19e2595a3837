"""The suite Tox21."""
