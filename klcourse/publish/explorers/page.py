"""From an explorer's tables to a page: a piece of HTML for the site, or a file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from klcourse.publish.explorers.latent import latent
from klcourse.publish.explorers.payoff import payoff
from klcourse.publish.explorers.phase import phase
from klcourse.publish.explorers.portrait import portrait

HERE = Path(__file__).parent
FILES = ("explorer.css", "explorer.js", "phase.js", "payoff.js", "portrait.js", "latent.js")


class Explorer(NamedTuple):
    """One explorer: `page` is the name of its page and script, `widget` the class it stands for in the notebooks."""

    page: str
    widget: str
    title: str
    words: str
    tables: Callable[[], dict[str, Any]]

    def html(self, folder: str) -> str:
        """The explorer as a piece of HTML; `folder` holds FILES. Without scripts it says what is missing."""
        tables = json.dumps(self.tables(), separators=(",", ":"), ensure_ascii=False)
        return (
            f'<div class="explorer" id="{self.page}"><p>This picture moves where scripts may run.</p></div>\n'
            f'<script type="application/json" id="{self.page}-tables">{tables}</script>\n'
            f'<script src="{folder}/explorer.js"></script>\n<script src="{folder}/{self.page}.js"></script>'
        )

    def whole_page(self) -> str:
        """A page that needs nothing but FILES beside it."""
        return (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{self.title}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="explorer.css">'
            f"</head><body><main><h1>{self.title}</h1><p>{self.words}</p>{self.html('.')}</main></body></html>"
        )

    def markdown(self, folder: str) -> str:
        """A page of the site."""
        return f"# {self.title}\n\n{self.words}\n\n```{{raw}} html\n{self.html(folder)}\n```\n"


EXPLORERS = (
    Explorer(
        "phase",
        "PhaseDiagram",
        "Which price λ holds the target c?",
        "The exact linear-Gaussian model of notebook 07 with sixteen latents. Move λ, c and β, or press a place on the map. "
        "Training stops where what one more nat of rate buys meets what it costs.",
        phase,
    ),
    Explorer(
        "payoff",
        "PayoffExplorer",
        "Who would leave which cell?",
        "The article's game with a constraint, notebook 08: decoder A chooses a row, encoder B a column, both are paid the "
        "same. The pair that uses z has J = 1.45, G = 0 and R = 0.55 nats; before a decoder that ignores z the encoder may "
        "spend 0.3 nats.",
        payoff,
    ),
    Explorer(
        "portrait",
        "PhasePortrait",
        "Does training stay at collapse?",
        "The linear-Gaussian VAE of notebooks 04 and 08, σ² = 1. Left: the payoff over both modules' gains, among "
        "encoders with q(z) = p(z); grey is worse than collapse (cross), ochre better. Lines: best replies. Black: gradient "
        "descent in all five numbers of the model from six starts (dots). Right: the same runs, rate against information; "
        "a dot is where a run ends.",
        portrait,
    ),
    Explorer(
        "latent",
        "LatentExplorer",
        "What does a code draw?",
        "Four factorised decoders with two latents, trained on the digits (one run each). Left: test digits, written at "
        "the mean of their code; circles hold 39 % and 86 % of the prior. Right: the mean image that the decoder draws from "
        "the place of the ring. Move it by the sliders, or press a place.",
        latent,
    ),
)
