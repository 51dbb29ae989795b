"""Phase diagram, latent explorer, sentences: every number drawn is checked against another computation of it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb

from klcourse import studies
from klcourse.exact.ppca import PPCA
from klcourse.exact.ppca import SIXTEEN as MODEL
from klcourse.exact.regimes import regime, thresholds
from klcourse.plots import REGIME_LOOKS
from klcourse.runs import Run, train
from klcourse.sweep import sweep
from klcourse.widgets import LatentExplorer, PhaseDiagram, Sentences
from klcourse.widgets import sentences as sentences_module
from klcourse.widgets.exact_map import bands, roomy, spread, threshold_lines
from klcourse.widgets.frame.panel import Panel
from klcourse.widgets.latent import STEPS, interpolate
from klcourse.widgets.stored_runs import StoredRuns, load_runs, run_regime

SIDE = 28
IMAGES = Run(limit=100, hidden=16, latent_dim=4, epochs=1, iw_samples=0)
TEXT = Run(data="text", limit=120, hidden=16, latent_dim=4, epochs=1, iw_samples=0)
GRID = """
about = "A test."
[store]
history = true
samples = 3
[common]
data = "{data}"
limit = 60
hidden = 8
latent_dim = 2
epochs = 1
iw_samples = 0
[[grid]]
objective = "mi"
lam = 0.5
c = 1.0
[[grid]]
objective = "mi"
lam = 2.0
c = 3.0
seed = [0, 1]
"""


def tiny(config, **changes):
    return train(Run(**{**vars(config), **changes}), progress=False)


@pytest.fixture(scope="module")
def digits():
    return tiny(IMAGES)


@pytest.fixture(scope="module")
def sentences():
    return tiny(TEXT)


@pytest.fixture(scope="module")
def conditional():
    return tiny(TEXT, conditional=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two tiny studies as `klcourse sweep` stores them, under the names of the real ones."""
    place = tmp_path_factory.mktemp("studies")
    for name, data in (("phase_diagram", "mnist"), ("text_phase", "text")):
        path = place / f"{name}.toml"
        path.write_text(GRID.format(data=data), encoding="utf-8")
        assert not sweep(path, place / "work", table=place, jobs=1, progress=False).failed
    return place


@pytest.fixture(scope="module")
def made_up():
    """Runs whose regimes are known: three seeds at each of six points, the penalty off the more the larger lam is."""
    rows = [
        {"run": k, "lam": lam, "c": c, "seed": seed, "rate": min(lam, 1) * c, "mi": 0.1 * k, "duty": min(1, 0.9 / lam)}
        for k, (lam, c, seed) in enumerate(product((0.25, 1.0, 4.0), (1.0, 8.0), range(3)))
    ]
    table = pd.DataFrame(rows).assign(regime=lambda t: run_regime(t.duty, t.rate))
    history = pd.DataFrame(
        [
            {"run": r["run"], "epoch": e, "rate": 2 * r["rate"] / e, "mi": np.nan if e == 2 else 0.3 * e}
            for r in rows
            for e in (1, 2, 3)
        ]
    )
    return StoredRuns("made up", table, history, {})


def changes(widget, **values):
    """True if picture and alternative text are others at these values, and both come back as they were."""
    before, said = widget.pixels(), widget.alt
    start = widget.value_dict
    widget.set(**values)
    other = not np.array_equal(widget.pixels(), before) and widget.alt != said
    assert widget.pixels().shape == before.shape
    widget.set(**start)
    assert np.array_equal(widget.pixels(), before) and widget.alt == said, values
    return other


# --------------------------------------------------------------------------------------------------- the exact map


@pytest.mark.parametrize("curve", [MODEL, PPCA([1.0], 1, 0.5), PPCA([4.0, 1.0, 0.25], 2, sigma2=1.5)])
def test_the_bands_are_the_regimes(curve):
    """A band holds a point if and only if `regimes.regime` names it so; the lines are `regimes.thresholds`."""
    rng = np.random.default_rng(0)
    targets = np.linspace(0.02, 8.5, 25)
    less_beta = threshold_lines(curve, targets)
    for beta in (0.5, 1.0, 1.9, 2.0, 2.7, 3.5):
        lines = less_beta + beta
        for c, line in zip(targets, lines.T):
            np.testing.assert_allclose(line, thresholds(curve, c, beta), atol=1e-12)
        found = bands(lines, 4.0)
        for lam in rng.uniform(0, 4, 20):
            for k, c in enumerate(targets):
                inside = {name for name, (low, high) in found.items() if low[k] <= lam < high[k]}
                assert inside == {regime(curve, lam, c, beta)}, (lam, c, beta)


