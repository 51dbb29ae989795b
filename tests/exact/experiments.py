"""Gradient-descent runs to set beside the exact answers; shared by the tests and the report."""

from __future__ import annotations

import numpy as np

from klcourse.exact import dynamics, regimes
from klcourse.exact.linear_gaussian import LinearGaussianVAE, optimum
from klcourse.exact.ppca import PPCA


def phase_diagram(beta: float, data_var=1.0, sigma2=0.5, points: int = 24, steps: int = 12000):
    """Exact regime and gradient-descent regime on a (lam, c) grid: two string arrays (lam, c)."""
    curve = PPCA([data_var], 1, sigma2)
    lam = np.linspace(0.1, 1.45 * beta, points)[:, None]
    c = np.linspace(0.1, 2.0, points)[None]
    exact = np.array([[regimes.regime(curve, row, column, beta) for column in c[0]] for row in lam[:, 0]])
    start = LinearGaussianVAE(w=0.1, v=0.1, s2=1.0, m=0.01, data_var=data_var, sigma2=sigma2)
    path = dynamics.descend(start, steps=steps, lr=0.01, beta=beta, lam=lam, c=c, record_every=steps // 6)
    return exact, dynamics.gd_regime(path.model.rate[-1], path.duty[-1])


MODELS = (
    dict(eigenvalues=[1.0], d=1, sigma2=0.1, beta=3.0, c=1.0),
    dict(eigenvalues=[0.25], d=1, sigma2=1.0, beta=1.0, c=0.5),
    dict(eigenvalues=[2.0], d=1, sigma2=0.5, beta=4.0, c=1.5),
    dict(eigenvalues=[2.0, 1.0, 0.5], d=2, sigma2=0.2, beta=8.0, c=1.5),
)


def readings(eigenvalues, d, sigma2, beta, c, batch_size: int = 100, seed: int = 0) -> dict[str, float]:
    """lam* read three ways: exact slope, lam * duty (full batch and mini-batches), dual ascent.

    Training starts from the constrained optimum for c / 2, in the eigenbasis, with lam = min(2 lam*, beta).
    """
    curve = PPCA(eigenvalues, d, sigma2)
    exact = float(curve.lam_star(c, beta))
    full = curve.channels(c / 2)
    w, v, s2 = (field[:d] + (0.01 if i < 2 else 0.0) for i, field in enumerate((full.w, full.v, full.s2)))
    start = LinearGaussianVAE(w, v, s2, data_var=full.data_var[:d], sigma2=sigma2)
    lr = 0.05 * sigma2 / max(1.0, full.data_var[0] ** 2)  # the stiffest direction is v: Lambda^2 / sigma2
    common = dict(lr=lr, beta=beta, c=c, channels=True, record_every=50)
    lam = min(2 * exact, beta)

    def tail(values, share):
        return float(values[int(len(values) * share) :].mean())

    batch = dynamics.descend(start, steps=15000, lam=lam, batch_size=batch_size, seed=seed, **common)
    whole = dynamics.descend(start, steps=8000, lam=lam, **common)
    # Slow against D'' = 2 s(c) in one channel: the multiplier follows the model, and does not ring.
    dual_lr = 0.3 * lr * float(curve.slope(c))
    dual = dynamics.descend(start, steps=15000, lam=0.5 * exact, dual_lr=dual_lr, **common)
    return {
        "exact": exact,
        "lam_duty_full": lam * tail(whole.duty, 0.5),
        "lam_duty_batch": lam * tail(batch.duty, 0.3),
        "dual": tail(dual.lam, 0.9),
        "rate_batch": tail(batch.model.rate.sum(-1), 0.3),
        "rate_dual": tail(dual.model.rate.sum(-1), 0.9),
    }


def batches(batch_size: int, lams=(1.8, 2.4, 4.0), data_var=1.0, sigma2=0.1, beta=3.0, c=1.0, steps=20000, seed=1):
    """Measured and predicted (duty, mean rate) of mini-batch training: one row a lam.

    Columns: lam, duty measured and predicted (sliding_mode), R measured, predicted, and by claim A11.
    """
    lams = np.array(lams)
    path = dynamics.descend(
        optimum(data_var, sigma2, 1.5),
        steps=steps,
        lr=0.003,
        beta=beta,
        lam=lams,
        c=c,
        batch_size=batch_size,
        record_every=100,
        seed=seed,
    )
    half = len(path.time) // 3
    curve = PPCA([data_var], 1, sigma2)
    tau = dynamics.batch_rate_std(optimum(data_var, sigma2, float(curve.slope(c))), batch_size)
    rows = []
    for i, lam in enumerate(lams):
        point = dynamics.sliding_mode(data_var, sigma2, c, lam, batch_size, beta)
        gaussian = dynamics.settled_rate(c, tau, curve.lam_star(c, beta), lam)
        rows.append(
            (
                lam,
                path.duty[half:, i].mean(),
                point.duty,
                path.model.rate[half:, i].mean(),
                float(point.model.rate),
                float(gaussian),
            )
        )
    return np.array(rows)


def lazy_trap(hinge: str, lam=2.0, data_var=0.25, sigma2=1.0, c=1.0, start=6e-4, lr=0.01, steps=20000):
    """Time until R first passes .95 c, and until I_q passes c / 2 (inf if never)."""
    begin = LinearGaussianVAE(start, start, 1.0, m=start, data_var=data_var, sigma2=sigma2)
    path = dynamics.descend(begin, steps=steps, lr=lr, lam=lam, c=c, hinge=hinge, record_every=10)

    def first(values, level):
        return float(path.time[np.argmax(values >= level)]) if np.any(values >= level) else float("inf")

    reached = np.argmax(path.model.rate >= 0.95 * c)
    return (
        first(path.model.rate, 0.95 * c),
        first(path.model.mi, 0.5 * c),
        float(path.model.mi[reached] / path.model.rate[reached]),
    )


def measured_escape(data_var=0.25, sigma2=1.0, c=1.0, lam=2.0, lr=0.002, start=1e-4) -> float:
    """Growth rate of w in a run from next to the lazy point, between two small sizes."""
    begin = LinearGaussianVAE(start, start, 1.0, m=np.sqrt(2 * c), data_var=data_var, sigma2=sigma2)
    steps = int(7.5 * sigma2 / data_var**2 / lr)
    path = dynamics.descend(begin, steps=steps, lr=lr, lam=lam, c=c, record_every=50)
    size = np.log(np.abs(path.model.v))
    early, late = len(size) // 2, len(size) - 1
    return float((size[late] - size[early]) / (path.time[late] - path.time[early]))
