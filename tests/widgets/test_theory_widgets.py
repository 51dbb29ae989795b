"""ElboGap, PayoffExplorer, TiltedPrior, PhasePortrait: their numbers against other computations of them."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.colors import same_color
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm, poisson

from klcourse.exact import dynamics
from klcourse.exact.linear_gaussian import LinearGaussianVAE, best_encoder
from klcourse.widgets import ElboGap, EquilibriaMap, PayoffExplorer, PhasePortrait, TiltedPrior
from klcourse.widgets import portrait as p
from klcourse.widgets.elbo_gap import WORLDS, gap_of
from klcourse.widgets.frame.controls import Slider
from klcourse.widgets.payoffs import KINDS, LIT
from klcourse.widgets.tilted_prior import LABELS, rate_and_information

RNG = np.random.default_rng(5)


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


# --- all of them ------------------------------------------------------------------------------------------------

STATES = [
    *((ElboGap, {"world": world}) for world in WORLDS),
    *((PayoffExplorer, {"game": game}) for game in KINDS),
    *((TiltedPrior, {"labels": labels}) for labels in LABELS),
    *((PhasePortrait, {"hinge": hinge}) for hinge in p.HINGES),
    *((EquilibriaMap, {"on": on}) for on in EquilibriaMap.controls["on"].options),
]
MOVES = [
    (cls, values, name)
    for cls, values in STATES
    for name in cls.controls
    if name in cls(**values).active(cls(**values).value_dict) and name not in values
]


def others(control) -> list:
    """Values to try, the far ones first."""
    if isinstance(control, Slider):
        return [control.low, control.high, 0.5 * (control.low + control.high)]
    return list(control.options)


@pytest.mark.parametrize(("cls", "values", "name"), MOVES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_every_control_that_matters_changes_picture_and_words(cls, values, name):
    widget = cls(**values)
    pixels, text = widget.pixels(), widget.text
    changes = []
    for value in others(cls.controls[name]):
        if value != widget.value_dict[name]:
            widget.set(**{name: value})
            changes.append(((widget.pixels() != pixels).any(-1).mean(), widget.text != text))
            widget.reset()
    assert any(share > 1e-4 and words for share, words in changes), changes
    assert np.array_equal(widget.pixels(), pixels) and widget.text == text  # and back again: nothing is left over


@pytest.mark.parametrize(("cls", "values"), STATES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_the_fast_path_draws_what_a_fresh_widget_draws(cls, values):
    moved = cls()
    moved.pixels()
    target = cls(**values)
    assert np.array_equal(moved.set(**target.value_dict).pixels(), target.pixels())
    assert moved.alt == target.alt and moved.alt.startswith(cls.title)


@pytest.mark.parametrize("cls", [ElboGap, PayoffExplorer, TiltedPrior, PhasePortrait, EquilibriaMap])
def test_made_for_a_classroom(cls):
    """A question as title, a caption, nothing smaller than 12 points, no text outside the picture."""
    widget = cls()
    widget.pixels()  # with its layout settled
    assert widget.title.endswith("?") and widget.caption.endswith(".")
    renderer = widget.figure.canvas.get_renderer()
    width, height = widget.figure.bbox.size
    axes = widget.figure.axes
    ticks = [label for ax in axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    words = [text for ax in axes for text in (*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label)]
    words = [text for text in (*words, *widget.figure.texts) if text.get_text() and text.get_visible()]
    assert min(text.get_fontsize() for text in (*ticks, *words)) >= 12
    for text in words:
        box = text.get_window_extent(renderer)
        assert box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1, text.get_text()


@pytest.mark.parametrize("cls", [ElboGap, PayoffExplorer, TiltedPrior, PhasePortrait, EquilibriaMap])
def test_every_corner_of_the_ranges_can_be_drawn(cls):
    """Also where a run could diverge, a logarithm vanish, an equilibrium tie."""
    widget = cls()
    spans = [[c.low, c.high] if isinstance(c, Slider) else list(c.options) for c in cls.controls.values()]
    corners = list(itertools.product(*spans))
    with np.errstate(invalid="raise", divide="raise"):
        for k in RNG.permutation(len(corners))[:64]:
            text = widget.set(**dict(zip(cls.controls, corners[k]))).text
            assert not re.search(r"\b(nan|inf)\b|[−-]0\.00\b", text), text


# --- ElboGap -------------------------------------------------------------------------------------------------

LIKELIHOODS = {
    "x = z + noise": lambda z: norm.pdf(1.5, z, 0.5**0.5),
    "x = z² + noise": lambda z: norm.pdf(1.5, z * z, 0.5),
    "x counts, mean exp(2z)": lambda z: poisson.pmf(0, np.exp(2 * z)),
}


@pytest.mark.parametrize(("mu", "s"), [(0.4, 0.7), (-1.1, 0.25), (0.0, 0.5)])
@pytest.mark.parametrize("world", WORLDS)
def test_elbo_and_gap_against_adaptive_quadrature(world, mu, s):
    lik = LIKELIHOODS[world]
    evidence = quad(lambda z: lik(z) * norm.pdf(z), -9, 9, points=(-1.2, 0, 1.2))[0]

    def log_lik(z):
        return float(WORLDS[world].log_likelihood(np.asarray(z, float)))

    def mean(function):  # under q
        return quad(lambda z: norm.pdf(z, mu, s) * function(z), mu - 8 * s, mu + 8 * s)[0]

    assert np.isclose(np.exp(log_lik(mu)), lik(mu), rtol=1e-12)
    d = -mean(log_lik)
    r = mean(lambda z: norm.logpdf(z, mu, s) - norm.logpdf(z))
    gap = mean(lambda z: norm.logpdf(z, mu, s) - norm.logpdf(z) - log_lik(z) + np.log(evidence))
    parts = gap_of(WORLDS[world], mu, s)
    assert np.allclose(parts, (np.log(evidence), -d - r, gap, d, r), atol=1e-7)
    assert abs(parts.log_p - parts.elbo - parts.gap) < 1e-9 and parts.gap > 0
    elbo, shown_gap, log_p, shown_d, shown_r = numbers(ElboGap(world=world, mu=mu, s=s).text)
    assert np.allclose((elbo, shown_gap, log_p, shown_d, shown_r), (-d - r, gap, np.log(evidence), d, r), atol=0.006)


def test_the_columns_end_at_the_elbo():
    widget = ElboGap().set(mu=0.9, s=0.4)
    log_p, gap, d, r = (bar.get_height() for bar in widget.bars)
    elbo = widget.floor.get_ydata()[0]
    assert np.isclose(log_p + gap, elbo) and np.isclose(d + r, elbo)


def test_best_q_finds_the_posterior_where_it_is_gaussian():
    widget = ElboGap(world="x = z + noise", mu=-1, s=1.5).act("Best q from here")
    assert np.allclose((widget.value_dict["mu"], widget.value_dict["s"]), (1.0, 3**-0.5), atol=1e-4)
    assert "gap 0.00" in widget.text


def test_with_two_answers_the_best_q_from_here_depends_on_here():
    ends = []
    for mu in (-1.0, 1.0):
        widget = ElboGap(mu=mu, s=0.4).act("Best q from here")
        ends.append(widget.value_dict["mu"])
        best = gap_of(WORLDS["x = z² + noise"], ends[-1], widget.value_dict["s"]).gap
        around = [
            gap_of(WORLDS["x = z² + noise"], ends[-1] + a, widget.value_dict["s"] * b).gap
            for a in (-0.03, 0, 0.03)
            for b in (0.95, 1, 1.05)
        ]
        assert best <= min(around) + 1e-9 and best > 0.3  # no Gaussian is a posterior with two peaks
    assert ends[0] < -0.8 and ends[1] > 0.8 and np.isclose(ends[0], -ends[1], atol=1e-3)


# --- PayoffExplorer ------------------------------------------------------------------------------------------


def table(game: str, v: dict) -> list[list[float | None]]:
    """The payoffs, written out from theory.md; None: no such cell. log p(x) = 0."""
    J, G, M, R, R0, lam, c, beta = (v[name] for name in ("J", "G", "M", "R", "R0", "lam", "c", "beta"))
    if game == "VAE, the letter":
        return [[0, -M], [-J, -G]]
    if game == "VAE, one move":
        return [[-v["worth"], -v["worth"] - R], [-J if J >= v["worth"] else None, -G]]
    if game == "SLVAE":
        k, far = 1 + 2 * lam, v["away"]
        tilted = minimize_scalar(lambda m: (m * m + 1 / k - 1 + np.log(k)) / 2 + lam * (1 / k + (m - far**0.5) ** 2)).fun
        return [[-lam * (1 + far), -tilted], [-J - lam, -G - lam / k]]
    low = -beta * R0 - (lam * max(c - R0, 0) if game == "R ≥ c, as trained" else lam * (c - R0))
    right = -G - (beta - 1) * R
    if game == "I ≥ c, per example":
        return [[-lam * c, low], [None, right if R >= c else None]]
    if game == "I ≥ c, of the model":
        return [[-lam * c, low], [-J, right]]
    return [[-lam * c, low], [-J - lam * c, right - lam * max(c - R, 0)]]


def equilibria(t: list[list[float | None]]) -> set[tuple[int, int]]:
    return {
        (i, j)
        for i in (0, 1)
        for j in (0, 1)
        if t[i][j] is not None
        and (t[1 - i][j] is None or t[1 - i][j] <= t[i][j] + 1e-9)
        and (t[i][1 - j] is None or t[i][1 - j] <= t[i][j] + 1e-9)
    }


@pytest.mark.parametrize("game", KINDS)
def test_payoffs_equilibria_and_lamps(game):
    widget = PayoffExplorer(game=game)
    for _ in range(12):
        v = {name: round(RNG.uniform(c.low, c.high), 2) for name, c in widget.controls.items() if name != "game"}
        widget.set(**v)
        t = table(game, v)
        framed = {cell for cell, box in widget.boxes.items() if box.get_linewidth() > 2}
        assert framed == equilibria(t), (v, widget.text)
        for (i, j), text in widget.payoffs.items():
            shown = text.get_text().replace("−", "-")
            assert shown == "" if t[i][j] is None else abs(float(shown) - t[i][j]) < 0.00501
            assert bool(widget.boxes[i, j].get_hatch()) == (t[i][j] is None)
        early = "≥" not in game
        J, G, R, R0, lam, c, beta = (v[name] for name in ("J", "G", "R", "R0", "lam", "c", "beta"))
        k = 1 + 2 * lam
        pull = (lam * v["away"], lam * (1 / k - 1)) if game == "SLVAE" else (0.0, 0.0)
        expected = {
            "1": pull[0] > J if early else None,
            "2": G > J + pull[1] * -1 if early else None,
            "5": None if early else J < lam * c,
            "6": None if early else lam * (c - R0) > 0,
            "6 corrected": None if early else lam * (c - R0) > G - R0 + (beta - 1) * (R - R0),
            "B stays": None if early else G + (beta - 1) * R > J,
            "collapse": None if early else beta >= lam,
        }
        for name, lamp in widget.lamps.items():
            colour = lamp.get_markerfacecolor()
            assert same_color(colour, LIT) == bool(expected[name]), (game, name, v)
            assert same_color(colour, "white") == (expected[name] is None)


@pytest.mark.parametrize("game", KINDS)
def test_arrows_point_to_the_larger_payoff(game):
    widget = PayoffExplorer(game=game)
    t = table(game, widget.set().value_dict)
    for (player, where), arrow in widget.arrows.items():
        one, two = ((0, where), (1, where)) if player == "A" else ((where, 0), (where, 1))
        a, b = t[one[0]][one[1]], t[two[0]][two[1]]
        assert arrow.get_visible() == (a is not None and b is not None and abs(a - b) > 1e-9)
        if arrow.get_visible():
            (x0, y0), (x1, y1) = arrow._posA_posB
            towards_second = y1 < y0 if player == "A" else x1 > x0
            assert towards_second == (b > a)
            assert widget.gains[player, where].get_text() == f"+{abs(b - a):.2f}"


def test_ties_are_called_ties_and_weak_equilibria_weak():
    widget = PayoffExplorer(game="VAE, the letter").set(J=0.5, G=0.5, M=0.5)
    assert widget.gains["B", 1].get_text() == "B: tie" and widget.gains["A", 1].get_text() == "A: tie"
    assert not widget.arrows["B", 1].get_visible()
    assert "(A uses z, q ≠ p), weak" in widget.set(M=0.5, J=0.6).text


def test_the_story_of_the_article_on_the_sliders():
    letter = PayoffExplorer(game="VAE, the letter")
    assert letter.text.count("(A ignores z, q = p)") == 1 and "(A uses z, q ≠ p)" not in letter.text
    assert "Equilibria: (A ignores z, q = p); (A uses z, q ≠ p)." in letter.set(M=0.4).text  # M > G
    assert "target (I ≥ c, q = p): does not exist; (5) holds, (6) holds" in PayoffExplorer(game="I ≥ c, per example").text
    assert "nobody leaves it" in PayoffExplorer(game="I ≥ c, of the model", G=2.0).text  # G > J
    slvae = PayoffExplorer(game="SLVAE")
    assert "Equilibria: (A ignores z, q ≠ p)" in slvae.text or "(A uses z, q ≠ p)" in slvae.text
    assert "(1) fails" in slvae.text and "(1) holds" in slvae.set(away=5, lam=1).text
    assert all("(A ignores z, q = p)" not in slvae.set(lam=lam).text.split("target")[0] for lam in (0.05, 1, 6))


# --- TiltedPrior ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(("lam", "g", "d"), [(0.5, 1.5, 1), (2.0, -0.7, 16), (0.1, 2.5, 32)])
def test_rate_and_information_by_enumeration(labels, lam, g, d):
    """Everything on a grid of z (first dimension) and of labels, from q* ∝ p(z) exp(-λ (z - g)²)."""
    z = np.linspace(-12, 12, 2401)
    spread = norm.ppf((np.arange(801) + 0.5) / 801) * g
    label = {LABELS[0]: np.zeros(1), LABELS[1]: np.full(1, g), LABELS[2]: spread}[labels]
    q = norm.pdf(z) * np.exp(-lam * (z - label[:, None]) ** 2)
    q /= np.trapezoid(q, z)[:, None]

    def log(x):
        return np.log(np.maximum(x, 1e-300))

    together = q.mean(0)
    rate = np.trapezoid(q * (log(q) - norm.logpdf(z)), z).mean()
    info = np.trapezoid(q * (log(q) - log(together)), z).mean()
    waste = np.trapezoid(together * (log(together) - norm.logpdf(z)), z)
    k = 1 + 2 * lam
    rate += (d - 1) * 0.5 * (1 / k - 1 + np.log(k))  # the other dimensions: N(0, 1/k) for every x
    found = rate_and_information(labels, np.array(lam), g, d)
    assert np.allclose(found, (rate, info), atol=4e-3 * (1 + rate))
    widget = TiltedPrior(labels=labels, lam=lam, g=g, d=str(d))
    assert np.allclose(numbers(widget.text.split(":")[1])[:3], (found[0], found[1], found[0] - found[1]), atol=0.0051)
    assert abs(info + waste - (rate - (d - 1) * 0.5 * (1 / k - 1 + np.log(k)))) < 1e-9  # R = I + M
    dot = widget.dot.get_data()
    assert np.allclose(np.ravel(dot), (lam, found[0]))


def test_the_curves_are_the_density_that_is_named():
    widget = TiltedPrior().set(labels=LABELS[1], lam=1.0, g=1.5)
    z = widget.z
    unnormalised = norm.pdf(z) * np.exp(-1.0 * (z - 1.5) ** 2)
    assert np.allclose(widget.codes[0].get_ydata(), unnormalised / np.trapezoid(unnormalised, z), atol=1e-4)
    assert not widget.codes[1].get_visible() and "g" not in TiltedPrior().active(TiltedPrior().value_dict)


# --- PhasePortrait -------------------------------------------------------------------------------------------


def value(w, v, data_var, beta, lam, c, hinge):
    """Payoff at decoder gain w and encoder gain v, s² = 1 - Λ v², from the model's own terms."""
    model = LinearGaussianVAE(w, v, 1 - data_var * v**2, data_var=data_var)
    bought = model.rate if hinge == "rate" else model.mi
    return model.elbo - (beta - 1) * model.rate - lam * np.maximum(c - bought, 0)


