"""python -m tests.exact.report: how well each closed form of klcourse.exact agrees with brute force."""

from __future__ import annotations

import argparse
import time

import numpy as np

from klcourse.exact import dynamics, regimes
from tests.exact import experiments
from tests.exact.checks import CHECKS


def closed_forms(models: int, seed: int) -> bool:
    print(f"{'closed form / brute force':83s} models  largest relative error  seconds")
    good = True
    for name, check in CHECKS.items():
        rng, begin, errors = np.random.default_rng(seed), time.perf_counter(), []
        while len(errors) < models:
            error = check.error(**check.draw(rng))
            if error is not None:
                errors.append(error)
        good &= max(errors) < check.tolerance
        mark = "" if max(errors) < check.tolerance else f"  ABOVE {check.tolerance:.0e}"
        seconds = time.perf_counter() - begin
        print(f"{name:83s} {len(errors):6d}  {max(errors):22.1e}  {seconds:7.1f}{mark}", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    good = closed_forms(options.models, options.seed)

    print("\nlam/c phase diagram (Lambda 1, sigma2 .5): share of grid points where gradient descent agrees")
    for beta in (1.0, 3.0):
        exact, trained = experiments.phase_diagram(beta)
        counts = {name: int((exact == name).sum()) for name in regimes.REGIMES}
        share = (exact == trained).mean()
        good &= share >= 0.95
        print(f"  beta {beta:g}: {100 * share:.1f} % of {exact.size}   {counts}")

    columns = "exact  lam*duty full  lam*duty batch 100  dual ascent"
    print(f"\n{'lam* read three ways':54s} {columns:>55s}")
    for model in experiments.MODELS:
        found = experiments.readings(**model)
        keys = ("lam_duty_full", "lam_duty_batch", "dual")
        good &= all(abs(found[key] / found["exact"] - 1) < 0.05 for key in keys)
        label = "  Lambda {eigenvalues}, sigma2 {sigma2}, beta {beta:g}, c {c:g}".format(**model)
        full, batch, dual = (found[key] for key in keys)
        print(f"{label:54s} {found['exact']:6.3f} {full:14.3f} {batch:19.3f} {dual:12.3f}")

    print("\nduty cycle of mini-batches (Lambda 1, sigma2 .1, beta 3, c 1)")
    print("  batch   lam  duty: run, exact     R: run, exact, claim A11")
    for batch_size in (20, 100, 1000):
        for lam, duty, duty_exact, rate, rate_exact, rate_a11 in experiments.batches(batch_size):
            print(
                f"  {batch_size:5d} {lam:5.1f}      {duty:.4f} {duty_exact:.4f}      "
                f" {rate:.4f} {rate_exact:.4f} {rate_a11:.4f}"
            )

    print("\nlazy trap (Lambda .25, sigma2 1, beta = c = 1, lam 2): time of R = .95 c, of I = c/2, I/R then")
    for hinge in dynamics.HINGES:
        print(f"  hinge on {hinge:5s}", *(f"{value:10.4g}" for value in experiments.lazy_trap(hinge)))
    exact = dynamics.escape_rate(0.25, 1.0, 1.0)
    print(f"  escape rate: run {experiments.measured_escape():.4f}, exact {exact:.4f}, Lambda^2/sigma2 {0.25**2:.4f}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
