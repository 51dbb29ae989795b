"""How long a test waits before it says that something hangs, and how many random examples it takes.

Longer on a busy machine, and as long as you like; and all of them in `make test-long`.
"""

from __future__ import annotations

import os

import pytest

LONG = bool(os.environ.get("KLCOURSE_LONG"))  # make test-long
long_only = pytest.mark.skipif(not LONG, reason="in make test-long only: another like it runs every day")
CELL = 300  # seconds for a cell of a notebook on an idle machine


def patience() -> float:
    """What limits are multiplied by: KLCOURSE_PATIENCE, or how many processes want each core, 1 at least."""
    if wanted := os.environ.get("KLCOURSE_PATIENCE"):
        return float(wanted)
    if not hasattr(os, "getloadavg"):  # Windows
        return 2.0
    return max(1.0, 1.5 * max(os.getloadavg()[:2]) / (os.cpu_count() or 1))


def limit(seconds: float) -> int:
    """Seconds to wait here and now for what takes fewer than so many on an idle machine."""
    return round(seconds * patience())


def examples(number: int) -> int:
    """How many of so many random examples are tried: all in the long run, the first quarter of them in the everyday one."""
    return number if LONG else max(10, number // 4)


def too_slow(what: str, seconds: float) -> str:
    """What to say when it was not enough."""
    more = f"KLCOURSE_PATIENCE={2 * patience():.0f} waits longer"
    return f"{what} was stopped after {seconds:.0f} s: it hangs, or this machine is slow or busy, and then {more}"
