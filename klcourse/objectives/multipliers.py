"""Losses whose multiplier is found by training: it climbs as long as its constraint is broken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Objective, signed
from .knobs import beta, c, knob, lam, memory
from .rate import ascend
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class DualAscent(Objective, name="dual"):
    """Minimise the Lagrangian D + beta R + lam (c - R) of 'R >= c', while lam climbs it: lam += eta (c - R) a step.

    It is the proper reading of the article's min max: unlike the hinge it charges lam on both sides of c, and where it comes
    to rest, lam is the multiplier lam*(c) itself. In gradient a step is a beta-VAE of weight beta - lam. c = lam = 0 is one.
    `update` says how lam climbs: "clipped" by the plain step, within [0, beta]; "rmsprop" as in minimum desired
    rate (Pelsmaeker & Aziz 2020), by RMSprop, its size with no upper end, from lam = 1.01 and with eta = 0.001.

    >>> import torch
    >>> t = Terms(rec=torch.tensor([80.0]), kl=torch.tensor([3.0]))
    >>> objective = DualAscent(c=5, eta=0.1)
    >>> objective.after_step(t)
    >>> objective.lam, objective(t)      # 80 + 3 + 0.2 (5 - 3)
    (0.2, tensor(83.4000))

    Validation has the hinge with lam = beta in place of the lam of the day, with which two epochs could not be compared.
    """

    title, formula = "dual ascent", "D + β R + λ (c − R), λ ← clip(λ + η (c − R), 0, β)"
    tex = r"D + \beta R + \lambda (c - R),\quad \lambda \leftarrow \mathrm{clip}(\lambda + \eta (c - R), 0, \beta)"
    paper = "Pelsmaeker & Aziz 2020"
    published = {"update": "rmsprop", "eta": 0.001, "lam": 1.01}
    deviation = "their code moves λ by Adam besides RMSprop, for λ is among the weights too, so up to twice as fast"
    constrains = "rate"
    c: float = c(5.0)
    eta: float = knob(0.01, "step size of λ, per step and nat", symbol="η", tex=r"\eta")
    beta: float = beta()
    lam: float = lam(0.0, "the multiplier λ: where it starts, and where it is")
    update: str = knob("clipped", "how λ climbs: the plain step within [0, β], or RMSprop", choices=("clipped", "rmsprop"))
    square: float = memory()  # running mean of (c - R)^2, RMSprop's

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + (self.beta - self.lam) * t.kl.mean() + self.lam * self.c

    def validation_loss(self, t: Terms) -> Tensor:
        return t.rec.mean() + self.beta * (t.kl.mean() + (self.c - t.kl.mean()).clamp(min=0))

    def rate_weight(self, duty: float) -> float:
        return self.beta - self.lam

    def reading(self, duty: float) -> str:
        return f"λ has come to {self.lam:.2f}, slope ≈ β − λ = {signed(self.rate_weight(duty))}"

    def after_step(self, t: Terms) -> None:
        if self.update == "clipped":
            self.lam = ascend(self.lam, self.eta, self.c, self.beta, t)
            return
        slope = self.c - t.kl.mean().item()
        self.square = 0.99 * self.square + 0.01 * slope**2
        self.lam = abs(self.lam + self.eta * slope / (math.sqrt(self.square) + 1e-8))

    def state(self) -> dict[str, float]:
        return {"lam": self.lam} | super().state()


LEAST, MOST = 0.001, 10.0  # the bounds of GECO's lam


@dataclass
class GECO(Objective, name="geco"):
    """Minimise R + lam (D - tau), the Lagrangian of 'D <= tau', while lam <- lam exp(eta (D - tau)) (Rezende & Viola 2018).

    For lam's step D is a moving average that keeps `decay` of itself. In gradient it is lam times a beta-VAE of weight
    1/lam, so where lam comes to rest, 1/lam is the slope of the rate-distortion curve at D = tau. While D cannot be brought
    down to tau, lam stays at its upper end, and comes back late; with a slow average and a large eta both swing about. tau
    depends on data and decoder: 100 nats suit the digits. tau = eta = 0 is the ELBO.

    >>> import torch
    >>> t = Terms(rec=torch.tensor([100.0]), kl=torch.tensor([3.0]))
    >>> objective = GECO(tau=90, eta=0.01)
    >>> objective.after_step(t)
    >>> round(objective.lam, 3), objective(t)      # 3 + exp(0.1) (100 - 90)
    (1.105, tensor(14.0517))

    Validation has a hinge, R + 10 max(D - tau, 0), in place of the lam of the day.
    """

    title, formula = "GECO", "R + λ (D − τ), λ ← λ exp(η (D − τ))"
    tex = r"R + \lambda (D - \tau),\quad \lambda \leftarrow \lambda\, e^{\eta (D - \tau)}"
    paper = "Rezende & Viola 2018"
    deviation = "the constraint is on D in nats, theirs on errors of pixels; η and the bounds of λ, 0.001 and 10, are ours"
    tau: float = knob(100.0, "distortion D to be reached", symbol="τ", tex=r"\tau", unit="nats")
    eta: float = knob(0.001, "step size of log λ, per step and nat", symbol="η", tex=r"\eta")
    decay: float = knob(0.99, "share of the average of D that is kept at a step", high=1.0)
    lam: float = lam(1.0, "the multiplier λ of D: where it starts, and where it is")
    average: float = memory(math.inf)  # of D; infinite before the first step

    def __call__(self, t: Terms) -> Tensor:
        return t.kl.mean() + self.lam * (t.rec.mean() - self.tau)

    def rate_weight(self, duty: float) -> float:
        return 1 / self.lam if self.lam else math.inf

    def reading(self, duty: float) -> str:
        return f"λ has come to {self.lam:.2f}, slope ≈ 1/λ = {signed(self.rate_weight(duty))}"

    def after_step(self, t: Terms) -> None:
        now = t.rec.mean().item()
        self.average = self.decay * self.average + (1 - self.decay) * now if math.isfinite(self.average) else now
        step = min(max(self.eta * (self.average - self.tau), -10.0), 10.0)
        self.lam = min(max(self.lam * math.exp(step), LEAST), MOST)

    def validation_loss(self, t: Terms) -> Tensor:
        return t.kl.mean() + MOST * (t.rec.mean() - self.tau).clamp(min=0)

    def state(self) -> dict[str, float]:
        return {"lam": self.lam} | super().state()
