"""What a conditional text model writes: how varied, how close to real sentences, and where the truth is known, how true.

One condition has many sentences. A model can be varied in two ways, so everything is measured twice from the same z ~ p(z):

- drawing every word from the decoder: this is the model's p(x|y). A collapsed one is varied too: its decoder is random.
- `greedy_`, the most probable word each time: all variety must come from z. This is what the one-to-many papers report
  (Zhao et al. 2017: "diverse responses using only greedy decoders"), and what vanishes when the KL does.

    diversity(run.model, run.data, per_condition=20, seed=0)
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from tqdm.auto import tqdm

from klcourse.data import BOS, EOS, PAD, Dataset, grammar
from klcourse.gaussians import normal, reparameterise
from klcourse.models import VAE
from klcourse.system import is_piped

from .passes import chunks, log_px, posteriors

REFERENCES = 20  # test sentences a condition is compared with, the first in the data's (random) order: more cost time only
ROWS = 1000  # sentences written at a time
Sentence = tuple[str, ...]


def diversity(model: VAE, data: Dataset, *, per_condition: int, seed: int = 0, progress: bool = False) -> dict[str, float]:
    """Draw `per_condition` sentences for every condition, z from the prior, and measure them: plain numbers by name.

    The measures of `score`, for sentences drawn word by word and, with the prefix greedy_, decoded greedily from the same z;
    and label_gap = D(shuffled y) - D on the test set, nats: what the decoder loses when every sentence keeps its z and gets
    the label of the one half the test set further on, so what the condition tells it. ValueError for a model that has no
    condition, for images, and for fewer than one sentence.
    """
    modes = {
        prefix: draw(model, data, per_condition=per_condition, seed=seed, greedy=bool(prefix)) for prefix in ("", "greedy_")
    }
    out = {"label_gap": label_gap(model, data, seed)}
    with tqdm(
        total=2 * model.n_labels, desc="comparing sentences", delay=2, leave=False, disable=not progress or is_piped()
    ) as bar:
        for prefix, generated in modes.items():
            out |= {prefix + name: value for name, value in score(generated, data, bar.update).items()}
    return out


@torch.no_grad()
def draw(model: VAE, data: Dataset, *, per_condition: int, seed: int = 0, greedy: bool = False) -> list[list[Sentence]]:
    """`per_condition` sentences for every condition, as words: [y][i]. The same seed means the same z, greedy or not."""
    if data.kind != "text":
        raise ValueError(f"sentences need a text model, and {data.name} holds images: use data='text' or data='grammar'")
    if not model.n_labels:
        raise ValueError("this model has no condition to write sentences for: train it with conditional=True")
    if model.n_labels != len(data.label_names):
        n = len(data.label_names)
        raise ValueError(f"the model knows {model.n_labels} labels and {data.name} has {n}: pass the data it was trained on")
    if per_condition < 1:
        raise ValueError(f"per_condition = {per_condition}: choose 1 or more")
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(model.n_labels).repeat_interleave(per_condition).to(device)
    z = normal((len(y), model.latent_dim), generator).to(device)
    options = {"greedy": greedy, "max_words": data.train.shape[1]}  # as long as the longest sentence: a longer one is cut
    sentences: list[Sentence] = []
    with evaluating(model):
        for s in chunks(len(y), ROWS):
            sentences += words(data, model.sample(z[s], y[s], generator=generator, **options))
    return [sentences[s] for s in chunks(len(y), per_condition)]


class evaluating:
    """A block in which a model is in evaluation mode; afterwards it is in the mode it was in."""

    def __init__(self, model: torch.nn.Module):
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.model.eval()

    def __exit__(self, *error) -> None:
        self.model.train(self.was_training)


def words(data: Dataset, rows: Tensor) -> list[Sentence]:
    """The words of rows of ids, each up to its end mark."""
    out = []
    for row in rows.tolist():
        row = row[: row.index(EOS)] if EOS in row else row
        out.append(tuple(data.vocab[i] for i in row if i not in (PAD, BOS)))
    return out


def references(data: Dataset, n: int = REFERENCES) -> list[list[Sentence]]:
    """The first n test sentences of every condition, as words: [y][j]. A condition may have fewer, or none."""
    rows = [data.test[data.test_labels == y][:n] for y in range(len(data.label_names))]
    return [words(data, group) for group in rows]


@torch.no_grad()
def label_gap(model: VAE, data: Dataset, seed: int = 0) -> float:
    """D(shuffled y) - D on the test sentences, z ~ q(z|x, y) kept: nats. Zero: the decoder ignores the condition."""
    device = next(model.parameters()).device
    x, y = torch.as_tensor(data.test, device=device).long(), torch.as_tensor(data.test_labels, device=device)
    with evaluating(model):
        z = reparameterise(*posteriors(model, x, y), torch.Generator().manual_seed(seed))
        other = y.roll(max(1, len(y) // 2), 0)
        return (log_px(model, x, z, y) - log_px(model, x, z, other)).mean().item()


# --------------------------------------------------------------------------------------------------- measuring sentences


def score(
    generated: Sequence[Sequence[Sentence]], data: Dataset, on_condition: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """How varied and how close to the test sentences `generated[y]` are; every number is a mean over the conditions.

    distinct_1, distinct_2  different n-grams over all n-grams among the sentences of a condition, 0 where there are none
                            (Li et al. 2016, who divide by words, also for n = 2). Falls with the number of sentences.
    self_bleu               BLEU of a sentence against all others of its condition, mean; high means alike (Zhu et al. 2018).
                            Left out where no condition has two sentences.
    bleu_precision          mean over sentences h of max_r BLEU(r, h), r the condition's references: are they good ones?
    bleu_recall             mean over references r of max_h BLEU(r, h): is every kind of sentence there?
                            (Zhao et al. 2017.) Conditions without a test sentence are left out. A maximum grows with
                            what it is taken over: with 20 sentences and 20 references the two can be compared.
    valid, coverage, entropy_FACTOR   for data="grammar" only: klcourse.data.grammar.measure.

    >>> from klcourse.data import load
    >>> data = load("grammar")
    >>> truth = references(data)                 # the references score 1 against themselves, and are varied
    >>> measured = score(truth, data)
    >>> measured["bleu_precision"], measured["bleu_recall"], measured["valid"]
    (1.0, 1.0, 1.0)
    """
    columns: dict[str, list[float]] = {}
    for hypotheses, real in zip(generated, references(data)):
        row = {f"distinct_{n}": distinct(hypotheses, n) for n in (1, 2)} if hypotheses else {}
        if len(hypotheses) > 1:
            row["self_bleu"] = self_bleu(hypotheses)
        if hypotheses and real:
            row["bleu_precision"], row["bleu_recall"] = bleu_precision_recall(hypotheses, real)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
        on_condition()
    out = {name: sum(values) / len(values) for name, values in columns.items()}
    return out | (grammar.measure(generated) if data.name == "grammar" else {})


def ngrams(sentence: Sentence, n: int) -> Iterator[Sentence]:
    """The runs of n words of a sentence."""
    return zip(*(sentence[i:] for i in range(n)))


def distinct(sentences: Sequence[Sentence], n: int) -> float:
    """Different n-grams over all n-grams of some sentences; 0 where there are none.

    >>> distinct([("a", "b"), ("a", "c")], 1)
    0.75
    """
    found = [gram for sentence in sentences for gram in ngrams(sentence, n)]
    return len(set(found)) / len(found) if found else 0.0


@functools.cache
def _nltk() -> tuple[Callable, Callable]:
    # Imported here because it takes a second, which nobody who only trains should wait for.
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    return sentence_bleu, SmoothingFunction().method2


def bleu(real: Sequence[Sentence], hypothesis: Sentence) -> float:
    """Sentence BLEU of a hypothesis against references, 0 to 1: 1- to 3-grams with equal weights, add-one smoothed.

    That is Zhao et al.'s (2017) BLEU, except that add-one (Lin & Och 2004) takes the place of their smoothing, "method 7" of
    Chen & Cherry (2014), which as implemented gives identical sentences more than 1. 0 for an empty sentence.

    >>> bleu([("my", "sister", "cooked", "soup")], ("my", "sister", "cooked", "soup"))
    1.0
    >>> round(bleu([("my", "sister", "cooked", "soup")], ("my", "sister", "painted", "soup")), 2)
    0.5
    """
    sentence_bleu, smoothing = _nltk()
    return float(sentence_bleu(real, hypothesis, weights=(1 / 3,) * 3, smoothing_function=smoothing))


def self_bleu(sentences: Sequence[Sentence]) -> float:
    """Mean BLEU of each sentence against all others; at least two are needed."""
    if len(sentences) < 2:
        raise ValueError(f"self-BLEU compares each sentence with the others: give two or more, not {len(sentences)}")
    # A reference counts once however often it stands there, so equal sentences, many after a collapse, are worked out once.
    counts = Counter(sentences)
    total = 0.0
    for sentence, n in counts.items():
        others = [other for other in counts if other != sentence or n > 1]
        total += n * bleu(others, sentence)
    return total / len(sentences)


def bleu_precision_recall(hypotheses: Sequence[Sentence], real: Sequence[Sentence]) -> tuple[float, float]:
    """Mean over hypotheses of max_r BLEU(r, h), and mean over references of max_h BLEU(r, h) (Zhao et al. 2017)."""
    h_counts, r_counts = Counter(hypotheses), Counter(real)
    table = [[bleu([r], h) for r in r_counts] for h in h_counts]  # (hypotheses, references), different ones only
    precision = sum(n * max(row) for n, row in zip(h_counts.values(), table)) / len(hypotheses)
    recall = sum(n * max(column) for n, column in zip(r_counts.values(), zip(*table))) / len(real)
    return precision, recall
