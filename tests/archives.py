"""Small UCI tasks in the layouts of the real archives, made for the tests."""

from pathlib import Path

import numpy as np


def write_delgado(folder: Path, task: str, X: np.ndarray, y: np.ndarray, n_test: int) -> Path:
    """Write a task without a test file as ``data.tar.gz`` holds it; return its folder."""
    place = folder / task
    place.mkdir(parents=True)
    (place / f"{task}.txt").write_text(
        f"n_entradas= {X.shape[1]}\nn_clases= {len(np.unique(y))}\nn_arquivos= 1\nfich1= {task}_R.dat\nn_patrons1= {len(X)}\n"
    )
    header = "".join(f"\tf{k}" for k in range(1, X.shape[1] + 1)) + "\tclase\n"
    body = "".join(
        f"{i}\t" + "\t".join(f"{value:g}" for value in row) + f"\t{label}\n"
        for i, (row, label) in enumerate(zip(X, y, strict=True), 1)
    )
    (place / f"{task}_R.dat").write_text(header + body)
    lines = []
    for k in range(4):
        order = np.random.default_rng(k).permutation(len(X))
        lines += [" ".join(map(str, order[n_test:])), " ".join(map(str, order[:n_test]))]
    (place / "conxuntos_kfold.dat").write_text(" \n".join(lines) + " \n")
    return place


def wine_like(n_samples: int = 178, n_features: int = 13) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays of the catalogue's numbers for wine, with classes that can be learned."""
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 3
    return rng.normal(size=(n_samples, n_features)) + y[:, None], y


def write_htru2(folder: Path) -> Path:
    """Write a ``HTRU_2.csv`` with the real numbers of rows, of which a few can be told by a feature; return the file."""
    rng = np.random.default_rng(0)
    y = np.arange(17898) % 11 == 0
    table = np.column_stack([rng.normal(size=(len(y), 8)).round(3) + y[:, None], y])
    file = folder / "HTRU_2.csv"
    np.savetxt(file, table, fmt=["%.3f"] * 8 + ["%d"], delimiter=",")
    return file
