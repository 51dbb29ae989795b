"""Intervals over seeds and test examples cover what they should; families are corrected; what is clear, and what is not."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, t, ttest_1samp

from klcourse import studies
from klcourse.studies import compare_methods, crossed, estimate, holm

EFFECT, SPREAD = 0.7, 3.0  # nats


def simulated(rng, seeds: int, examples: int, of_seeds: float, of_examples: float) -> np.ndarray:
    """Paired differences (seeds, examples) around EFFECT; the mean's variance from seeds, examples, rest ~ a : b : 1/seeds.

    What examples do is skewed, as sentences are: some are long.
    """
    by_seed = SPREAD * np.sqrt(of_seeds * seeds / examples) * rng.standard_normal((seeds, 1))
    by_example = SPREAD * np.sqrt(of_examples) * (rng.standard_exponential(examples) - 1)
    return EFFECT + by_seed + by_example + SPREAD * rng.standard_normal((seeds, examples))


CASES = list(product((3, 5), ((0, 0), (0, 1), (0.3, 1), (1, 1), (4, 1), (1, 0))))


@pytest.mark.parametrize("seeds, parts", CASES, ids=str)
def test_intervals_cover_seeds_and_examples(seeds, parts):
    """95 % and 99 % intervals, and the p-value that belongs to them, on data whose effect is known."""
    rng, n = np.random.default_rng(seeds), 1_000
    found = [crossed(simulated(rng, seeds, 300, *parts)) for _ in range(n)]
    error = np.array([abs(each.mean - EFFECT) for each in found])
    for level in (0.95, 0.99):
        covered = np.mean(error <= [each.half_width(level) for each in found])
        assert level - 0.02 <= covered <= 1, f"{covered:.3f} at {level}"
    for each in found[:20]:
        assert each.half_width(1 - each.p) == pytest.approx(abs(each.mean), rel=1e-6)


def test_intervals_over_one_of_the_two_do_not_cover():
    """What the crossed design is for: seeds alone forget the examples, examples alone forget the seeds."""
    rng = np.random.default_rng(0)
    data = [simulated(rng, 5, 300, 1, 1) for _ in range(500)]
    over_seeds = np.mean([abs(x.mean() - EFFECT) <= crossed(x.mean(1)).half_width() for x in data])
    over_examples = np.mean([abs(x.mean() - EFFECT) <= 1.96 * x.mean(0).std(ddof=1) / np.sqrt(300) for x in data])
    assert over_seeds < 0.92 and over_examples < 0.90


def test_variance_is_that_of_the_mean():
    rng = np.random.default_rng(1)
    found = [crossed(simulated(rng, 5, 300, 1, 1)) for _ in range(2_000)]
    estimated = np.mean([each.from_seeds + each.from_examples for each in found])
    assert estimated == pytest.approx(np.var([each.mean for each in found]), rel=0.1)


def test_without_examples_it_is_students_interval():
    values = np.array([1.0, 1.6, 0.7, 1.2])
    known = ttest_1samp(values, 0)
    found = crossed(values)
    low, high = known.confidence_interval(0.95)
    assert (found.mean - found.half_width(), found.mean + found.half_width()) == pytest.approx((low, high))
    assert found.p == pytest.approx(known.pvalue) and found.examples == 0


def test_the_two_ends():
    """Seeds that agree: the interval of the examples. Examples that agree: the interval of the seeds, never less."""
    rng = np.random.default_rng(0)
    examples = rng.standard_normal(50)
    same = crossed(np.tile(examples, (4, 1)))
    assert same.half_width() == pytest.approx(t.isf(0.025, 49) * examples.std(ddof=1) / np.sqrt(50))
    seeds = rng.standard_normal(4)
    assert crossed(np.tile(seeds[:, None], (1, 50))).half_width() == pytest.approx(crossed(seeds).half_width())
    for _ in range(20):
        x = rng.standard_normal((4, 50))
        assert crossed(x).half_width() >= crossed(x.mean(1)).half_width()


def test_nothing_that_varies_and_far_too_clear():
    assert crossed([[1.0, 1.0], [1.0, 1.0]]).p == 0 and crossed(np.zeros((3, 4))).p == 1
    assert crossed([1.0, 1.0 + 1e-60]).p >= 0 and 0 <= crossed(1e9 + np.random.default_rng(0).random((9, 9))).p < 1e-30
    for bad in ([1.0], [[1.0, 2.0]], 3.0, np.zeros((2, 2, 2))):
        with pytest.raises(ValueError, match="needs 2 or more"):
            crossed(bad)


def test_holms_procedure():
    """Against its definition: reject in order of p as long as the smallest is at most level / how many are left."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(6) ** 3
        adjusted = holm(list(p))
        for level in (0.01, 0.05, 0.2):
            rejected, order = set(), np.argsort(p)
            for rank, i in enumerate(order):
                if p[i] > level / (6 - rank):
                    break
                rejected.add(i)
            assert rejected == {i for i in range(6) if adjusted[i] <= level}
        assert (np.array(adjusted) >= false_discovery_control(p) - 1e-12).all()
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_family_without_differences_is_rarely_clear():
    """Ten comparisons of equal methods, 5 seeds, 200 examples: at most 5 % of such families call one of them clear."""
    rng, n = np.random.default_rng(2), 150
    wrong = 0
    for _ in range(n):
        p = [crossed(simulated(rng, 5, 200, 0.5, 1) - EFFECT).p for _ in range(10)]
        wrong += min(holm(p)) <= 0.05
    assert wrong / n <= 0.07


# ------------------------------------------------------------------------------------------------ methods of a study