@pytest.mark.parametrize("hinge", ["rate", "mi"])
def test_the_plane_is_the_payoff(hinge):
    for data_var, beta, lam, c in [(3.0, 1.0, 0.0, 1.0), (0.25, 1.0, 2.0, 1.0), (2.0, 2.5, 1.5, 0.4)]:
        w, v = RNG.uniform(-1.2, 1.2, 50), RNG.uniform(-0.97, 0.97, 50)
        gain = value(w * data_var**0.5, v / data_var**0.5, data_var, beta, lam, c, hinge) - value(
            0.0, 0.0, data_var, beta, lam, c, hinge
        )
        assert np.allclose(p.payoff_gain(w, v, data_var, beta, lam, c), gain, atol=1e-10)


@pytest.mark.parametrize(
    ("data_var", "beta", "lam", "c"),
    [(3.0, 1.0, 0.0, 0.0), (0.5, 1.0, 0.6, 0.5), (0.25, 1.0, 2.0, 1.0), (2.0, 2.5, 1.5, 0.4), (1.0, 1.0, 1.0, 1.0)],
)
def test_best_replies_by_search(data_var, beta, lam, c):
    v = np.linspace(-0.9999, 0.9999, 200_001)
    w = np.array([-1.1, -0.4, -0.05, 0.02, 0.3, 0.8, 1.2])
    reply = p.encoder_reply(w, data_var, beta, lam, c)
    for one, found in zip(w, reply):
        assert abs(v[np.argmax(p.payoff_gain(one, v, data_var, beta, lam, c))] - found) < 2e-5
    assert np.isnan(p.encoder_reply(np.array([0.0]), data_var, beta, lam, c)[0]) == (lam >= beta)
    grid = np.linspace(-2, 2, 40_001)  # A's best reply is the diagonal
    for one in (-0.8, 0.3):
        assert abs(grid[np.argmax(p.payoff_gain(grid, one, data_var, beta, lam, c))] - one) < 2e-4


