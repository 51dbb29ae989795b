"""Text: from sentences to word ids, for PTB and for any file with one sentence a line."""

from __future__ import annotations

import codecs
import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from klcourse.system import is_piped

from .dataset import EOS, PAD, SPECIALS, UNK, DataError, Dataset, tokenise
from .fetch import fetch

SEED = 0
MIN_SENTENCES = 20  # different ones, so that 10 % are at least two for testing
MANY_RARE = 0.5  # share of words that are <unk> above which a text is said to be too thin
MAX_WORDS = 200  # one endless line would otherwise pad every other line to its length


def rank(sentence: Sequence[str]) -> str:
    """Sorting by this shuffles sentences, the same on every machine whatever order they came in."""
    return hashlib.sha256(f"{SEED} {' '.join(sentence)}".encode("utf-8", "surrogatepass")).hexdigest()


def build_vocab(sentences: Iterable[Sequence[str]], min_count: int) -> tuple[str, ...]:
    """The four special words, then the words that occur at least `min_count` times, frequent ones first.

    >>> build_vocab([["a", "b"], ["b", "c"], ["c", "b"]], 2)
    ('<pad>', '<bos>', '<eos>', '<unk>', 'b', 'c')
    """
    counts = Counter(word for sentence in sentences for word in sentence)
    kept = [word for word, n in counts.items() if n >= min_count and word not in SPECIALS]
    return SPECIALS + tuple(sorted(kept, key=lambda word: (-counts[word], word)))


def text_dataset(
    name: str,
    train: Sequence[Sequence[str]],
    test: Sequence[Sequence[str]],
    vocab: tuple[str, ...],
    labels: tuple[list[int], list[int]] | None = None,
    label_names: tuple[str, ...] = (),
    valid: Sequence[Sequence[str]] = (),
) -> Dataset:
    """Tokenised sentences as a Dataset, all padded to the longest one with its EOS."""
    index = {word: i for i, word in enumerate(vocab) if i >= UNK}
    width = 1 + max(len(sentence) for sentence in [*train, *valid, *test])

    def ids(sentences: Sequence[Sequence[str]]) -> np.ndarray:  # (N, T)
        rows = np.full((len(sentences), width), PAD, dtype=np.int32)
        for row, sentence in zip(rows, sentences):
            row[: len(sentence)] = [index.get(word, UNK) for word in sentence]
            row[len(sentence)] = EOS
        return rows

    train_labels, test_labels = labels or ([0] * len(train), [0] * len(test))
    return Dataset(
        name,
        "text",
        ids(train),
        ids(test),
        np.array(train_labels, dtype=np.int64),
        np.array(test_labels, dtype=np.int64),
        label_names,
        vocab,
        valid=ids(valid) if valid else None,
        valid_labels=np.zeros(len(valid), dtype=np.int64) if valid else None,
    )


def ptb(where: Path) -> Dataset:
    """Penn Treebank as Mikolov prepared it: 42 068 + 3 370 + 3 761 sentences, its words and <unk> as published.

    The published training, validation and test parts; no labels. Raises DataError where it cannot be fetched.
    """
    train, valid, test = (
        [line.split() for line in fetch(f"ptb/ptb.{part}.txt", where).decode().splitlines()]
        for part in ("train", "valid", "test")
    )
    return text_dataset("ptb", train, test, build_vocab(train, min_count=1), valid=valid)


def text_file(path: Path) -> Dataset:
    """The sentences of a UTF-8 text file, one a line: 90 % for training, 10 % for testing.

    Equal sentences stay in the same part. A word enters the vocabulary if it occurs once in a file below
    1 000 sentences, twice below 10 000, else three times in the training part. Raises DataError.
    """
    from tqdm.auto import tqdm

    lines = read_lines(path)
    bar = tqdm(lines, desc=f"reading {path.name}", delay=2, leave=False, disable=is_piped())
    sentences = [words for line in bar if (words := tokenise(line))]
    short = [words for words in sentences if len(words) <= MAX_WORDS]
    if len(short) < len(sentences):
        warnings.warn(
            f"{path}: left out {len(sentences) - len(short)} of {len(sentences)} lines, those with "
            f"more than {MAX_WORDS} words; put one sentence on a line to keep them",
            stacklevel=3,
        )
    ranked = sorted((rank(words), words) for words in short)
    ranks = sorted({r for r, _ in ranked})
    if len(ranks) < MIN_SENTENCES:
        raise DataError(
            f"{path} has {len(ranks)} different sentences of at most {MAX_WORDS} words, too few "
            f"to split into training and test: give at least {MIN_SENTENCES}, one a line"
        )
    cut = ranks[round(0.1 * len(ranks))]
    test = [words for r, words in ranked if r < cut]
    train = [words for r, words in ranked if r >= cut]
    min_count = 1 if len(short) < 1_000 else 2 if len(short) < 10_000 else 3
    vocab = build_vocab(train, min_count)
    check_vocab(path, train, vocab, min_count)
    return text_dataset(path.name, train, test, vocab)


def check_vocab(path: Path, train: Sequence[Sequence[str]], vocab: tuple[str, ...], min_count: int) -> None:
    """Warn where most words of a text are too rare to be told apart; DataError where all are."""
    known = set(vocab)
    words = [word for sentence in train for word in sentence]
    rare = sum(word not in known for word in words)
    if rare > MANY_RARE * len(words):
        what = f"{path}: {rare} of {len(words)} words occur fewer than {min_count} times, and are read as <unk>"
        if len(known) == len(SPECIALS):
            raise DataError(f"{what}: nothing is left to learn. Give sentences that share words")
        warnings.warn(
            f"{what}: a model learns little but that, and its perplexity says little. Give more text of one kind",
            stacklevel=4,
        )


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file. Raises DataError for anything else, naming line and byte."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"no such file: {path} (looked in {Path.cwd()}). Remedy: check the spelling, or give the whole path"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder: give a text file in it, one sentence a line") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if os.path.isdir(path):  # Windows answers "permission denied" for a folder
            raise DataError(f"{path} is a folder: give a text file in it, one sentence a line") from None
        raise DataError(f"cannot read {str(path)!r}: {error}") from None
    if not content.strip():
        raise DataError(f"{path} is empty: it must hold one sentence a line")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is UTF-16, not UTF-8: save it as UTF-8 text in your editor")
    if b"\0" in content:
        raise DataError(
            f"{path} is a binary file (byte {content.index(0)} is NUL), not text: give plain UTF-8 text, one sentence a line"
        )
    lines = []
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError as error:
            byte = f"byte {error.start + 1} of the line is 0x{line[error.start]:02x}"
            raise DataError(
                f"{path} is not UTF-8: line {number}, {byte}. Remedy: save it as UTF-8 text in your editor"
            ) from None
    return lines
