"""The training cockpit: a real run inside the notebook, steered while it trains.

    cockpit = Cockpit(data="mnist", decoder="ar", objective="rate-hinge", lam=0.5, c=5)
    cockpit.warm_up(60)             # a few steps, so that there is something to see before Start
    cockpit                         # buttons, sliders, instruments
    cockpit.history, cockpit.trainer, cockpit.run

The run is a `LiveRun`, a thread of its own (that module says why); pictures are drawn in the kernel's main loop, a few
times a second at most and only as often as their share of the time allows, but every three seconds even if that is dear.
With measuring and drawing samples, which have shares of their own, at least 80 % of the time is left for training
(tests/benchmarks/cockpit.py measures it).

Classes in the page for tests: klw-cockpit and klw-cockpit-start, -pause, -step, -reset (buttons), -steps, -rate, -speed,
-state (texts).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Self

import ipywidgets as ipw
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from klcourse.data import Dataset, load
from klcourse.live.background import Extra
from klcourse.live.instruments import Instruments, ceiling, nats, readout, sign
from klcourse.live.reconstruct import choose_examples, reconstruct
from klcourse.live.steering import LiveRun, pause_all
from klcourse.objectives import OBJECTIVES, Knob, Objective, all_knobs, find_objective, knobs_of
from klcourse.objectives.knobs import SHARED
from klcourse.runs import Run, build_trainer
from klcourse.system import is_piped
from klcourse.training import Trainer
from klcourse.widgets.frame.base import Widget
from klcourse.widgets.frame.controls import Choice, Control, Slider, Toggle
from klcourse.widgets.frame.panel import Panel

START = {"lam": 1.0, "c": 5.0, "beta": 1.0}  # of the shared knobs that the objective at the start does not have
PICTURES, SAMPLES, INFORMATION = 0.06, 0.05, 0.04  # share of the processor's time for each; the rest is for training
FASTEST, SLOWEST = 0.3, 3.0  # seconds from one picture to the next; the longest, whatever it costs on a busy machine
MEASUREMENTS = 12  # of I_q in a warm-up


class Cockpit(Widget):
    """A panel around one run: start, pause, step, reset; the objective, λ, c, β and the learning rate, live.

    Keyword arguments are `Run`'s (data, decoder, objective, lam, c, beta, lr, seed, batch_size, limit, ...); `objective`
    may also be an instance, of a class of your own too, and `data` a loaded Dataset. Values changed while it trains are
    used by the very next step. It starts paused.

    `run` is the `LiveRun`, `trainer` the Trainer, `history` a table with a row a step. From code, with or without a
    notebook: start(), wait(steps=50), set(lam=2), pause(), step(), reset(), `figure`. Making or starting a second cockpit
    pauses the first, which loses nothing. Raises RunError, DataError or ValueError for what cannot be trained.

    >>> cockpit = Cockpit(data="mnist", objective="rate-hinge", lam=0.5, c=5, limit=100)
    >>> cockpit.start().wait(steps=3)
    True
    >>> float(cockpit.pause().set(lam=2).step().history["lam"].iloc[-1])
    2.0
    """

    title = "The cockpit: move λ, c and β while it trains"
    size = (9.7, 4.1)
    scale = 1.25

    def __init__(
        self,
        data: str | Dataset = "mnist",
        decoder: str | None = None,
        objective: str | Objective = "rate-hinge",
        **config: Any,
    ):
        pause_all()  # perhaps this is the same cell again, and the run of the last one is still going
        name = data.name if isinstance(data, Dataset) else data
        self.config = Run(data=name, decoder=decoder, objective=objective, **config)
        self.data = data if isinstance(data, Dataset) else load(name, limit=self.config.limit, hold_out=self.config.hold_out)
        own = self.config.make_objective()
        self.run = LiveRun(
            self._trainer,
            {knob: value for knob, value in START.items() if knob not in knobs_of(type(own))},
            extras=lambda run: [Extra(run.measure, INFORMATION, every=1.0), Extra(self._reconstruct, SAMPLES, every=2.0)],
            on_change=self._changed,
        )
        self.controls = controls(self.run.knobs, wide=self.trainer.model.decoder.factorised)
        chosen = choose_examples(self.data)
        device = next(self.trainer.model.parameters()).device
        self._shown = torch.as_tensor(self.data.test[chosen]).to(device)
        self._labels = torch.as_tensor(self.data.test_labels[chosen]).to(device) if self.config.conditional else None
        self._reconstructed: torch.Tensor | None = None
        self._loop, self._asked = _running_loop(), False
        self._next_picture, self._drawing_time = 0.0, 0.0
        self._said: Exception | None = None
        self.caption = (
            "Rate R with its target c (dashed) and information I_q, measured on validation examples; below, the share of "
            "mini-batches on the penalty branch. Right: distortion, and test examples drawn again from their z with the "
            f"same random numbers for all. Dotted lines: a knob was moved. One run, seed {self.config.seed}."
        )
        super().__init__()

    def _trainer(self) -> Trainer:
        """A trainer at step 0, with the length that schedules refer to."""
        trainer = build_trainer(self.config, self.data)
        trainer.epochs = float(self.config.epochs)
        return trainer

    def _reconstruct(self) -> Iterator[None]:
        x = self._shown.float() if self.data.kind == "image" else self._shown.long()
        for picture in reconstruct(self.trainer.model, x, self._labels, self.trainer.steps, self._reconstructed):
            self._reconstructed = picture
            yield

    # -------------------------------------------------------------------------------------------------- the run

    @property
    def trainer(self) -> Trainer:
        """The trainer, with the model, as it stands; whole between two steps, so pause before using it."""
        return self.run.trainer

    @property
    def history(self) -> pd.DataFrame:
        """A row a step: what it gave, what it was told, what was measured after it (nan where nothing was); nats."""
        return self.run.history

    def start(self) -> Self:
        """Train in the background until `pause`; returns at once."""
        self.run.start()
        self.redraw()
        return self

    def pause(self) -> Self:
        """Stop after the step in hand; start() goes on as if nothing had been."""
        self.run.pause()
        self.redraw()
        return self

    def step(self) -> Self:
        """Train one step."""
        self.run.pause().start(1).wait()
        return self.pause()

    def wait(self, steps: int | None = None, timeout: float | None = None) -> bool:
        """Wait for so many more steps; False if the training stopped before, or `timeout` seconds went by."""
        done = self.run.wait(steps, timeout)
        self.redraw()
        return done

    def warm_up(self, steps: int = 60) -> Self:
        """Train so many steps now, with a progress bar, measuring on the way; what it shows depends on the steps alone."""
        information, samples = self.run.extras
        ends = np.unique(np.linspace(0, steps, min(steps, MEASUREMENTS) + 1).round().astype(int))
        try:
            for n in tqdm(np.diff(ends).tolist(), desc="warm-up", leave=False, disable=is_piped()):
                if not self.run.start(n, extras=False).wait():
                    break
                self.run.pause()
                information.now()
        finally:
            self.pause()
        samples.now()
        self.redraw()
        return self

    def set(self, **values: Any) -> Self:
        """Move controls: the next step uses them. Nothing moves if one value is wrong (ValueError)."""
        self.run.set(**self._checked(values))
        self.redraw()
        return self

    def reset(self) -> Self:
        """A new run at step 0, paused, with every control back to where it was when the cockpit was made."""
        self.run.reset()
        self._reconstructed, self._drawing_time = None, 0.0
        self.redraw()
        return self

    def close(self) -> None:
        """Pause, and take the live controls away; the cockpit can be driven from code, and shown again."""
        self.run.pause()
        super().close()

    # ------------------------------------------------------------------------------------------------- pictures

    def figure_setup(self, fig: Figure) -> None:
        """The instruments."""
        self._instruments = Instruments(fig, self.data, self._shown.cpu(), self.live, self.still)

    def active(self, values: dict[str, Any]) -> AbstractSet[str]:
        """The knobs that the objective has; the others wait for one that does."""
        own = knobs_of(find_objective(values["objective"]))
        return {"objective", "lr"} | {name for name, what in own.items() if what.shown}

    def hidden(self, values: dict[str, Any]) -> AbstractSet[str]:
        """Knobs that belong to another objective than the one in force."""
        return set(self.controls) - {"objective", "lr", *SHARED} - self.active(values)

    def update(self, values: dict[str, Any]) -> str:
        """Bring the instruments up to date; the read-out."""
        self._instruments.draw(self.run, self._reconstructed)
        return readout(self.run)

    def _draw(self) -> None:
        # the run may be driven by itself
        self._values |= {name: value for name, value in self.run.knobs.items() if name in self.controls}
        super()._draw()
        if (panel := self._panel) is not None:
            self._tell(panel)

    def _changed(self) -> None:
        """In the thread that trains, after every step: ask the main loop for a picture when one is due."""
        if self._panel is None or self._loop is None or self._asked:
            return
        wait = self._next_picture - time.perf_counter()
        paid = self._drawing_time <= PICTURES * self.run.worked or wait <= FASTEST - SLOWEST
        if self.run.running and (wait > 0 or not paid):
            return
        self._asked = True  # one request at a time: they do not queue up behind a cell that takes its time
        try:
            self._loop.call_soon_threadsafe(self._picture)
        except RuntimeError:  # the loop is closed: the kernel is going down
            self._loop = None

    def _picture(self) -> None:
        """In the main loop: draw, and keep account of what it costs."""
        started = time.thread_time()
        self._next_picture = time.perf_counter() + FASTEST  # before the next line, or a step would ask for another at once
        self._asked = False
        try:
            self.redraw()
        except Exception as error:  # the training goes on: it must not be lost over a picture
            if (panel := self._panel) is not None:
                panel.say(f"The picture could not be drawn ({type(error).__name__}: {error}); the training goes on.")
        self._drawing_time += time.thread_time() - started
        self._next_picture = time.perf_counter() + FASTEST

    # ------------------------------------------------------------------------------------------------- the panel

    def extras(self) -> list[ipw.Widget]:
        """Start, Pause, Step, and how far it is."""
        self._start_button = self._press("Start", "play", self.start, "train in the background; goes on after Pause")
        self._pause_button = self._press("Pause", "pause", self.pause, "stop after the step in hand; nothing is lost")
        self._step_button = self._press("Step", "step-forward", self.step, "train one step")
        self._start_button.button_style = "primary"
        # so wide that messages get a line of their own, all across
        self._status = ipw.HTML(layout={"margin": "0 0 0 0.8em", "flex": "1 0 34em"})
        self._said = None
        self._tell(None)
        return [self._start_button, self._pause_button, self._step_button, self._status]

    def _press(self, label: str, icon: str, action: Callable[[], Any], tip: str) -> ipw.Button:
        button = ipw.Button(description=label, icon=icon, tooltip=tip, layout={"width": "6.5em"})
        button.add_class(f"klw-cockpit-{label.lower()}")

        def pressed(_):
            self._panel.attempt(action)
            if self.run.error is not None:
                self._panel.say(self.run.message)

        button.on_click(pressed)
        return button

    def _tell(self, panel: Panel | None) -> None:
        """Bring buttons, status and message up to date."""
        run = self.run
        self._start_button.disabled, self._pause_button.disabled = run.running, not run.running
        state = "training" if run.running else "stopped" if run.error else "paused"
        rate, speed = run["rate"][-20:], run.steps_per_second
        parts = {
            "steps": ("step ", str(self.trainer.steps), ""),
            "rate": ("R ", nats(rate.mean()) if len(rate) else "–", " nats"),
            "speed": ("", f"{speed:.1f}" if math.isfinite(speed) else "–", " steps/s"),
            "state": ("", state, ""),
        }
        texts = (f'{a}<b class="klw-cockpit-{name}">{text}</b>{b}' for name, (a, text, b) in parts.items())
        self._status.value = '<div style="font-size: 115%; line-height: 28px">' + " · ".join(texts) + "</div>"
        if panel is not None and run.error is not self._said:
            self._said = run.error
            panel.say(run.message)


def controls(knobs: dict[str, Any], *, wide: bool) -> dict[str, Control]:
    """The controls for a run that starts with these knobs: one for every knob that an objective on the list shows.

    `wide` for factorised decoders, whose slopes are steep. Those of lam, c and beta always stand there.
    """
    lr, found = knobs["lr"], {}
    for name, users in all_knobs().items():
        offered = {objective: what for objective, what in users.items() if what.shown}
        if offered or name in knobs:
            found[name] = control(name, offered or users, knobs.get(name), wide)
    menu = "; ".join(f"{name}: {cls.formula or cls.title}" for name, cls in OBJECTIVES.items())
    names = tuple(dict.fromkeys((*OBJECTIVES, knobs["objective"])))
    return {
        "objective": Choice("loss", knobs["objective"], names, help=f"What is minimised. {menu}."),
        **found,
        "lr": Slider("lr", lr, min(1e-5, lr), max(0.1, lr), 0.1, "", "The learning rate of Adam.", log=True),
    }


def control(name: str, users: dict[str, Knob], value: Any, wide: bool) -> Control:
    """The control of one knob, with the widest range that an objective gives it; at `value`, or where the first has it."""
    first = next(iter(users.values()))
    value = first.default if value is None else value
    about = f"{'; '.join(dict.fromkeys(what.help for what in users.values()))} ({', '.join(users)})"
    text = f"{about[:1].upper()}{about[1:]}."
    if first.kind is bool:
        return Toggle(sign(name), value, help=text)
    if first.kind is str:
        words = [word for what in users.values() for word in (*what.choices, what.default, value) if word is not None]
        words = list(dict.fromkeys(map(str, words))) or [""]
        return Choice(sign(name), words[0] if value is None else str(value), words, help=text)
    value = max(first.low, 0.0) if value is None else value  # one without a default must be given where its method is chosen
    high = max(reach(what, value, wide) for what in users.values())
    low = max(min(what.low for what in users.values()), -high)  # the smallest allowed may be −∞
    step = next((what.live.for_decoder(wide)[1] for what in users.values() if what.live), ceiling((high - low) / 50))
    if first.kind is int:
        return Slider(sign(name), int(value), int(low), int(high), max(1, int(step)), first.unit, text)
    return Slider(sign(name), float(value), float(low), float(high), step, first.unit, text)


def reach(what: Knob, value: float, wide: bool) -> float:
    """How far the slider of a knob goes that now has this value."""
    if what.high < math.inf:
        return what.high
    top = what.live.for_decoder(wide)[0] if what.live else 4 * abs(float(what.default or value)) or 1.0
    return max(top, 2 * abs(value))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs this cell; None outside a notebook."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
