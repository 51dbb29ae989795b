"""A loss for text alone: z must tell which words a sentence has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Objective
from .knobs import knob, lam
from .schedules import linear_weight
from .terms import Sizes, Terms

if TYPE_CHECKING:
    from torch import Tensor, nn

PAD = 0  # the id after the end of a sentence
HIDDEN = 400  # tanh units of the helper, as in the paper


@dataclass
class BagOfWords(Objective, name="bow"):
    """Minimise D + w R + lam E_q[-sum_t log f(w_t|z)], f a network from z to the vocabulary (Zhao et al. 2017; text only).

    f has no words before w_t to go by, so it gains from z or not at all; the encoder learns to put into z what f can use,
    whatever the decoder makes of it. w grows from 0 to 1 in `warmup` epochs: theirs in 10 000 steps, one and a half passes.
    lam = 0 is the ELBO. The validation loss is the ELBO's: f is not part of the model.

    >>> import torch
    >>> words = torch.tensor([[4, 5, 2], [4, 2, 0]])      # two and one words with their end of sentence
    >>> even = lambda z: torch.zeros(len(z), 8)      # a network that knows nothing: log 8 a word
    >>> t = Terms(torch.full((2,), 9.0), torch.ones(2), z=torch.zeros(2, 1), x=words, helper=even)
    >>> BagOfWords()(t)      # 9 + 1 + 2.5 log 8
    tensor(15.1986)
    """

    title, formula = "bag of words", "D + w R + λ E_q[−Σ_t log f(w_t|z)]"
    tex = r"D + w_t R + \lambda\, E_q\left[-\sum_t \log f(w_t|z)\right]"
    paper = "Zhao, Zhao & Eskenazi 2017"
    published = {"warmup": 1.5}
    deviation = "f sees z alone: their model is one of dialogue, whose f sees the turns before as well"
    lam: float = lam(1.0, "weight λ of the words told by z alone")
    warmup: float = knob(0.0, "until the KL has its full weight", unit="epochs")

    def __call__(self, t: Terms) -> Tensor:
        return t.rec.mean() + linear_weight(t.epoch, self.warmup) * t.kl.mean() + self.lam * self.words(t).mean()

    def words(self, t: Terms) -> Tensor:
        """-sum_t log f(w_t|z) of every example, (B,), nats."""
        if t.helper is None or t.z is None or t.x is None or t.x.is_floating_point():
            raise ValueError(
                "objective bow needs words and a network from z to them: the batch came without Terms(x=..., helper=f)"
            )
        log_f = t.helper(t.z).log_softmax(-1)  # (B, V)
        return -(log_f.gather(1, t.x) * (t.x != PAD)).sum(1)

    def validation_loss(self, t: Terms) -> Tensor:
        return t.rec.mean() + t.kl.mean()

    def settles(self, epochs: float) -> float:
        return self.warmup

    def check_sizes(self, sizes: Sizes) -> None:
        if not sizes.vocab_size:
            raise ValueError("objective bow tells the words of a sentence from z: images have none, choose text data")

    def build_helper(self, sizes: Sizes) -> nn.Module:
        from torch import nn  # whoever only asks for names needs no PyTorch

        self.check_sizes(sizes)
        return nn.Sequential(nn.Linear(sizes.latent_dim, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, sizes.vocab_size))
