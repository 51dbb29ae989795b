"""What is wrong with an objective of one's own, found without training: it is called on made-up mini-batches.

Named are: a loss that is no scalar (a forgotten `.mean()`), a sum over the batch, no gradient, a number that is not finite,
a term with the wrong sign, a penalty on the wrong side of its target, and knobs that change nothing.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

from klcourse.objectives import Objective, Sizes, Terms
from klcourse.objectives.knobs import knobs_of

BATCH, LATENTS = 64, 6
EPOCHS = (0.0, 0.7, 1.6, 7.0)  # a schedule shows itself at one of them
SPREADS = {"nearly collapsed": 0.01, "a few nats": 0.8, "many nats": 12.0}  # of the posterior means
SMALL = 1e-7


def faults(objective: Any) -> list[str]:
    """What is wrong with an objective, a sentence each; empty where nothing was found. Never raises for the objective.

    >>> from klcourse.objectives import RateHinge
    >>> faults(RateHinge(lam=1, c=3))
    []
    """
    if isinstance(objective, type):
        return [f"This is the class itself: make an instance of it, {objective.__name__}(...)."]
    if not isinstance(objective, Objective):
        return [f"This is a {type(objective).__name__}, not an objective: write class Mine(kl.Objective)."]
    try:
        batches = {name: _Batch(objective, spread) for name, spread in SPREADS.items()}
        for name, batch in batches.items():
            if found := _plain_fault(batch.loss(objective), name):
                return [found]
        return [*_signs(objective, batches), *_idle(objective, batches)]
    except Exception as error:  # the reader's code may do anything
        return [f"Your objective stopped with {type(error).__name__}: {error}."]


class _Batch:
    """Terms of a made-up mini-batch whose tensors can be differentiated by, each by itself."""

    def __init__(self, objective: Objective, spread: float, copies: int = 1) -> None:
        import torch

        g = torch.Generator().manual_seed(0)
        noise = [torch.randn(BATCH, LATENTS, generator=g).double() for _ in range(3)]
        width = 1 / (1 + spread)
        mu, logvar = spread * noise[0], 2 * math.log(width) + 0.1 * noise[1]
        z = mu + (0.5 * logvar).exp() * noise[2]
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)
        rec = 90 + spread + 5 * torch.rand(BATCH, generator=g).double()
        parts = {"rec": rec, "kl": kl, "mu": mu, "logvar": logvar, "z": z}
        self.leaves = {name: torch.cat([part] * copies).requires_grad_() for name, part in parts.items()}
        words = self._is_of_words(objective)
        x = torch.randint(4, 20, (BATCH, 7), generator=g) if words else (torch.rand(BATCH, 20, generator=g) < 0.3).double()
        self.x = torch.cat([x] * copies)
        self.helper = None
        if objective.needs_helper:
            sizes = self._sizes(words)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                helper = objective.build_helper(sizes)
            self.helper = None if helper is None else helper.double()

    @staticmethod
    def _sizes(words: bool) -> Sizes:
        from torch import nn

        return Sizes(LATENTS, 8, 20 if words else 0, lambda n: nn.Linear(7 if words else 20, n))

    def _is_of_words(self, objective: Objective) -> bool:
        try:
            objective.check_sizes(self._sizes(words=False))
        except ValueError:
            return True
        return False

    def terms(self, epoch: float) -> Terms:
        """The same numbers at that epoch."""
        found = Terms(**self.leaves, x=self.x, helper=self.helper)  # type: ignore[arg-type]
        found.dataset_size, found.epoch, found.epochs, found.batch_size = 1000, epoch, 10.0, len(self.x)
        return found

    def loss(self, objective: Objective, epoch: float = 3.0) -> Any:
        """The loss, with the same random numbers every time."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return objective(self.terms(epoch))

    def slopes(self, objective: Objective, epoch: float = 3.0) -> dict[str, Any]:
        """The gradient by each of the leaves; zeros for those the loss does not look at."""
        import torch

        found = torch.autograd.grad(self.loss(objective, epoch), list(self.leaves.values()), allow_unused=True)
        return {
            name: torch.zeros_like(leaf) if slope is None else slope
            for (name, leaf), slope in zip(self.leaves.items(), found)
        }


