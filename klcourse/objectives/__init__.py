"""The objectives: what each turns a mini-batch into, as small dataclasses. One file a family, one class a method.

An objective is called on the terms of a batch and returns the loss, a scalar in nats: sums over dimensions, means over
examples. Its fields are its knobs and may be changed between two training steps; the next step uses the new value.

>>> import torch
>>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
>>> ELBO()(t)
tensor(87.)
>>> RateHinge(lam=0.5, c=5)(t)      # rate 2 is below c = 5: 0.5 * (5 - 2) more
tensor(88.5000)

`rate` has losses that weigh or hold the rate, `labelling` SLVAE, `information` losses on the parts of the rate,
`annealing` schedules, `multipliers` constraints whose price is found by training, `examples` free bits of single examples,
`words` a loss for text, `switches` the methods that change something else than the loss. How a method differs from its paper
it says itself (`deviation`); the knobs of the paper are `published`, since defaults stay what stored runs took them to be. A
new file in this folder is found by itself. Nothing here needs more than PyTorch and klcourse.gaussians, so a loss can be
lifted out as it is.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .base import (
    OBJECTIVES,
    Objective,
    all_knobs,
    canonical,
    find_objective,
    first_name,
    make_objective,
)
from .knobs import Knob, Slide, knob, knobs_of, memory
from .schedules import cyclical_weight, linear_weight
from .switches import SWITCHES, Switch
from .terms import Sizes, Terms

# isort: split
# in the order in which they are listed: the article's, then the literature's
from .rate import ELBO, BetaVAE, Capacity, FreeBits, FreeBitsPerDim, RateHinge

# isort: split
from .labelling import SelfLabelling

# isort: split
from .information import BetaTC, InfoHinge, InfoVAE, batch_information, minibatch_total_correlation, mmd_to_prior

# isort: split
from .annealing import CyclicalAnnealing, LinearAnnealing

# isort: split
from .multipliers import GECO, DualAscent

# isort: split
from .examples import FreeBitsEach

# isort: split
from .words import BagOfWords

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "BagOfWords",
    "BetaTC",
    "BetaVAE",
    "Capacity",
    "CyclicalAnnealing",
    "DualAscent",
    "ELBO",
    "FreeBits",
    "FreeBitsEach",
    "FreeBitsPerDim",
    "GECO",
    "InfoHinge",
    "InfoVAE",
    "Knob",
    "LinearAnnealing",
    "OBJECTIVES",
    "Objective",
    "RateHinge",
    "SWITCHES",
    "SelfLabelling",
    "Sizes",
    "Slide",
    "Switch",
    "Terms",
    "all_knobs",
    "batch_information",
    "canonical",
    "cyclical_weight",
    "find_objective",
    "first_name",
    "knob",
    "knobs_of",
    "linear_weight",
    "make_objective",
    "memory",
    "minibatch_total_correlation",
    "mmd_to_prior",
]