def test_the_marked_rate_minimises_the_loss():
    """Against the smallest of D + beta R + lam max(c - R, 0) on a fine grid of rates."""
    widget = PhaseDiagram()
    rates = np.linspace(0, 9, 90_001)
    distortion = MODEL.distortion(rates)
    seen = set()
    for lam, c, beta in [(2, 3, 3), (0.5, 3, 3), (3.5, 6, 3), (1, 0.5, 1), (0, 4, 0.9), (2.4, 3, 3), (0.3, 0.25, 3.5)]:
        widget.set(lam=lam, c=c, beta=beta)
        best = rates[np.argmin(distortion + beta * rates + lam * np.maximum(c - rates, 0))]
        x, y = (float(v[0]) for v in widget.exact.stop.get_data())
        assert x == pytest.approx(best, abs=2e-4) and f"R = {best:.2f} nats" in widget.text
        assert y == pytest.approx(MODEL.slope(best), abs=1e-3)
        price = np.interp([best - 1e-3, best + 1e-3], *widget.exact.cost.get_data())
        assert best == 0 or price[0] - 1e-6 <= y + 1e-3 and y - 1e-3 <= price[1] + 1e-6  # value and cost cross there
        name = regime(MODEL, lam, c, beta)
        seen.add(name)
        colour = to_rgb(widget.exact.stop.get_markerfacecolor())
        assert f": {name}, " in widget.text and colour == to_rgb(REGIME_LOOKS[name].colour)
    assert seen == set(REGIME_LOOKS)


def test_the_picture_shows_the_regime_under_every_pixel():
    """The tint in the middle of a band, read off the picture, is the regime's colour on white."""
    widget = PhaseDiagram(beta=1.5, c=8.5, lam=0)
    pixels = widget.pixels()
    height, width = pixels.shape[:2]
    share = widget.map.transData + widget.figure.transFigure.inverted()
    for lam, c in [(3.8, 6.0), (0.15, 4.0), (3.0, 0.15)]:
        x, y = share.transform((c, lam))
        name = regime(MODEL, lam, c, 1.5)
        expected = 255 * (0.75 + 0.25 * np.array(to_rgb(REGIME_LOOKS[name].colour)))
        np.testing.assert_allclose(pixels[int((1 - y) * height), int(x * width)], expected, atol=4, err_msg=name)


def test_labels_keep_apart_and_stay_near():
    rng = np.random.default_rng(1)
    for _ in range(200):
        heights = np.sort(rng.uniform(0, 1, rng.integers(1, 7)))
        placed = spread(heights, 0.1)
        assert np.all(np.diff(placed) >= 0.1 - 1e-12) and np.mean(placed) == pytest.approx(np.mean(heights))
        if np.all(np.diff(heights) >= 0.1):
            np.testing.assert_allclose(placed, heights)


def test_a_regimes_name_stands_inside_it_and_off_the_lines():
    lines = np.vstack([np.full(40, 1.0), np.linspace(1.5, 2.5, 40)])
    column, height, room = roomy(np.full(40, 0.5), np.full(40, 3.0), lines, reach=4)
    assert 4 <= column < 36 and room > 0.4
    around = lines[:, column - 4 : column + 5]
    assert np.abs(around - height).min() >= room - 1e-9 and 0.5 + room <= height + 1e-9 <= 3.0 - room + 2e-9


@pytest.mark.parametrize(("model", "values"), [
    ("exact", {"lam": 2.05}), ("exact", {"c": 3.25}), ("exact", {"beta": 3.1}), ("exact", {"model": "images"}),
    ("text", {"lam": 4}), ("text", {"c": 8}), ("text", {"model": "images"}),
])  # fmt: skip
def test_every_control_of_the_phase_diagram_changes_it(model, values, made_up):
    runs = {"images": made_up, "text": replace(made_up, table=made_up.table.query("seed < 2"))}
    assert changes(PhaseDiagram(runs=runs, model=model, **({"lam": 1, "c": 1} if model == "text" else {})), **values)


# ------------------------------------------------------------------------------------------------------ stored runs


