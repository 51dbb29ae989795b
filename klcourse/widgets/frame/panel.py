"""The live half of a widget: ipywidgets around the picture, messages for the reader, nothing swallowed."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from html import escape
from math import log10
from typing import Any, Protocol

import ipywidgets as ipw

from klcourse.picture import names_of_controls
from klcourse.widgets.frame.controls import Choice, Control, Slider, Toggle, number_text
from klcourse.widgets.frame.spots import Overlay, Spot

VIEW = "application/vnd.jupyter.widget-view+json"
KEYS = (
    "Tab moves from control to control. On a slider ← and → are one step, Page Up and Page Down five, Home and End "
    "the ends. A number typed into a box counts when you press Enter."
)


class Shown(Protocol):
    """What a panel shows and moves: all that it knows of its `Widget`."""

    controls: Mapping[str, Control]
    actions: Mapping[str, str]
    most_spots: int
    lines: int
    rev: int

    @property
    def name(self) -> str:
        """For the CSS classes of the page."""

    @property
    def page_size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels of the page."""

    @property
    def text(self) -> str:
        """The read-out."""

    @property
    def alt(self) -> str:
        """What the picture says."""

    @property
    def value_dict(self) -> dict[str, Any]:
        """The value of every control."""

    def png(self) -> bytes:
        """The picture."""

    def spots(self) -> Sequence[Spot]:
        """Places on it to click."""

    def active(self, values: dict[str, Any]) -> Collection[str]:
        """The controls that matter at these values."""

    def hidden(self, values: dict[str, Any]) -> Collection[str]:
        """The controls that are not shown at these values."""

    def extras(self) -> list[ipw.Widget]:
        """More ipywidgets for the foot."""

    def set(self, **values: Any) -> Any:
        """Move controls."""

    def reset(self) -> Any:
        """Move all back."""

    def act(self, label: str) -> Any:
        """Press a button."""


