"""Losses whose multiplier is found by training: it climbs as long as its constraint is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Objective, signed
from .knobs import beta, c, knob, lam
from .rate import ascend
from .terms import Terms

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class DualAscent(Objective, name="dual"):
    """Minimise the Lagrangian D + beta R + lam (c - R) of 'R >= c', while lam climbs it: lam += eta (c - R) a step.

    lam stays in [0, beta]. It is the proper reading of the article's min max: unlike the hinge it charges lam on both
    sides of c, and where it comes to rest, lam is the multiplier lam*(c) itself. In gradient a step is a beta-VAE of
    weight beta - lam (minimum desired rate, Pelsmaeker & Aziz 2020; GECO, Rezende & Viola 2018, does it for D).
    c = 0 with lam = 0 is a beta-VAE.
    """

    title, formula = "dual ascent", "D + β R + λ (c − R), λ ← clip(λ + η (c − R), 0, β)"
    tex = r"D + \beta R + \lambda (c - R),\quad \lambda \leftarrow \mathrm{clip}(\lambda + \eta (c - R), 0, \beta)"
    paper = "Pelsmaeker & Aziz 2020"
    constrains = "rate"
    c: float = c(5.0)
    eta: float = knob(0.01, "step size of λ, per step and nat", symbol="η", tex=r"\eta")
    beta: float = beta()
    lam: float = lam(0.0, "the multiplier λ: where it starts, and where it is")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + (self.beta - self.lam) * t.kl.mean() + self.lam * self.c

    def rate_weight(self, duty: float) -> float:
        return self.beta - self.lam

    def reading(self, duty: float) -> str:
        return f"λ has come to {self.lam:.2f}, slope ≈ β − λ = {signed(self.rate_weight(duty))}"

    def after_step(self, t: Terms) -> None:
        self.lam = ascend(self.lam, self.eta, self.c, self.beta, t)

    def state(self) -> dict[str, float]:
        return {"lam": self.lam}
