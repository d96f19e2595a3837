"""The images of Figure 1: MNIST from its idx files, CIFAR-10 from its binary version.

Neither format needs anything but bytes: no file is unpickled.
"""

import gzip
import math
import tarfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from snnbench.errors import DataError, UnknownNameError
from snnbench.records import Dataset
from snnbench.suites.fetch.download import fetch
from snnbench.suites.fetch.source import cache_folder, sha256_of

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
MNIST_IMAGES = "train-images-idx3-ubyte.gz"
MNIST_LABELS = "train-labels-idx1-ubyte.gz"
CIFAR10 = "cifar-10-binary.tar.gz"

SHA256 = {
    MNIST_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    MNIST_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    CIFAR10: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}
"""Of the original files."""

_ADDRESSES = {
    MNIST_IMAGES: tuple(mirror + MNIST_IMAGES for mirror in MNIST_MIRRORS),
    MNIST_LABELS: tuple(mirror + MNIST_LABELS for mirror in MNIST_MIRRORS),
    CIFAR10: ("https://www.cs.toronto.edu/~kriz/" + CIFAR10,),
}
_CIFAR10_BATCHES = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
_CIFAR10_ROW_BYTES = 1 + 3 * 32 * 32
_IDX_UNSIGNED_BYTES = 0x08

Report = Callable[[str], None]


def locate_images(name: str, source: Path | None = None, report: Report = lambda message: None) -> tuple[Path, ...]:
    """Return the files of a set of images: those in the folder ``source``, or the official ones, downloaded once.

    Raises:
        UnknownNameError: If there is no such set.
        DataError: If a file is missing, is not the original, or cannot be downloaded.
    """
    if name not in IMAGES:
        raise UnknownNameError("set of images", name, IMAGES)
    files, _ = IMAGES[name]
    if source is None:
        folder = cache_folder() / name / "downloads"
        return tuple(fetch(_ADDRESSES[file], folder, partial(_check, name=file), report) for file in files)
    paths = tuple(source / file for file in files)
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"The folder of {name} must hold {' and '.join(files)}, but {path} is not there. Name another --source."
            )
        _check(path, path.name)
    return paths


def load_images(name: str, files: tuple[Path, ...]) -> Dataset:
    """Return the training images, each pixel standardised over them; a pixel that never changes is 0.

    Args:
        name: ``"mnist"`` or ``"cifar10"``.
        files: Of ``locate_images``.

    Raises:
        DataError: If a file is not of its format.
    """
    pixels, labels = IMAGES[name][1](*files)
    X = pixels.reshape(len(pixels), -1).astype(np.float32)
    scale = X.std(axis=0, dtype=np.float64)
    X -= X.mean(axis=0, dtype=np.float64).astype(np.float32)
    X /= np.where(scale > 0, scale, 1).astype(np.float32)
    return Dataset(X, labels.astype(np.int64))


def read_idx(file: Path) -> np.ndarray:
    """Read a gzipped idx file of unsigned bytes: 0, 0, type, number of axes, their lengths (big-endian), the values.

    Source: Y. LeCun, http://yann.lecun.com/exdb/mnist/.

    Raises:
        DataError: If it is something else, damaged, or of another length than it says.
    """
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} must be a gzipped idx file, but unpacking it says: {error}. Download it again.") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, _IDX_UNSIGNED_BYTES)):
        raise DataError(f"{file} must begin with the bytes 0, 0, 8 of an idx file of bytes, found {list(content[:3])}.")
    n_header = 4 + 4 * content[3]
    if len(content) < n_header:
        raise DataError(f"{file} must have a header of {n_header} bytes for {content[3]} axes, found {len(content)} bytes.")
    shape = tuple(int(length) for length in np.frombuffer(content[4:n_header], dtype=">u4"))
    if len(content) - n_header != math.prod(shape):
        raise DataError(f"{file} must hold {math.prod(shape)} values for its shape {shape}, found {len(content) - n_header}.")
    return np.frombuffer(content, dtype=np.uint8, offset=n_header).reshape(shape)


def _read_mnist(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    X, y = read_idx(images), read_idx(labels)
    if X.ndim != 3 or y.shape != X.shape[:1]:
        raise DataError(f"{images} and {labels} must hold images and a label for each, found shapes {X.shape} and {y.shape}.")
    return X, y


def _read_cifar10(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the five batches: a byte of the label and 3072 of the pixels a row (https://www.cs.toronto.edu/~kriz/cifar.html)."""
    batches = []
    try:
        with tarfile.open(archive) as tar:
            for name in _CIFAR10_BATCHES:
                member = tar.extractfile(name)
                batches.append(member.read() if member is not None else b"")
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{archive} must be the binary version of CIFAR-10, but reading it says: {error}.") from error
    content = b"".join(batches)
    if not content or len(content) % _CIFAR10_ROW_BYTES:
        raise DataError(f"The batches in {archive} must have rows of {_CIFAR10_ROW_BYTES} bytes, found {len(content)} bytes.")
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, _CIFAR10_ROW_BYTES)
    if rows[:, 0].max() > 9:
        raise DataError(f"The labels in {archive} must be 0 to 9, found {rows[:, 0].max()}.")
    return rows[:, 1:], rows[:, 0]


IMAGES: dict[str, tuple[tuple[str, ...], Callable[..., tuple[np.ndarray, np.ndarray]]]] = {
    "mnist": ((MNIST_IMAGES, MNIST_LABELS), _read_mnist),
    "cifar10": ((CIFAR10,), _read_cifar10),
}
"""The sets by name: their files, and what reads those."""


def _check(path: Path, name: str) -> None:
    found = sha256_of(path)
    if found != SHA256[name]:
        raise DataError(f"{path} must be the original {name} of SHA-256 {SHA256[name]}, found {found}. Download it again.")
