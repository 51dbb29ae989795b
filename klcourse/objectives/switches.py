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
    published: dict[str, Any] = field(default_factory=dict)  # settings with which it is its paper's
    deviation: str = ""  # how it still differs from there

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
    deviation="ε of the norm is 1e-12; with PyTorch's 1e-5 the floor gives way for small means",
)  # fmt: skip
DELTA = Switch(
    "delta", "delta", "δ-VAE", "variances limited so that R ≥ δ",
    "Razavi et al. 2019", "models/floors.py",
    Knob(0.0, "delta-VAE: nats that the rate cannot fall below; 0 is off", symbol="δ", unit="nats"),
    deviation="their independent variant, prior N(0, I); their autoregressive prior over a sequence of latents is left out",
)  # fmt: skip
LAGGING = Switch(
    "lagging", "encoder_steps", "lagging inference",
    "the encoder alone, until its loss stops falling, before each decoder step",
    "He et al. 2019", "training/trainer.py",
    Knob(1, "lagging inference: most updates of the encoder before one of the decoder (the paper: 100); 1 is off", low=1),
    published={"encoder_steps": 100},
    deviation="Adam in place of SGD; annealing (theirs: ten epochs from 0.1) is an objective of its own, --objective anneal",
)  # fmt: skip
PRETRAIN = Switch(
    "ae-init", "pretrain", "autoencoder first", "first epochs: D alone; then the decoder starts afresh",
    "Li et al. 2019", "training/trainer.py",
    Knob(0, "epochs of training as an autoencoder, whose encoder is kept; 0 is off", symbol="epochs", kind=int),
    published={"pretrain": 10},
    deviation="a fixed number of epochs (theirs: until the loss stops falling); Adam in place of SGD",
)  # fmt: skip
SKIP = Switch(
    "skip", "skip", "skip connections", "every layer of the decoder is told z",
    "Dieng et al. 2019", "models/text.py",
    Knob(False, "tell every layer of the decoder z (the PixelCNN does so as it is)", kind=bool),
    published={"skip": True},
    deviation="z is joined to what a layer is told; theirs adds a learnt map of z to it",
)  # fmt: skip

SWITCHES = {switch.name: switch for switch in (WORD_DROPOUT, BN, DELTA, LAGGING, PRETRAIN, SKIP)}
"""All of them by name."""
