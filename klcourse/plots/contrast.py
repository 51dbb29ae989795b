"""Words that can be read: colours that tell lines apart are often too light for letters on white."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from matplotlib.artist import Artist
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

CONTRAST = 4.5
"""What words need with the white they stand on (WCAG 2, level AA); lines and markers need less, 3."""


def contrast_with_white(colour: Any) -> float:
    """The contrast of a colour of matplotlib's with white, from 1 to 21.

    >>> round(contrast_with_white("#E69F00"), 2), round(contrast_with_white("black"), 1)
    (2.25, 21.0)
    """
    light = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)]
    return 1.05 / (0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] + 0.05)


@lru_cache(maxsize=1000)
def readable(colour: Any) -> Any:
    """The colour for words: darker if it is too light to be read on white. What is nearly white stands on dark, and stays.

    >>> readable("#0072B2"), readable("white")
    ('#0072B2', 'white')
    >>> contrast_with_white(readable("#E69F00")) >= CONTRAST
    True
    """
    if contrast_with_white(colour) >= CONTRAST or min(to_rgb(colour)) > 0.85:
        return colour
    red, green, blue = to_rgb(colour)
    darker = ((red * k, green * k, blue * k) for k in (share / 100 for share in range(99, 0, -1)))
    return to_hex(next(each for each in darker if contrast_with_white(each) >= CONTRAST))


def make_words_readable(artists: Iterable[Artist]) -> None:
    """Give every text among figures, axes and texts a colour that can be read; lines and areas keep theirs."""
    for artist in artists:
        for text in artist.findobj(Text):
            colour = to_hex(text.get_color())  # a name, a tuple, an array
            if text.get_text() and (dark := readable(colour)) != colour:
                text.set_color(dark)
