"""How far the importance-weighted bound is from the exact -log p(x), by proposal, number of draws and encoder.

    python -m tests.benchmarks.likelihood          # exact models
    python -m tests.benchmarks.likelihood --text   # a lazy text model: minutes

p(x|z) = N(wz, .3 I) in eight dimensions, so log p(x) is known. The honest encoder is the posterior, the second is off by .3
in every mean; the lazy one shifts all posteriors alike, R = 5 nats, and the decoder is deaf (w = 0): what a constraint on
the rate is paid with when nothing is learnt. The tables are the same where x is one of three symbols and the latent's sign
one of two codes: there log p(x) comes from klcourse.exact.

--text trains a run of the stored study hinges_text that pays its constraint with waste (hinge on R, lam = 4), and prints
what both proposals say of its test sentences: bounds, as log p(x) is not known there.
"""

from __future__ import annotations

import sys

import pandas as pd

from klcourse import measure
from klcourse.runs import test_tensors, train
from klcourse.studies import RESULTS
from klcourse.sweep import read_grid
from tests.test_measure import HONEST, LAZY, OFF, TABLE_HONEST, TABLE_LAZY, discrete_model, generator, known_model

DRAWS = (8, 32, 128, 512)


def table() -> pd.DataFrame:
    """Error of the mean, nats, with the effective sample size in brackets: a row an encoder and proposal."""
    rows = {}
    cases = {"honest": known_model(*HONEST), "off by .3": known_model(*OFF), "lazy": known_model(*LAZY)}
    cases |= {"table, honest": discrete_model(*TABLE_HONEST), "table, lazy": discrete_model(*TABLE_LAZY)}
    for name, (model, x, exact) in cases.items():
        for proposal, share in {"encoder": 0.0, "half prior": 0.5}.items():
            found = {
                k: measure.importance_weighted(model, x, samples=k, prior_share=share, generator=generator(1)) for k in DRAWS
            }
            rows[name, proposal] = {
                f"K = {k}": f"{each.mean - exact.mean().item():+.3f} ({each.ess:.0f})" for k, each in found.items()
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def text_table() -> pd.DataFrame:
    """The bound, nats, with the effective sample size in brackets, for a lazy text model: a row a proposal."""
    grid = read_grid(RESULTS / "hinges_text.toml")
    run = next(run.config for run in grid.runs if run.config.objective == "rate-hinge" and run.config.lam == 4)
    trained = train(run)
    metrics = trained.metrics
    print(f"R {metrics['rate']:.2f}, I_q {metrics['mi']:.2f} to {metrics['mi_upper']:.2f}, -ELBO {-metrics['elbo']:.2f}")
    x, _ = test_tensors(trained.data, run, "cpu")
    rows: dict[str, dict[str, str]] = {}
    for proposal, share in {"encoder": 0.0, "half prior": 0.5}.items():
        found = {
            k: measure.importance_weighted(
                trained.model, x, samples=k, prior_share=share, generator=generator(1), progress=True
            )
            for k in DRAWS
        }
        rows[proposal] = {f"K = {k}": f"{each.mean:.3f} ({each.ess:.0f})" for k, each in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


if __name__ == "__main__":
    print((text_table() if "--text" in sys.argv[1:] else table()).to_string())
