"""Figures of single notebooks, a module a topic; what several notebooks draw is in `klcourse.plots`."""
