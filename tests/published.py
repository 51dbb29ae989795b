"""What each baseline's paper claims for it, on models small enough to know the answer: `python -m tests.published`.

Minimum desired rate, GECO and the schedules on the linear VAE with one latent, whose curve is D(R) = 5 exp(-2R) exactly, so
that the price of a nat at R is 10 exp(-2R) and the ELBO's rate is log(10)/2 = 1.15; bag of words and lagging inference on
sentences of four kinds.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from klcourse.data import EOS
from klcourse.measure import importance_weighted
from klcourse.models import build_vae
from klcourse.objectives import ELBO, GECO, BagOfWords, Capacity, CyclicalAnnealing, DualAscent, Objective
from klcourse.training import Trainer
from tests.test_baselines import linear_gaussian_terms
from tests.test_training import helper_sizes


def descend(objective: Objective, steps: int, lr: float = 0.03) -> dict[str, np.ndarray]:
    """Train the exactly solvable linear VAE, D(R) = 5 exp(-2R), as `steps` epochs of one step: R, D, lam of every step."""
    parameters = [torch.tensor(t, dtype=torch.double, requires_grad=True) for t in (0.5, 0.5, -0.5)]
    descent = torch.optim.SGD(parameters, lr=lr)
    rows = []
    for i in range(steps):
        terms = linear_gaussian_terms(*parameters)
        terms.epoch, terms.epochs = i, steps
        loss = objective(terms)
        descent.zero_grad()
        loss.backward()
        descent.step()
        rows.append((terms.kl.item(), terms.rec.item(), objective.penalty_weight))
        objective.after_step(terms)
    return dict(zip(("rate", "distortion", "lam"), np.array(rows).T))


def of_words(objective: Objective, epochs: int = 12, **more: int) -> Trainer:
    """A small sentence model, trained: four kinds of sentences, which a decoder tells from their first word."""
    g = torch.Generator().manual_seed(0)
    x = 4 + 2 * torch.randint(0, 4, (300, 1), generator=g) + torch.randint(0, 2, (300, 6), generator=g)
    x[:, -1] = EOS
    torch.manual_seed(0)
    sizes = {"latent_dim": 4, "hidden": 16, "vocab_size": 12}
    known = {"valid": (x, None), "sizes": helper_sizes("text", **sizes), "batch_size": 20, "lr": 5e-3}
    trainer = Trainer(build_vae("text", "lstm", **sizes), objective, x, **known, **more)
    trainer.fit(epochs, progress=False)
    return trainer


def lag(trainer: Trainer) -> float:
    """KL(q(z|x) || p(z|x)) of the training sentences [nats]: how far the encoder is behind, as -ELBO less the likelihood."""

    def bound(x: torch.Tensor, samples: int, prior_share: float) -> float:
        g = torch.Generator().manual_seed(0)
        return float(importance_weighted(trainer.model, x, samples=samples, prior_share=prior_share, generator=g).mean)

    return bound(trainer.x.repeat(32, 1), 1, 0.0) - bound(trainer.x, 256, 0.5)


def rows() -> list[tuple[str, str, str]]:
    """Method, what its paper claims, what happens here."""
    found = []
    steps = 4000
    rate = descend(Capacity.as_published(lam=20.0, c=2.0), steps, lr=0.001)["rate"]
    at = [steps // 4, steps // 2, 3 * steps // 4, steps - 1]
    text = ", ".join(f"{rate[i]:.2f}" for i in at)
    found.append(("capacity", "R follows C from 0 to c = 2: at the quarters 0.5, 1, 1.5, 2", f"R = {text} (λ = 20)"))
    run = descend(DualAscent.as_published(c=1.5), 6000)
    found.append(
        (
            "minimum desired rate",
            f"R rests at 1.5; exact multiplier {1 - 10 * math.exp(-3):.3f}",
            f"R = {run['rate'][-1000:].mean():.3f}, λ = {run['lam'][-1000:].mean():.3f}, from {run['lam'][0]:.2f}",
        )
    )
    cycles = descend(CyclicalAnnealing.as_published(), steps, lr=0.01)["rate"].reshape(4, -1)
    text = "; ".join(f"{c.max():.2f} to {c[-1]:.2f}" for c in cycles)
    found.append(("cyclical", "in each of four cycles R swells, then returns to 1.15", f"R = {text}"))
    for nats in 1.0, 2.0:
        tau = 5 * math.exp(-2 * nats)
        run = descend(GECO(tau=tau, eta=0.01, decay=0.9), 8000, lr=0.01)
        claim = f"D rests at τ = {tau:.3f}; exact slope there {2 * tau:.3f}"
        found.append(("GECO", claim, f"D = {run['distortion'][-500:].mean():.3f}, 1/λ = {1 / run['lam'][-1]:.3f}"))
    plain, told = (of_words(objective).history[-1] for objective in (ELBO(), BagOfWords()))
    claim = "z holds information where the ELBO's is empty: at most log 4 = 1.39 nats"
    found.append(("bag of words", claim, f"I_q = {told['mi']:.2f}, with the ELBO {plain['mi']:.2f}"))
    plain, ahead = of_words(ELBO(), epochs=2), of_words(ELBO(), epochs=2, encoder_steps=30)
    claim = "trained ahead of the decoder, the encoder is nearer to p(z|x) and holds more: two epochs"
    rates = [trainer.history[-1]["rate"] for trainer in (ahead, plain)]
    gaps = [lag(trainer) for trainer in (ahead, plain)]
    text = f"KL(q(z|x) ‖ p(z|x)) = {gaps[0]:.3f}, with the ELBO {gaps[1]:.3f}; R = {rates[0]:.2f}, {rates[1]:.2f}"
    found.append(("lagging", claim, text))
    return found


if __name__ == "__main__":
    print("| method | the paper's claim here | measured |\n|---|---|---|")
    for row in rows():
        print("| " + " | ".join(row) + " |")