def test_runs_are_named_as_notebook_07_names_them():
    table = studies.load_study("phase_diagram")
    measured = np.where(table.duty < 0.95, "held", np.where(table.train_rate < 0.05, "collapsed", "partial"))
    measured = np.where(table.duty == 0, "inactive", measured)
    assert run_regime(table.duty, table.train_rate).tolist() == measured.tolist()
    assert load_runs("phase_diagram").table["regime"].tolist() == measured.tolist()


@pytest.mark.parametrize("model", ["images", "text"])
def test_a_stored_study_is_shown_as_it_is(model, folder):
    name = {"images": "phase_diagram", "text": "text_phase"}[model]
    widget = PhaseDiagram(folder=folder, model=model, lam=2, c=3)
    assert widget.runs[model].missing == {}
    table, history = studies.load_study(name, folder), studies.load_history(name, folder)
    here = table[(table.lam == 2) & (table.c == 3)]
    assert len(here) == 2
    told = re.search(r"information (\S+) \((\S+) to (\S+)\) nats", widget.text).groups()
    numbers = [float(number.replace("−", "-")) for number in told]
    np.testing.assert_allclose(numbers, [here.mi.mean(), here.mi.min(), here.mi.max()], atol=0.006)
    assert f"λ · duty = {2 * here.duty.mean():.2f}" in widget.text
    for line, run in zip(widget.measured.lines["rate"], here.run):
        rows = history[history.run == run]
        np.testing.assert_allclose(line.get_data(), [rows.epoch, rows.rate])
    drawn = studies.load_samples(name, folder)[int(here.run.iloc[0])]
    if model == "images":
        shown = widget.measured.digits.get_array().data
        for row, key in enumerate(("originals", "reconstructions", "samples")):
            for k, image in enumerate(drawn[key]):
                tile = shown[row * SIDE : (row + 1) * SIDE, k * SIDE : (k + 1) * SIDE]
                np.testing.assert_array_equal(tile, image.reshape(SIDE, SIDE))
    else:
        lines = [text.get_text() for text in widget.measured.words]
        starts = ["test: ", "again: "] * 2 + ["new: "] * 2
        told = [drawn["originals"][0], drawn["reconstructions"][0], drawn["originals"][1], drawn["reconstructions"][1]]
        for line, start, sentence in zip(lines, starts, told + drawn["samples"][:2]):
            assert line.startswith(start) and sentence.startswith(line.removeprefix(start).removesuffix(" …"))
    assert changes(widget, lam=0.5, c=1)


def test_measurements_that_were_not_made_leave_no_hole(made_up):
    widget = PhaseDiagram(runs={"images": made_up, "text": made_up}, model="images", lam=1, c=8)
    widget.pixels()
    line = widget.measured.lines["mi"][0]
    np.testing.assert_allclose(line.get_data(), [[1, 3], [0.3, 0.9]])


def test_a_click_on_a_marker_goes_to_its_run(made_up):
    """The spots lie on the markers of the picture, and their buttons move lam and c."""
    widget = PhaseDiagram(runs={"images": made_up, "text": made_up}, model="images", lam=0.25, c=8)
    spots = widget.spots()
    assert len(spots) == 6 and not PhaseDiagram(runs={"images": made_up, "text": made_up}).spots()
    pixels = widget.pixels()
    height, width = pixels.shape[:2]
    for spot in spots:  # the middle one of three seeds
        name = spot.text.partition(": ")[2]
        colour = pixels[int(spot.y * height), int(spot.x * width)]
        np.testing.assert_allclose(colour, 255 * np.array(to_rgb(REGIME_LOOKS[name].colour)), atol=6, err_msg=spot.text)
    panel = Panel(widget)
    widget._panel = panel
    buttons = panel._overlay.box.children[1:]
    assert [b.tooltip for b in buttons] == [s.text for s in spots] and not any(b.tabbable for b in buttons)
    for button, spot in zip(buttons, spots):
        button.click()
        assert {k: widget.value_dict[k] for k in ("lam", "c")} == spot.values
        assert spot.text.partition(":")[0] in widget.alt
    widget.set(model="exact")
    assert len(panel._overlay.box.children) == 1
    widget.close()


