"""What a notebook costs: peak memory of its kernel process, and the table printed after the tests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

MEMORY_LIMIT_MIB = 1500
"""No notebook may need more: Binder gives 1 to 2 GB."""

SECONDS_LIMIT = 120
"""What a quick notebook promises; a busy machine may break it, so the table marks it and no test fails."""

Cost = tuple[float, float]  # seconds, MiB


def peak_mib(manager: object) -> float:
    """Peak resident memory in MiB of the kernel behind a jupyter_client manager; 0.0 if it is gone.

    Linux keeps the true peak (VmHWM), Windows too; elsewhere this is the memory at the moment of asking,
    which is why callers ask after every cell.
    """
    pid = getattr(getattr(manager, "provisioner", None), "pid", None)
    if pid is None:
        return 0.0
    if sys.platform == "linux":
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return 0.0
        kib = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(kib[0]) / 1024 if kib else 0.0
    try:
        kernel = psutil.Process(pid)
        # On Windows the python.exe of a venv only starts the real interpreter as its child.
        infos = [process.memory_info() for process in (kernel, *kernel.children(recursive=True))]
    except psutil.Error:
        return 0.0
    return max(getattr(info, "peak_wset", info.rss) for info in infos) / 2**20


def over_memory(mib: float) -> str | None:
    """The message for a kernel above the memory limit, None below it."""
    if mib <= MEMORY_LIMIT_MIB:
        return None
    return f"the kernel needed {mib:.0f} MiB; the limit is {MEMORY_LIMIT_MIB} MiB (Binder gives 1 to 2 GB)"


def table(costs: Mapping[tuple[str, str], Cost]) -> list[str]:
    """Lines of a table: one row per notebook, one pair of columns (seconds, MiB) per mode.

    >>> for line in table({("01_elbo", "quick"): (130.2, 412.0), ("01_elbo", "smoke"): (3.1, 300.4)}):
    ...     print(line)
    notebook             quick                 smoke
    01_elbo            130.2 s*   412 MiB      3.1 s    300 MiB
    sum                130.2 s                 3.1 s
    * over 120 s
    """
    modes = sorted({mode for _, mode in costs})
    names = sorted({name for name, _ in costs})
    width = max([len(name) for name in names] + [14])
    lines = ["notebook".ljust(width) + "".join(f"{mode:>12}".ljust(24) for mode in modes)]
    slow = False
    for name in names:
        row = name.ljust(width)
        for mode in modes:
            seconds, mib = costs.get((name, mode), (None, None))
            if seconds is None:
                row += f"{'-':>10}".ljust(24)
                continue
            slow |= seconds > SECONDS_LIMIT
            row += f"{seconds:10.1f} s{'*' if seconds > SECONDS_LIMIT else ' '}{mib:6.0f} MiB "
        lines.append(row)
    row = "sum".ljust(width)
    for mode in modes:
        row += f"{sum(cost[0] for (_, m), cost in costs.items() if m == mode):10.1f} s".ljust(24)
    lines.append(row)
    if slow:
        lines.append(f"* over {SECONDS_LIMIT} s")
    return [line.rstrip() for line in lines]
