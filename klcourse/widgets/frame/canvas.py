"""A private matplotlib figure that redraws only what moves, and a PNG writer made for speed.

Drawing a small figure from nothing takes 50 to 60 ms, most of it axes, ticks and text. So everything that
stands still is drawn once and kept as pixels; a redraw puts these pixels back and draws the live artists on
top: a few milliseconds.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from klcourse.plots.contrast import make_words_readable
from klcourse.plots.page import CSS_DPI

STYLE = Path(__file__).parents[2] / "klcourse.mplstyle"
# The style file is for pages one reads at arm's length; a widget is read from the back of a classroom.
LARGE = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "lines.linewidth": 2.6,
    "lines.markersize": 9,
}

SomeArtist = TypeVar("SomeArtist", bound=Artist)


class Canvas:
    """A figure of `size` inches outside pyplot, `scale` pixels for a pixel of the page.

    >>> canvas = Canvas((2, 1), scale=1.0)
    >>> canvas.pixels().shape
    (96, 192, 3)
    """

    def __init__(self, size: tuple[float, float], scale: float = 1.5) -> None:
        with self.style():
            self.figure = Figure(figsize=size, dpi=CSS_DPI * scale, layout="constrained")
        self.width, self.height = (round(CSS_DPI * inches) for inches in size)
        self._agg = FigureCanvasAgg(self.figure)
        self._live: list[Artist] = []
        self._background: Any = None  # matplotlib's own copy of pixels

    @staticmethod
    def style() -> AbstractContextManager[None]:
        """The course's style with larger type, for as long as the `with` block lasts."""
        settings: dict[Any, Any] = dict(mpl.rc_params_from_file(STYLE, use_default_template=False))
        return mpl.rc_context(settings | LARGE)

    def live(self, artist: SomeArtist) -> SomeArtist:
        """Mark an artist as one that moves; it is drawn on top of everything that stands still."""
        self._live.append(artist)
        return artist

    def stale(self) -> None:
        """Say that something that stands still has changed: the next picture is drawn from nothing."""
        self._background = None

    def _keep_background(self) -> None:
        movers = [artist for artist in self._live if not artist.get_animated()]
        for artist in movers:
            artist.set_animated(True)  # the canvas leaves animated artists out
        make_words_readable([self.figure])
        try:
            self._agg.draw()
        finally:
            for artist in movers:
                artist.set_animated(False)
        self.figure.set_layout_engine("none")  # the layout of the first picture is the layout
        self._background = self._agg.copy_from_bbox(self.figure.bbox)

    def _draw(self) -> np.ndarray:
        self._live = [artist for artist in self._live if artist.get_figure() is not None]  # without removed ones
        if self._background is None:
            self._keep_background()
        self._agg.restore_region(self._background)
        renderer = self._agg.get_renderer()
        make_words_readable(self._live)
        for artist in sorted(self._live, key=lambda artist: artist.get_zorder()):
            artist.draw(renderer)
        return np.asarray(self._agg.buffer_rgba())

    def pixels(self) -> np.ndarray:
        """Draw, and return the picture: (height, width, 3) bytes."""
        return self._draw()[..., :3].copy()

    def png(self) -> bytes:
        """Draw, and return the picture as PNG."""
        return png(self._draw())


def png(rgba: np.ndarray) -> bytes:
    """(height, width, 4) bytes as a PNG file, four times as fast as a general writer.

    Each line is stored as its difference from the line above, which is zero nearly everywhere in a diagram;
    a general writer tries five ways of storing every line. Dropping the fourth channel would cost more time
    than it saves.

    >>> png(np.zeros((2, 3, 4), np.uint8))[1:4]
    b'PNG'
    """
    height, width, _ = rgba.shape
    flat = rgba.reshape(height, -1)
    lines = np.empty((height, flat.shape[1] + 1), np.uint8)
    lines[:, 0] = 2  # filter type 2, "up"
    lines[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits a channel, RGBA
    data = zlib.compress(lines.data, level=1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
