"""How much of a task tests its models, as against how much trains them: what two splits share decides how they correlate."""

import pandas as pd

from snnbench.suites import load_suite


def share_of_test(suite: str, task: str, splits: pd.Index) -> float:
    """Return n_test / n_train of a task's splits, given by name.

    Of folds one more validates; of the rows of a hold-out that do not test, a fifth.
    """
    row = load_suite(suite).catalogue().loc[task]
    n_samples, n_test = int(row["n_samples"]), int(row["n_test"])
    are_folds = splits.astype(str).str.startswith("fold-").all()
    return n_test / (n_samples - 2 * n_test if are_folds else 0.8 * (n_samples - n_test))


def correlate_splits(suite: str, splits: pd.DataFrame) -> pd.Series:
    """Return the correlation of the scores on two splits of a task, by task: n_test / (n_test + n_train).

    Args:
        suite: Whose tasks.
        splits: Scores, index = (task, split).

    Source:
        Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003).
    """
    names = splits.index.to_frame(index=False, name=["task", "split"]).groupby("task")["split"]
    shares = pd.Series({task: share_of_test(suite, str(task), pd.Index(of_task)) for task, of_task in names}, dtype=float)
    return shares / (1 + shares)
