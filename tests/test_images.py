"""MNIST and CIFAR-10 from their own formats, and every way in which such a file is damaged."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from snnbench.errors import DataError, UnknownNameError
from snnbench.paper.figures import images
from snnbench.paper.figures.images import load_images, locate_images, read_idx
from snnbench.suites.fetch.source import sha256_of


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path, monkeypatch) -> Path:
    """Return a folder with six small images in the layout of MNIST, taken for the originals."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 2))
    pixels[:, 0, 0] = 7  # a pixel that never changes
    for name, array in ((images.MNIST_IMAGES, pixels), (images.MNIST_LABELS, np.arange(6))):
        (tmp_path / name).write_bytes(gzip.compress(idx(array)))
        monkeypatch.setitem(images.SHA256, name, sha256_of(tmp_path / name))
    return tmp_path


def cifar_archive(file: Path, batches: list[bytes]) -> None:
    with tarfile.open(file, "w:gz") as tar:
        for number, content in enumerate(batches, start=1):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/data_batch_{number}.bin")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_images_are_standardised_pixel_by_pixel(mnist):
    rows = load_images("mnist", locate_images("mnist", mnist))
    assert rows.X.shape == (6, 6)
    assert rows.X.dtype == np.float32
    np.testing.assert_array_equal(rows.X[:, 0], 0)
    np.testing.assert_allclose(rows.X[:, 1:].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(rows.X[:, 1:].std(axis=0), 1, rtol=1e-6)
    assert rows.y.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.shared_data
def test_the_real_mnist_is_read(shared):
    rows = load_images("mnist", locate_images("mnist", shared / "data" / "mnist"))
    assert rows.X.shape == (60_000, 784)
    assert np.bincount(rows.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_the_binary_version_of_cifar_10_is_read(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    table = rng.integers(0, 256, (10, 3073)).astype(np.uint8)
    table[:, 0] = np.arange(10)
    file = tmp_path / images.CIFAR10
    cifar_archive(file, [table[row : row + 2].tobytes() for row in range(0, 10, 2)])
    monkeypatch.setitem(images.SHA256, images.CIFAR10, sha256_of(file))
    rows = load_images("cifar10", locate_images("cifar10", tmp_path))
    assert rows.y.tolist() == list(range(10))
    expected = table[:, 1:].astype(float)
    expected = (expected - expected.mean(axis=0)) / expected.std(axis=0)
    np.testing.assert_allclose(rows.X, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([b"\0" * 3073] * 4, "must be the binary version of CIFAR-10"),
        ([b"\0" * 3000] * 5, "must have rows of 3073 bytes, found 15000 bytes"),
        ([b"\x0b" + b"\0" * 3072] * 5, "must be 0 to 9, found 11"),
    ],
)
def test_another_archive_is_not_cifar_10(tmp_path, batches, words):
    file = tmp_path / "archive.tar.gz"
    cifar_archive(file, batches)
    with pytest.raises(DataError, match=words):
        load_images("cifar10", (file,))


WHOLE = idx(np.zeros((2, 3, 4)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip at all", "must be a gzipped idx file"),
        (gzip.compress(WHOLE, mtime=0)[:-12], "must be a gzipped idx file"),
        (gzip.compress(WHOLE[:-3], mtime=0), r"must hold 24 values for its shape \(2, 3, 4\), found 21"),
        (gzip.compress(WHOLE + b"\0", mtime=0), r"must hold 24 values for its shape \(2, 3, 4\), found 25"),
        (gzip.compress(b"\0\0\x0d" + WHOLE[3:], mtime=0), r"must begin with the bytes 0, 0, 8 .* found \[0, 0, 13\]"),
        (gzip.compress(WHOLE[:6], mtime=0), "must have a header of 16 bytes for 3 axes, found 6"),
        (gzip.compress(b"", mtime=0), "must begin with the bytes 0, 0, 8"),
        (gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12, mtime=0), "must hold"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path, content, words):
    file = tmp_path / "images.gz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_idx(file)


def test_images_and_labels_must_belong_together(mnist):
    (mnist / images.MNIST_LABELS).write_bytes(gzip.compress(idx(np.arange(5))))
    with pytest.raises(DataError, match=r"a label for each, found shapes \(6, 3, 2\) and \(5,\)"):
        load_images("mnist", (mnist / images.MNIST_IMAGES, mnist / images.MNIST_LABELS))


def test_only_the_original_is_taken(mnist):
    (mnist / images.MNIST_LABELS).write_bytes(gzip.compress(idx(np.arange(6)[::-1])))
    with pytest.raises(DataError, match="must be the original train-labels-idx1-ubyte"):
        locate_images("mnist", mnist)
    (mnist / images.MNIST_LABELS).unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz is not there"):
        locate_images("mnist", mnist)


def test_a_download_is_checked_and_kept(mnist, monkeypatch, tmp_path_factory):
    """The real code against a folder behind a file server, as if it were the official address."""
    import http.server
    import threading
    from functools import partial

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=mnist))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SNNBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    address = f"http://127.0.0.1:{server.server_port}/"
    for name in (images.MNIST_IMAGES, images.MNIST_LABELS):
        monkeypatch.setitem(images._ADDRESSES, name, (address + name,))
    try:
        first = locate_images("mnist")
    finally:
        server.shutdown()
        server.server_close()
    assert locate_images("mnist") == first
    assert load_images("mnist", first).X.shape == (6, 6)


def test_unknown_images_are_refused():
    with pytest.raises(UnknownNameError, match=r"Unknown set of images 'cifar100'\. Did you mean 'cifar10'"):
        locate_images("cifar100")
