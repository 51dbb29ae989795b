"""The version, where whoever records it can read it without the rest."""

__version__ = "0.2.0"
