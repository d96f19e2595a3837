"""Small UCI tasks in the layouts of the real archives, made for the tests."""

import gzip
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


TOX21_LABELS = [f"SR.{k}" for k in range(12)]


def write_tox21(folder: Path, n_train: int = 11764, n_valid: int = 296, n_test: int = 647) -> Path:
    """Write the files of ``tox21.zip``; return their folder. Of 20 counts, the k-th is in every k-th row."""
    rng = np.random.default_rng(0)
    n_samples = n_train + n_valid + n_test
    names = [f"NCGC{k:08d}-01" for k in range(n_samples)]
    dense = rng.normal(size=(n_samples, 3)).round(3)
    counts = np.stack([(np.arange(n_samples) % k == 0) * (1 + np.arange(n_samples) % 3) for k in range(1, 21)], axis=1)
    y = np.where(
        rng.random((n_samples, 12)) < 0.3, "NA", (dense[:, :1] + rng.normal(size=(n_samples, 12)) > 0).astype(int).astype(str)
    )
    sets = ["training"] * n_train + ["validation"] * n_valid + ["test"] * n_test
    compounds = [f'"{n}",{_inchikey(k)},{s},{",".join(y[k])}' for k, (n, s) in enumerate(zip(names, sets, strict=True))]
    header = ",".join(["ID", "inchikey", "set", *TOX21_LABELS])
    (folder / "tox21_compoundData.csv").write_text("\n".join([header, *compounds]) + "\n")
    for part, rows in (("train", slice(0, n_train + n_valid)), ("test", slice(n_train + n_valid, None))):
        write_table(folder / f"tox21_dense_{part}.csv.gz", ["a", "b", "c"], names[rows], dense[rows])
        write_table(folder / f"tox21_labels_{part}.csv.gz", TOX21_LABELS, names[rows], y[rows])
        entries = np.argwhere(counts[rows] > 0)
        lines = [f"{i + 1} {j + 1} {counts[rows][i, j]}" for i, j in entries]
        size = f"{len(names[rows])} 20 {len(lines)}"
        with gzip.open(folder / f"tox21_sparse_{part}.mtx.gz", "wt") as file:
            file.write("\n".join(["%%MatrixMarket matrix coordinate integer general", size, *lines]) + "\n")
    return folder


def write_table(file: Path, columns: list[str], names: list[str], values: np.ndarray, header: bool = True) -> None:
    """Write a table as R does, the names of the rows in the first column."""
    lines = [",".join(['""', *columns])] if header else []
    lines += [",".join([f'"{name}"', *map(str, row)]) for name, row in zip(names, values.tolist(), strict=True)]
    with gzip.open(file, "wt") as stream:
        stream.write("\n".join(lines) + "\n")


def _inchikey(k: int) -> str:
    block = "".join(chr(ord("A") + k // 26**place % 26) for place in range(14))
    return f"{block}-UHFFFAOYSA-N"
