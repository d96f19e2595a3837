"""Scikit-learn estimators from a config table."""