def study(seeds=5, examples=200, hinge=-1.5, rival=-0.2, seed=0):
    """ELBO, a hinge that is better by 1.5 nats, a rival that is hardly better; and the scores of every example."""
    rng = np.random.default_rng(seed)
    by_example, rows, scores = 90 + 20 * rng.standard_normal(examples), [], []
    for name, effect in (("ELBO", 0.0), ("hinge", hinge), ("rival", rival)):
        own = rng.standard_normal(examples)
        for k in range(seeds):
            scores.append(by_example + effect + own + 0.2 * rng.standard_normal() + 0.5 * rng.standard_normal(examples))
            rows.append({"run": len(rows), "name": name, "seed": k, "iw_nll": scores[-1].mean(), "iw_flat": 1.0})
    return pd.DataFrame(rows), pd.DataFrame(scores).rename_axis("run")


def test_a_family_against_a_rival():
    table, scores = study()
    found = compare_methods(table, against="ELBO", scores=scores)
    assert [(each.one, each.other) for each in found] == [("hinge", "ELBO"), ("rival", "ELBO")] and len(found) == 2
    hinge, rival = found
    assert hinge.clear and not rival.clear and hinge == found["hinge", "ELBO"] == found[0]
    assert hinge.low < hinge.mean < hinge.high < 0 and hinge.examples == 200 and hinge.seeds == 5
    means = table.groupby("name")["iw_nll"].mean()
    assert hinge.mean == pytest.approx(means["hinge"] - means["ELBO"])
    assert [each.adjusted for each in found] == holm([each.p for each in found])
    with pytest.raises(KeyError, match="no comparison of 'a' with 'b'"):
        found["a", "b"]


def test_a_family_reads_as_a_table():
    table, scores = study()
    found = compare_methods(table, [("hinge", "ELBO"), ("hinge", "rival")], scores=scores)
    printed = str(found)
    assert "iw_nll: 2 comparisons, clear by Holm's p ≤ .05" in printed and "hinge − rival" in printed
    assert "5 seeds, 200 test examples" in printed and "not clear" not in printed and "−1" in printed
    assert list(found.table().columns)[0] == "difference [95 % interval]" and "<table" in found._repr_html_()
    assert "Holm p" in str(found[0]) and str(found[0]).endswith("clear")


def test_seeds_only_says_so():
    table, _ = study()
    found = compare_methods(table, against="ELBO")[0]
    assert found.examples == 0 and "over 5 seeds only" in str(found)
    old = studies.paired(studies.settings(table), "hinge", "ELBO", "iw_nll")
    assert (found.mean, found.low, found.high) == pytest.approx(old[:3])


def test_more_comparisons_make_each_less_clear():
    table, scores = study(hinge=-1.05)
    alone = compare_methods(table, [("hinge", "ELBO")], scores=scores)[0]
    many = compare_methods(table, [("hinge", "ELBO")] + [("rival", "ELBO")] * 30, scores=scores)[0]
    assert alone.clear and alone.p == many.p < many.adjusted and not many.clear


def test_pairs_follow_the_seed_and_seeds_in_common_count():
    table, scores = study()
    shuffled = table.sample(frac=1, random_state=1)
    assert compare_methods(shuffled, [("hinge", "ELBO")], scores=scores)[0] == compare_methods(
        table, [("hinge", "ELBO")], scores=scores
    )[0]  # fmt: skip
    fewer = table[~((table["name"] == "hinge") & (table["seed"] < 2))]
    assert compare_methods(fewer, [("hinge", "ELBO")], scores=scores)[0].seeds == 3
    assert estimate(fewer, "hinge", scores=scores).seeds == 3 and estimate(fewer, "ELBO", scores=scores).examples == 200


def test_a_likelihood_is_not_clear_before_its_ladder_is_flat():
    table, scores = study()
    steep = table.assign(iw_flat=np.where(table["run"] == 7, 0.0, 1.0))
    found = compare_methods(steep, against="ELBO", scores=scores)[0]
    assert found.adjusted < 0.05 and not found.clear and found.verdict == "not clear: the ladder of samples is not flat"
    found = compare_methods(table.drop(columns="iw_flat"), against="ELBO", scores=scores)[0]
    assert not found.clear and found.verdict == "not clear: no ladder of samples stored"
    other = table.rename(columns={"iw_nll": "mi"}).drop(columns="iw_flat")
    assert compare_methods(other, against="ELBO", column="mi")[0].clear  # not a likelihood: no ladder


def test_what_cannot_be_compared_is_refused():
    table, scores = study()
    with pytest.raises(ValueError, match="no runs of 'hing'.*choose from ELBO, hinge, rival"):
        compare_methods(table, [("hing", "ELBO")])
    with pytest.raises(ValueError, match="no column 'nll'"):
        compare_methods(table, against="ELBO", column="nll")
    with pytest.raises(ValueError, match="1 seeds in common"):
        compare_methods(table[(table["name"] == "ELBO") | (table["seed"] == 0)], against="ELBO")
    with pytest.raises(ValueError, match="several runs of seed 0"):
        compare_methods(pd.concat([table, table], ignore_index=True), against="ELBO")
    with pytest.raises(ValueError, match="give pairs, or against"):
        compare_methods(table, [("hinge", "ELBO")], against="ELBO")
    with pytest.raises(ValueError, match="no pairs to compare"):
        compare_methods(table)
    with pytest.raises(ValueError, match="differ in limit, so in their test examples"):
        compare_methods(table.assign(limit=np.where(table["name"] == "ELBO", 100, 200)), against="ELBO")
    with pytest.raises(ValueError, match="some scores of 'hinge' or 'ELBO' are not a number"):
        compare_methods(table, [("hinge", "ELBO")], scores=scores.drop(6).reindex(scores.index))
    with pytest.raises(ValueError, match="one seed: an interval needs 2"):
        compare_methods(table.drop(columns="seed"), against="ELBO")
