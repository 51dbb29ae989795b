"""One helper for all widgets of the course: `Widget`. A subclass says what moves and how the picture changes.

    class Parabola(Widget):
        title = "Where does the parabola touch?"
        caption = "The parabola y = (x - shift)² and its minimum."
        size = (7.0, 3.6)                                   # inches; a page shows 96 pixels an inch
        controls = {"shift": Slider("shift", 0.0, -1, 1, 0.05, unit="m", help="Moves the parabola.")}
        actions = {"Centre it": "centre"}                   # button -> method that returns new values

        def figure_setup(self, fig):                        # once: draw everything
            self.x = np.linspace(-2, 2, 200)
            ax = fig.subplots()
            ax.set(xlim=(-2, 2), ylim=(0, 4), xlabel="x [m]", ylabel="y [m²]")
            self.line = self.live(ax.plot(self.x, self.x**2)[0])        # live: what update() changes

        def update(self, values):                           # at every move: change live artists, nothing else
            self.line.set_ydata((self.x - values["shift"]) ** 2)
            return f"minimum at x = {values['shift']:.2f} m"   # the read-out, and the picture's alternative text

        def centre(self, values):
            return {"shift": 0.0}                           # the controls it moves

Of many controls, `active(values)` names those that matter (the others are grey) and `hidden(values)` those that are not
shown at all.

In a notebook the last line of a cell `Parabola()` or `Parabola(shift=0.5)` shows it; Reset goes back to these
values. Without a kernel, in tests and on paper: `Parabola().set(shift=1).figure`, `.text`, `.pixels()`.

Rules that keep it fast and whole. `update` may change live artists (set_data, set_text, ...), make new ones
(`self.live(...)`) and `remove()` old ones. What changes seldom, axis limits or words that depend on a choice, is
not live: `self.still(ax, ylim=(0, 3))` changes it at the price of a full drawing (about 60 ms), and only if it
differs. Letters are what costs (0.1 ms each): make the number live and its label not. Plain text in live artists,
no $mathematics$: it is slow and not safe in threads. All artists live inside an axes. Callbacks may come from
another thread than the cell (subshells of ipykernel 7): read what you need from the arguments of `update`, and keep
no pyplot state.
"""

from __future__ import annotations

import re
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import ipywidgets as ipw
import numpy as np
from IPython import get_ipython
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from klcourse.picture import picture
from klcourse.widgets.frame.canvas import Canvas, SomeArtist
from klcourse.widgets.frame.controls import Control
from klcourse.widgets.frame.panel import Panel
from klcourse.widgets.frame.spots import Spot


