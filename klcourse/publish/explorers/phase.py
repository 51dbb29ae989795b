"""States of the phase diagram: everything that the exact model says about (λ, c, β), in tables small enough for a page."""

from __future__ import annotations

from typing import Any

import numpy as np

from klcourse.exact.ppca import SIXTEEN
from klcourse.exact.regimes import Curve, best_rate, thresholds

LAM, C, BETA = (0.0, 4.0, 0.05), (0.25, 8.5, 0.25), (0.5, 3.5, 0.1)  # first, last, step of each control
TOP_RATE = 10.0  # nats, the end of the axis


def phase(curve: Curve = SIXTEEN) -> dict[str, Any]:
    """The tables of the phase diagram's page.

    bounds   [c, [D(0) - D(c)] / c, s(c)] for targets along the axis: a threshold of lam is beta minus one of these
    targets  the same for the targets that the slider reaches
    origin   s(0)
    rates    k -> the rate at which a nat buys k steps of lam's slider: where training rests if nothing holds it
    curve    [R, s(R)] to be drawn

    >>> tables = phase()
    >>> len(tables["targets"]), round(tables["origin"], 3), round(tables["rates"]["20"], 3)       # a nat buys 20 * 0.05 = 1
    (34, 2.0, 1.121)
    """
    step = LAM[2]
    worth = np.arange(1, int(np.ceil(float(curve.slope(0.0)) / step)) + 1)
    rates = np.linspace(0.0, TOP_RATE, 201)
    return {
        "controls": {"lam": LAM, "c": C, "beta": BETA},
        "origin": float(curve.slope(0.0)),
        "targets": _bounds(curve, np.arange(C[0], C[1] + C[2] / 2, C[2])),
        "bounds": _bounds(curve, np.linspace(0.02, C[1], 120)),
        # lam = 0: nothing is held, and beta alone decides; at any target
        "rates": {str(k): best_rate(curve, 0.0, 1.0, k * step) for k in worth.tolist()},
        "curve": np.stack([rates, curve.slope(rates)], axis=1).round(4).tolist(),
    }


def _bounds(curve: Curve, targets: np.ndarray) -> list[list[float]]:
    found = []
    for c in targets.tolist():
        limits = thresholds(curve, c, beta=1.0)
        found.append([round(c, 4), 1 - limits.beats_collapse, 1 - limits.held])
    return found
