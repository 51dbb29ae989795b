"""The one palette: colours by meaning, and for every objective its colour, marker, dash and name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from klcourse.objectives import OBJECTIVES, SWITCHES, canonical

BLUE, ORANGE, GREEN, AMBER, SKY, PINK = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
"""Okabe and Ito's colours: told apart by colour-blind readers, and by most in grey."""

DARK, GREY, MIST, SHADE = "#444444", "#707070", "#b0b0b0", "#eeeeee"
"""From nearly black to nearly white: the ELBO and collapse; words on the page; thin lines; what is impossible."""

RATE, INFORMATION = "#222222", BLUE
"""The two halves of the story where both are curves of one run."""

WASTE, CONDITION, ALTERNATING = "#A14A76", "#D9A441", "#882255"
"""Plum: rate without information. Ochre: where the article's conditions hold. Wine: SLVAE's g trained alternating."""

MODULE_A, MODULE_B = "#8C510A", "#01665E"
"""Brown and teal: the two modules, told apart from every objective's colour, and in grey by their dashes."""


class Look(NamedTuple):
    """How a regime looks: told apart by marker and by shade, so that colour is not needed."""

    colour: str
    marker: str


REGIME_LOOKS = {
    "inactive": Look(GREEN, "^"),
    "held": Look(BLUE, "s"),
    "partial": Look(AMBER, "o"),
    "collapsed": Look(DARK, "X"),
}


@dataclass(frozen=True)
class Style:
    """How an objective looks: a colour-blind safe colour, and a marker and dash that survive a grey printer."""

    label: str
    colour: str
    marker: str
    dash: str | tuple


LOOKS: dict[str, tuple[str, str, str | tuple]] = {
    "elbo": (DARK, "o", "-"),
    "sl": (ORANGE, "^", (0, (6, 2))),
    "rate-hinge": (BLUE, "s", "-"),
    "beta": (GREEN, "D", (0, (2, 1))),
    "tc": (PINK, "v", (0, (4, 1, 1, 1))),
    # the literature's baselines share hues with their relatives above and differ in marker and dash
    "info-hinge": (AMBER, "P", "-"),
    "freebits": (SKY, "p", (0, (3, 1))),
    "freebits-dim": (SKY, "$F$", (0, (1, 1))),
    "capacity": (BLUE, "X", (0, (5, 1, 1, 1, 1, 1))),
    "dual": (BLUE, "d", (0, (1, 1))),
    "anneal": (DARK, ">", (0, (4, 2))),
    "cyclical": (DARK, "<", (0, (1, 1.5))),
    "mmd": (PINK, "*", (0, (1, 1))),
    "freebits-each": (SKY, "$E$", (0, (5, 1, 1, 1))),
    "geco": (BLUE, "$G$", (0, (2, 1))),
    "bow": ("#999999", "$\\Sigma$", (0, (1, 2))),
    # and those that change the model or the schedule of updates, under any objective
    "word-dropout": ("#999999", "$W$", (0, (2, 2))),
    "bn": (GREEN, "$B$", (0, (5, 1))),
    "delta": (GREEN, "$\\delta$", (0, (1, 1))),
    "lagging": (ORANGE, "$L$", (0, (1, 1))),
    "ae-init": (SKY, "$A$", (0, (8, 2))),
    "skip": (GREEN, "$S$", (0, (8, 2))),
}
"""Colour, marker and dash of every method of the course, by its name on the command line."""

SPARE = (
    ("#332288", "h", (0, (7, 1))),
    ("#117733", "8", (0, (3, 2))),
    ("#AA4499", "H", (0, (5, 2, 1, 2))),
    ("#999933", ">", (0, (2, 2))),
    ("#661100", "<", (0, (6, 1, 1, 1))),
)
"""Looks for objectives of the reader's own."""


def style_of(objective: str) -> Style:
    """The style of an objective by its name on the command line, old names included; its label is its own title.

    A name that LOOKS does not have, such as that of your own objective, gets a look from SPARE: always the same one.

    >>> style_of("mi") == style_of("rate-hinge"), style_of("rate-hinge").label
    (True, 'hinge on R')
    >>> style_of("mine").label
    'mine'
    """
    name = canonical(objective)
    method = OBJECTIVES.get(name) or SWITCHES.get(name)
    look = LOOKS.get(name) or SPARE[crc32(name.encode()) % len(SPARE)]
    return Style(method.title if method else name, *look)


STYLES = {name: style_of(name) for name in LOOKS}
"""The styles of all methods of the course."""
