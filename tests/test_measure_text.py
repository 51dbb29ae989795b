"""What conditional models write: measures against hand-made cases and brute force, drawing, and every bad input."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from klcourse.data import EOS, PAD, SPECIALS, Dataset, grammar, load
from klcourse.gaussians import normal
from klcourse.measure import text as gen
from klcourse.models import build_vae

WORDS = ("a", "b", "c", "d", "e")
sentences = st.lists(st.sampled_from(WORDS), max_size=6).map(tuple)


@pytest.fixture(scope="module")
def data():
    return load("grammar")


def small(data, **options):
    torch.manual_seed(0)
    known = dict(latent_dim=3, hidden=8, vocab_size=len(data.vocab), n_labels=len(data.label_names))
    return build_vae("text", "lstm", **known | options)


def toy(test=((4, 5, EOS), (6, EOS, PAD)), labels=(0, 1)):
    train, test = np.array([[4, 5, EOS], [6, EOS, PAD]]), np.array(test)
    return Dataset("toy", "text", train, test, np.array([0, 1]), np.array(labels), ("one", "two"), SPECIALS + WORDS)


class Speaker(torch.nn.Module):
    """A model that writes what it is told to: `says(y, i, greedy)` gives the words of the i-th sentence of condition y."""

    def __init__(self, data, says):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.n_labels, self.latent_dim, self.data, self.says, self.calls = len(data.label_names), 2, data, says, []

    @property
    def decoder(self):
        return self

    def cells(self, x):
        return 1

    def encode(self, x, y):
        return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    def log_px(self, x, z, y):
        return torch.where(y == x[:, 0] % 2, -1.0, -4.0)  # knows the right label of `toy`, and loses 3 nats with a wrong one

    def sample(self, z, y, generator=None, greedy=False, max_words=40):
        self.calls.append({"z": z, "greedy": greedy, "training": self.training, "max_words": max_words})
        seen, rows = Counter(), []
        for label in y.tolist():
            words = self.says(label, seen[label], greedy)
            seen[label] += 1
            rows.append([*(self.data.vocab.index(w) for w in words), EOS])
        width = max(map(len, rows))
        return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


# --- BLEU and the measures built on it


def bleu_by_hand(real, h):
    """1- to 3-grams, clipped counts, add-one above n = 1, brevity penalty against the closest length: one reference."""
    if not h:
        return 0.0
    logs = []
    for n in (1, 2, 3):

        def grams(s, n=n):
            return Counter(s[i : i + n] for i in range(len(s) - n + 1))

        right, total = sum((grams(h) & grams(real)).values()), max(1, sum(grams(h).values()))
        right, total = (right, total) if n == 1 else (right + 1, total + 1)
        if right == 0:
            return 0.0
        logs.append(math.log(right / total) / 3)
    return math.exp(min(0, 1 - len(real) / len(h)) + sum(logs))


@given(sentences, sentences)
@example(("a", "b", "c", "d"), ("a", "b"))
@example((), ("a",))
@example(("a",), ())
def test_bleu_is_the_formula(real, h):
    found = gen.bleu([real], h)
    assert math.isclose(found, bleu_by_hand(real, h), abs_tol=1e-9) and 0 <= found <= 1


def test_bleu_of_equal_sentences_is_one_where_the_papers_smoothing_gives_more():
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    sentence = "my sister cooked the soup .".split()
    assert gen.bleu([sentence], sentence) == 1
    assert sentence_bleu([sentence], sentence, (1 / 3,) * 3, SmoothingFunction().method7) > 1.1


@given(st.lists(sentences, min_size=2, max_size=6))
@example([("a", "b", "c")] * 3 + [("a",)])
def test_self_bleu_is_each_against_all_others(group):
    brute = np.mean([gen.bleu(group[:i] + group[i + 1 :], h) for i, h in enumerate(group)])
    assert math.isclose(gen.self_bleu(group), brute, abs_tol=1e-12)


@given(st.lists(sentences, min_size=1, max_size=5), st.lists(sentences, min_size=1, max_size=5))
@example([("a", "b"), ("a", "b"), ("c",)], [("a", "b"), ("d",), ("d",)])
def test_precision_and_recall_are_the_two_maxima(hypotheses, real):
    precision, recall = gen.bleu_precision_recall(hypotheses, real)
    assert math.isclose(precision, np.mean([max(gen.bleu([r], h) for r in real) for h in hypotheses]), abs_tol=1e-12)
    assert math.isclose(recall, np.mean([max(gen.bleu([r], h) for h in hypotheses) for r in real]), abs_tol=1e-12)


def test_precision_is_high_for_one_good_sentence_and_recall_is_not():
    real = [("a", "b", "c"), ("d", "e", "d"), ("c", "c", "e")]
    assert gen.bleu_precision_recall(real[:1] * 5, real)[0] == 1 > 0.6 > gen.bleu_precision_recall(real[:1] * 5, real)[1]
    precision, recall = gen.bleu_precision_recall([*real, ("b", "b", "b")], real)
    assert recall == 1 > precision


@given(st.lists(sentences, max_size=6), st.integers(1, 3))
def test_distinct_counts_ngrams(group, n):
    grams = [" ".join(s[i : i + n]) for s in group for i in range(len(s) - n + 1)]
    assert gen.distinct(group, n) == (len(set(grams)) / len(grams) if grams else 0)


# --- score


def test_score_of_one_sentence_empty_sentences_and_none():
    data = toy()
    one = gen.score([[("a", "b")], [("a", "b")]], data)
    assert "self_bleu" not in one and one["bleu_precision"] == (1 + 0) / 2 * gen.bleu([("a", "b")], ("a", "b"))
    empty = gen.score([[(), ()], [(), ()]], data)
    assert set(empty.values()) == {0.0} and {"distinct_1", "self_bleu", "bleu_recall"} <= empty.keys()
    assert gen.score([[], []], data) == {}
    half = gen.score([[], [("c",)]], data)  # the first condition has no sentence and does not count
    assert half["bleu_recall"] == gen.bleu([("c",)], ("c",)) and half["distinct_1"] == 1


def test_score_leaves_conditions_without_references_out():
    data = toy(test=[(4, 5, EOS)], labels=[0])
    found = gen.score([[("a", "b")], [("e", "e")]], data)
    assert found["bleu_precision"] == gen.bleu([("a", "b")], ("a", "b")) and found["distinct_1"] == (1 + 0.5) / 2


def test_references_are_the_first_test_sentences_of_each_condition(data):
    real = gen.references(data, 7)
    assert [len(group) for group in real] == [7] * 20
    for y, group in enumerate(real):
        rows = data.test[data.test_labels == y][:7]
        assert [" ".join(w) for w in group] == [data.decode(row).replace(",", " ,") for row in rows]


def test_fresh_true_sentences_score_as_the_truth(data):
    drawn = [[words for at, words in grammar.draw(400, "other") if at == y] for y in range(20)]
    found = gen.score(drawn, data)
    assert found["valid"] == 1 and abs(found["coverage"] - 1) < 0.03
    # as many sentences as references, from one distribution: which is which does not matter
    assert abs(found["bleu_precision"] - found["bleu_recall"]) < 0.04


# --- drawing


def test_drawing_is_decided_by_the_seed_and_leaves_the_callers_random_numbers_alone(data):
    model = small(data)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, again = (gen.draw(model, data, per_condition=4, seed=3) for _ in range(2))
    assert one == again != gen.draw(model, data, per_condition=4, seed=4)
    assert torch.equal(before, torch.get_rng_state())
    assert [len(group) for group in one] == [4] * 20
    assert max(len(s) for group in one for s in group) <= data.train.shape[1]
    assert not {"<pad>", "<bos>", "<eos>"} & {w for group in one for s in group for w in s}


def test_both_modes_get_the_same_z_and_the_right_conditions():
    data = toy()
    model = Speaker(data, lambda y, i, greedy: ("a", "b") if y == 0 else ("c",)).train()
    gen.diversity(model, data, per_condition=3, seed=5)
    drawn, greedy = model.calls
    assert torch.equal(drawn["z"], greedy["z"]) and torch.equal(drawn["z"], normal((6, 2), torch.Generator().manual_seed(5)))
    assert not drawn["greedy"] and greedy["greedy"] and not drawn["training"] and model.training
    assert gen.draw(model, data, per_condition=2) == [[("a", "b")] * 2, [("c",)] * 2]


def test_many_sentences_are_written_in_parts(data, monkeypatch):
    monkeypatch.setattr(gen, "ROWS", 7)
    model = Speaker(data, lambda y, i, greedy: (data.vocab[4 + y],))
    drawn = gen.draw(model, data, per_condition=3)
    assert drawn == [[(data.vocab[4 + y],)] * 3 for y in range(20)] and len(model.calls) == 9


def test_a_decoder_without_z_writes_one_greedy_sentence_per_condition(data):
    found = gen.diversity(small(data, without_z=True), data, per_condition=5)
    assert found["greedy_self_bleu"] == 1 > found["self_bleu"]
    assert found["distinct_1"] > found["greedy_distinct_1"]


# --- diversity as a whole


def test_diversity_of_a_speaker_of_the_grammar(data):
    """Draws the truth, and greedily always the first sentence: varied in one mode, not in the other."""
    truth = [[words for at, words in grammar.draw(400, "speaker") if at == y] for y in range(20)]
    model = Speaker(data, lambda y, i, greedy: truth[y][0 if greedy else i])
    found = gen.diversity(model, data, per_condition=20)
    assert found["valid"] == found["greedy_valid"] == 1
    assert abs(found["coverage"] - 1) < 0.05 and found["greedy_coverage"] < 0.06
    assert found["greedy_self_bleu"] == 1 > found["self_bleu"]
    assert found["greedy_bleu_recall"] < found["bleu_recall"]
    assert found["greedy_entropy_time"] == 0 < found["entropy_time"]
    for name, value in found.items():
        assert isinstance(value, float) and math.isfinite(value), name
    json.dumps(found, allow_nan=False)


def test_label_gap_is_the_loss_from_a_wrong_label():
    data = toy(test=[(4, EOS), (5, EOS), (4, EOS), (5, EOS), (4, EOS), (5, EOS)], labels=[0, 1, 0, 1, 0, 1])
    model = Speaker(data, lambda y, i, greedy: ("a",))
    assert gen.label_gap(model, data) == 3.0  # rolled by three: everybody gets the other label
    deaf = small(data)
    deaf.decoder.start.weight.data[:, 3:] = deaf.decoder.lstm.weight_ih_l0.data[:, 7:] = 0
    assert gen.label_gap(deaf, data) == pytest.approx(0, abs=1e-6)


@settings(max_examples=5)
@given(st.integers(1, 3))
def test_small_numbers_of_sentences_give_plain_numbers(n):
    data = toy()
    found = gen.diversity(small(data), data, per_condition=n)
    assert all(math.isfinite(value) for value in found.values())
    assert ("self_bleu" in found) == ("greedy_self_bleu" in found) == (n > 1) and "valid" not in found


@pytest.mark.parametrize(
    "options, per_condition, match",
    [
        ({"n_labels": 0}, 2, "no condition.*conditional=True"),
        ({"n_labels": 5}, 2, "knows 5 labels and grammar has 20"),
        ({}, 0, "per_condition = 0: choose 1 or more"),
    ],
)
def test_bad_input_is_named(data, options, per_condition, match):
    with pytest.raises(ValueError, match=match):
        gen.diversity(small(data, **options), data, per_condition=per_condition)


def test_images_are_refused():
    images = load("mnist", limit=10)
    model = build_vae("image", "mlp", latent_dim=2, hidden=8, n_labels=10)
    with pytest.raises(ValueError, match="mnist holds images: use data='text'"):
        gen.diversity(model, images, per_condition=2)


def test_self_bleu_of_one_sentence_is_an_error():
    with pytest.raises(ValueError, match="two or more, not 1"):
        gen.self_bleu([("a",)])


def test_the_work_does_not_grow_with_the_test_set(data, monkeypatch):
    """Cost is BLEU calls: at most one per sentence and reference, and one per sentence, in both modes."""
    calls = []
    monkeypatch.setattr(gen, "bleu", lambda real, h: calls.append(1) or 0.0)
    gen.diversity(small(data), data, per_condition=10)
    assert 0 < len(calls) <= 2 * 20 * 10 * (gen.REFERENCES + 1)


def test_docstring_sentences_have_packages_as_conditions():
    data = load("text", limit=300)
    found = gen.diversity(small(data), data, per_condition=2)
    assert {"bleu_recall", "greedy_distinct_2", "label_gap"} <= found.keys() and "valid" not in found
