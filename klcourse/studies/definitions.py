"""What each study runs: the question it answers, and a list of configurations.

All are small enough for one core: together about half an hour. The PixelCNN runs see 2 000 digits in batches of 20, because
what is slow there is information to arrive, which takes steps rather than examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from klcourse.runs import RunConfig


@dataclass(frozen=True)
class StudyRun:
    """One run of a study: its configuration, and what is done beside plain training.

    role tells apart runs that serve different ends in one study. eta > 0 is dual ascent: after every step
    lam <- clip(lam + eta (c - R), 0, beta), R the batch's rate. trace > 0 measures rate and I_q every `trace` steps.
    """

    config: RunConfig
    role: str = ""
    eta: float = 0.0
    trace: int = 0


@dataclass(frozen=True)
class Study:
    """A question, the names of what varies (fields of RunConfig or StudyRun), and the runs that answer it."""

    about: str
    varies: tuple[str, ...]
    runs: tuple[StudyRun, ...]


MLP = dict(data="mnist", decoder="mlp", epochs=30, latent_dim=16, iw_samples=0)
AR = dict(data="mnist", decoder="ar", limit=2000, batch_size=20, epochs=3, latent_dim=16, iw_samples=0)
TEXT = dict(data="text", decoder="lstm", limit=4000, batch_size=50, epochs=6, hidden=64, latent_dim=16, iw_samples=0)


def grid(common: dict, **axes) -> list[RunConfig]:
    """The configurations with every combination of the axes' values.

    >>> [(c.lam, c.seed) for c in grid(MLP, objective=["mi"], lam=[1, 2], seed=[0, 1])]
    [(1, 0), (1, 1), (2, 0), (2, 1)]
    """
    return [RunConfig(**common | dict(zip(axes, values))) for values in product(*axes.values())]


def study(about: str, varies: str, *parts: list[RunConfig], **options) -> Study:
    """A study whose runs all have the same options (role, eta, trace)."""
    return Study(about, tuple(varies.split()), tuple(StudyRun(c, **options) for part in parts for c in part))


def join(about: str, varies: str, *studies: Study) -> Study:
    """One study of the runs of several."""
    return Study(about, tuple(varies.split()), tuple(run for part in studies for run in part.runs))


CELLS = dict(without_z=[True, False], prior_encoder=[True, False], seed=[0, 1, 2])
LABELS = dict(objective=["sl"], label=["joint", "alternating"], lam=[0.1, 0.5, 2.0])
LONG = AR | dict(epochs=6)

STUDIES: dict[str, Study] = {
    "measured_game": study(
        "The four cells of the VAE game, each trained; the payoff is the test ELBO (claims A3 to A5)",
        "data decoder without_z prior_encoder seed",
        grid(MLP, **CELLS), grid(AR, **CELLS), grid(TEXT, **CELLS),
    ),
    "phase_diagram": study(
        "Rate, information and duty cycle over the constraint's knobs lam and c (claims A10, A15)",
        "lam c",
        grid(AR, objective=["mi"], lam=[0.25, 0.5, 0.75, 1.0, 1.5, 3.0], c=[1.0, 3.0, 5.0, 8.0]),
    ),
    "self_labelling": study(
        "SLVAE with the article's joint g and with the paper's alternating g (claim A7)",
        "data decoder label lam seed",
        grid(TEXT, **LABELS, seed=[0, 1]), grid(AR, **LABELS),
    ),
    "lazy_plane": study(
        "How rate and information grow while training: the lazy shift comes first where lam > beta (claim A9)",
        "objective lam c",
        grid(LONG, objective=["elbo"]), grid(LONG, objective=["mi"], lam=[0.75, 1.0, 2.0], c=[5.0]),
        trace=20,
    ),
    "lambda_star": join(
        "Three readings of lam*(c) = beta - s(c): the slope from plain beta runs, lam * duty, dual ascent",
        "role objective beta lam c eta",
        study("", "", grid(LONG, objective=["beta"], beta=[0.1, 0.15, 0.2, 0.25, 0.35]), role="free", trace=20),
        study("", "", grid(LONG, objective=["mi"], lam=[0.5, 0.9, 1.0, 1.5, 3.0], c=[3.0]), role="hinge", trace=20),
        study("", "", grid(LONG, objective=["mi"], lam=[0.0, 1.0], c=[3.0]), role="dual", eta=0.02, trace=20),
    ),
    "beta_curve": join(
        "The rate-distortion curve by sweeping beta, and pairs (beta, lam) that act as one beta_eff (claims A13, A14)",
        "role decoder objective beta lam c",
        study("", "", grid(MLP, objective=["beta"], beta=[0.5, 1.0, 2.0, 4.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0]),
              grid(AR, objective=["beta"], beta=[0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5]), role="sweep"),
        study("", "", *(grid(MLP, objective=["mi"], beta=[b], lam=[lam], c=[5.0])
                        for b, lam in [(20.0, 10.0), (40.0, 30.0), (60.0, 50.0), (40.0, 20.0), (20.0, 16.0), (40.0, 36.0)]),
              role="pair"),
    ),
}  # fmt: skip
