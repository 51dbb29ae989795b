"""Means over seeds, against loops; and figures that show several seeds or one."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from klcourse.figures import beta_vae, the_constraint, verdict
from klcourse.studies import by_seed, count_seeds, interval, mean_sd, over_seeds

matplotlib.use("Agg")
RUNS = pd.DataFrame(
    [
        (lam, seed, f"method {lam}", 10.0 * k + seed, seed % 2 == 0)
        for k, lam in enumerate((2.0, np.nan, 0.5))
        for seed in (1, 2, 0)
    ],
    columns=["lam", "seed", "name", "rate", "flag"],
).assign(run=range(9))


def test_means_over_seeds_are_means_and_settings_stay_apart():
    found = over_seeds(RUNS, "lam")
    assert found.columns.tolist() == ["lam", "name", "rate", "flag"]
    for row in found.itertuples():
        same = [r for r in RUNS.itertuples() if r.lam == row.lam or (np.isnan(r.lam) and np.isnan(row.lam))]
        assert len(same) == 3 and row.rate == sum(r.rate for r in same) / 3 and {r.name for r in same} == {row.name}
    assert found["lam"].tolist()[:2] == [0.5, 2.0] and np.isnan(found["lam"][2])  # rising, nan is a setting too


def test_a_study_with_one_seed_is_its_own_mean():
    one = RUNS[RUNS.seed == 1].drop(columns=["seed", "flag"]).sort_values("lam").reset_index(drop=True)
    pd.testing.assert_frame_equal(over_seeds(one, ["lam"]), one.drop(columns="run"))
    assert len(by_seed(one)) == 1 and count_seeds(one) == "one seed" and mean_sd(one.rate[:1]) == "21.00"


def test_seeds_are_taken_apart_and_counted():
    assert [found.seed.unique().tolist() for found in by_seed(RUNS)] == [[0], [1], [2]]
    assert count_seeds(RUNS) == "three seeds" and count_seeds(RUNS.query("seed < 2")) == "two seeds"
    assert mean_sd(pd.Series([-1.0, -3.0])) == "−2.00 ± 1.41" and mean_sd(pd.Series([-0.01, 0.0]), 1) == "0.0 ± 0.0"
    assert interval([-0.5, 2]) == "−0.5 to 2.0"


def drawn(ax) -> list[np.ndarray]:
    return [np.column_stack(line.get_data()) for line in ax.lines]


def test_paths_show_every_seed_and_their_mean():
    fig, ax = plt.subplots()
    runs = np.arange(12.0).reshape(2, 2, 3)  # (seeds, (R, I), times)
    the_constraint.paths(ax, list(runs), "#0072B2", "λ = 1", (1, 1))
    lines = drawn(ax)
    for expected in (*runs, runs.mean(0)):
        assert any(line.shape == (3, 2) and np.array_equal(line, expected.T) for line in lines)
    fig.canvas.draw()
    plt.close(fig)


def test_the_measured_curve_goes_through_the_means():
    rates, betas = np.array([1.0, 3.0, 5.0, 7.0]), np.array([2.0, 2.0, 0.5, 0.5])
    fig = beta_vae.measured_curve(rates, 10 - rates, betas, named=(2.0,))
    assert any(np.array_equal(line, [[2, 8], [6, 4]]) for line in drawn(fig.axes[0]))
    plt.close(fig)
    one = beta_vae.measured_curve(rates[::2], 10 - rates[::2], betas[::2], named=())
    assert any(np.array_equal(line, [[1, 9], [5, 5]]) for line in drawn(one.axes[0]))
    plt.close(one)


@pytest.mark.parametrize("n", [1, 3])
def test_the_frontier_and_the_readings_can_be_drawn(n):
    values = np.linspace(0, 1, n)
    fig = verdict.frontier((values, values), {"β-VAE": (values, values, "D", "#009E73")})
    fig.canvas.draw()
    plt.close(fig)
    fig, ax = plt.subplots()
    the_constraint.readings(ax, {"1. slope": (values, values, "D", "#009E73")}, 3.0, line=(values, values))
    fig.canvas.draw()
    plt.close(fig)
