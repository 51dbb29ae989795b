"""How often 95 % intervals over seeds and test examples hold the true mean, for several ways to make them.

    python tests/benchmarks/intervals.py        # four minutes; the first column is klcourse.studies.crossed

Differences of two methods with a known mean, 1 000 skewed examples shared by all seeds. The parts of the mean's variance
that come from seeds and from examples are in proportion a : b, beside a rest that each seed and example has by itself.
"""

import numpy as np
import pandas as pd
from scipy.stats import t

from klcourse.studies import crossed

EFFECT, EXAMPLES, RUNS, RESAMPLED = 0.7, 1_000, 2_000, 500


def simulated(rng, seeds, a, b):
    by_seed = np.sqrt(a * seeds / EXAMPLES) * rng.standard_normal((seeds, 1))
    return EFFECT + by_seed + np.sqrt(b) * (rng.standard_exponential(EXAMPLES) - 1) + rng.standard_normal((seeds, EXAMPLES))


def satterthwaite(x):
    """Half-width with one t quantile for the sum of the mean squares."""
    seeds, n = x.shape
    rows, columns = x.mean(1, keepdims=True) - x.mean(), x.mean(0) - x.mean()
    ms = [n * (rows**2).sum() / (seeds - 1), seeds * (columns**2).sum() / (n - 1)]
    ms.append(((x - x.mean() - rows - columns) ** 2).sum() / ((seeds - 1) * (n - 1)))
    total = max(ms[0] + ms[1] - ms[2], 1e-12)
    df = total**2 / (ms[0] ** 2 / (seeds - 1) + ms[1] ** 2 / (n - 1) + ms[2] ** 2 / ((seeds - 1) * (n - 1)))
    return t.ppf(0.975, max(df, 1)) * np.sqrt(total / x.size)


def bootstrap(x, rng, times=200):
    """Percentiles of the mean when seeds and examples are drawn again, with replacement (the pigeonhole bootstrap)."""
    seeds, n = x.shape
    draw = lambda k: np.bincount(rng.integers(0, k, k), minlength=k) / k
    return np.quantile([draw(seeds) @ x @ draw(n) for _ in range(times)], [0.025, 0.975])


if __name__ == "__main__":
    rows = []
    for seeds in (3, 5, 10):
        for a, b in ((0, 0), (0, 1), (0.3, 1), (1, 1), (4, 1), (1, 0)):
            rng, hits = np.random.default_rng(1), {}
            for run in range(RUNS):
                x = simulated(rng, seeds, a, b)
                found, error = crossed(x), abs(x.mean() - EFFECT)
                held = {
                    "crossed": error <= found.half_width(),
                    "crossed, 99 %": error <= found.half_width(0.99),
                    "Satterthwaite": error <= satterthwaite(x),
                    "seeds only": error <= crossed(x.mean(1)).half_width(),
                    "examples only": error <= 1.96 * x.mean(0).std(ddof=1) / np.sqrt(EXAMPLES),
                }
                if run < RESAMPLED:
                    low, high = bootstrap(x, rng)
                    held["bootstrap"] = low <= EFFECT <= high
                for name, value in held.items():
                    hits.setdefault(name, []).append(value)
            rows.append({"seeds": seeds, "a : b": f"{a} : {b}"} | {name: np.mean(each) for name, each in hits.items()})
    print(pd.DataFrame(rows).round(3).to_string(index=False))
