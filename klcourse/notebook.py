"""Small helpers for the notebooks themselves: settings for a profile."""

from __future__ import annotations

from typing import TypeVar

PROFILES = ("smoke", "quick", "full")
"""smoke: seconds, for the tests. quick: a laptop or Binder, under two minutes. full: the stored results."""

Settings = TypeVar("Settings")


def choose(profile: str, *, smoke: Settings, quick: Settings, full: Settings) -> Settings:
    """The settings that belong to a profile; all three must be given, so that none is forgotten.

    The settings may be anything (a number, a dict). Raises ValueError for an unknown profile.

    >>> PROFILE = "quick"
    >>> choose(PROFILE, smoke=1, quick=4, full=30)
    4
    >>> choose("fast", smoke=1, quick=4, full=30)
    Traceback (most recent call last):
    ...
    ValueError: unknown PROFILE 'fast': use 'smoke', 'quick' or 'full'
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown PROFILE {profile!r}: use 'smoke', 'quick' or 'full'")
    return {"smoke": smoke, "quick": quick, "full": full}[profile]
