"""What each study runs: the question it answers, and a list of configurations.

All are small enough for one core: together about half an hour. The PixelCNN runs see 2 000 digits in batches
of 20, because what is slow there is the arrival of information, which takes steps rather than examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from klcourse.runs import RunConfig


@dataclass(frozen=True)
class StudyRun:
    """One run of a study: its configuration, and what is done beside plain training.

    role tells apart runs that serve different ends in one study. trace > 0 measures rate and I_q every so
    many steps. eta > 0 is dual ascent: after every step lam <- clip(lam + eta (c - R), 0, beta), R the
    batch's rate. On the objective mi it moves the hinge's own lam. On the objective beta it is ascent on the
    Lagrangian D + beta R + lam (c - R), a beta-VAE of weight beta - lam; then lam (where it starts) and c are
    given here, as that objective has no such knobs.
    """

    config: RunConfig
    role: str = ""
    eta: float = 0.0
    trace: int = 0
    lam: float | None = None
    c: float | None = None


@dataclass(frozen=True)
class Study:
    """A question, the names of what varies (fields of RunConfig or StudyRun), and the runs that answer it."""

    about: str
    varies: tuple[str, ...]
    runs: tuple[StudyRun, ...]


MLP = dict(data="mnist", decoder="mlp", epochs=30, latent_dim=16, iw_samples=0)
AR = dict(data="mnist", decoder="ar", limit=2000, batch_size=20, epochs=3, latent_dim=16, iw_samples=0)
LONG = AR | dict(epochs=6)
TEXT = dict(data="text", limit=4000, batch_size=50, lr=2e-3, epochs=6, hidden=64, latent_dim=16, iw_samples=0)
TEXT |= dict(decoder="lstm")


def grid(common: dict, **axes) -> list[RunConfig]:
    """The configurations with every combination of the axes' values.

    >>> [(c.lam, c.seed) for c in grid(MLP, objective=["mi"], lam=[1, 2], seed=[0, 1])]
    [(1, 0), (1, 1), (2, 0), (2, 1)]
    """
    return [RunConfig(**common | dict(zip(axes, values))) for values in product(*axes.values())]


def runs(*parts: list[RunConfig], **options) -> tuple[StudyRun, ...]:
    """Runs of these configurations, all with the same options (role, eta, trace ...)."""
    return tuple(StudyRun(config, **options) for part in parts for config in part)


CELLS = dict(without_z=[True, False], prior_encoder=[True, False], seed=[0, 1, 2])
LABELS = dict(objective=["sl"], label=["joint", "alternating"], lam=[0.1, 0.5, 2.0])
BETAS = [0.5, 1.0, 2.0, 4.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0]
PAIRS = [(20.0, 10.0), (40.0, 30.0), (60.0, 50.0), (40.0, 20.0), (20.0, 16.0), (40.0, 36.0)]  # beta, lam

STUDIES: dict[str, Study] = {
    "measured_game": Study(
        "The four cells of the VAE game, each trained; the payoff is the test ELBO (claims A3 to A5)",
        ("data", "decoder", "without_z", "prior_encoder", "seed"),
        runs(grid(MLP, **CELLS), grid(AR, **CELLS), grid(TEXT, **CELLS)),
    ),
    "phase_diagram": Study(
        "Rate, information and duty cycle over the constraint's knobs lam and c (claims A10, A15)",
        ("lam", "c"),
        runs(grid(AR, objective=["mi"], lam=[0.25, 0.5, 0.75, 1.0, 1.5, 3.0], c=[1.0, 3.0, 5.0, 8.0])),
    ),
    "self_labelling": Study(
        "SLVAE with the article's joint g and with the paper's alternating g (claim A7)",
        ("data", "decoder", "label", "lam", "seed"),
        runs(grid(TEXT, **LABELS, seed=[0, 1]), grid(AR, **LABELS)),
    ),
    "lazy_plane": Study(
        "How rate and information grow while training (claim A9)",
        ("objective", "lam", "c"),
        runs(
            grid(LONG, objective=["elbo"]),
            grid(LONG, objective=["mi"], lam=[0.75, 1.0, 2.0], c=[5.0]),
            trace=20,
        ),
    ),
    "lambda_star": Study(
        "Three readings of lam*(c) = beta - s(c): the slope from plain beta runs, lam * duty, dual ascent",
        ("role", "objective", "beta", "lam", "c", "eta"),
        runs(grid(LONG, objective=["beta"], beta=[0.1, 0.15, 0.2, 0.25, 0.35]), role="free", trace=20)
        + runs(grid(LONG, objective=["mi"], lam=[0.5, 0.9, 1.0, 1.5, 3.0], c=[3.0]), role="hinge", trace=20)
        + runs(grid(LONG, objective=["beta"], beta=[1.0]), role="dual", eta=0.01, lam=0.0, c=3.0, trace=20)
        + runs(grid(LONG, objective=["beta"], beta=[1.0]), role="dual", eta=0.01, lam=1.0, c=3.0, trace=20)
        + runs(
            grid(LONG, objective=["mi"], lam=[0.0], c=[3.0]), role="dual on the hinge", eta=0.01, trace=20
        ),
    ),
    "beta_curve": Study(
        "The rate-distortion curve by sweeping beta; pairs beta, lam that act as one beta_eff (A13, A14)",
        ("role", "decoder", "objective", "beta", "lam", "c"),
        runs(
            grid(MLP, objective=["beta"], beta=BETAS),
            grid(AR, objective=["beta"], beta=[0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5]),
            role="sweep",
        )
        + runs(*(grid(MLP, objective=["mi"], beta=[b], lam=[lam], c=[5.0]) for b, lam in PAIRS), role="pair"),
    ),
}
