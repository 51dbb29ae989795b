"""What all widgets share: the figure and its pictures, controls, the panel around them, places to click."""

from .base import Widget
from .controls import Choice, Control, Slider, Toggle
from .spots import Spot

__all__ = ["Choice", "Control", "Slider", "Spot", "Toggle", "Widget"]
