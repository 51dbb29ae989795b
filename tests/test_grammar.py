"""The grammar corpus: its probabilities by enumeration, its parser, its entropies, and the dataset drawn from it."""

import collections
import functools
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from klcourse.data import PAD, UNK, load
from klcourse.data import grammar as g

ROOT = Path(__file__).parents[1]
LABELS = range(len(g.CONDITIONS))


@pytest.fixture(scope="module")
def everything():
    """All sentences: (y, words, factors, p(x|y))."""
    return [(y, *row) for y in LABELS for row in g.sentences(y)]


@pytest.fixture(scope="module")
def data():
    return load("grammar")


def words_of(data, rows):
    return [tuple(data.vocab[i] for i in row if i > 3) for row in rows]


def entropy(p):
    p = np.asarray([q for q in p if q > 0])
    return -(p * np.log(p)).sum()


@functools.cache
def listed():
    return {words: (y, factors) for y in LABELS for words, factors, _ in g.sentences(y)}


@st.composite
def choices(draw):
    y = draw(st.sampled_from(LABELS))
    return y, {name: draw(st.sampled_from(sorted(g.distribution(name, y)))) for name in g.FACTORS}


# --- the language


def test_every_condition_has_1024_sentences_and_all_are_different(everything):
    assert len(g.CONDITIONS) == len(set(g.CONDITIONS)) == 20
    assert collections.Counter(y for y, *_ in everything) == {y: 4**5 for y in LABELS}
    assert len({words for _, words, *_ in everything}) == 20 * 4**5


def test_probabilities_sum_to_one(everything):
    for y in LABELS:
        assert math.isclose(sum(p for at, *_, p in everything if at == y), 1, abs_tol=1e-12)
        for name in g.FACTORS:
            assert math.isclose(sum(g.distribution(name, y).values()), 1, abs_tol=1e-12)
    assert math.isclose(sum(math.exp(g.log_prob(words)) for _, words, *_ in everything), 1, abs_tol=1e-9)


@given(choices())
def test_parse_inverts_sentence_and_log_prob_is_the_product(choice):
    y, factors = choice
    words = g.sentence(y, factors)
    typed = " ".join(words).replace(" ,", ",").capitalize()  # as people write, and as Dataset.decode does
    assert g.parse(words) == g.parse(list(words)) == g.parse(typed) == (y, factors)
    product = sum(math.log(g.distribution(name, y)[value]) for name, value in factors.items())
    assert math.isclose(g.log_prob(words, y), product, abs_tol=1e-12)
    assert math.isclose(g.log_prob(words), product - math.log(20), abs_tol=1e-12)
    assert g.log_prob(words, (y + 1) % 20) == -math.inf


@given(choices(), choices(), st.data())
def test_what_is_not_in_the_grammar_has_no_parse(one, two, data):
    """A word taken out is never a sentence; a word put in another's place is one only if the sentence is listed."""
    words = g.sentence(*one)
    i = data.draw(st.integers(0, len(words) - 1))
    shorter = words[:i] + words[i + 1 :]
    assert g.parse(shorter) is None and g.log_prob(shorter) == -math.inf
    other = words[:i] + (data.draw(st.sampled_from(g.sentence(*two))),) + words[i + 1 :]
    assert g.parse(other) == listed().get(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "my sister",
        "my sister cook the soup again yesterday .",
        "the children cooks the soup again every day .",
        "my sister cooked the wall again yesterday .",
        "my sister cooked the soup again tomorrow .",
        "did my sister cooked the soup again yesterday ?",
        "my sister cooked the soup again yesterday ?",
    ],
)
def test_wrong_agreement_object_tense_and_mark_are_not_valid(text):
    assert g.parse(text) is None


