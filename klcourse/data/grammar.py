"""A small English grammar with known probabilities: one condition, many sentences, and every entropy exact.

The condition y is a verb, one of 20, all equally likely. Five factors vary given y, independently of each other: the form
of the sentence, its subject, object (four nouns of that verb), manner and time. So every condition has 4^5 = 1 024 valid
sentences. Every sentence has one condition and one value of each factor, which `parse` gives back, and a probability,
which `log_prob` gives; a trained model's sentences can be checked for validity, and counted.

    statement   my sister cooked the soup again yesterday .
    time first  yesterday , my sister cooked the soup again .
    question    did my sister cook the soup again yesterday ?
    passive     the soup was cooked by my sister again yesterday .

>>> y, factors = parse("yesterday , my sister cooked the soup again .")
>>> CONDITIONS[y], factors["form"], factors["object"], factors["time"]
('cook', 'time first', 'soup', 'yesterday')
>>> parse("yesterday , my sister cook the soup again .") is None      # not in the grammar
True
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .dataset import Dataset, tokenise
from .text import build_vocab, text_dataset

SEED = 0
N_TRAIN, N_TEST = 8_000, 1_000

# base, third person, past: objects, likely ones first
_VERBS = """
cook cooks cooked: soup rice fish dinner
clean cleans cleaned: kitchen car window floor
paint paints painted: wall door fence portrait
repair repairs repaired: bicycle radio roof clock
study studies studied: map poem contract chapter
watch watches watched: film match play sunset
visit visits visited: museum farm castle harbour
order orders ordered: pizza book taxi cake
plant plants planted: tree rose bush onion
open opens opened: shop letter bottle gate
carry carries carried: suitcase ladder basket parcel
move moves moved: table sofa wardrobe statue
record records recorded: song speech concert interview
copy copies copied: recipe list drawing file
print prints printed: poster ticket photo report
borrow borrows borrowed: tent umbrella camera hammer
return returns returned: key coat lamp ring
taste tastes tasted: wine cheese honey sauce
wash washes washed: shirt blanket dog dish
discuss discusses discussed: plan news game problem
"""
_TABLE = {line.split()[0]: (line.split(":")[0].split(), line.split(":")[1].split()) for line in _VERBS.strip().splitlines()}
CONDITIONS = tuple(_TABLE)  # label_names of the dataset
FACTORS = ("form", "subject", "object", "manner", "time")

_PROBABILITIES = {
    "form": {"statement": 0.4, "time first": 0.25, "question": 0.2, "passive": 0.15},
    "subject": {"my sister": 0.4, "the children": 0.3, "a friend": 0.2, "our neighbours": 0.1},
    "manner": {"again": 0.35, "with care": 0.3, "quietly": 0.2, "in a hurry": 0.15},
    "time": {"yesterday": 0.35, "last week": 0.25, "every day": 0.25, "tomorrow": 0.15},
}
_OBJECT = (0.4, 0.3, 0.2, 0.1)
_PLURAL = {"the children", "our neighbours"}
_TENSE = {"yesterday": "past", "last week": "past", "every day": "present", "tomorrow": "future"}


def distribution(factor: str, y: int) -> dict[str, float]:
    """The values of a factor with their probabilities under condition y; only the objects depend on y.

    >>> distribution("object", 0)
    {'soup': 0.4, 'rice': 0.3, 'fish': 0.2, 'dinner': 0.1}
    """
    if factor not in FACTORS:
        raise ValueError(f"unknown factor {factor!r}: choose one of {', '.join(FACTORS)}")
    nouns = _TABLE[_condition(y)][1]
    return dict(zip(nouns, _OBJECT)) if factor == "object" else dict(_PROBABILITIES[factor])


def _condition(y: int) -> str:
    if y not in range(len(CONDITIONS)):
        raise ValueError(f"condition {y!r}: choose a number from 0 to {len(CONDITIONS) - 1}")
    return CONDITIONS[y]


def sentence(y: int, factors: dict[str, str]) -> tuple[str, ...]:
    """The words of a sentence: condition and factors -> x, one to one. ValueError for a value that a factor does not have.

    >>> " ".join(sentence(0, dict(form="passive", subject="a friend", object="rice", manner="quietly", time="tomorrow")))
    'the rice will be cooked by a friend quietly tomorrow .'
    """
    for name in FACTORS:
        if factors.get(name) not in (options := distribution(name, y)):
            raise ValueError(f"{name} = {factors.get(name)!r}: choose one of {', '.join(options)}")
    return _say(y, factors)


def _say(y: int, factors: dict[str, str]) -> tuple[str, ...]:
    (base, third, past), _ = _TABLE[CONDITIONS[y]]
    form, subject, thing, manner, time = (factors[name] for name in FACTORS)
    thing, tense, plural = f"the {thing}", _TENSE[time], subject in _PLURAL
    if form == "question":
        helper = {"past": "did", "present": "do" if plural else "does", "future": "will"}[tense]
        text = f"{helper} {subject} {base} {thing} {manner} {time} ?"
    elif form == "passive":
        helper = {"past": "was", "present": "is", "future": "will be"}[tense]
        text = f"{thing} {helper} {past} by {subject} {manner} {time} ."
    else:
        verb = {"past": past, "present": base if plural else third, "future": f"will {base}"}[tense]
        told = f"{subject} {verb} {thing} {manner}"
        text = f"{time} , {told} ." if form == "time first" else f"{told} {time} ."
    return tuple(text.split())


def sentences(y: int) -> Iterator[tuple[tuple[str, ...], dict[str, str], float]]:
    """All 1 024 sentences of a condition: words, factors and p(x|y)."""
    for choice in itertools.product(*(distribution(name, y).items() for name in FACTORS)):
        factors = {name: value for name, (value, _) in zip(FACTORS, choice)}
        yield _say(y, factors), factors, math.prod(p for _, p in choice)


@functools.cache
def _language() -> dict[tuple[str, ...], tuple[int, dict[str, str], float]]:
    """words -> condition, factors, p(x|y). With 20 480 sentences the whole language is its own parser."""
    return {words: (y, factors, p) for y in range(len(CONDITIONS)) for words, factors, p in sentences(y)}


def parse(words: str | Sequence[str]) -> tuple[int, dict[str, str]] | None:
    """The condition and the factors of a sentence (a string or its words), or None if the grammar has no such sentence."""
    found = _language().get(_words(words))
    return found and (found[0], dict(found[1]))


def log_prob(words: str | Sequence[str], y: int | None = None) -> float:
    """log p(x|y), or log p(x) without y, in nats; -inf for a sentence that is not valid (under y).

    >>> round(log_prob("my sister cooked the soup again yesterday .", 0), 3)        # log(.4 * .4 * .4 * .35 * .35)
    -4.849
    >>> log_prob("my sister cooked the soup again yesterday .", 1)
    -inf
    """
    if y is not None:
        _condition(y)
    condition, _, p = _language().get(_words(words), (None, None, 0.0))
    if condition is None or y not in (None, condition):
        return -math.inf
    return math.log(p if y is not None else p / len(CONDITIONS))


def _words(words: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(tokenise(words) if isinstance(words, str) else words)


def _entropy(probabilities: Iterable[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)


def factor_entropies() -> dict[str, float]:
    """H(factor | y) in nats, the same for every condition; as the factors are independent given y, their sum is H(x|y).

    >>> {name: round(h, 2) for name, h in factor_entropies().items()}
    {'form': 1.32, 'subject': 1.28, 'object': 1.28, 'manner': 1.34, 'time': 1.35}
    """
    return {name: _entropy(distribution(name, 0).values()) for name in FACTORS}


def entropies() -> dict[str, float]:
    """H(x|y), H(x), H(y) and I(x;y) in nats, exact. I(x;y) = H(y), as a sentence tells its condition.

    >>> {name: round(h, 2) for name, h in entropies().items()}
    {'H(x|y)': 6.56, 'H(x)': 9.56, 'H(y)': 3.0, 'I(x;y)': 3.0}
    """
    given_y, of_y = sum(factor_entropies().values()), math.log(len(CONDITIONS))
    return {"H(x|y)": given_y, "H(x)": given_y + of_y, "H(y)": of_y, "I(x;y)": of_y}


# ------------------------------------------------------------------------------------------- measuring generated sentences


@functools.cache
def expected_distinct(n: int) -> float:
    """How many different sentences n independent draws from p(x|y) hold on average, sum_x 1 - (1 - p(x|y))^n.

    >>> round(expected_distinct(1), 6), round(expected_distinct(50), 1)
    (1.0, 47.8)
    """
    return sum(1 - (1 - p) ** n for _, _, p in sentences(0))


def measure(generated: Sequence[Sequence[Sequence[str]]]) -> dict[str, float]:
    """How true and how varied the sentences generated for each condition are: `generated[y]` are sentences, as words.

    valid           the share that are sentences of their own condition
    coverage        how many different valid ones there are, over how many as many draws from the grammar have on average;
                    1 is as varied as the truth (evenly spread samples repeat less, so a little above 1 is possible)
    entropy_FACTOR  of the factor among the valid sentences of a condition, nats; the estimate from n draws of the truth
                    is about 3/(2n) below `factor_entropies`

    All are means over conditions; a condition without a valid sentence counts as 0, one without sentences is left out.

    >>> measure([[words for words, _, _ in sentences(y)] for y in range(20)])["valid"]
    1.0
    """
    rows = []
    for y, group in enumerate(generated):
        if not len(group):
            continue
        valid = [words for words in map(_words, group) if log_prob(words, y) > -math.inf]
        row = {"valid": len(valid) / len(group), "coverage": len(set(valid)) / expected_distinct(len(group))}
        for name in FACTORS:
            counts = Counter(_language()[words][1][name] for words in valid).values()
            row[f"entropy_{name}"] = _entropy(count / len(valid) for count in counts)
        rows.append(row)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}


# ------------------------------------------------------------------------------------------------------------ the dataset


def _uniform(*key: object) -> float:
    """A number in [0, 1) that is a function of the key alone: no generator whose stream may change with a version."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7], "big") / 2**56


