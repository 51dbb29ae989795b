"""How far the importance-weighted bound is from the exact -log p(x), by proposal, number of draws and encoder.

    python -m tests.benchmarks.likelihood

p(x|z) = N(wz, .3 I) in eight dimensions, so log p(x) is known. The honest encoder is the posterior, the second is off by .3
in every mean; the lazy one shifts all posteriors alike, R = 5 nats, and the decoder is deaf (w = 0): what a constraint on
the rate is paid with when nothing is learnt. The tables are the same where x is one of three symbols and the latent's sign
one of two codes: there log p(x) comes from klcourse.exact.
"""

from __future__ import annotations

import pandas as pd

from klcourse import measure
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


if __name__ == "__main__":
    print(table().to_string())
