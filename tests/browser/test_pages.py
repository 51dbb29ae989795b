"""Pages to read: explorers without a kernel or a network, and what axe-core finds on them, on a deck and on the site."""

import shutil

import numpy as np
import pytest

from klcourse.exact.ppca import SIXTEEN
from klcourse.exact.regimes import best_rate, regime, thresholds
from klcourse.publish.decks import build, copy_assets
from klcourse.publish.explorers import page as pages
from klcourse.publish.explorers.payoff import payoff
from klcourse.widgets import portrait
from tests.browser.axe import ROOT, audit, cut_off, open_file
from tests.browser.lab import NOTEBOOKS

SITE = ROOT / "build" / "site"


@pytest.fixture(scope="module")
def explorers(tmp_path_factory):
    """A folder with a page of its own for each explorer."""
    folder = tmp_path_factory.mktemp("explorers")
    for name in pages.FILES:
        shutil.copyfile(pages.HERE / name, folder / name)
    for explorer in pages.EXPLORERS:
        (folder / f"{explorer.page}.html").write_text(explorer.whole_page(), encoding="utf-8")
    return folder


@pytest.fixture
def page(chrome):
    page = chrome.new_page(viewport={"width": 1000, "height": 800})
    page.set_default_timeout(60_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    cut_off(page)
    yield page
    page.close()
    assert page.errors == []


def values(page):
    """What the page says of every control."""
    return page.locator(".explorer input").evaluate_all("parts => parts.map(part => part.getAttribute('aria-valuetext'))")


def test_the_map_of_regimes_says_what_the_theory_says(explorers, page):
    page.goto((explorers / "phase.html").as_uri())
    rng = np.random.default_rng(0)
    points = [(k / 20, (1 + j) / 4, (5 + i) / 10) for k, j, i in zip(*(rng.integers(0, n, 60) for n in (81, 34, 31)))]
    script = "points => points.map(([lam, c, beta]) => document.getElementById('phase').state({lam, c, beta}))"
    for (lam, c, beta), shown in zip(points, page.evaluate(script, points)):
        limits = thresholds(SIXTEEN, c, beta)
        assert shown["regime"] == regime(SIXTEEN, lam, c, beta)
        assert shown["rate"] == pytest.approx(best_rate(SIXTEEN, lam, c, beta), abs=1e-6)
        assert [shown["unstable"], shown["beats"], shown["held"]] == pytest.approx(limits[:3], abs=1e-9)


def test_keys_a_press_on_the_map_and_reset_move_it(explorers, page):
    page.goto((explorers / "phase.html").as_uri())
    assert values(page) == ["2.00", "4.00 nats", "3.0"]
    page.locator("#phase-lam").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert values(page) == ["2.05", "0.25 nats", "3.0"]
    held = page.locator(".readout").text_content()
    assert "λ = 2.05, c = 0.25 nats, β = 3.0: held, the rate rests at c. R = 0.25 nats" in held
    assert held in page.locator("svg[role=img]").first.get_attribute("aria-label")
    box = page.locator("svg[role=img]").first.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.75 * box["height"])
    assert "collapsed" in page.locator(".readout").text_content()
    page.get_by_role("button", name="Reset").click()
    assert values(page) == ["2.00", "4.00 nats", "3.0"]


def test_the_payoffs_follow_their_controls(explorers, page):
    page.goto((explorers / "payoff.html").as_uri())
    assert (
        "Equilibria: (I ≥ c, q ≠ p). The article's target (I ≥ c, q = p): B leaves it."
        in page.locator(".readout").text_content()
    )
    tables = payoff()
    script = "v => document.getElementById('payoff').state(v)"
    lams, cs, betas = (range(n) for n in tables["shape"])
    for name, states in tables["states"].items():
        for lam, c, beta in ((0, 0, 0), (3, 4, 5), (lams[-1], cs[-1], betas[-1])):
            at = {"game": name, "lam": lam / 2, "c": (1 + c) / 10, "beta": 0.5 + beta / 4}
            assert page.evaluate(script, at) == states[(lam * len(cs) + c) * len(betas) + beta]
    before = page.locator(".readout").text_content()
    page.get_by_label("penalty weight λ").focus()
    page.keyboard.press("Home")
    assert page.locator(".readout").text_content() != before


