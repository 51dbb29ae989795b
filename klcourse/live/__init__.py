"""A run that is steered while it trains: `LiveRun` without a notebook, `Cockpit` in one."""

from .cockpit import Cockpit
from .steering import LiveRun

__all__ = ["Cockpit", "LiveRun"]