def test_sliders_go_to_the_nearest_run_one_visible_step_at_a_time(made_up):
    """Nearest in c and in log lam; every step of a slider moves the cross, wherever the ring is."""
    widget = PhaseDiagram(runs={"images": made_up, "text": made_up}, model="images", lam=0.25, c=1)
    points = [(lam, c) for lam in (0.25, 1.0, 4.0) for c in (1.0, 8.0)]
    rng = np.random.default_rng(3)
    for lam, c in zip(rng.uniform(0.05, 4, 40).round(2), rng.uniform(0.25, 8.5, 40).round(2)):
        widget.set(lam=lam, c=c)
        near = min(points, key=lambda p: abs(np.log2(p[0] / lam)) / 4 + abs(p[1] - c) / 7)
        assert f"runs with λ = {near[0]:g}, c = {near[1]:g} nats" in widget.text
        assert tuple(np.ravel(widget.here.get_data())) == near[::-1]
    for name in ("lam", "c"):
        widget.set(lam=1, c=4.5)
        for _ in range(4):
            before = widget.pixels()
            widget.set(**{name: widget.value_dict[name] + widget.controls[name].step})
            assert not np.array_equal(widget.pixels(), before), name
    assert widget.set(lam=0).pixels().any()  # a price of nothing, on a log scale


def test_stored_runs_have_one_beta(made_up):
    """Another is refused and nothing moves; the exact model gets its own back."""
    widget = PhaseDiagram(runs={"images": made_up, "text": made_up}, beta=2.5)
    widget.set(model="images", lam=1)
    before = widget.value_dict
    assert before["beta"] == 1 and "beta" not in widget.active(before)
    with pytest.raises(ValueError, match="beta = 3.*stored runs.*exact"):
        widget.set(beta=3)
    assert widget.value_dict == before
    assert widget.set(model="exact").value_dict["beta"] == 2.5
    assert widget.set(model="text").reset().value_dict == {"lam": 2.0, "c": 4.0, "beta": 2.5, "model": "exact"}
    for wrong in ({"lam": 7}, {"model": "sound"}, {"c": 0}):
        with pytest.raises(ValueError):
            widget.set(**wrong)


def test_a_study_that_is_not_there_says_what_makes_it(tmp_path, folder):
    widget = PhaseDiagram(folder=tmp_path, model="text")
    assert "No runs stored yet" in widget.text and str(tmp_path) not in widget.alt
    note = "\n".join(artist.get_text() for artist in widget.figure.texts)
    assert studies.command("text_phase") in " ".join(note.split())
    assert not widget.spots() and widget.set(lam=1.3, c=2).value_dict["lam"] == 1.3  # and nothing breaks
    assert "partial" in widget.set(model="exact", lam=2, c=3, beta=3).text
    for ending in (".csv", ".json"):  # a table without curves and samples
        (tmp_path / f"phase_diagram{ending}").write_bytes((folder / f"phase_diagram{ending}").read_bytes())
    widget = PhaseDiagram(folder=tmp_path, model="images")
    assert set(widget.runs["images"].missing) == {"history", "samples"}
    shown = " ".join(" ".join(a.get_text() for a in widget.figure.texts if a.get_visible()).split())
    assert "No training curves" in shown and "No drawings" in shown and shown.count(studies.command("phase_diagram")) == 2
    assert "λ · duty" in widget.text


def test_a_lambda_star_from_elsewhere_is_drawn(made_up):
    runs = {"images": made_up, "text": made_up}
    plain = PhaseDiagram(runs=runs, model="images").pixels()
    starred = PhaseDiagram(runs=runs, model="images", stars={"images": ([1, 4, 8], [0.4, 0.7, 0.9])})
    assert not np.array_equal(plain, starred.pixels())
    assert np.array_equal(starred.set(model="text").pixels(), PhaseDiagram(runs=runs, model="text").pixels())


# ------------------------------------------------------------------------------------------------------------ paths


def test_paths_between_codes():
    rng = np.random.default_rng(2)
    for _ in range(50):
        a, b = rng.normal(size=(2, 5))
        t = np.sort(rng.uniform(size=7))
        for path in ("linear", "spherical"):
            np.testing.assert_allclose(interpolate(a, b, [0, 1], path), [a, b], atol=1e-12)
        np.testing.assert_allclose(interpolate(a, b, t), a + t[:, None] * (b - a))
        b *= np.linalg.norm(a) / np.linalg.norm(b)
        on = interpolate(a, b, t, "spherical")
        np.testing.assert_allclose(np.linalg.norm(on, axis=1), np.linalg.norm(a))  # it keeps the length,
        cosine = a @ b / (a @ a)
        np.testing.assert_allclose(np.arccos(np.clip(on @ a / (a @ a), -1, 1)), t * np.arccos(cosine), atol=1e-6)  # evenly
    for a, b in [((0, 0), (1, 2)), ((1, 1), (3, 3)), ((1, 0), (-2, 0)), ((0, 0), (0, 0))]:  # no turn defined: the line
        np.testing.assert_allclose(interpolate(a, b, [0.3], "spherical"), interpolate(a, b, [0.3]))
    with pytest.raises(ValueError, match="'curved'.*'linear' or 'spherical'"):
        interpolate([0], [1], [0.5], "curved")


