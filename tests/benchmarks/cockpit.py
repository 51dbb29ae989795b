"""What the cockpit costs and how fast it obeys, in a real kernel: `python tests/benchmarks/cockpit.py [--loop] [--pairs N]`.

Pace: the same trainer makes so many steps in a plain loop in a cell, then as many in the background with the cockpit shown,
drawing, measuring and sampling; in turn, so that a machine that slows down slows both. Median over the pairs of
(steps/s with the cockpit / steps/s of the plain loop). The same in processor time, all threads together: what the ratio
would be on a single core that has nothing else to do.

Obedience: lam is set from a cell while it trains. In steps: how many began after that and still used the old value. In
milliseconds: until the first step that used the new one began.

`--loop` compares the thread with its alternative, training in the kernel's event loop one step at a time: pace, how long a
cell with nothing to do takes to answer meanwhile, and how many steps are made while a cell sleeps for two seconds.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median

from jupyter_client.manager import start_new_kernel

CASES = {
    "mnist, PixelCNN": ('data="mnist", decoder="ar", batch_size=20, limit=1000', 200),
    "mnist, factorised": ('data="mnist"', 1500),
    "text, LSTM 128": ('data="text", hidden=128, batch_size=50, limit=4000', 200),
}
SETUP = """
import asyncio, json, time
import torch
from klcourse.live.cockpit import Cockpit
cockpit = Cockpit(objective="rate-hinge", lam=0.5, c=5, {arguments})
cockpit.show()

def plain(steps):
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        cockpit.trainer.step()
    print(steps / (time.perf_counter() - started), steps / (time.process_time() - cpu))

def obedience(times=20):
    begun, step, delays = [], cockpit.trainer.step, []
    cockpit.trainer.step = lambda: begun.append((time.perf_counter(), cockpit.trainer.objective.lam)) or step()
    cockpit.start()
    for i in range(times):
        cockpit.wait(2)
        time.sleep(0.0137 * (i % 7))
        lam, now = 1 + i / 100, time.perf_counter()
        cockpit.set(lam=lam)
        cockpit.wait(3)
        after = [(when, used) for when, used in list(begun) if when > now]
        late = [used for when, used in after].index(lam)
        delays.append((late, 1000 * (after[late][0] - now)))
    cockpit.pause()
    cockpit.trainer.step = step
    print(json.dumps(delays))

class InTheLoop:
    '''The alternative: one step, then a turn for everybody else.'''
    def start(self, steps):
        self.running, self.clock = True, 0.0
        self.task = asyncio.get_running_loop().create_task(self.work(steps))

    async def work(self, steps):
        started = time.perf_counter()
        picture = 0.0
        for _ in range(steps):
            cockpit.trainer.step()
            if time.perf_counter() > picture:
                cockpit.redraw()
                picture = time.perf_counter() + 0.3
            await asyncio.sleep(0)
        self.clock = time.perf_counter() - started
        self.running = False
"""


class Kernel:
    """A kernel that answers one cell after another."""

    def __init__(self, arguments: str):
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        self.run(SETUP.replace("{arguments}", arguments))

    def run(self, code: str) -> str:
        """What the cell prints; RuntimeError with its error."""
        text = ""

        def hook(message):
            nonlocal text
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                text += message["content"]["text"]

        reply = self.client.execute_interactive(code, output_hook=hook, timeout=600)["content"]
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply["traceback"]))
        return text.strip()

    def wait(self, name: str, answers: list[float] | None = None) -> None:
        """Until `name`.running is over; asks twice a second, and notes how long each answer took."""
        running = "True"
        while running == "True":
            time.sleep(0.5)
            asked = time.perf_counter()
            running = self.run(f"print({name}.running)")
            if answers is not None and running == "True":
                answers.append(1000 * (time.perf_counter() - asked))

    def numbers(self, code: str) -> list[float]:
        """The numbers that the cell prints."""
        return [float(text) for text in self.run(code).split()]

    def live(self, steps: int, answers: list[float] | None = None) -> list[float]:
        """Steps per second, and per second of processor time, with the cockpit."""
        clocks = "print(cockpit.run.clock, time.process_time())"
        before = self.numbers(f"{clocks}; cockpit.run.start({steps})")
        self.wait("cockpit.run", answers)
        return [steps / (b - a) for a, b in zip(before, self.numbers(clocks))]

    def loop(self, steps: int, answers: list[float]) -> float:
        """Steps per second in the event loop."""
        self.run(f"other = InTheLoop(); other.start({steps})")
        self.wait("other", answers)
        return steps / float(self.run("print(other.clock)"))

    def close(self) -> None:
        """Shut it down."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def pace_and_obedience(name: str, pairs: int) -> None:
    """Print a case's numbers."""
    arguments, steps = CASES[name]
    kernel = Kernel(arguments)
    try:
        kernel.run(f"plain({steps // 4})")
        kernel.live(steps // 4)
        rates = [(kernel.numbers(f"plain({steps})"), kernel.live(steps)) for _ in range(pairs)]
        pictures = kernel.run("print(cockpit.rev)")
        measured = kernel.run("print(len(cockpit.run.measured))")
        delays = json.loads(kernel.run("obedience()"))
    finally:
        kernel.close()
    plain, live = (median(rate[0] for rate in column) for column in zip(*rates))
    ratio, cpu = (median(live[i] / plain[i] for plain, live in rates) for i in range(2))
    seconds = sum(steps / live[0] for _, live in rates)
    late, ms = zip(*delays)
    print(
        f"{name:18} plain {plain:6.1f} steps/s, cockpit {live:6.1f} steps/s, ratio {ratio:.2f}, in processor time "
        f"{cpu:.2f} ({pairs} pairs of {steps} steps; {pictures} pictures, I_q {measured} times in {seconds:.0f} s)"
    )
    print(
        f"{'':18} lam: old value used by {median(late):.0f} (at most {max(late)}) steps begun after the move; "
        f"{median(ms):.0f} ms (at most {max(ms):.0f}) to the first step with the new one",
        flush=True,
    )


def thread_or_loop(name: str) -> None:
    """Print what speaks for the thread."""
    arguments, steps = CASES[name]
    kernel = Kernel(arguments)
    try:
        answers: dict[str, list[float]] = {"thread": [], "loop": []}
        kernel.live(steps // 4)
        pairs = [(kernel.live(steps, answers["thread"])[0], kernel.loop(steps, answers["loop"])) for _ in range(3)]
        thread, loop = zip(*pairs)
        made = {}
        for which, start in (("thread", "cockpit.run.start()"), ("loop", "other = InTheLoop(); other.start(100000)")):
            kernel.run(start)
            time.sleep(0.5)
            code = "n = cockpit.trainer.steps; time.sleep(2); print(cockpit.trainer.steps - n); cockpit.pause()"
            made[which] = kernel.run(code)
    finally:
        kernel.close()
    for which, rates in (("thread", thread), ("loop", loop)):
        ms = answers[which]
        print(
            f"{name:18} {which:6}: {median(rates):6.1f} steps/s; an empty cell answers in {median(ms):.0f} ms (at most "
            f"{max(ms):.0f}); {made[which]} steps during a cell that sleeps 2 s",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loop", action="store_true", help="compare the thread with the event loop")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    for case in CASES:
        thread_or_loop(case) if options.loop else pace_and_obedience(case, options.pairs)
