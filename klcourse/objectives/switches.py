"""Methods that change the model or the schedule of updates and not the loss: any objective can be trained with them.

They are listed here like the objectives, for tables and command line. Their code is where `file` says; here is only what
others need to know, which can be read without loading PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .knobs import Knob


@dataclass(frozen=True)
class Switch:
    """One such method: `setting` is the field of a run that turns it on, `knob` what that takes and where it is off."""

    name: str
    setting: str
    title: str
    formula: str
    paper: str
    file: str
    knob: Knob

    def field(self) -> Any:
        """The field of a run, with its default (off) and what it takes."""
        return field(default=self.knob.default, metadata={"knob": self.knob})


WORD_DROPOUT = Switch(
    "word-dropout", "word_dropout", "word dropout", "each word the decoder is given is hidden with a probability",
    "Bowman et al. 2016", "models/text.py",
    Knob(0.0, "probability that the text decoder does not see a word", symbol="share", high=1.0),
)  # fmt: skip
BN = Switch(
    "bn", "bn_gamma", "BN-VAE", "batch norm of the means, scale γ fixed: R ≥ d γ²/2",
    "Zhu et al. 2020", "models/floors.py",
    Knob(None, "BN-VAE: fixed standard deviation of the posterior means over a mini-batch", symbol="γ", above=True),
)  # fmt: skip
DELTA = Switch(
    "delta", "delta", "δ-VAE", "variances limited so that R ≥ δ",
    "Razavi et al. 2019", "models/floors.py",
    Knob(0.0, "delta-VAE: nats that the rate cannot fall below; 0 is off", symbol="δ", unit="nats"),
)  # fmt: skip
LAGGING = Switch(
    "lagging", "encoder_steps", "lagging inference", "several updates of the encoder for one of the decoder",
    "He et al. 2019", "training.py",
    Knob(1, "lagging inference: updates of the encoder for one of the decoder; 1 is off", low=1),
)  # fmt: skip

SWITCHES = {switch.name: switch for switch in (WORD_DROPOUT, BN, DELTA, LAGGING)}
"""All of them by name."""