# -------------------------------------------------------------------------------------------------- latent explorer


@torch.no_grad()
def mean_image(run, z):
    return run.model.mean(torch.as_tensor(np.atleast_2d(z), dtype=torch.float32)).numpy()


def test_the_latent_explorer_draws_what_the_decoder_means(digits):
    widget = LatentExplorer(digits, first=3, second=8, t=0.3, a=1.2, b=-0.7, i=2, j=4)
    with torch.no_grad():
        mu = digits.model.encode(torch.as_tensor(digits.data.test).float())[0].numpy()
    start = 0.7 * mu[3] + 0.3 * mu[8]
    z = start + [0, 1.2, 0, -0.7]
    assert widget.pixels().shape == (LatentExplorer(digits).pixels()).shape
    np.testing.assert_allclose(widget.digit.get_array(), mean_image(digits, z).reshape(SIDE, SIDE), atol=1e-5)
    np.testing.assert_allclose(np.ravel(widget.ring.get_data()), z[[1, 3]], atol=1e-5)
    assert f"Length of z: {np.linalg.norm(z):.2f};" in widget.text and "√4 = 2.0" in widget.text

    tiles = widget.around.get_array()
    for a, b in [(0, 0), (2, -1), (-3, 3)]:  # b grows upwards
        row, column = 3 - b, a + 3
        tile = tiles[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        np.testing.assert_allclose(tile, mean_image(digits, start + [0, a, 0, b]).reshape(SIDE, SIDE), atol=1e-5)
    film = widget.film.get_array()
    np.testing.assert_array_equal(film[:, :SIDE], digits.data.test[3].reshape(SIDE, SIDE))
    np.testing.assert_array_equal(film[:, -SIDE:], digits.data.test[8].reshape(SIDE, SIDE))
    for k, t in enumerate(STEPS):
        left = SIDE * 3 // 2 + k * SIDE
        expected = mean_image(digits, (1 - t) * mu[3] + t * mu[8]).reshape(SIDE, SIDE)
        np.testing.assert_allclose(film[:, left : left + SIDE], expected, atol=1e-5)
    assert widget.here.get_x() == pytest.approx(SIDE * 4.5)  # the frame: three steps on


def test_by_default_it_shows_far_digits_and_lively_latents(digits):
    values = LatentExplorer(digits).value_dict
    with torch.no_grad():
        mu = digits.model.encode(torch.as_tensor(digits.data.test).float())[0].numpy().astype(float)
    distance = np.linalg.norm(mu[:, None] - mu, axis=2)
    assert distance[values["first"], values["second"]] == pytest.approx(distance.max(), rel=1e-5)
    assert sorted([values["i"] - 1, values["j"] - 1]) == sorted(np.argsort(mu.var(0))[-2:].tolist())


@pytest.mark.parametrize(
    "values", [{"t": 0.8}, {"path": "spherical"}, {"a": 2}, {"b": -2}, {"i": 1}, {"j": 2}, {"first": 7}, {"second": 9}]
)
def test_every_control_of_the_latent_explorer_changes_it(values, digits):
    assert changes(LatentExplorer(digits, first=1, second=2, a=1.0, b=0.5, i=3, j=4), **values)


def test_one_latent_twice_or_only_one_is_fine(digits):
    widget = LatentExplorer(digits, i=2, j=2, a=1, b=0.5, t=0)
    z = widget.mu[widget.value_dict["first"]] + [0, 1.5, 0, 0]
    widget.pixels()
    np.testing.assert_allclose(widget.digit.get_array(), mean_image(digits, z).reshape(SIDE, SIDE), atol=1e-5)
    assert LatentExplorer(tiny(IMAGES, latent_dim=1)).pixels().any()


def test_a_conditional_decoder_is_told_the_label():
    run = tiny(IMAGES, conditional=True, limit=60)
    widget = LatentExplorer(run, condition="3")
    assert changes(widget, condition="8") and "label 3" in widget.text
    z = torch.as_tensor(widget.code(**{k: v for k, v in widget.value_dict.items() if k != "condition"})[None]).float()
    np.testing.assert_allclose(widget.digit.get_array().ravel(), run.model.mean(z, torch.tensor([3])).numpy()[0], atol=1e-5)


def test_what_they_cannot_show_is_refused(digits, sentences):
    with pytest.raises(ValueError, match="PixelCNNDecoder.*decoder='mlp'"):
        LatentExplorer(tiny(IMAGES, decoder="ar", limit=50))
    with pytest.raises(ValueError, match="TextDecoder.*data='mnist'"):
        LatentExplorer(sentences)
    with pytest.raises(ValueError, match="mnist holds images.*LatentExplorer"):
        Sentences(digits)
    with pytest.raises(ValueError, match="first = 100 is outside.*from 0 to 99"):
        LatentExplorer(digits, first=100)


# -------------------------------------------------------------------------------------------------------- sentences


def greedy(run, z, label=None):
    """One sentence from one code, by itself."""
    code = torch.as_tensor(z, dtype=torch.float32)[None]
    ids = run.model.sample(code, None if label is None else torch.tensor([label]), greedy=True, max_words=20)
    return run.data.decode(ids[0].numpy())


def test_the_sentences_are_the_decoders(sentences):
    widget = Sentences(sentences, first=4, second=11, t=0.6)
    with torch.no_grad():
        mu = sentences.model.encode(torch.as_tensor(sentences.data.test).long())[0].numpy()
    expected = [greedy(sentences, (1 - t) * mu[4] + t * mu[11]) for t in sentences_module.STEPS]
    assert list(widget.written(4, 11, "linear", None)) == expected
    assert f"“{expected[3]}”" in widget.alt and f"steps: {len(set(expected))}." in widget.alt
    for k, row in enumerate(widget.rows):
        shown = row.get_text().removesuffix(" …")
        if k and expected[k] == expected[k - 1]:
            assert shown == "the same"
        else:
            assert (expected[k] or "(nothing)").startswith(shown)
    assert sentences.data.decode(sentences.data.test[4])[:25] in widget.ends[0].get_text()


def test_moving_t_writes_nothing_anew(sentences, monkeypatch):
    widget = Sentences(sentences, first=0, second=1)
    widget.pixels()
    monkeypatch.setattr(sentences.model, "sample", lambda *a, **k: pytest.fail("decoded again"))
    pictures = [widget.set(t=t).pixels() for t in (0.0, 0.4, 1.0)]
    assert not any(np.array_equal(a, b) for a, b in zip(pictures, pictures[1:]))


@pytest.mark.parametrize("values", [{"t": 0.2}, {"path": "spherical"}, {"first": 5}, {"second": 6}])
def test_every_control_of_sentences_changes_it(values, sentences):
    widget = Sentences(sentences, first=2, second=3, t=0.6)
    widget.mu[3] = np.roll(widget.mu[2], 1)  # so short a training leaves all codes on one ray
    assert changes(widget, **values)


def test_the_same_z_under_another_condition(conditional):
    """The label changes what is written, and it is what the decoder writes under that label."""
    labels = conditional.data.label_names
    widget = Sentences(conditional, first=0, second=1, t=0, condition=labels[0])
    with torch.no_grad():  # make the label loud: so short a training hardly teaches it
        conditional.model.decoder.start.weight[:, -len(labels) :] *= 40
    seen = set()
    for k, name in enumerate(labels):
        widget.set(condition=name)
        expected = greedy(conditional, widget.mu[0], k)
        assert f"under the condition {name}: “{expected}”" in widget.text
        seen.add(expected)
    assert len(seen) > 1
    assert Sentences(conditional, first=1).value_dict["condition"] == labels[conditional.data.test_labels[1]]


def test_a_decoder_without_z_writes_one_sentence():
    widget = Sentences(tiny(TEXT, without_z=True))
    assert "steps: 1." in widget.text and [row.get_text() for row in widget.rows[1:]] == ["the same"] * 5


def test_dollar_signs_are_no_mathematics(sentences, monkeypatch):
    odd = r"costs $\frac x$ a piece"
    monkeypatch.setattr(sentences.data.__class__, "decode", lambda self, ids: odd)
    assert odd in Sentences(sentences, first=0, second=1).text and Sentences(sentences, first=0, second=1).pixels().any()
