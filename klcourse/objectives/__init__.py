"""The objectives: what each turns a mini-batch into, as small dataclasses.

An objective is called on the terms of a batch and returns the loss, a scalar in nats: sums over dimensions, means over
examples. Its fields are plain numbers and may be changed between two training steps; the next step uses the new value.

>>> import torch
>>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
>>> ELBO()(t)
tensor(87.)
>>> RateHinge(lam=0.5, c=5)(t)      # rate 2 is below c = 5: 0.5 * (5 - 2) more
tensor(88.5000)

`article` has those the article speaks of, `baselines` those of the literature, `information` the hinge on I_q itself.
"""

from __future__ import annotations

from dataclasses import fields

from .article import ELBO, BetaTC, BetaVAE, RateHinge, SelfLabelling, minibatch_total_correlation
from .base import Objective, Terms
from .baselines import (
    Capacity,
    CyclicalAnnealing,
    DualAscent,
    FreeBits,
    FreeBitsPerDim,
    InfoVAE,
    LinearAnnealing,
    cyclical_weight,
    linear_weight,
    mmd_to_prior,
)
from .information import InfoHinge, batch_information

__all__ = [
    "BetaTC",
    "BetaVAE",
    "Capacity",
    "CyclicalAnnealing",
    "DualAscent",
    "ELBO",
    "FreeBits",
    "FreeBitsPerDim",
    "InfoVAE",
    "InfoHinge",
    "LinearAnnealing",
    "RateHinge",
    "OBJECTIVES",
    "Objective",
    "SelfLabelling",
    "Terms",
    "batch_information",
    "cyclical_weight",
    "linear_weight",
    "make_objective",
    "minibatch_total_correlation",
    "mmd_to_prior",
]

OBJECTIVES = {
    cls.name: cls
    for cls in (
        ELBO,
        SelfLabelling,
        RateHinge,
        BetaVAE,
        BetaTC,
        LinearAnnealing,
        CyclicalAnnealing,
        FreeBits,
        FreeBitsPerDim,
        Capacity,
        DualAscent,
        InfoHinge,
        InfoVAE,
    )
}


def make_objective(name: str, **knobs) -> Objective:
    """The objective of that name with those knobs; a knob it does not have is an error, never silently ignored.

    >>> make_objective("mi", lam=1, c=5)
    RateHinge(lam=1, c=5, beta=1.0)
    >>> make_objective("elbo", warmup=1)
    Traceback (most recent call last):
    ...
    ValueError: objective elbo does not use warmup; objectives that do: anneal
    """
    if name not in OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}: choose one of {', '.join(OBJECTIVES)}")
    for knob in knobs:
        if knob not in {f.name for f in fields(OBJECTIVES[name])}:
            users = [n for n, cls in OBJECTIVES.items() if knob in {f.name for f in fields(cls)}]
            raise ValueError(f"objective {name} does not use {knob}; objectives that do: {', '.join(users) or 'none'}")
    return OBJECTIVES[name](**knobs)
