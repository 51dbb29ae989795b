"""What every loader returns: a Dataset, and the one error they raise."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
# The arrays of a Dataset. Those of the validation part come last, so that data without one keep their old fingerprint.
ARRAYS = ("train", "test", "train_labels", "test_labels", "grey_train", "grey_test", "valid", "valid_labels", "grey_valid")
HELD_OUT, MOST_HELD_OUT = 8, 1_000  # one in so many training examples is held out for validation, this many at most


class DataError(Exception):
    """Data that cannot be loaded; the message names the bad value and the remedy."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training, validation and test examples with their labels.

    Train on the first, choose and stop on the second, report the third once. Where the published data have no validation
    part, `hold_out` makes one from the end of the training part; `valid` is None where nothing was held out.

    Shapes: images are (N, 784) uint8, already binarised (0/1), with the grey values 0..255 beside them;
    sentences are (N, T) int32 word ids `w1 .. wn EOS PAD ..` (a model adds BOS itself).
    `fingerprint` is the first 16 hex digits of a sha256 over all arrays, label names and words: two datasets
    with the same fingerprint hold the same numbers, whatever their name or machine.

    >>> data = Dataset("toy", "text", np.array([[4, 5, EOS, PAD]]), np.array([[5, EOS, PAD, PAD]]),
    ...                np.array([0]), np.array([0]), (), SPECIALS + ("hello", "world"))
    >>> data.decode(data.train[0]), data.encode("Hello there!").tolist()
    ('hello world', [4, 3, 3, 2])
    >>> data
    <Dataset toy: 1 + 1 sentences of up to 3 words, vocabulary 6, fingerprint ...>
    """

    name: str
    kind: str  # "image" | "text"
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray  # (N,) int64, zeros where there are no labels
    test_labels: np.ndarray
    label_names: tuple[str, ...]  # empty where there are no labels
    vocab: tuple[str, ...] = ()  # vocab[id] = word, the first four are SPECIALS
    fingerprint: str = ""  # computed when not given
    grey_train: np.ndarray | None = None
    grey_test: np.ndarray | None = None
    valid: np.ndarray | None = None
    valid_labels: np.ndarray | None = None
    grey_valid: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self))

    @cached_property
    def _index(self) -> dict[str, int]:
        """word -> id. PAD, BOS and EOS are left out: no typed text becomes them."""
        return {word: i for i, word in enumerate(self.vocab) if i >= UNK}

    def __repr__(self) -> str:
        what = "images" if self.kind == "image" else f"sentences of up to {self.train.shape[1] - 1} words"
        vocabulary = f", vocabulary {len(self.vocab)}" if self.vocab else ""
        sizes = " + ".join(str(len(part)) for part in (self.train, self.valid, self.test) if part is not None)
        return f"<Dataset {self.name}: {sizes} {what}{vocabulary}, fingerprint {self.fingerprint}>"

    def hold_out(self, n: int | None = None) -> Dataset:
        """The last n training examples as validation part; by default one in 8, at most 1 000. 0 leaves none.

        The fingerprint stays: the numbers are the same, cut elsewhere. Data with a validation part of their own keep it,
        unless n = 0, which leaves it out. Raises DataError for more than half of the training part.

        >>> from klcourse.data import load
        >>> load("mnist", hold_out=0).hold_out(100)
        <Dataset mnist: 3900 + 100 + 1000 images, fingerprint ...>
        """
        if self.valid is not None:
            if n:
                raise DataError(f"hold_out = {n}: {self.name} has {len(self.valid)} validation examples: leave hold_out out")
            return self if n is None else replace(self, valid=None, valid_labels=None, grey_valid=None, fingerprint="")
        at_most = len(self.train) // 2
        n = min(len(self.train) // HELD_OUT, MOST_HELD_OUT) if n is None else n
        if not 0 <= n <= at_most:
            raise DataError(f"hold_out = {n} of {len(self.train)} training examples of {self.name}: choose 0 to {at_most}")
        if n == 0:
            return self
        cut = len(self.train) - n
        while self.kind == "text" and cut > 1 and np.array_equal(self.train[cut], self.train[cut - 1]):
            cut -= 1  # equal sentences, which stand side by side, stay together
        return replace(
            self,
            train=self.train[:cut],
            valid=self.train[cut:],
            train_labels=self.train_labels[:cut],
            valid_labels=self.train_labels[cut:],
            grey_train=None if self.grey_train is None else self.grey_train[:cut],
            grey_valid=None if self.grey_train is None else self.grey_train[cut:],
        )

    def first(self, n: int) -> Dataset:
        """The first n training, validation and test examples each (all, where there are fewer).

        The vocabulary stays whole, so that models trained on different n have the same shapes.
        The fingerprint is computed anew: it tells a part from the whole.

        >>> from klcourse.data import load
        >>> load("mnist").first(100)
        <Dataset mnist: 100 + 100 + 100 images, fingerprint ...>
        """
        arrays = {name: array for name in ARRAYS if (array := getattr(self, name)) is not None}
        if all(n >= len(array) for array in arrays.values()):
            return self
        # copies: a view would keep the whole array in memory
        return replace(self, fingerprint="", **{name: array[:n].copy() for name, array in arrays.items()})

    def encode(self, sentence: str) -> np.ndarray:
        """Word ids of a sentence, ending in EOS, not padded: (n + 1,) int32. Unknown words become UNK."""
        self._needs_text("encode")
        ids = []
        for chunk in sentence.split():
            # A published corpus (PTB) has words such as "n.v." or "N" that `tokenise` would take apart.
            words = [chunk] if chunk in self._index else tokenise(chunk)
            ids += [self._index.get(word, UNK) for word in words]
        return np.array([*ids, EOS], dtype=np.int32)

    def decode(self, ids: np.ndarray) -> str:
        """The sentence of a row of word ids up to EOS, without PAD and BOS. Raises DataError on a bad id."""
        self._needs_text("decode")
        ids = np.asarray(ids)
        if ids.ndim != 1:
            raise DataError(
                f"decode takes one sentence, a row of word ids, not an array of shape {ids.shape}: call it once for each row"
            )
        words = []
        for i in ids.tolist():
            if i == EOS:
                break
            if not (isinstance(i, int) and 0 <= i < len(self.vocab)):
                raise DataError(f"{i!r} is no word id of {self.name}: ids are integers from 0 to {len(self.vocab) - 1}")
            if i not in (PAD, BOS):
                words.append(self.vocab[i])
        return " ".join(words).replace(" ,", ",")

    def _needs_text(self, method: str) -> None:
        if self.kind != "text":
            raise DataError(f"{method} is for text and {self.name} holds images: try load('text')")


def fingerprint(data: Dataset) -> str:
    """First 16 hex digits of sha256 over everything a Dataset holds except its name."""
    digest = hashlib.sha256(json.dumps((data.kind, data.label_names, data.vocab)).encode())
    for name in ARRAYS:
        array = getattr(data, name)
        if array is not None:
            # little-endian, for the same bytes on every machine
            little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            digest.update(json.dumps((little.dtype.str, little.shape)).encode())
            digest.update(little.data)
    return digest.hexdigest()[:16]


# A word is a run of anything but spaces and punctuation, with hyphens, apostrophes and decimal points inside;
# a Chinese or Japanese character is a word by itself, since those scripts set no spaces.
_CHAR = (
    r"[^\s!-/:-@\[-`{-~\u00a1-\u00bf\u2000-\u206f\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uff00-\uff0f\uff1a-\uff20]"
)
_TOKEN = re.compile(rf"<unk>|{_CHAR}+(?:(?:['-]|(?<=[0-9])[.,](?=[0-9])){_CHAR}+)*|\S")


def tokenise(sentence: str) -> list[str]:
    """Lower-case words and punctuation marks of a sentence, in order.

    >>> tokenise("The model's z-score, e.g. 3.5, isn't <unk>!")
    ['the', "model's", 'z-score', ',', 'e', '.', 'g', '.', '3.5', ',', "isn't", '<unk>', '!']
    >>> tokenise("KL 消失")
    ['kl', '消', '失']
    """
    return _TOKEN.findall(unicodedata.normalize("NFC", sentence.lower()).replace("’", "'"))
