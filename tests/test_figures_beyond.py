"""Tables and figures of notebook 13: settings, paired differences, costs at equal information; that figures can be drawn."""

import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from klcourse import plots, studies
from klcourse.figures import beyond
from klcourse.plots.methods import name_points

matplotlib.use("Agg")


@pytest.fixture
def table():
    """A study in small: two hinges at two lam, the ELBO, two beta-VAEs, three seeds; numbers that follow rules."""
    rng = np.random.default_rng(0)
    rows = []
    for name, objective, lam, beta, mi, nll in [
        ("ELBO", "elbo", np.nan, np.nan, 0.1, 100.0),
        ("β-VAE", "beta", np.nan, 0.5, 1.1, 101.0),
        ("β-VAE", "beta", np.nan, 0.25, 2.1, 103.0),
        ("hinge on R", "rate-hinge", 1.0, np.nan, 1.6, 102.5),
        ("hinge on R", "rate-hinge", 2.0, np.nan, 0.4, 103.0),
        ("hinge on I", "info-hinge", 1.0, np.nan, 0.05, 100.5),
        ("hinge on I", "info-hinge", 2.0, np.nan, 3.0, 104.0),
    ]:
        for seed in range(3):
            noise = rng.normal(0, 0.02)
            knobs = {"name": name, "objective": objective, "lam": lam, "beta": beta, "seed": seed}
            found = {"mi": mi + noise, "rate": mi + 1, "marginal_kl": 1.0, "iw_nll": nll + seed, "mi_cap": 6.9}
            rows.append(knobs | found | {"iw_samples": 16, "seconds": 9})
    return studies.settings(pd.DataFrame(rows).assign(run=range(len(rows))))


def test_a_setting_is_named_by_what_differs(table):
    names = list(dict.fromkeys(table["method"]))
    assert names[:4] == ["ELBO", "β-VAE, β = 0.5", "β-VAE, β = 0.25", "hinge on R, λ = 1"]
    assert (table.groupby("method")["seed"].nunique() == 3).all()
    assert table.loc[table["name"] == "hinge on I", "style"].unique().tolist() == ["info-hinge"]


def test_switches_of_model_and_trainer_have_their_own_style():
    runs = pd.DataFrame({
        "name": ["ELBO", "BN-VAE", "δ-VAE", "lagging", "dropout"], "objective": "elbo",
        "bn_gamma": [np.nan, 0.6, *[np.nan] * 3],
        "delta": [0, 0, 3.0, 0, 0], "encoder_steps": [1, 1, 1, 5, 1], "word_dropout": [0, 0, 0, 0, 0.5]})  # fmt: skip
    assert studies.settings(runs)["style"].tolist() == ["elbo", "bn", "delta", "lagging", "word-dropout"]


STORED = [n for n in ("methods_ar", "methods_mlp", "methods_text", "hinges_text") if (studies.RESULTS / f"{n}.csv").exists()]


@pytest.mark.parametrize("name", STORED)
def test_every_run_of_a_stored_study_belongs_to_a_setting(name):
    table = studies.settings(name)
    assert table[["method", "style"]].notna().all(axis=None)
    assert (table.groupby("method")["seed"].nunique() >= 3).all() and not table.duplicated(["method", "seed"]).any()
    shown = studies.methods_table(name)
    assert list(shown.index) == list(dict.fromkeys(table["method"])) and not shown.isna().any(axis=None)


def test_the_table_shows_mean_and_deviation(table):
    shown = studies.methods_table(table)
    assert shown.loc["ELBO", "IW-NLL (K = 16)"] == "101.0 ± 1.0" and shown.loc["ELBO", "I_q (at most 6.9)"].startswith("0.1")
    assert list(studies.methods_table(table, ["hinge on I"]).index) == ["hinge on I, λ = 1", "hinge on I, λ = 2"]
    one_seed = table[table["seed"] == 0]
    assert studies.methods_table(one_seed).loc["ELBO", "R"] == "1.10"
    assert list(studies.methods_table(table, columns={"mi": ("information", 1)})) == ["information"]
    with pytest.raises(ValueError, match="no method 'hinge': choose from ELBO, β-VAE, hinge on R"):
        studies.methods_table(table, ["hinge"])