def test_what_parse_gives_may_be_changed_without_harm():
    text = "my sister cooked the soup again yesterday ."
    g.parse(text)[1]["subject"] = "nobody"
    g.distribution("time", 0)["never"] = 1.0
    assert g.parse(text)[1]["subject"] == "my sister" and "never" not in g.distribution("time", 0)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: g.distribution("colour", 0), "unknown factor 'colour'.*form, subject"),
        (lambda: g.distribution("form", 20), "condition 20: choose a number from 0 to 19"),
        (lambda: list(g.sentences(-1)), "condition -1"),
        (lambda: g.log_prob("x", 20), "condition 20"),
        (lambda: g.sentence(0, dict(form="song")), "form = 'song': choose one of statement"),
        (
            lambda: g.sentence(0, dict(form="passive", subject="a friend", object="wall")),
            "object = 'wall': choose one of soup",
        ),
    ],
)
def test_bad_values_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


# --- entropies


def test_entropies_equal_the_enumerated_ones(everything):
    exact = g.entropies()
    joint = np.array([p / 20 for *_, p in everything])  # p(x, y)
    of_x = collections.Counter()
    for (_, words, _, _), p in zip(everything, joint):
        of_x[words] += p
    assert math.isclose(exact["H(x)"], entropy(of_x.values()), abs_tol=1e-9)
    assert math.isclose(exact["H(y)"], entropy([1 / 20] * 20), abs_tol=1e-12)
    assert math.isclose(exact["H(x|y)"], entropy(joint) - entropy([1 / 20] * 20), abs_tol=1e-9)
    information = entropy(of_x.values()) + entropy([1 / 20] * 20) - entropy(joint)
    assert math.isclose(exact["I(x;y)"], information, abs_tol=1e-9)


def test_factor_entropies_equal_the_enumerated_ones_and_add_up(everything):
    for y in (0, 7, 19):
        for name, h in g.factor_entropies().items():
            of_value = collections.Counter()
            for at, _, factors, p in everything:
                if at == y:
                    of_value[factors[name]] += p
            assert math.isclose(h, entropy(of_value.values()), abs_tol=1e-9)
    assert math.isclose(sum(g.factor_entropies().values()), g.entropies()["H(x|y)"], abs_tol=1e-12)


def test_expected_distinct_is_what_drawing_gives():
    p = np.array([p for _, _, p in g.sentences(3)])
    rng = np.random.default_rng(0)
    for n in (1, 20, 300):
        drawn = [len(np.unique(rng.choice(len(p), n, p=p))) for _ in range(400)]
        assert abs(np.mean(drawn) - g.expected_distinct(n)) < 4 * np.std(drawn) / 20 + 1e-9


# --- the dataset


def test_dataset_holds_valid_sentences_of_their_label(data):
    assert (data.kind, data.name, data.label_names) == ("text", "grammar", g.CONDITIONS)
    assert (len(data.train), len(data.valid), len(data.test)) == (7_000, 1_000, 1_000)
    assert np.bincount([*data.train_labels, *data.valid_labels]).tolist() == [400] * 20
    assert np.bincount(data.test_labels).tolist() == [50] * 20
    for rows, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert not (rows == UNK).any()
        parsed = [g.parse(words) for words in words_of(data, rows)]
        assert [y for y, _ in parsed] == labels.tolist()
    row = data.test[0]
    assert g.parse(data.decode(row)) == g.parse(words_of(data, [row])[0])
    assert data.encode(data.decode(row)).tolist() == [i for i in row.tolist() if i != PAD]


