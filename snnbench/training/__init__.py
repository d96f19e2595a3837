"""``run_job``: the stacked trainer of networks and the runner of scikit-learn's estimators."""