def test_paired_is_students_interval(table):
    a, b = "hinge on R, λ = 1", "hinge on R, λ = 2"
    found = studies.paired(table, a, b, "mi")
    by_method = {name: runs.sort_values("seed")["mi"] for name, runs in table.groupby("method")}
    interval = ttest_rel(by_method[a], by_method[b]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.clear and found.seeds == 3 and str(found).startswith("+1.2")
    assert not studies.paired(table, a, "β-VAE, β = 0.5", "rate")._replace(low=-0.1).clear
    with pytest.raises(ValueError, match="1 seeds in common"):
        studies.paired(table[table["seed"] == 0], a, b, "mi")


def test_pairs_follow_the_seed_and_not_the_row(table):
    shuffled = table.sample(frac=1, random_state=0)
    args = "hinge on R, λ = 1", "ELBO", "iw_nll"
    assert studies.paired(shuffled, *args) == studies.paired(table, *args)
    assert studies.paired(table, *args) == pytest.approx((2.5, 2.5, 2.5, 3))  # the seeds move both alike


def test_the_best_setting_reaches_the_target_first_and_is_cheap_second(table):
    assert studies.best_setting(table, "hinge on R", c=3) == "hinge on R, λ = 1"  # none reaches it: most information
    assert studies.best_setting(table, "hinge on I", c=3) == "hinge on I, λ = 2"
    assert studies.best_setting(table, "hinge on I", c=0.01) == "hinge on I, λ = 1"  # both reach it: the cheaper one


def test_excess_cost_is_measured_from_the_line_through_the_reference_runs(table):
    flat = table.assign(mi=table["mi"].round(1))
    excess = studies.excess_cost(flat).groupby(flat["method"]).agg(["mean", "count"])
    assert excess["mean"]["hinge on R, λ = 1"] == pytest.approx(102.5 - 102.0)  # half way between β = .5 and β = .25
    assert excess["mean"]["hinge on R, λ = 2"] == pytest.approx(103 - 100.3)
    assert excess["mean"]["hinge on I, λ = 1"] == pytest.approx(0.5, abs=0.01)  # below all of them: against the least
    assert excess["count"]["hinge on I, λ = 2"] == 0  # beyond all of them: nothing to compare with
    assert excess["mean"][["ELBO", "β-VAE, β = 0.5"]].abs().max() < 1e-9


def test_beaten_needs_more_information_and_a_better_likelihood(table):
    assert studies.beaten(table, "hinge on R", by="β-VAE") == (3, 6)  # λ = 2: 0.4 nats at 103, where β = ½ has 1.1 at 101
    assert studies.beaten(table, "β-VAE", by="hinge on R") == (0, 6)
    assert studies.beaten(table, "ELBO", by="ELBO") == (0, 3)


def test_saved_and_cost_are_against_the_elbo_of_the_same_seed(table):
    runs = table.assign(distortion=table["iw_nll"] - table["mi"])
    found = studies.from_elbo(runs.sample(frac=1, random_state=0)).groupby("method")[["saved", "cost"]].mean()
    assert found.loc["ELBO"].tolist() == [0, 0]
    assert found["cost"]["hinge on I, λ = 2"] == pytest.approx(4.0)
    assert found["saved"]["hinge on I, λ = 2"] == pytest.approx(3.0 - 0.1 - 4.0, abs=0.1)


def test_the_front_is_what_nobody_beats_in_both(table):
    assert studies.front(table) == [
        "ELBO", "β-VAE, β = 0.5", "hinge on R, λ = 1", "β-VAE, β = 0.25", "hinge on I, λ = 2"
    ]  # fmt: skip


def test_beaten_in_every_seed_means_every_seed(table):
    better = ["β-VAE, β = 0.5", "hinge on R, λ = 1"]
    assert studies.beat_in_every_seed(table, "hinge on R, λ = 2") == better  # 1.1 nats at 101, 1.6 at 102.5; .4 at 103
    worse_once = table.copy()
    worse_once.loc[(table["method"] == better[0]) & (table["seed"] == 1), "mi"] = 0.0
    assert studies.beat_in_every_seed(worse_once, "hinge on R, λ = 2") == better[1:]


def test_arrival_is_the_first_measurement_past_the_target():
    run = pd.DataFrame({"step": [20, 40, 60, 80], "rate": [1.0, 2.7, 3.0, 3.0], "mi": [0.1, 0.3, 1.6, 0.2]})
    never = run.assign(rate=0.5, mi=0.0)
    history = pd.concat([run.assign(method="a", seed=0), never.assign(method="a", seed=1), never.assign(method="b", seed=0)])
    found = studies.arrival(history, c=3.0)
    assert found.loc["a"].tolist() == pytest.approx([40, 0.3 / 2.7, 60, 1])
    assert found.loc["b"].isna().sum() == 3 and found.loc["b", "seeds with I ≥ c/2"] == 0


def test_a_needed_information_that_no_batch_shows_is_none():
    assert beyond.needed([0, 1, 2], [0, 0.8, 0.9], c=1.0) is None


def test_names_do_not_cover_points_or_each_other():
    fig, ax = plt.subplots(figsize=(6, 4))
    rng = np.random.default_rng(1)
    points = rng.normal(size=(14, 2)) * [1, 0.3]
    ax.plot(*points.T, "o")
    names = [f"method {i}" for i in range(len(points))]
    name_points(ax, points, np.zeros_like(points), names, ["black"] * len(points), loud=names[:1])
    fig.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert not any(box.contains(*pixel) for box in boxes for pixel in ax.transData.transform(points))
    plt.close(fig)


def histories(lams=(1.0, 2.0)):
    steps = np.arange(0, 200, 20)
    run = pd.DataFrame({"step": steps, "rate": 3 * (1 - np.exp(-steps / 40)), "mi": steps / 100.0})
    return pd.concat([run.assign(lam=lam, seed=seed, rate=run["rate"] * lam) for lam in lams for seed in range(2)])


FIGURES = {
    "weights": lambda t: beyond.weights({"ramp": ([0, 1, 2], [0, 0.5, 1], "anneal"), "one": ([0, 2], [1, 1], "elbo")}),
    "prices": lambda t: beyond.prices([0, 3, 5], {"ELBO": ([0, 3, 5], "elbo"), "hinge": ([0, -3, -1], "rate-hinge")}, c=3),
    "batch_estimates": lambda t: beyond.batch_estimates([0, 2, 4], {20: [0, 1.6, 2.4], 50: [0, 1.9, 3.1]}, c=3),
    "speeds": lambda t: beyond.speeds([0.1, 1], {"hinge on R": ([0.01, 1], [(0.1, 0.01)], "rate-hinge")}),
    "race": lambda t: beyond.race({"R": (histories([1.0]), "rate-hinge", "-")}, c=3),
    "road": lambda t: beyond.road({"rate-hinge": histories(), "info-hinge": histories()}, c=3, size=4),
    "against_lam": lambda t: beyond.against_lam({"a": t, "b": t}, {"mi": "I", "iw_nll": "NLL"}, c=3),
    "held": lambda t: beyond.held({"a": t.assign(saved=0.5), "b": t[t["name"] != "ELBO"].assign(saved=-0.5)}, c=3, most=2.5),
    "map_of_methods": lambda t: plots.map_of_methods(t, "iw_nll", "mi", "cost", "I", loud=["ELBO"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_can_be_drawn(name, table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fig = FIGURES[name](table)
        fig.canvas.draw()  # a label or colour that matplotlib refuses fails here
    assert fig.axes and all(ax.has_data() for ax in fig.axes)
    plt.close(fig)
