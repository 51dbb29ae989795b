"""Explorers that respond without a kernel, on the pages of the site.

    phase     the regimes over target c and penalty weight λ, and what one more nat of rate buys and costs
    payoff    the article's constrained game: payoffs, who gains by which move, equilibria
    portrait  payoff, best replies and training runs of the linear-Gaussian VAE

Python computes with the modules that the notebooks use; a page carries the results as JSON, and a script looks them up and
draws. The portrait's model is small enough for its script to compute, and a test compares it with the notebooks' module.
Controls are the browser's own, so keyboard, touch and screen reader work as everywhere.
"""

from klcourse.publish.explorers.page import EXPLORERS, Explorer

__all__ = ["EXPLORERS", "Explorer"]