@pytest.mark.parametrize("hinge", p.HINGES)
def test_the_stars_are_mutual_best_replies_and_the_best_points(hinge):
    for values in ({"data_var": 3.0}, {"data_var": 0.5, "lam": 0.95, "c": 1.0}, {"data_var": 0.25, "lam": 3.0, "c": 0.5}):
        widget = PhasePortrait(hinge=hinge, **values)
        v = widget.value_dict
        lam = v["lam"] if hinge != "off" else 0.0
        w_, v_ = np.meshgrid(np.linspace(-1, 1, 401), np.linspace(-0.9995, 0.9995, 1001))
        gain = p.payoff_gain(w_, v_, v["data_var"], v["beta"], lam, v["c"])
        assert widget.text
        star = widget.stars.get_data()[0][0] if widget.stars.get_visible() else 0.0
        at_star = float(p.payoff_gain(star, star, v["data_var"], v["beta"], lam, v["c"]))
        assert at_star >= gain.max() - 1e-4
        if star and hinge != "on the information I":
            encoder = best_encoder(star * v["data_var"] ** 0.5, v["data_var"], 1.0, v["beta"], lam, v["c"])
            assert np.isclose(encoder.v * v["data_var"] ** 0.5, star, atol=1e-6)


@pytest.mark.parametrize(
    ("hinge", "lam"), [("off", 0.0), ("on the rate R", 0.6), ("on the rate R", 2.0), ("on the information I", 2.0)]
)
@pytest.mark.parametrize("data_var", [0.3, 3.0])
def test_what_is_said_of_collapse(hinge, lam, data_var):
    """Strictness and saddle from finite steps: alone along either axis, together along the diagonal."""
    kind = p.HINGES[hinge]
    text = PhasePortrait(hinge=hinge, lam=lam, data_var=data_var).text
    c, t = 1.0, 0.02
    here = value(0.0, 0.0, data_var, 1.0, lam, c, kind)
    alone = (
        max(value(s * t, 0.0, data_var, 1.0, lam, c, kind) for s in (1, -1)),
        max(value(0.0, s * t, data_var, 1.0, lam, c, kind) for s in (1, -1)),
    )
    assert ("strict equilibrium" in text) == (max(alone) < here)
    assert ("no equilibrium" in text) == (max(alone) > here)
    angles = np.linspace(0, 2 * np.pi, 721)
    circle = max(value(t * np.cos(a), t * np.sin(a), data_var, 1.0, lam, c, kind) for a in angles)
    assert ("and stable" in text) == (circle <= here)
    assert ("saddle" in text) == (circle > here > max(alone))