@pytest.mark.parametrize(
    "values",
    [
        {"data_var": 3.0, "beta": 1.0, "hinge": "off", "lam": 2.0, "c": 1.0},
        {"data_var": 0.25, "beta": 1.0, "hinge": "on the rate R", "lam": 2.0, "c": 1.0},
        {"data_var": 0.25, "beta": 1.0, "hinge": "on the information I", "lam": 2.0, "c": 0.5},
        {"data_var": 2.0, "beta": 3.0, "hinge": "on the rate R", "lam": 1.5, "c": 0.8},
        {"data_var": 1.0, "beta": 1.0, "hinge": "on the rate R", "lam": 1.0, "c": 0.4},
    ],
    ids=str,
)
def test_the_portrait_descends_as_the_widget_does(explorers, page, values):
    page.goto((explorers / "portrait.html").as_uri())
    shown = page.evaluate("values => document.getElementById('portrait').state(values)", values)
    L, beta, hinge, lam, c = values.values()
    lam = lam if hinge != "off" else 0.0
    model = portrait.training_runs(L, beta, lam, c, portrait.HINGES[hinge])
    assert shown["rates"] == pytest.approx(model.rate[-1], abs=1e-6)
    assert shown["mis"] == pytest.approx(model.mi[-1], abs=1e-6)
    assert shown["verdict"] == portrait.verdict(L, beta, lam, portrait.HINGES[hinge])
    assert shown["gain"] == pytest.approx(portrait.payoff_gain(0.7, 0.5, L, beta, lam, c), abs=1e-9)
    held = c if hinge != "off" else 0.0
    assert shown["reply"] == pytest.approx(portrait.encoder_reply(np.array([0.4]), L, beta, lam, held)[0], abs=1e-9)


def test_the_portrait_draws_what_it_says(explorers, page):
    page.goto((explorers / "portrait.html").as_uri())
    said = page.locator(".readout").text_content()
    assert said.startswith("Collapse is a strict equilibrium, yet a saddle") and "R = 0.55, I = 0.55" in said
    shade = page.locator("image").get_attribute("href")
    page.get_by_label("data variance").focus()
    page.keyboard.press("Home")
    assert "stable" in page.locator(".readout").text_content()
    assert page.locator("image").get_attribute("href") != shade
    page.get_by_label("hinge").select_option("on the rate R")
    assert "The fastest way out is the shift: waste" in page.locator(".readout").text_content()


def test_the_decoder_draws_the_tile_of_its_code(explorers, page):
    page.goto((explorers / "latent.html").as_uri())
    place = lambda: [float(page.locator("svg.drawn image").get_attribute(name)) for name in ("x", "y")]
    assert place() == [-10 * 28, -10 * 28]
    page.get_by_label("latent 1").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert place() == [0, 0] and "z = (−3.0, 3.0)" in page.locator(".readout").text_content()
    box = page.locator("svg[role=img]").first.bounding_box()
    page.mouse.click(box["x"] + 0.55 * box["width"], box["y"] + 0.46 * box["height"])
    assert place() == [-10 * 28, -10 * 28]
    page.get_by_label("model").select_option("hinge R ≥ 15 with λ = 4")
    assert "codes lie outside the picture" in page.locator(".readout").text_content()
    assert page.locator("svg.drawn image").evaluate("image => image.getBBox().width") == 21 * 28


@pytest.mark.parametrize("name", ["phase", "payoff", "portrait", "latent"])
def test_explorers_have_nothing_critical_or_serious(explorers, page, name):
    page.goto((explorers / f"{name}.html").as_uri())
    assert audit(page) == []


def test_a_deck_has_nothing_critical_or_serious_and_every_figure_a_text(page, tmp_path):
    copy_assets(tmp_path / "assets")
    path = next(path for path in NOTEBOOKS if path.stem.startswith("06"))
    open_file(page, build(path, tmp_path), "document.body.matches('.ready')")
    assert audit(page) == []
    texts = page.locator("img").evaluate_all("images => images.map(image => image.alt)")
    assert texts and all(len(text) > 20 and "No description" not in text for text in texts)


@pytest.mark.parametrize("name", ["index", "06_rate_is_not_information", "GLOSSARY", "zh/00_start_here"])
def test_the_site_has_nothing_critical_or_serious(page, name):
    if not (SITE / f"{name}.html").exists():
        pytest.skip("no site in build/site: make site")
    open_file(page, SITE / f"{name}.html")
    assert audit(page) == []