def test_dataset_is_shuffled(data):
    """No rhythm in the labels: the one half the test set further on is equal as often as chance has it."""
    for labels in (data.train_labels, data.test_labels):
        equal = (labels == np.roll(labels, len(labels) // 2)).mean()
        assert abs(equal - 1 / 20) < 5 * math.sqrt(0.05 * 0.95 / (len(labels) / 2))


@pytest.mark.parametrize("part", ["train", "test"])
def test_factors_have_their_probabilities_and_are_independent(data, part):
    parsed = [g.parse(words)[1] for words in words_of(data, getattr(data, part))]
    labels = getattr(data, f"{part}_labels")
    n = len(parsed)
    index = {
        name: np.array([list(g.distribution(name, y)).index(f[name]) for f, y in zip(parsed, labels)]) for name in g.FACTORS
    }
    for name, values in index.items():
        expected = n * np.array(list(g.distribution(name, 0).values()))
        chi2 = ((np.bincount(values, minlength=4) - expected) ** 2 / expected).sum()
        assert chi2 < 16.3  # 99.9 % of a chi-square with 3 degrees of freedom
    for one, two in itertools.combinations(index.values(), 2):
        table = np.histogram2d(one, two, bins=4)[0]
        expected = table.sum(1, keepdims=True) * table.sum(0) / n
        assert ((table - expected) ** 2 / expected).sum() < 27.9  # the same with 9


def test_test_sentences_are_in_training_as_often_as_chance_has_it(data):
    """A fresh draw x of condition y is among 400 others with probability 1 - (1 - p(x|y))^400."""
    known = set(words_of(data, data.train))
    seen = np.array([words in known for words in words_of(data, data.test)])
    chance = np.array(
        [
            1 - (1 - math.exp(g.log_prob(words, y))) ** 400
            for words, y in zip(words_of(data, data.test), data.test_labels.tolist())
        ]
    )
    assert abs(seen.sum() - chance.sum()) < 4 * math.sqrt((chance * (1 - chance)).sum())


def test_streams_are_different_and_longer_ones_keep_their_draws():
    train, test = (g.draw(200, part) for part in ("train", "test"))
    assert sorted(train) != sorted(test)
    assert not collections.Counter(train) - collections.Counter(g.draw(400, "train"))


def test_dataset_is_the_recorded_one_in_any_process(data):
    recorded = json.loads(Path(__file__).with_name("data_fingerprints.json").read_text())["grammar"]
    assert data.fingerprint == recorded["fingerprint"] and recorded["versions"] == {}
    code = (
        "import random, numpy; random.seed(5); numpy.random.seed(5)\n"
        "from klcourse.data import load; print(load('grammar').fingerprint)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == data.fingerprint


def test_load_knows_the_name_and_takes_a_limit(data):
    part = load("grammar", limit=100)
    assert len(part.train) == 100 and part.vocab == data.vocab and part.name == "grammar"
    with pytest.raises(Exception, match="Did you mean 'grammar'"):
        load("grammer")


# --- measuring generated sentences


def truth(n, seed):
    """n draws for every condition, by NumPy."""
    rng = np.random.default_rng(seed)
    drawn = []
    for y in LABELS:
        words, _, p = zip(*g.sentences(y))
        drawn.append([words[i] for i in rng.choice(len(p), n, p=np.array(p))])
    return drawn


def test_the_truth_is_valid_varied_and_has_its_entropies():
    measured = g.measure(truth(200, 0))
    assert measured["valid"] == 1 and abs(measured["coverage"] - 1) < 0.01
    for name, h in g.factor_entropies().items():
        assert abs(measured[f"entropy_{name}"] - (h - 3 / 400)) < 0.02


def test_one_sentence_for_ever_has_no_variety():
    one = [[next(g.sentences(y))[0]] * 30 for y in LABELS]
    measured = g.measure(one)
    assert measured["valid"] == 1 and math.isclose(measured["coverage"], 1 / g.expected_distinct(30))
    assert all(value == 0 for name, value in measured.items() if name.startswith("entropy"))


def test_sentences_of_another_condition_and_noise_are_not_valid():
    rotated = truth(5, 1)[1:] + truth(5, 1)[:1]
    assert g.measure(rotated)["valid"] == g.measure(rotated)["coverage"] == 0
    assert g.measure([[(), ("soup",)]] * 20)["valid"] == 0
    half = [[next(g.sentences(y))[0], ("noise",)] for y in LABELS]
    assert g.measure(half)["valid"] == 0.5


def test_conditions_without_sentences_are_left_out():
    some = truth(10, 2)
    assert g.measure([some[0]] + [[]] * 19)["valid"] == 1
    assert g.measure([[]] * 20) == {}