@pytest.mark.parametrize("hinge", ["rate", "mi"])
def test_the_runs_are_gradient_descent_of_the_exact_model(hinge):
    runs = p.training_runs(0.5, 1.0, 0.9, 0.8, hinge)
    w, v = p.STARTS[:, 0] * 0.5**0.5, p.STARTS[:, 1] / 0.5**0.5
    start = LinearGaussianVAE(w, v, 1 - p.STARTS[:, 1] ** 2, m=p.SHIFT, data_var=0.5)
    path = dynamics.descend(start, steps=p.STEPS, lr=p.LEARNING_RATE, lam=0.9, c=0.8, hinge=hinge).model
    assert np.allclose(runs.w[0], w) and np.allclose(runs.w[5], path.w[5])
    assert np.allclose(runs.w[-1], path.w[-p.BLOCK :].mean(0))


def test_the_lazy_detour():
    """Weak signal, λ > β: the hinge on R ends with rate and no information, the hinge on I with both."""
    on_rate = PhasePortrait(data_var=0.25, hinge="on the rate R", lam=2.0, c=1.0)
    on_info = PhasePortrait(data_var=0.25, hinge="on the information I", lam=2.0, c=1.0)
    rate, info = numbers(on_rate.text)
    assert rate > 0.9 and info < 0.2 and "shift: waste" in on_rate.text
    rate, info = numbers(on_info.text)
    assert rate > 0.9 and info > 0.9
