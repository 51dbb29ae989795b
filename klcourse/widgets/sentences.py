"""Between two sentences: what the decoder of a trained text model writes from a code z, and under which condition."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from klcourse.measure import posteriors
from klcourse.runs import Trained, test_tensors
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Slider
from klcourse.widgets.latent import MARK, PATHS, far_apart, interpolate

STEPS = np.linspace(0, 1, 6)  # more lines would be smaller, and drawing letters is what takes the time here
WORDS = 20  # a sentence is cut here, as in notebook 12
SEEN = 256  # paths whose sentences are remembered
FADED = "#9a9a9a"
ROW = 56  # letters of a sentence in the list
NOTHING, SAME = "(nothing)", "the same"
BIG = 54  # letters of a line of the large sentence


class Sentences(Widget):
    """Greedy sentences on the way between the codes of two test sentences, under one condition if the model has any.

    `run` is a trained text model, ValueError for others; first and second are numbers of test sentences, by default two
    whose codes lie far apart. All six sentences of a path are written at once and kept, so that t moves at once.
    """

    title = "What does the decoder write between two sentences?"
    caption = (
        "Top: the most probable words, one after the other, that the decoder writes from the code at t. Below: the same at "
        "six equal steps between the codes of two test sentences, with the length of z; “the same” where nothing changes."
    )
    size = (8.8, 4.4)
    lines = 2

    def __init__(self, run: Trained, **values) -> None:
        if run.data.kind != "text":
            raise ValueError(f"Sentences walks between sentences, and {run.data.name} holds images: use LatentExplorer(run)")
        self.model, self.data = run.model, run.data
        self.x, self.y = test_tensors(run.data, run.config, next(run.model.parameters()).device)
        self.mu = posteriors(run.model, self.x, self.y)[0].cpu().numpy()
        first, second = far_apart(self.mu)
        last = len(self.mu) - 1
        self.controls = {
            "t": Slider("t", 0.4, 0, 1, 0.2, help="How far along the path: 0 is the first sentence, 1 the second."),
            "first": Slider("first", first, 0, last, 1, help="Number of the test sentence where the path begins."),
            "second": Slider("second", second, 0, last, 1, help="Number of the test sentence where it ends."),
            "path": Choice("path", "linear", PATHS, "A straight line, or a turn that keeps the length."),
        }
        if run.model.n_labels:
            names = run.data.label_names
            label = names[run.data.test_labels[int(values.get("first", first))]]
            what = "What the decoder is told beside z: the same z, another condition."
            self.controls["condition"] = Choice("label y", label, names, what)
        self.written = lru_cache(SEEN)(self.write)
        super().__init__(**values)

    def write(self, first: int, second: int, path: str, condition: str | None = None) -> tuple[str, ...]:
        """The greedy sentences at the six steps of a path."""
        codes = interpolate(self.mu[first], self.mu[second], STEPS, path)
        z = torch.as_tensor(codes, dtype=torch.float32, device=self.x.device)
        label = None
        if condition is not None:
            label = torch.full((len(z),), self.data.label_names.index(condition), device=z.device)
        ids = self.model.sample(z, label, greedy=True, max_words=WORDS)
        return tuple(self.data.decode(row) for row in ids.cpu().numpy())

    # --- the picture -----------------------------------------------------------------------------------------

    def figure_setup(self, fig: Figure) -> None:
        """One axes of text: the sentence at t, then the two test sentences with the path between them."""
        fig.set_layout_engine("none")  # places are given
        ax = fig.add_axes((0.01, 0.01, 0.98, 0.9))
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.set_axis_off()
        plain: dict[str, Any] = dict(
            va="center", fontsize=15, parse_math=False
        )  # no mathematics: a sentence may hold dollar signs
        heights = np.linspace(0.715, 0.03, len(STEPS) + 2)
        self.heights = heights[1:-1]
        self.ends = [ax.text(0, y, "", style="italic", **plain) for y in (heights[0], heights[-1])]
        self.rows = [ax.text(0.07, y, "", **plain) for y in self.heights]
        self.lengths = [ax.text(0.985, y, "", ha="right", color="#505050", **plain) for y in self.heights]
        for t, y in zip(STEPS, self.heights):
            ax.text(0.05, y, f"{t:.1f}", ha="right", color="#505050", **plain)
        self.large = self.live(ax.text(0, 0.875, "", color=MARK, linespacing=1.15, **plain | {"fontsize": 22}))
        step = heights[0] - heights[1]
        self.frame = self.live(Rectangle((0.005, 0), 0.99, step, fill=False, color=MARK, linewidth=3))
        ax.add_patch(self.frame)
        self.listed: tuple[int, int, str, str | None] | None = None  # the path whose sentences stand in the rows

    def update(self, values: dict) -> str:
        """Write the path (or remember it) and mark the sentence at t."""
        return self.walk(**values)

    def walk(self, t, path, first, second, condition=None) -> str:
        """`update`, the controls by name."""
        sentences = self.written(first, second, path, condition)
        if self.listed != (first, second, path, condition):
            self.list_sentences(sentences, first, second, path)
            self.listed = first, second, path, condition
        now = round(t * (len(STEPS) - 1))
        self.large.set_text(textwrap.fill(textwrap.shorten(sentences[now], 2 * BIG - 4, placeholder=" …") or NOTHING, BIG))
        self.frame.set_y(self.heights[now] - self.frame.get_height() / 2)
        under = "" if condition is None else f", under the condition {condition}"
        return (
            f"{t:.1f} of the {path} way from sentence {first} to {second}{under}: “{sentences[now]}”. "
            f"Different sentences in the {len(STEPS)} steps: {len(set(sentences))}."
        )

    def list_sentences(self, sentences: tuple[str, ...], first: int, second: int, path: str) -> None:
        """Fill the rows: they stand still while t moves, because drawing text is slow."""
        for k, (row, sentence) in enumerate(zip(self.rows, sentences)):
            again = k > 0 and sentence == sentences[k - 1]
            row.set(
                text=SAME if again else textwrap.shorten(sentence, ROW, placeholder=" …") or NOTHING,
                color=FADED if again else "black",
            )
        codes = interpolate(self.mu[first], self.mu[second], STEPS, path)
        for text, z in zip(self.lengths, codes):
            text.set_text(f"|z| = {np.linalg.norm(z):.2f}")
        for text, what, number in zip(self.ends, ("first", "second"), (first, second)):
            of = f" ({self.data.label_names[self.data.test_labels[number]]})" if self.data.label_names else ""
            sentence = f"{what}: test sentence {number}{of}: {self.data.decode(self.data.test[number])}"
            text.set_text(textwrap.shorten(sentence, ROW + 10, placeholder=" …"))
        self.stale()
