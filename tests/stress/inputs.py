"""Bad inputs over public functions: each must be refused with an error of the course's own, in a sentence."""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from klcourse.__main__ import main
from klcourse.data import DataError, load
from klcourse.objectives import OBJECTIVES, knobs_of, make_objective
from klcourse.runs import Run, RunError
from klcourse.runs.config import settings
from klcourse.studies import StudyError, load_history, load_provenance, load_samples, load_study
from klcourse.sweep import GridError, read_grid
from klcourse.widgets.frame.controls import Choice, Slider, Toggle
from tests.faults.test_inputs import (
    BAD,
    BAD_EXAMPLES,
    CASES,
    FINITE,
    IMAGES,
    NO_NUMBERS,
    NOT_NEGATIVE,
    POSITIVE,
    WORDS,
    of_images,
)
from tests.stress.table import Row

OWN = (ValueError, RunError, DataError, StudyError, GridError)
MORE: dict[str, list[Any]] = {
    POSITIVE: [np.float32(-1), np.array(np.nan), -1e300, "", [1, -1], {}, object(), 1j, b"1"],
    NOT_NEGATIVE: [np.float32(-1), np.array(np.nan), -1e300, "", [1, -1], {}, object(), 1j, b"1"],
    FINITE: [np.float32(np.inf), np.array(np.nan), "", [1, np.nan], {}, object(), 1j, b"1"],
}


def ask(row: Row, what: str, call: Callable[[], Any]) -> None:
    """Call something that must be refused, and note what came instead."""
    row.tried += 1
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            answer = call()
    except OWN as error:
        if not str(error).strip():
            row.note("tracebacks", f"{what}: an error without a word")
    except Exception as error:
        row.note("tracebacks", f"{what}: {type(error).__name__}: {error}")
    else:
        row.note("wrong", f"{what}: {str(answer)[:80]}")


def exact_and_games() -> Row:
    """Every argument of every function of the table in tests/faults/test_inputs.py, with every value that is bad for it."""
    row = Row("exact models and games")
    for function, good, kinds in CASES:
        for name, kind in kinds.items():
            values = [*BAD[kind], *MORE.get(kind, [])] if isinstance(kind, str) else kind
            for value in values:
                call = good | {name: value}
                ask(row, f"{function.__qualname__}({name}={value!r})", lambda f=function, c=call: f(**c))
    return row


def knobs() -> Row:
    """Every knob of every objective, given and set later, with everything that is no number."""
    row = Row("knobs of objectives")
    for name, cls in OBJECTIVES.items():
        for knob, what in knobs_of(cls).items():
            values = NO_NUMBERS if what.kind in (int, float) else [None, 1, [], "x", np.nan, True]
            for value in values:
                if isinstance(value, bool) and what.kind is bool:
                    continue
                ask(row, f"{name}({knob}={value!r})", lambda n=name, k=knob, v=value: make_objective(n, **{k: v}))
                ask(row, f"{name}.{knob} = {value!r}", lambda c=cls, k=knob, v=value: setattr(c(), k, v))
    return row


def runs() -> Row:
    """Every setting of a run, and the same as options on the command line and as entries of a grid file."""
    row = Row("settings: run, command line, grid file")
    for name, what in settings().items():
        words = what.kind in (str, bool)
        for value in [[], {}, object(), 1j, np.ones(2)] if words else NO_NUMBERS:
            if value is None and what.default is None:
                continue
            if name in ("seed", "epochs") or what.low == 0 or words:
                ask(row, f"Run({name}={value!r})", lambda n=name, v=value: Run(**{n: v}))
        for text in ("-1", "nan", "inf", "x", "1e999", "", " ", "0x10", "١"):
            if what.kind is bool or (words and not what.choices) or (text == "١"):
                continue
            ask(row, f"--{name}={text!r}", lambda n=name, t=text: on_command_line(f"--{n.replace('_', '-')}={t}"))
    return row


