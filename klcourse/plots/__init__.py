"""What the figures of several notebooks share: one palette, the page, axes, the planes and maps they draw on.

A figure of one notebook only is in `klcourse.figures`, in the module of the notebook's name.
"""

from klcourse.plots.axes import digits, label_ends, mark_guess, plane, rate_information_plane
from klcourse.plots.games import CENTRES, matched_payoff, payoff_arrows
from klcourse.plots.methods import map_of_methods
from klcourse.plots.page import show, show_text_table, use_style
from klcourse.plots.palette import (
    ALTERNATING,
    AMBER,
    BLUE,
    CONDITION,
    DARK,
    GREEN,
    GREY,
    INFORMATION,
    MIST,
    MODULE_A,
    MODULE_B,
    ORANGE,
    PINK,
    RATE,
    REGIME_LOOKS,
    SHADE,
    SKY,
    STYLES,
    WASTE,
    Look,
    Style,
    style_of,
)

__all__ = [
    "ALTERNATING",
    "AMBER",
    "BLUE",
    "CENTRES",
    "CONDITION",
    "DARK",
    "GREEN",
    "GREY",
    "INFORMATION",
    "MIST",
    "MODULE_A",
    "MODULE_B",
    "ORANGE",
    "PINK",
    "RATE",
    "REGIME_LOOKS",
    "SHADE",
    "SKY",
    "STYLES",
    "WASTE",
    "Look",
    "Style",
    "digits",
    "label_ends",
    "map_of_methods",
    "mark_guess",
    "matched_payoff",
    "payoff_arrows",
    "plane",
    "rate_information_plane",
    "show",
    "show_text_table",
    "style_of",
    "use_style",
]