def _plain_fault(loss: Any, where: str) -> str:
    """What is wrong with the loss as a thing; empty if nothing is."""
    import torch

    if loss is None or loss is ...:
        return "Nothing comes back: __call__ must return the loss."
    if not isinstance(loss, torch.Tensor):
        return f"A {type(loss).__name__} comes back: return a tensor, and use no .item() or float() on the way."
    if loss.ndim:
        return f"A loss of shape {tuple(loss.shape)} comes back, a number per example: a .mean() was forgotten."
    if not loss.requires_grad:
        return "The loss has no gradient, so nothing would be learnt: .item(), .detach() or float() cut it off."
    if not torch.isfinite(loss):
        return f"The loss is {loss.item()} on a batch with a rate of {where}: look for log 0 and for 0/0."
    return ""


def _signs(objective: Objective, batches: dict[str, _Batch]) -> Iterator[str]:
    """Sums over the batch, terms with the wrong sign, penalties on the wrong side."""
    few, many = batches["a few nats"], batches["many nats"]
    slopes, twice = few.slopes(objective), _Batch(objective, SPREADS["a few nats"], copies=2).slopes(objective)
    summed = [name for name in slopes if (size := float(slopes[name].abs().sum())) > SMALL
              and float(twice[name].abs().sum()) > 1.6 * size]  # fmt: skip
    if summed:
        yield f"The loss grows with the size of the batch, through {', '.join(summed)}: take .mean() over it, not .sum()."
    weight = float(slopes["rec"].sum())
    if weight < 0:
        yield "The distortion has the wrong sign: training would make reconstructions worse. It is + t.rec.mean()."
    elif weight < SMALL:
        yield "The loss does not look at t.rec, so the decoder learns nothing."
    if float(many.slopes(objective)["kl"].sum()) < -SMALL:
        yield "Rate is rewarded without end: far above any target the loss still falls with t.kl. Look for a wrong sign."
    if "c" in knobs_of(type(objective)):
        low, high = (_by_target(objective, batches[name]) for name in ("nearly collapsed", "many nats"))
        if low < -SMALL:
            yield "The penalty has the wrong sign: below the target a larger c makes the loss smaller."
        elif abs(low) <= SMALL < abs(high):
            yield "The penalty acts above the target and not below it: it is max(c − R, 0), not max(R − c, 0)."


def _by_target(objective: Objective, batch: _Batch) -> float:
    """By how much the loss of a batch changes when the target c is a little larger."""
    more = copy.copy(objective)
    more.c = objective.c * 1.1 + 0.1  # type: ignore[attr-defined]
    return (batch.loss(more) - batch.loss(objective)).item()


def _idle(objective: Objective, batches: dict[str, _Batch]) -> Iterator[str]:
    """The knobs that change neither loss nor gradient."""
    before = _everything(objective, batches)
    for name, knob in knobs_of(type(objective)).items():
        value = getattr(objective, name)
        if knob.kind not in (float, int) or isinstance(value, bool):
            continue  # words choose between procedures, which a loss need not show
        tries = [value * 1.7 + 1, value / 3, (value + knob.low) / 2, knob.low]
        others = [round(other) if knob.kind is int else other for other in tries]
        if not any(_differs(before, objective, name, other, batches) for other in others if other != value):
            said = f" ({knob.help})" if knob.help else ""
            yield f"The knob {name}{said} is not used: it changes neither the loss nor its gradient."


def _differs(before: list[Any], objective: Objective, name: str, value: Any, batches: dict[str, _Batch]) -> bool:
    other = copy.copy(objective)
    try:
        setattr(other, name, value)
        after = _everything(other, batches)
    except ValueError:  # out of its bounds, or refused for batches of this size
        return False
    return any(bool((one - two).abs().max() > 1e-9) for one, two in zip(before, after))


def _everything(objective: Objective, batches: dict[str, _Batch]) -> list[Any]:
    """Losses and gradients at several epochs, before and after the objective has moved its own knobs."""
    objective, found = copy.copy(objective), []
    for epoch in (*EPOCHS, *EPOCHS):
        for batch in batches.values():
            found += [batch.loss(objective, epoch).detach(), *batch.slopes(objective, epoch).values()]
            objective.after_step(batch.terms(epoch))
    return found