class Widget(ABC):
    """A figure with controls; see the head of this module for how to write one.

    Class attributes: `title` (the question it answers, drawn above the figure), `caption` (below it, in
    italics), `size` in inches, `scale` (pixels of the picture per pixel of the page), `controls`, `actions`,
    `most_spots` (how many places to click there may be).
    Keyword arguments set controls; ValueError names an unknown control or the allowed range.
    """

    title = ""
    caption = ""
    size: tuple[float, float] = (8.6, 4.2)
    scale = 1.5
    lines = 1  # of the page kept free for the read-out, so that the controls below it stay where they are
    controls: Mapping[str, Control] = {}
    actions: Mapping[str, str] = {}
    most_spots = 0

    def __init__(self, **values: Any) -> None:
        self._values = {name: control.value for name, control in self.controls.items()}
        self._values |= self._checked(values)
        self._start = dict(self._values)
        self._canvas: Canvas | None = None
        self._panel: Panel | None = None
        self._text = ""
        self._drawing, self._wanted = threading.Lock(), False
        self.rev = 0
        _take_the_place_of_the_last(self)

    # --- what a subclass writes ------------------------------------------------------------------------------

    @abstractmethod
    def figure_setup(self, fig: Figure) -> None:
        """Draw everything once; pass every artist that `update` will change through `self.live`."""

    @abstractmethod
    def update(self, values: dict[str, Any]) -> str:
        """Change the live artists to the values of the controls; return the read-out, one line of plain text."""

    def active(self, values: dict[str, Any]) -> Collection[str]:
        """The controls that matter at these values (all by default); the others are greyed out."""
        return values.keys()

    def hidden(self, values: dict[str, Any]) -> Collection[str]:
        """The controls that are not shown at these values (none by default): for panels where most do not apply."""
        return ()

    def extras(self) -> list[ipw.Widget]:
        """More ipywidgets, shown below the controls (none by default)."""
        return []

    def spots(self) -> Sequence[Spot]:
        """Places on the picture that can be clicked, as it stands now (none by default); see `spots.Spot`."""
        return ()

    def live(self, artist: SomeArtist) -> SomeArtist:
        """Mark an artist as one that moves, and return it."""
        return self._made().live(artist)

    def still(self, artist: Artist, **properties: Any) -> None:
        """Change an artist that is not live, an axes say; if anything differs, the picture is drawn from nothing."""
        if any(not np.array_equal(getattr(artist, f"get_{name}")(), value) for name, value in properties.items()):
            artist.set(**properties)
            self.stale()

    def stale(self) -> None:
        """Say that something not live has changed (axis limits, ticks): the next picture is drawn from nothing."""
        self._made().stale()

    # --- driving it ------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The class name in lower case with hyphens, as in the CSS class `klw-elbo-gap`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(self).__name__).lower()

    @property
    def value_dict(self) -> dict[str, Any]:
        """The present value of every control."""
        return dict(self._values)

    def set(self, **values: Any) -> Self:
        """Move controls and redraw; nothing moves if one value is wrong (ValueError). Returns the widget."""
        self._values |= self._checked(values)
        self.redraw()
        return self

    def reset(self) -> Self:
        """Put every control back to where it was when the widget was made."""
        return self.set(**self._start)

    def act(self, label: str) -> Self:
        """Press one of the buttons in `actions`."""
        if label not in self.actions:
            raise ValueError(f"{type(self).__name__} has no button {label!r}: there are {', '.join(self.actions) or 'none'}")
        return self.set(**(getattr(self, self.actions[label])(self.value_dict) or {}))

    def redraw(self) -> None:
        """Draw the present values; may be called from any thread.

        Whoever calls while a picture is being drawn does not wait: the drawer sees the wish when it is done
        and draws once more. So pictures never queue up, and the last values are always drawn.
        """
        self._wanted = True
        while self._wanted and self._drawing.acquire(blocking=False):
            try:
                self._wanted = False
                self._draw()
            finally:
                self._drawing.release()

    def _draw(self) -> None:
        if self._canvas is None:
            self._canvas = Canvas(self.size, self.scale)
            try:
                with Canvas.style():
                    self.figure_setup(self._canvas.figure)
                    if self.title:
                        self._canvas.figure.suptitle(self.title, x=0.01, ha="left", weight="bold", fontsize=15)
            except BaseException:
                self._canvas = None  # half a figure is no figure
                raise
        self._text = self.update(self.value_dict)
        self.rev += 1
        if self._panel is not None:
            self._panel.picture(self._canvas.png(), self.alt, self._text, self.rev)
            self._panel.values(self.value_dict)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            if name not in self.controls:
                raise ValueError(f"{type(self).__name__} has no control {name!r}: there are {', '.join(self.controls)}")
        return {name: self.controls[name].check(name, value) for name, value in values.items()}

    # --- reading it without a kernel -------------------------------------------------------------------------

    def _drawn(self) -> Canvas:
        if self._canvas is None:
            self.redraw()
        return self._made()

    def _made(self) -> Canvas:
        if self._canvas is None:
            raise RuntimeError("there is no figure yet: live, still and stale are for figure_setup and update")
        return self._canvas

    @property
    def figure(self) -> Figure:
        """The matplotlib figure as it stands."""
        return self._drawn().figure

    @property
    def page_size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels of the page."""
        canvas = self._drawn()
        return canvas.width, canvas.height

    @property
    def text(self) -> str:
        """The read-out as it stands."""
        self._drawn()
        return self._text

    @property
    def alt(self) -> str:
        """What the picture says, for those who hear the page: title and read-out."""
        return f"{self.title} {self.text}".strip()

    def pixels(self) -> np.ndarray:
        """The picture as it stands, (height, width, 3) bytes."""
        return self._drawn().pixels()

    def png(self) -> bytes:
        """The picture as it stands, as a PNG file."""
        return self._drawn().png()

    # --- in the notebook -------------------------------------------------------------------------------------

    def show(self) -> None:
        """Put the live widget into the notebook, with a still picture for pages that have no kernel."""
        from IPython.display import Markdown, display

        if self._panel is None:
            self._panel = Panel(self)
        canvas = self._drawn()
        still = picture(canvas.png(), self.alt, (canvas.width, canvas.height))
        display(self._panel.view() | {"text/html": still, "text/plain": self.alt}, raw=True)
        if self.caption:
            display(Markdown("*" + self.caption.replace("*", r"\*") + "*"))

    def _ipython_display_(self) -> None:
        self.show()

    def close(self) -> None:
        """Take the live controls away; the widget can still be driven from code, and shown again."""
        panel, self._panel = self._panel, None
        if panel is not None:
            panel.close()


_alive: dict[str, tuple[str, list[weakref.ref[Widget]]]] = {}


def _take_the_place_of_the_last(widget: Widget) -> None:
    """Close the widgets which an earlier run of the same notebook cell made: one cell, one live copy."""
    try:
        shell: Any = get_ipython()
        parent = shell.kernel.get_parent()
        cell, run = parent["metadata"]["cellId"], parent["header"]["msg_id"]
    except (AttributeError, KeyError):
        return  # no notebook, or a front end that does not tell
    last, widgets = _alive.get(cell, (run, []))
    if last != run:
        for reference in widgets:
            if (old := reference()) is not None:
                old.close()
        widgets = []
    _alive[cell] = run, [*widgets, weakref.ref(widget)]
