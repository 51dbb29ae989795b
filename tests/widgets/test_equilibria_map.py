"""EquilibriaMap: what it shows and says is what the exact lists and plain sums say."""

import itertools
import re

import numpy as np
import pytest

from klcourse.exact.equilibria import equilibria, search_deaf, search_gains
from klcourse.widgets import EquilibriaMap
from klcourse.widgets import equilibria_map as em

RNG = np.random.default_rng(9)


def drawn():
    """Values on the sliders' own steps."""
    sliders = {name: control for name, control in EquilibriaMap.controls.items() if name != "on"}
    return {
        name: round(s.low + s.step * int(RNG.integers(0, round((s.high - s.low) / s.step) + 1)), 2)
        for name, s in sliders.items()
    }


@pytest.mark.parametrize("on", em.HINGES)
def test_star_cross_and_floor_are_the_equilibria(on):
    widget = EquilibriaMap(on=on)
    for _ in range(40):
        v = drawn()
        widget.set(**v)
        found = equilibria(v["data_var"], 1.0, v["lam"], v["c"], v["beta"], em.HINGES[on])
        assert widget.star.get_visible() == (found.informative is not None)
        if found.informative is not None:
            at = (float(found.informative.rate), float(found.informative.mi))
            assert np.allclose(np.ravel(widget.star.get_data()), at) and f"R = I = {at[1]:.2f}" in widget.text
        assert widget.cross.get_visible() == (found.deaf is not None and found.deaf[0] == 0)
        assert widget.floor.get_visible() == (found.deaf is not None and found.deaf[1] > 0)
        if widget.floor.get_visible():
            assert tuple(widget.floor.get_xdata()) == found.deaf
        assert ("the theorem" in widget.text) == (on == "the information I" and v["lam"] > v["beta"])


@pytest.mark.parametrize("on", em.HINGES)
def test_the_regions_of_the_map_by_search(on):
    """At random points of the map: the region they are drawn in is what the search for equilibria finds there."""
    hinge = em.HINGES[on]
    for _ in range(40):
        v = drawn()
        beta, lam = np.array([v["beta"]]), min(v["lam"], em.LAM - 0.05) + 1e-3  # off the borders
        inside = {
            name for name, (low, high) in em.bands(beta, v["data_var"], v["c"], hinge).items() if low[0] < lam < high[0]
        }
        gains = search_gains(v["data_var"], 1.0, lam, v["c"], v["beta"], hinge)
        silent = search_deaf(lam, v["c"], v["beta"], hinge)
        if not gains:
            expected = "collapse"
        elif silent == [0.0]:
            reached = np.log(v["data_var"] / (v["data_var"] - gains[0] ** 2)) / 2 >= v["c"] - 1e-6
            expected = "good" if reached else "short"
        else:
            expected = "waste" if silent else "alone"
        near = abs(v["data_var"] - (v["beta"] - lam)) < 0.01 or gains and gains[0] < 1.1e-3
        assert inside == {expected} or near, (v, inside, expected)


def test_bands_fill_the_map_without_a_gap():
    beta = np.linspace(*em.BETA, 50)
    for data_var, c, on in itertools.product((0.1, 1.0, 4.0), (0.1, 2.0), ("rate", "mi")):
        edges = list(em.bands(beta, data_var, c, on).values())
        assert all((low <= high + 1e-12).all() for low, high in edges)
        assert np.allclose(sum(high - low for low, high in edges), em.LAM)


def test_the_story_of_the_notebook():
    widget = EquilibriaMap()
    assert "every silent encoder with R = 0.50, I = 0.00" in widget.text
    assert "R ≤ 0.50" in widget.set(lam=1.0).text
    assert widget.set(lam=0.6).text.endswith("and collapse.")
    assert "one equilibrium, collapse" in widget.set(lam=0.0).text
    widget.reset().set(on="the information I")
    assert "the theorem" in widget.text and not widget.cross.get_visible() and not widget.floor.get_visible()
    assert not re.search(r"-\d", widget.text)