def on_command_line(option: str) -> None:
    """ValueError if the command refuses an option as it should: exit status 2 and no traceback."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            status = main(["run", "--out=/nowhere/at/all\0", "--quiet", option])
    except SystemExit as stop:
        status = stop.code
    if "\0" in said.getvalue() or "cannot write" in said.getvalue():
        return  # it got as far as the folder, so the option was believed
    if status == 2 and "Traceback" not in said.getvalue():
        raise ValueError(said.getvalue())


def grids(place: Path, n: int, seed: int) -> Row:
    """Grid files with random damage: read, or refused by name; never anything else."""
    row, rng = Row("grid files, damaged at random"), random.Random(seed)
    text = "[store]\nsamples = 2\n[common]\nlimit = 60\n"
    text += '[[grid]]\nname = "a"\nobjective = "rate-hinge"\nlam = [1, 2]\nseed = [0, 1]\n'
    for _ in range(n):
        content = bytearray(text.encode())
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.choice(b'x"[]=,.\n-0 \xff#')
        (place / "g.toml").write_bytes(content)
        row.tried += 1
        try:
            read_grid(place / "g.toml")
        except OWN:
            pass
        except Exception as error:
            row.note("tracebacks", f"{bytes(content)!r}: {type(error).__name__}: {error}")
    return row


def examples_and_names(place: Path) -> Row:
    """Images and sentences of another kind, data and studies that there are not, number boxes."""
    from klcourse.measure import evaluate
    from klcourse.objectives import ELBO
    from klcourse.training import Trainer

    row = Row("examples, names, number boxes")
    for model, x, message in BAD_EXAMPLES:
        good = IMAGES if model is of_images else WORDS
        ask(row, message, lambda m=model, x=x: Trainer(m(), ELBO(), x, batch_size=10))
        ask(row, message, lambda m=model, x=x, g=good: Trainer(m(), ELBO(), g, batch_size=10, valid=(x, None)))
        ask(row, message, lambda m=model, x=x: evaluate(m(), x, iw_samples=0))
    for name in ("mnits", "", "x.txt", "/", "\0", "a/b", "~nobody/x", 3, None, [], b"mnist", "mnist\n", "m" * 5000, place):
        ask(row, f"load({name!r})", lambda n=name: load(n))
    for limit in (0, -1, 1.5, "3", None if False else [], np.float64(2.5), 1j):
        ask(row, f"limit={limit!r}", lambda k=limit: load("mnist", limit=k))
    for held in (-1, 10**9, 3001):
        ask(row, f"hold_out={held!r}", lambda k=held: load("mnist", hold_out=k))
    for name in ("phase_digram", "", "../x", "a\0", "x" * 5000, "."):
        for read in load_study, load_history, load_samples, load_provenance:
            ask(row, f"{read.__name__}({name!r})", lambda r=read, n=name: r(n))
    texts = ["1,000", "inf", "nan", "", " ", "1_0", "--1", "1e999", "0x1", "1.2.3", None, [], {}, 1j, True, 10**400, b"1"]
    for slider in Slider("λ", 0.5, 0, 4, 0.05), Slider("n", 5, 0, 10, 1), Slider("r", 0.01, 1e-4, 1, 0.1, log=True):
        for value in texts:
            ask(row, f"slider {value!r}", lambda s=slider, v=value: s.check("x", v))
    for value in ([], {}, None, 2, "x", np.ones(2), torch.ones(2)):
        ask(row, f"choice {value!r}", lambda v=value: Choice("h", "R", ("R", "I")).check("h", v))
        ask(row, f"toggle {value!r}", lambda v=value: Toggle("t").check("t", v))
    return row


def all_inputs(place: Path, seed: int) -> list[Row]:
    """Every part."""
    return [exact_and_games(), knobs(), runs(), grids(place, 300, seed), examples_and_names(place)]