class Panel:
    """Picture, read-out, message, controls and buttons of one `Widget`; the widget calls `picture`, `values`."""

    def __init__(self, widget: Shown) -> None:
        self.widget, self.size = widget, widget.page_size
        # The thread that moves the controls from the kernel's side: to it, and to no other, they report nothing.
        # (A reader may move one in another thread at that very moment, and that must count.)
        self._quiet: int | None = None
        self._put: dict[str, Any] = {}
        self._image = _html("klw-image")
        self._overlay = Overlay(self._image, *self.size, lambda values: self.attempt(partial(widget.set, **values)))
        self._overlay.prepare(widget.most_spots)
        self._readout = _html("klw-readout-box")
        self._message = _html("klw-message-box")
        named = [control.label for control in widget.controls.values() if not isinstance(control, Toggle)]
        self._label_width = 0.9 + 0.55 * max(map(len, named), default=0)  # em
        self._rows = {name: self._row(name, control) for name, control in widget.controls.items()}
        buttons = [self._button("Reset", "reset", widget.reset, "back to the values at the start")]
        buttons += [
            self._button(label, method.replace("_", "-"), partial(widget.act, label))
            for label, method in widget.actions.items()
        ]
        grid = {"grid_template_columns": "repeat(auto-fit, minmax(19em, 1fr))", "grid_gap": "0 1em", "width": "100%"}
        controls = ipw.GridBox([row for row, _ in self._rows.values()], layout=grid)
        self._message.layout.flex = "1 1 20em"
        feet = ipw.Box(
            [*buttons, *widget.extras(), self._message], layout={"flex_flow": "row wrap", "align_items": "center"}
        )
        names = ipw.Output(outputs=[names_of_controls()], layout={"display": "none"})
        self.box = ipw.VBox(
            [self._overlay.box, self._readout, controls, feet, _html("klw-help", self._help()), names],
            layout={"width": "100%", "max_width": f"{self.size[0] + 16}px", "overflow": "visible"},
        )
        self.box.add_class("klw").add_class(f"klw-{widget.name}")
        self.say("")
        self.picture(widget.png(), widget.alt, widget.text, widget.rev)
        self.values(widget.value_dict)

    # --- from the widget to the page -------------------------------------------------------------------------

    def picture(self, png: bytes, alt: str, text: str, rev: int) -> None:
        """Show a new picture and its read-out."""
        width, height = self.size
        data = base64.b64encode(png).decode("ascii")
        # decoding="sync": the new picture is decoded before the frame is painted, and width and height reserve its
        # place before that, so nothing flickers or jumps
        self._image.value = (
            f'<img class="klw-figure" data-rev="{rev}" alt="{escape(alt)}" width="{width}" height="{height}" '
            f'decoding="sync" style="display: block; max-width: 100%; height: auto; background: white" '
            f'src="data:image/png;base64,{data}">'
        )
        self._overlay.show(self.widget.spots())
        self._readout.value = (
            f'<div class="klw-readout" role="status" style="font-size: 115%; line-height: 1.35; '
            f'min-height: {1.4 * self.widget.lines:.1f}em">'
            f"{escape(text)}</div>"
        )

    def values(self, values: Mapping[str, Any]) -> None:
        """Move the controls to these values without being told about it, and grey out those that do not matter."""
        if values == self._put:
            return
        self._quiet = threading.get_ident()
        try:
            active, hidden = self.widget.active(dict(values)), self.widget.hidden(dict(values))
            for name, value in values.items():
                row, put = self._rows[name]
                put(value)
                row.layout.display = "none" if name in hidden else None
                for part in row.children[:2]:
                    part.disabled = name not in active
            self._put = dict(values)
        finally:
            self._quiet = None

    def say(self, text: str) -> None:
        """Write into the message area; an empty text clears it. Its height never changes."""
        style = "min-height: 1.5em; padding-left: 0.5em; line-height: 1.5"
        style += "; color: #B00020; font-weight: bold" if text else ""
        self._message.value = f'<div class="klw-message" role="alert" style="{style}">{escape(text)}</div>'

    # --- from the page to the widget -------------------------------------------------------------------------

    def attempt(self, action: Callable[[], Any], back: Callable[[], Any] | None = None) -> None:
        """Do it; an error reaches the reader's eyes instead of a log that nobody opens, and `back` is called."""
        try:
            action()
        except ValueError as error:
            self.say(f"Not done: {error}. Everything is as it was.")
            if back:
                back()
        except Exception as error:  # the reader sees it; there is no caller to raise to
            self.say(
                f"{type(error).__name__}: {error}. The last good picture stays. Press Reset; if this comes again, "
                "run the cell once more."
            )
        else:
            self.say("")

    def _move(self, name: str, change: Mapping[str, Any]) -> None:
        if self._quiet != threading.get_ident():
            self._put = {}  # what the page shows is no longer what was put there
            control = self.widget.controls[name]

            def move() -> None:
                control.check(control.label, change["new"])  # a refusal says "λ", not the name of an argument
                self.widget.set(**{name: change["new"]})

            self.attempt(move, back=lambda: self.values(self.widget.value_dict))

    def _slide(self, name: str, change: Mapping[str, Any]) -> None:
        # A page that shows a value rounds it to its slider's grid, and reports that: 0.002 comes back as 0.001995
        # though nobody has touched anything. Less than half a step is no move.
        control = self.widget.controls[name]
        if not (isinstance(control, Slider) and control.near(change["new"], self.widget.value_dict[name])):
            self._move(name, change)

    def _row(self, name: str, control: Control) -> tuple[ipw.Widget, Callable[[Any], None]]:
        """The line of one control, and the function that moves it."""
        value = self.widget.value_dict[name]
        wide, place = {"width": "100%", "min_width": "0"}, {"min_width": "0", "overflow": "visible"}
        named = {"description_width": f"{self._label_width}em"}
        if isinstance(control, Slider):
            kind = ipw.FloatLogSlider if control.log else ipw.IntSlider if control.whole else ipw.FloatSlider
            low, high = control.low, control.high
            if control.log:
                low, high = log10(low), log10(high)
            main = kind(
                value,
                min=low,
                max=high,
                step=control.step,
                description=control.label,
                readout=False,
                style=named,
                layout=wide,
            )
            box = ipw.Text(number_text(value), continuous_update=False, layout={"width": "4.6em"})
            box.add_class(f"klw-value-{name}")
            box.tooltip = f"{control.label}: type {control.allowed}"
            box.observe(partial(self._move, name), "value")
            unit = ipw.Label(control.unit, layout={"width": "auto", "flex": "0 0 auto"})
            row = ipw.HBox([main, box, unit], layout=place)
            if control.log:
                row.add_class("klw-log")

            def put(value: Any) -> None:
                main.value, box.value = value, number_text(value)
        else:
            if isinstance(control, Choice):
                main = ipw.Dropdown(
                    options=control.options, value=value, description=control.label, style=named, layout=wide
                )
            else:
                main = ipw.Checkbox(value, description=control.label, indent=False, layout=wide)
            row = ipw.HBox([main], layout=place)

            def put(value: Any) -> None:
                main.value = value

        row.add_class("klw-row")
        main.add_class(f"klw-control-{name}")
        main.tooltip = control.help
        main.observe(partial(self._slide if isinstance(control, Slider) else self._move, name), "value")
        return row, put

    def _button(self, label: str, name: str, action: Callable[[], Any], tip: str = "") -> ipw.Button:
        button = ipw.Button(description=label, tooltip=tip or label, layout={"width": "auto"})
        button.add_class(f"klw-button-{name}").add_class(f"klw-{self.widget.name}-{name}")
        button.on_click(lambda _: self.attempt(action))
        return button

    def _help(self) -> str:
        rows = ""
        for control in self.widget.controls.values():
            unit = f", {control.unit}" if isinstance(control, Slider) and control.unit else ""
            rows += f"<li><b>{escape(control.label)}</b> ({escape(control.allowed + unit)}): {escape(control.help)}</li>"
        return f"<details><summary>What the controls do</summary><ul>{rows}</ul><p>{KEYS}</p></details>"

    # --- display ---------------------------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """The part of a display bundle that a live page renders."""
        return {VIEW: self.box._repr_mimebundle_()[VIEW]}

    def close(self) -> None:
        """Close every ipywidget of the panel; the page shows nothing in its place."""

        def down(part: ipw.Widget) -> None:
            for child in getattr(part, "children", ()):
                down(child)
            for side in (part.layout, getattr(part, "style", None), part):  # layout and style are models of their own
                if isinstance(side, ipw.Widget):
                    side.close()

        down(self.box)
        self._overlay.close()


def _html(css: str, value: str = "", **layout: str) -> ipw.HTML:
    part = ipw.HTML(value, layout={"margin": "0", "width": "100%", **layout})
    part.add_class(css)
    return part
