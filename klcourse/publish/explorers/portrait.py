"""What the phase portrait's page must know; its script descends the same model, step by step, as klcourse.exact.dynamics."""

from __future__ import annotations

from typing import Any

LAMBDA, BETA, LAM, C = (0.1, 4.0, 0.05), (0.2, 3.0, 0.05), (0.0, 4.0, 0.05), (0.1, 2.0, 0.05)  # first, last, step
HINGES = {"off": "rate", "on the rate R": "rate", "on the information I": "mi"}
# In the plane's units (w/√Λ, v√Λ): four near collapse, two far from it; and the shift m that all start with.
STARTS = ((0.10, 0.02), (-0.10, -0.02), (0.10, -0.07), (-0.03, 0.10), (1.15, 0.06), (-0.06, -0.85))
SHIFT = 0.05
STEPS, LEARNING_RATE, BLOCK = 496, 0.05, 8
LEVELS = (
    -4,
    -2,
    -1,
    -0.5,
    -0.2,
    0.0,
    0.1,
    0.3,
    0.6,
    1.0,
)  # payoff minus that of collapse, nats


def portrait() -> dict[str, Any]:
    """The tables of the phase portrait's page.

    >>> portrait()["controls"]["data_var"]
    (0.1, 4.0, 0.05)
    """
    return {
        "controls": {"data_var": LAMBDA, "beta": BETA, "lam": LAM, "c": C},
        "hinges": HINGES,
        "starts": STARTS,
        "shift": SHIFT,
        "steps": STEPS,
        "lr": LEARNING_RATE,
        "block": BLOCK,
        "levels": LEVELS,
    }
