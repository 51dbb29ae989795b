"""Figures of single notebooks, a module a notebook; what several notebooks draw is in `klcourse.plots`."""
