"""What notebook 02's reader writes: the five parts of a VAE as code, and how to look at somebody's own.

Code is kept as text and run when it is needed, so that importing this file needs no torch.
"""

from __future__ import annotations

from typing import Any

from .answers import NotYet, Unusable, as_array, is_stub

SETUP = """
import torch
import torch.nn.functional as F
from torch import nn
"""

ENCODER = """class Encoder(nn.Module):
    def __init__(self, d=8, hidden=200):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2 * d))

    def forward(self, x):
        mu, logvar = self.net(x).chunk(2, dim=-1)  # (B, 2 d) -> twice (B, d)
        return mu, logvar"""

SAMPLE = """def sample(mu, logvar, noise):
    return mu + (0.5 * logvar).exp() * noise"""

DECODER = """class Decoder(nn.Module):
    def __init__(self, d=8, hidden=200):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(d, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 784))

    def forward(self, z):
        return self.net(z)  # (B, 784) logits"""

TERMS = """def loss_terms(x, mu, logvar, logits):
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)
    return rec, kl"""

TRAIN = """def train(encoder, decoder, x, epochs, terms, seed=0):
    generator = torch.Generator().manual_seed(seed)  # all chance: batches and noise
    history = []  # D and R of every batch, in nats per digit
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator).split(100):
            mu, logvar = encoder(x[batch])
            z = sample(mu, logvar, torch.randn(mu.shape, generator=generator))
            rec, kl = terms(x[batch], mu, logvar, decoder(z))
            optimiser.zero_grad()
            (rec + kl).mean().backward()
            optimiser.step()
            history.append((rec.mean().item(), kl.mean().item()))
    return history"""


def made(code: str, name: str, before: str = "") -> Any:
    """A function or class that a piece of code defines, made when it is called."""

    def make(*arguments: Any, **named: Any) -> Any:
        names: dict[str, Any] = {"__name__": "solution"}
        exec(f"{SETUP}\n{before}\n{code}", names)
        return names[name](*arguments, **named)

    return make


def _network(thing: Any, rows: Any) -> Any:
    """What a network class gives for some rows, weights drawn from a fixed seed."""
    import torch

    if isinstance(thing, torch.nn.Module):
        raise Unusable("This is one network: give the class itself, its name without brackets.")
    if not callable(thing):
        raise Unusable(f"This is a {type(thing).__name__}: give the class itself.")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        return thing()(rows)


def look_at_encoder(thing: Any) -> dict[str, Any]:
    """What comes back of an encoder class for six random digits."""
    import torch

    out = _network(thing, (torch.rand(6, 784, generator=torch.Generator().manual_seed(1)) < 0.3).float())
    if is_stub(out):
        raise NotYet
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        parts = len(out) if isinstance(out, (tuple, list)) else 1
        return {"parts that come back": parts, "shapes are (6, 8)": 0, "mu has both signs": 0, "logvar has both signs": 0}
    mu, logvar = as_array(out[0]), as_array(out[1])
    return {
        "parts that come back": 2,
        "shapes are (6, 8)": mu.shape == logvar.shape == (6, 8),
        "mu has both signs": mu.min() < 0 < mu.max(),
        "logvar has both signs": logvar.min() < 0 < logvar.max(),
    }


def look_at_decoder(thing: Any) -> dict[str, Any]:
    """What comes back of a decoder class for six codes."""
    import torch

    out = _network(thing, 3 * torch.randn(6, 8, generator=torch.Generator().manual_seed(1)))
    if is_stub(out):
        raise NotYet
    logits = as_array(out)
    if logits.shape != (6, 784):
        raise Unusable(f"For six codes the shape {logits.shape} comes back: it should be (6, 784), a logit for each pixel.")
    return {"logits have both signs": logits.min() < 0 < logits.max(), "codes matter": logits.std(0).max() > 1e-6}


def look_at_training(train: Any) -> dict[str, Any]:
    """What a training loop does with two linear layers and 250 tiny digits of two kinds."""
    import torch
    from torch import nn

    if not callable(train):
        raise Unusable("Give the function itself: its name without brackets.")

    class Small(nn.Module):
        def __init__(self, n_in: int, n_out: int, two: bool):
            super().__init__()
            self.net, self.two = nn.Linear(n_in, n_out), two

        def forward(self, x: Any) -> Any:
            return tuple(self.net(x).chunk(2, -1)) if self.two else self.net(x)

    terms = made(TERMS, "loss_terms")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = (torch.rand(250, 1) < 0.5).float().expand(250, 12) * torch.ones(12)
        encoder, decoder = Small(12, 4, True), Small(2, 12, False)
        before = [part.net.weight.detach().clone() for part in (encoder, decoder)]
        history = train(encoder, decoder, x, 10, terms)
        moved = [bool((part.net.weight != old).any()) for part, old in zip((encoder, decoder), before)]
        if history is None or (len(history) == 0 and not any(moved)):
            raise NotYet
        noted = as_array(history)
        losses = noted.sum(1) if noted.ndim == 2 else noted
        falls = len(losses) > 9 and losses[-9:].mean() < losses[:9].mean() - 0.01
        # Against a loss that is the decoder's bias, every batch has the gradient 1: more is left over from before.
        probe = Small(2, 1, False)
        train(Small(12, 4, True), probe, x, 1, lambda x, mu, logvar, logits: (logits.sum(-1), 0 * mu.sum(-1)))
        left = 0.0 if probe.net.bias.grad is None else float(probe.net.bias.grad.sum())
    return {
        "steps in 10 epochs of 250 digits": len(noted),
        "encoder learns": moved[0],
        "decoder learns": moved[1],
        "loss falls": falls,
        "gradients of earlier batches are added": left > 1.5,
    }


def terms_cases() -> dict[str, tuple]:
    """Arguments for the terms of the loss."""
    import torch

    g = torch.Generator().manual_seed(0)
    x, logits = (torch.rand(4, 784, generator=g) < 0.2).float(), torch.randn(4, 784, generator=g)
    mu, logvar = torch.randn(4, 8, generator=g), torch.randn(4, 8, generator=g)
    return {
        "the prior, a coin flip for each pixel": (x, torch.zeros(4, 8), torch.zeros(4, 8), torch.zeros(4, 784)),
        "four random digits": (x, mu, logvar, logits),
    }


def sample_cases() -> dict[str, tuple]:
    """Arguments for a sample."""
    import torch

    g = torch.Generator().manual_seed(0)
    return {
        "mu = 1, variance 4, noise 1": (torch.tensor([1.0]), torch.tensor([4.0]).log(), torch.tensor([1.0])),
        "random, (3, 2)": tuple(torch.randn(3, 2, generator=g) for _ in range(3)),
    }


def changed(code: str, old: str, new: str, name: str, before: str = "") -> Any:
    """The same with one thing changed: a typical mistake."""
    assert old in code, old
    return made(code.replace(old, new), name, before)