def draw(n: int, part: str) -> list[tuple[int, tuple[str, ...]]]:
    """n independent draws from p(x|y), every condition as often as any other, shuffled: (y, words) each.

    `part` names the stream ("train", "test"): another name, other draws.
    """
    made = []
    for i in range(n):
        y, factors = i % len(CONDITIONS), {}
        for name in FACTORS:
            options = distribution(name, y)
            above = itertools.accumulate(options.values())
            u = _uniform(SEED, part, i, name)
            factors[name] = next((v for v, top in zip(options, above) if u < top), list(options)[-1])
        made.append((y, _say(y, factors)))
    return [made[i] for i in sorted(range(n), key=lambda i: _uniform(SEED, part, i, "order"))]


def grammar_sentences(where: Path | None = None) -> Dataset:
    """8 000 + 1 000 sentences drawn from the grammar; label = condition, the verb. Needs no file: `where` is not used.

    The test sentences are fresh draws, not sentences kept out of training: likely ones are in both parts, as chance has it.
    """
    train, test = draw(N_TRAIN, "train"), draw(N_TEST, "test")
    words, test_words = ([x for _, x in part] for part in (train, test))
    labels = [y for y, _ in train], [y for y, _ in test]
    return text_dataset("grammar", words, test_words, build_vocab(words, 1), labels, CONDITIONS)
