"""The table of all methods: the objectives, and what changes the model or the schedule of updates instead.

A second one says how each differs from its paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from klcourse.objectives import OBJECTIVES, SWITCHES, Knob, Objective, knobs_of


class Method(NamedTuple):
    """A row of the table: its name on the command line, what it minimises or does, paper, knobs with defaults, file."""

    name: str
    title: str
    minimises: str
    paper: str
    knobs: str
    file: str


def methods() -> pd.DataFrame:
    """Every method of the course, and every objective you have defined, a row each.

    `name` is for the command line (`--objective NAME`), `knobs` have their defaults, `file` is where its class is. The
    last rows are options of the model or the trainer, which go with any objective: their `name` is that of the option.

    >>> table = methods().set_index("name")
    >>> table.loc["rate-hinge", "minimises"], table.loc["rate-hinge", "knobs"]
    ('D + β R + λ max(c − R, 0)', 'lam = 1, c = 5, beta = 1')
    """
    return pd.DataFrame([*map(of_objective, OBJECTIVES.values()), *map(of_switch, SWITCHES)])


class Deviation(NamedTuple):
    """A row of that table: the method, its paper, the settings that are the paper's, and what still differs with them."""

    name: str
    title: str
    paper: str
    as_published: str
    deviation: str


LEFT_OUT = [
    Deviation(
        "–",
        "semi-amortised inference",
        "Kim et al. 2018",
        "",
        "left out for its price: 20 steps refine q(z|x) for every mini-batch, and are differentiated through, in their code "
        "by 20 more: 41 forward and backward passes of the decoder a training step instead of one, and 20 to evaluate; "
        "with the LSTM of 256 units, whose decoder is half of a step, 20 times the time of a step",
    )
]
"""Methods of the literature that the course does not have, and why."""


def deviations() -> pd.DataFrame:
    """Every method, a row each: how it differs from its paper; the last rows are methods that were left out.

    `as_published` are the settings of the paper where they are not the defaults, which stay what stored runs took them to
    be: `klcourse run` takes them as options, and `as_published()` of an objective's class has them. `deviation` is what
    differs all the same; nothing there means that nothing that matters is known. Data, networks and optimiser are the
    course's throughout.

    >>> table = deviations().set_index("name")
    >>> table.loc["cyclical", "as_published"], table.loc["elbo", "deviation"]
    ('cycles = 4, ratio = 0.5', '')
    """
    rows = [Deviation(cls.name, cls.title, cls.paper, written(cls.published), cls.deviation) for cls in OBJECTIVES.values()]
    for name, switch in SWITCHES.items():
        row = of_switch(name)
        rows.append(Deviation(row.name, row.title, row.paper, written(switch.published), switch.deviation))
    return pd.DataFrame([*rows, *LEFT_OUT])


def written(settings: Mapping[str, Any]) -> str:
    """Settings as text.

    >>> written({"lam": 1000.0, "update": "rmsprop"})
    'lam = 1000, update = rmsprop'
    """
    return ", ".join(f"{name} = {at:g}" if isinstance(at, float) else f"{name} = {at}" for name, at in settings.items())


def of_objective(cls: type[Objective]) -> Method:
    """The row of an objective."""
    knobs = ", ".join(f"{name} = {value(what)}" for name, what in knobs_of(cls).items() if what.shown)
    own = (
        (cls.__doc__ or "").strip().partition("\n")[0]
        if cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
        else ""
    )
    return Method(cls.name, cls.title, cls.formula or own, cls.paper, knobs, file_of(cls.__module__))


def of_switch(name: str) -> Method:
    """The row of a method that is an option and not an objective."""
    switch = SWITCHES[name]
    option = "--" + switch.setting.replace("_", "-")
    return Method(
        option, switch.title, switch.formula, switch.paper, f"{switch.setting} = {value(switch.knob)}", switch.file
    )


def value(what: Knob) -> str:
    """The default of a knob; "off" where it has none."""
    if what.default is None:
        return "off"
    number = isinstance(what.default, float) and math.isfinite(what.default)
    return f"{what.default:g}" if number else str(what.default)


def file_of(module: str) -> str:
    """Where a class is defined, below klcourse/; for one of your own the name of its module."""
    own = module.removeprefix("klcourse.")
    return module if own == module else str(Path(*own.split(".")).as_posix()) + ".py"


def to_markdown() -> str:
    """The table as Markdown, as README.md shows it."""
    table = methods()
    head = "| name | what it minimises, or does | paper | knobs and defaults | file |\n|---|---|---|---|---|"
    rows = (
        f"| `{row.name}` | {row.title}: {escape(row.minimises)} | {row.paper} | {code(row.knobs)} | `{row.file}` |"
        for row in table.itertuples(index=False, name="Row")
    )
    return "\n".join([head, *rows])


def escape(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def code(text: str) -> str:
    """Text in the type of code; nothing for nothing."""
    return f"`{text}`" if text else ""


def to_text() -> str:
    """The table as text for a terminal."""
    columns = ["name", "minimises", "knobs", "paper", "file"]
    table = methods()[columns]
    widths = {column: max(len(column), *table[column].map(len)) for column in columns}
    lines = ["  ".join(column.ljust(widths[column]) for column in columns)]
    lines += [
        "  ".join(str(cell).ljust(widths[column]) for column, cell in zip(columns, row))
        for row in table.itertuples(index=False)
    ]
    return "\n".join(line.rstrip() for line in lines)
