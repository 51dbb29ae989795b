"""Choosing settings: by validation only, whatever the test columns say; conditions, missing runs, thresholds."""

import numpy as np
import pandas as pd
import pytest

from klcourse.studies import choose, choose_each, over_thresholds


def study(seed=0):
    """Two methods; the hinge at four settings, of which the second is best on validation and the last uses z most."""
    rng, rows = np.random.default_rng(seed), []
    for name, lam, valid, gap in [
        ("ELBO", np.nan, 91.0, 0.01),
        ("hinge", 0.5, 90.5, 0.2),
        ("hinge", 1.0, 88.0, 1.2),
        ("hinge", 2.0, 89.0, 2.5),
        ("hinge", 4.0, 93.0, 5.0),
    ]:
        for s in range(3):
            noise = 0.1 * rng.standard_normal(3)
            measured = {"valid_iw_nll": valid + noise[0], "valid_shuffle_gap": gap, "iw_nll": 95 - valid + noise[1]}
            more = {"valid_elbo": -valid - 1, "shuffle_gap": 1 / gap, "mi": noise[2], "seconds": rng.random()}
            rows.append({"run": len(rows), "name": name, "objective": "elbo", "lam": lam, "seed": s} | measured | more)
    return pd.DataFrame(rows)


def everything(table):
    return [
        str(choose(table)),
        str(choose(table, by="valid_elbo")),
        str(choose(table, among="hinge", at_least={"valid_shuffle_gap": 2})),
        {name: str(choice) for name, choice in choose_each(table).items()},
    ]


def test_the_best_mean_over_seeds_is_chosen():
    found = choose(study())
    assert found.setting == "hinge, λ = 1" and found.seeds == 3 and len(found.means) == 5 and found.refused == ()
    assert found.means.is_monotonic_increasing and "mean valid_iw_nll 88." in str(found) and "the best of 5" in str(found)
    assert choose(study(), by="valid_elbo").setting == "hinge, λ = 1"  # the largest, as it is a gain
    assert choose(study(), by="valid_shuffle_gap", among="hinge").setting == "hinge, λ = 0.5"


def test_test_columns_do_not_matter():
    table = study()
    before = everything(table)
    rng = np.random.default_rng(1)
    tests = ["iw_nll", "shuffle_gap", "mi", "seconds"]
    for _ in range(5):
        permuted = table.assign(**{column: rng.permutation(table[column]) for column in tests})
        assert everything(permuted) == before
    assert everything(table.drop(columns=tests)) == before
    assert everything(table.assign(**dict.fromkeys(tests, np.nan))) == before
    for column in ("iw_nll", "mi"):
        with pytest.raises(ValueError, match=f"{column!r} is not of the validation part"):
            choose(table, by=column)
    with pytest.raises(ValueError, match="'shuffle_gap' is not of the validation part"):
        choose(table, at_least={"shuffle_gap": 1})
    with pytest.raises(ValueError, match="'shuffle_gap' is not of the validation part"):
        over_thresholds(table, "shuffle_gap")


def test_among_names_and_settings():
    table = study()
    assert choose(table, among="ELBO").setting == "ELBO"
    assert choose(table, among=["ELBO", "hinge, λ = 4"]).setting == "ELBO"
    assert choose(table, among="hinge, λ = 2").setting == "hinge, λ = 2"
    with pytest.raises(ValueError, match="no method or setting 'hing': choose from ELBO, hinge, hinge, λ = 0.5"):
        choose(table, among=["ELBO", "hing"])
    with pytest.raises(ValueError, match="no column 'valid_nll'; of the validation part it has valid_iw_nll, "):
        choose(table, by="valid_nll")
    with pytest.raises(ValueError, match="it has none at all"):
        choose(table[["run", "name", "seed", "iw_nll"]])


def test_conditions_and_what_they_refuse():
    found = choose(study(), at_least={"valid_shuffle_gap": 2.0})
    assert found.setting == "hinge, λ = 2" and found.refused == ("ELBO", "hinge, λ = 0.5", "hinge, λ = 1")
    assert "not eligible: ELBO, hinge, λ = 0.5" in str(found)
    with pytest.raises(ValueError, match="none of 5 settings has valid_shuffle_gap above 9: the largest means are .* 5.00"):
        choose(study(), at_least={"valid_shuffle_gap": 9})
    assert list(choose_each(study(), at_least={"valid_shuffle_gap": 2})) == ["hinge"]
    with pytest.raises(ValueError, match="no method or setting 'hing'"):
        choose_each(study(), names=["hing"])


def test_a_run_that_blew_up_is_not_forgotten():
    table, bad = study(), 7  # a run of the best setting
    for broken in (table.assign(valid_iw_nll=table["valid_iw_nll"].where(table["run"] != bad)), table[table["run"] != bad]):
        found = choose(broken)
        assert found.setting == "hinge, λ = 2" and found.refused == ("hinge, λ = 1",)
    with pytest.raises(ValueError, match="all its runs, with valid_iw_nll"):
        choose(table.assign(valid_iw_nll=np.nan))


def test_every_threshold_is_shown():
    table = study()
    found = over_thresholds(table, at=(0, 0.1, 2, 9), digits=1)
    assert list(found.index) == ["ELBO", "hinge"] and list(found) == [
        f"valid_shuffle_gap > {t}" for t in ("0", "0.1", "2", "9")
    ]
    assert found.loc["ELBO"].tolist()[1:] == ["–"] * 3 and "±" in found.loc["ELBO"].iloc[0]
    cells = found.loc["hinge"].tolist()
    assert [cell.partition(" (")[2] for cell in cells] == ["λ = 1)", "λ = 1)", "λ = 2)", ""] and cells[3] == "–"
    mean = table.loc[table["lam"] == 2.0, "iw_nll"].mean()
    assert cells[2].startswith(f"{mean:.1f} ± ")
    assert list(over_thresholds(table, names=["hinge"]).index) == ["hinge"]


def test_a_study_of_one_seed():
    table = study().query("seed == 0").drop(columns="seed")
    assert choose(table).setting == "hinge, λ = 1" and "over 1 seed," in str(choose(table))
