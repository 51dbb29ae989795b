"""The objectives of the article: what each turns a mini-batch into, as small dataclasses.

An objective is called on the terms of a batch and returns the loss, a scalar in nats: sums over dimensions, means over
examples. Its fields are plain numbers and may be changed between two training steps; the next step uses the new value.

>>> import torch
>>> t = Terms(rec=torch.tensor([80.0, 90.0]), kl=torch.tensor([1.0, 3.0]))
>>> ELBO()(t)
tensor(87.)
>>> MIConstraint(lam=0.5, c=5)(t)      # rate 2 is below c = 5: 0.5 * (5 - 2) more
tensor(88.5000)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor


@dataclass
class Terms:
    """What one mini-batch of B examples gives an objective; everything in nats."""

    rec: Tensor  # (B,)   -log p(x|z), z ~ q(z|x)
    kl: Tensor  # (B,)   KL(q(z|x) || p(z)), closed form
    mu: Tensor | None = None  # (B, d) of q(z|x)
    logvar: Tensor | None = None  # (B, d)
    z: Tensor | None = None  # (B, d) the sample behind rec
    label: Tensor | None = None  # (B, d) g(x), only for SelfLabelling
    dataset_size: int = 0  # N, the number of training examples, only for BetaTC


class Objective:
    """What all objectives share: a name for the command line, validation, and the state of the penalty."""

    name: ClassVar[str]
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}  # the fields that are words, and the words they take

    def __call__(self, t: Terms) -> Tensor:
        raise TypeError(f"{type(self).__name__} is abstract: use one of {', '.join(OBJECTIVES)}")

    def penalty_on(self, t: Terms) -> bool:
        """Whether this batch is on the branch of the hinge where the penalty acts; never, without a hinge."""
        return False

    def __setattr__(self, field: str, value) -> None:
        # checked here and not once at the start, because live controls change a field while a run trains
        if field not in {f.name for f in fields(self)}:
            known = ", ".join(f.name for f in fields(self)) or "none"
            raise AttributeError(f"objective {self.name} has no knob {field!r}; it has: {known}")
        if isinstance(value, (int, float)) and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{field} = {value} of objective {self.name}: choose a finite number >= 0")
        if isinstance(value, str) and value not in self.choices.get(field, ()):
            raise ValueError(f"{field} = {value!r} of objective {self.name}: choose {self.choices.get(field, 'a number')}")
        super().__setattr__(field, value)


@dataclass
class ELBO(Objective):
    """Minimise -ELBO = D + R (article, section 'KL vanishing problem'; Kingma & Welling 2014)."""

    name: ClassVar[str] = "elbo"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean()


@dataclass
class BetaVAE(Objective):
    """Minimise D + beta R (Higgins et al. 2017; article, section on beta-VAE). beta = 1 is the ELBO."""

    beta: float = 1.0
    name: ClassVar[str] = "beta"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * t.kl.mean()


@dataclass
class MIConstraint(Objective):
    """Minimise D + beta R + lam max(c - R, 0), R the batch mean of the KL: the article's new objective, eqs. (3), (4).

    beta > 1 is the article's combination with beta-VAE. The loss is written as the article's algorithm switches: below
    c the KL has weight beta - lam, and that is all a step sees of lam and beta (beta_eff = beta - lam).
    """

    lam: float = 1.0
    c: float = 5.0
    beta: float = 1.0
    name: ClassVar[str] = "mi"

    def __call__(self, t: Terms) -> Tensor:
        if self.penalty_on(t):
            return t.rec.mean() + (self.beta - self.lam) * t.kl.mean() + self.lam * self.c
        return t.rec.mean() + self.beta * t.kl.mean()

    def penalty_on(self, t: Terms) -> bool:
        return t.kl.mean().item() < self.c


@dataclass
class SelfLabelling(Objective):
    """Minimise D + R + lam E_q ||z - g(x)||^2 (article: L_SLVAE; Zhang et al., ICASSP 2019).

    The expectation is taken in closed form, ||mu - g(x)||^2 + sum var, as the KL's is. `label` says how g learns:
    "joint" by this very loss, as the article writes it; "alternating", as in the SLCVAE paper, by -log p(x|g(x)) with the
    decoder frozen, on mini-batches of its own (the trainer does that step; here g(x) is a constant).
    """

    lam: float = 0.5
    label: str = "joint"
    name: ClassVar[str] = "sl"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"label": ("joint", "alternating")}

    def __call__(self, t: Terms) -> Tensor:
        if t.label is None:
            raise ValueError("objective sl needs a labelling network g: the batch came without g(x)")
        distance = (t.mu - t.label).square().sum(-1) + t.logvar.exp().sum(-1)  # (B,) E_q ||z - g(x)||^2
        return t.rec.mean() + t.kl.mean() + self.lam * distance.mean()


@dataclass
class BetaTC(Objective):
    """Minimise D + I_q + beta TC + sum_j KL(q(z_j) || p(z_j)): beta-TCVAE (Chen et al. 2018; the article's reference 2).

    As those three add up to R, this is D + R + (beta - 1) TC; beta = 1 is the ELBO. TC, the total correlation of q(z), is
    estimated by minibatch-weighted sampling: right for its gradient, off by a constant, so never a metric.
    """

    beta: float = 6.0
    name: ClassVar[str] = "tc"

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean() + (self.beta - 1) * minibatch_total_correlation(t)


def minibatch_total_correlation(t: Terms) -> Tensor:
    """The estimate of TC(q(z)) = E log q(z) - sum_j E log q(z_j) that beta-TCVAE trains on; scalar, nats.

    log q(z) is approximated by logsumexp_i log q(z|x_i) - log(N B) over the batch (Chen et al. 2018, eq. 5).
    """
    diff = t.z[:, None] - t.mu[None]  # (B, B, d): sample i against posterior j
    log_q = -0.5 * (diff.square() / t.logvar.exp() + t.logvar + math.log(2 * math.pi))  # (B, B, d)
    log_nb = math.log(max(t.dataset_size, len(t.z)) * len(t.z))
    joint = log_q.sum(-1).logsumexp(1) - log_nb  # (B,)
    product = (log_q.logsumexp(1) - log_nb).sum(-1)  # (B,)
    return (joint - product).mean()


OBJECTIVES = {cls.name: cls for cls in (ELBO, SelfLabelling, MIConstraint, BetaVAE, BetaTC)}


def make_objective(name: str, **knobs) -> Objective:
    """The objective of that name with those knobs; a knob it does not have is an error, never silently ignored.

    >>> make_objective("mi", lam=1, c=5)
    MIConstraint(lam=1, c=5, beta=1.0)
    >>> make_objective("elbo", lam=1)
    Traceback (most recent call last):
    ...
    ValueError: objective elbo does not use lam; objectives that do: sl, mi
    """
    if name not in OBJECTIVES:
        raise ValueError(f"unknown objective {name!r}: choose one of {', '.join(OBJECTIVES)}")
    for knob in knobs:
        if knob not in {f.name for f in fields(OBJECTIVES[name])}:
            users = [n for n, cls in OBJECTIVES.items() if knob in {f.name for f in fields(cls)}]
            raise ValueError(f"objective {name} does not use {knob}; objectives that do: {', '.join(users) or 'none'}")
    return OBJECTIVES[name](**knobs)
