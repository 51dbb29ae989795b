"""SLVAE: the encoder is drawn towards labels that a second network gives the examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Objective
from .knobs import knob, lam
from .terms import Sizes, Terms

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass
class SelfLabelling(Objective, name="sl"):
    """Minimise D + R + lam E_q ||z - g(x)||^2 (article: L_SLVAE; Zhang et al., ICASSP 2019).

    The expectation is taken in closed form, ||mu - g(x)||^2 + sum var, as the KL's is. `label` says how g learns:
    "joint" by this very loss, as the article writes it; "alternating", as in the SLCVAE paper, by -log p(x|g(x)) with the
    decoder frozen, on mini-batches of its own, while here g(x) is a constant.

    >>> import torch
    >>> rec, kl, mu, logvar = torch.tensor([80.0]), torch.tensor([0.5]), torch.ones(1, 1), torch.zeros(1, 1)
    >>> SelfLabelling(lam=0.5)(Terms(rec, kl, mu, logvar, x=torch.zeros(1, 1), helper=lambda x: x))  # + 0.5 ((1 - 0)^2 + 1)
    tensor(81.5000)
    """

    title, formula = "SLVAE", "D + R + λ E_q ‖z − g(x)‖²"
    tex = r"D + R + \lambda\, E_q \|z - g(x)\|^2"
    paper = "Zhang et al. 2019"
    published = {"label": "alternating"}
    deviation = "label = joint is the article's formula; the paper's model is conditional (--conditional)"
    lam: float = lam(0.5, "weight λ of the distance to the label g(x)")
    label: str = knob("joint", "how the labelling network g learns", choices=("joint", "alternating"))

    def __call__(self, t: Terms) -> Tensor:
        if t.helper is None or t.mu is None or t.logvar is None:
            raise ValueError("objective sl needs a labelling network g: the batch came without Terms(helper=g)")
        label = t.helper(t.x)  # (B, d) g(x)
        if self.label == "alternating":
            label = label.detach()  # the encoder follows g; g learns in helper_loss
        distance = (t.mu - label).square().sum(-1) + t.logvar.exp().sum(-1)  # (B,) E_q ||z - g(x)||^2
        return t.rec.mean() + t.kl.mean() + self.lam * distance.mean()

    def build_helper(self, sizes: Sizes) -> nn.Module:
        return sizes.encoder(sizes.latent_dim)

    @property
    def helper_alternates(self) -> bool:
        return self.label == "alternating"

    def helper_loss(self, x: Tensor, log_px: Callable[[Tensor], Tensor], helper: Callable[..., Tensor]) -> Tensor:
        return -log_px(helper(x)).mean()
