"""Places on a picture that can be clicked: transparent buttons on top of it, each a shortcut for moving controls.

The keyboard's way is the controls themselves, so the buttons are no stops of the Tab key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets as ipw

SIZE = 34  # pixels of the page: a finger's tip
CELL = "1 / 1"  # picture and buttons share the one cell of a grid


class Spot(NamedTuple):
    """A place to click: shares of the picture's width and height from its left and top, a name, values of controls."""

    x: float
    y: float
    text: str
    values: Mapping[str, Any]


class Overlay:
    """The picture (an ipywidget) with buttons on top; `move(values)` is called when one is pressed.

    `width` and `height` of the picture in pixels of the page, which may show it smaller: the buttons keep their places.
    """

    def __init__(self, picture: ipw.Widget, width: int, height: int, move: Callable[[Mapping[str, Any]], Any]) -> None:
        self.picture, self.width, self.height, self.move = picture, width, height, move
        picture.layout.grid_area = CELL
        # at most 62 % of the window's height, so that picture and sliders fit on a projector together
        limit = f"min({width}px, max(30em, {62 * width / height:.1f}vh))"
        self.box = ipw.GridBox([picture], layout={"max_width": limit, "margin": "0", "overflow": "visible"})
        self.buttons: list[ipw.Button] = []
        self.shown: list[Spot] = []

    def show(self, spots: Sequence[Spot]) -> None:
        """Put the buttons there; costs nothing if nothing has changed."""
        if (spots := list(spots)) == self.shown:
            return
        self.prepare(len(spots))
        self.shown = spots
        for button, (x, y, text, _) in zip(self.buttons, spots):
            # shares of the width, both: that is what a margin in per cent means
            left, top = x - SIZE / 2 / self.width, y * self.height / self.width - SIZE / 2 / self.width
            button.layout.margin = f"{100 * top:.3f}% 0 0 {100 * left:.3f}%"
            button.tooltip = button.description = text
        self.box.children = [self.picture, *self.buttons[: len(spots)]]

    def prepare(self, most: int) -> None:
        """Make the buttons for so many spots now: a page needs a tenth of a second to get to know two dozen of them."""
        while len(self.buttons) < most:
            self.buttons.append(self.button(len(self.buttons)))

    def button(self, number: int) -> ipw.Button:
        """A button that one cannot see, until the mouse is over it."""
        size = f"{SIZE}px"
        layout = {"grid_area": CELL, "align_self": "flex-start", "width": size, "height": size, "padding": "0"}
        style = {"button_color": "transparent", "text_color": "transparent", "font_size": "1px"}
        button = ipw.Button(layout=layout, style=style, tabbable=False)
        button.add_class("klw-spot")
        button.on_click(lambda _: self.move(self.shown[number].values))
        return button

    def close(self) -> None:
        """Close the buttons that are not shown just now; those that are belong to the box."""
        for button in self.buttons:
            button.close()
