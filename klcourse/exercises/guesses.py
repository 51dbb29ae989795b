"""Predictions before an experiment: set by a control or a line of code, kept, and shown beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from klcourse.picture import names_of_controls

from . import diary
from .forms import Form, Options, Range, Sketch
from .page import Card, show, show_live
from .registry import find


@dataclass(frozen=True)
class Guess:
    """A prediction that a notebook asks for. `asks` is the label of its control, `form` says what may be given."""

    id: str
    asks: str
    form: Form


def predict(id: str, value: Any = None) -> Prompt | Card:
    """Keep a prediction; without a value, a control to set it with. Never raises for a value that does not fit.

    >>> predict("1.1", "much")
    Prediction 1.1 not kept.
    'much' is no guess that fits here: give a number from 0 to 1.
    """
    guess = find("GUESSES", id)
    return Prompt(guess) if value is None else keep(guess, value)


def keep(guess: Guess, value: Any) -> Card:
    """Write a prediction into the diary; what became of it, as a card."""
    try:
        read = guess.form.read(value)
    except ValueError as error:
        return Card("bad", f"Prediction {guess.id} not kept.", (f"{error}.",))
    diary.keep("guesses", guess.id, read)
    return Card("good", f"Prediction {guess.id} kept: {guess.form.words(read)}.", diary.news())


def prediction(id: str) -> Any:
    """The reader's prediction, or None: a number, a choice, a list of points. One that no longer fits counts as none."""
    guess = find("GUESSES", id)
    try:
        return guess.form.read(diary.read()["guesses"][id])
    except (KeyError, ValueError):
        return None


def compare(id: str, measured: Any) -> None:
    """Show the prediction beside what was measured; nothing if none was made. ValueError if `measured` does not fit.

    With predict("1.1", 0.3) before it, compare("1.1", 0.13) says "Prediction 1.1. Yours: 0.3. Found: 0.13."
    """
    guess, mine = find("GUESSES", id), prediction(id)
    # The range of a slider says nothing about what may be found.
    found = guess.form.read(measured) if isinstance(guess.form, Options) else measured
    if mine is None:
        return
    same = isinstance(guess.form, Options) and mine == found
    head = f"Prediction {id}. Yours: {guess.form.words(mine)}. Found: {guess.form.words(found)}."
    show(Card("good" if same else "open", head, ("As you said.",) if same else ()))


class Prompt:
    """The control of a prediction: slider, choice or three sliders, with a button; a line of code does the same."""

    def __init__(self, guess: Guess) -> None:
        self.guess = guess

    def __repr__(self) -> str:
        mine = prediction(self.guess.id)
        kept = "" if mine is None else f" Kept: {self.guess.form.words(mine)}."
        example = "..." if not isinstance(self.guess.form, Options) else "1"
        return (
            f"Your prediction: {self.guess.asks} Give {self.guess.form.takes}, with the control that stands here in a "
            f'running notebook, or in code: predict("{self.guess.id}", {example}).{kept}'
        )

    def _repr_html_(self) -> str:
        return f"<p><em>{escape(repr(self))}</em></p>"

    def box(self) -> Any:
        """The live control, an ipywidgets box; every part has a label and is reached by Tab."""
        import ipywidgets as ipw

        form, mine = self.guess.form, prediction(self.guess.id)
        wide = {"width": "100%", "max_width": "36em"}
        style = {"description_width": "initial"}
        if isinstance(form, Options):
            choice = {"options": form.options, "value": mine, "tooltip": self.guess.asks}
            controls = [ipw.RadioButtons(**choice, layout={"width": "max-content"})]
        else:
            labels = form.at if isinstance(form, Sketch) else ("your guess",)
            middle = form.low + form.step * round((form.high - form.low) / 2 / form.step)
            start = [middle] * len(labels) if mine is None else mine if isinstance(form, Sketch) else [mine]
            unit = f" [{form.unit}]" if form.unit else ""
            limits: dict[str, Any] = {"min": form.low, "max": form.high, "step": form.step}
            limits["readout_format"] = ".0f" if form.step >= 1 else ".1f" if form.step >= 0.1 else ".2f"
            controls = [
                ipw.FloatSlider(value=value, description=label + unit, layout=wide, style=style, **limits)
                for label, value in zip(labels, start)
            ]
        asks = ipw.HTML(f"<strong>Your prediction.</strong> {escape(self.guess.asks)}")
        said = ipw.HTML("" if mine is None else f"<span role='status'>Kept: {escape(form.words(mine))}.</span>")
        button = ipw.Button(description="Keep my guess", tooltip=f"Keep prediction {self.guess.id}")

        def pressed(_: Any) -> None:
            values = [control.value for control in controls]
            if None in values:
                card = Card("open", "Choose one first.")
            else:
                card = keep(self.guess, values if isinstance(form, Sketch) else values[0])
            said.value = f"<span role='status'>{escape(' '.join((card.head, *card.text)))}</span>"

        button.on_click(pressed)
        names = ipw.Output(outputs=[names_of_controls()], layout={"display": "none"})
        parts = [ipw.VBox([asks, names]), *controls, ipw.HBox([button, said])]
        return ipw.VBox(parts, layout={"overflow": "visible"}).add_class("kle-guess")

    def _ipython_display_(self) -> None:
        show_live(self.box(), self._repr_html_(), repr(self))


__all__ = ["Guess", "Options", "Prompt", "Range", "Sketch", "compare", "keep", "predict", "prediction"]
