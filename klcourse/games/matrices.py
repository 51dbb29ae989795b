"""The article's four payoff matrices from plain numbers, from exact models, or from measured runs.

Rows are module A's choice (the decoder: does z matter?), columns module B's (the encoder: q(z|x) = p(z) or
not). Where the article leaves open how a cell is meant, the reading is an argument; each default is the
article's letter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from klcourse.exact.discrete import DiscreteVAE
from klcourse.exact.discrete_optima import squared_distances
from klcourse.exact.inputs import distribution, known, non_negative
from klcourse.exact.linear_gaussian import LinearGaussianVAE
from klcourse.games.game import Game
from klcourse.games.table import Array

Model = TypeVar("Model")  # whatever a pair of modules is held in

INDEPENDENT, DEPENDENT = "z independent of x", "z dependent on x"
IS_PRIOR, NOT_PRIOR = "q(z|x) = p(z)", "q(z|x) ≠ p(z)"
MATCHED, UNMATCHED = "q(z) = p(z)", "q(z) ≠ p(z)"
LOW, HIGH = "I(x, z) < c", "I(x, z) ≥ c"

_PX, _EPX = r"\log p(x)", r"E_{p(z)}[\log p(x|z)]"
_MKL, _KL = r"KL(q(z) \parallel p(z))", r"KL(q(z|x) \parallel p(z))"


@dataclass(frozen=True)
class Quantities:
    """What a payoff matrix needs to know of one (decoder, encoder) pair: nats per example, means over p_D.

    log_p  E log p(x) of the decoder
    J      log p - E_p(z) log p(x|z), the Jensen gap
    G      KL(q(z|x) || p(z|x))
    R      the rate, KL(q(z|x) || p(z))
    M      KL(q(z) || p(z))
    L0     the best log-likelihood without z (default: log_p, the article's letter)
    I_p    mutual information of p(z)p(x|z)

    ValueError for a negative divergence, or for M > R.

    >>> x = Quantities(log_p=-1., J=.5, G=.1, R=.3)
    >>> round(x.elbo, 3), round(x.mi, 3), round(x.distortion, 3)
    (-1.1, 0.3, 0.8)
    """

    log_p: float = 0.0
    J: float = 0.0
    G: float = 0.0
    R: float = 0.0
    M: float = 0.0
    L0: float | None = None
    I_p: float | None = None

    def __post_init__(self) -> None:
        for name in ("J", "G", "R", "M"):
            known(**{name: getattr(self, name)})
            if not getattr(self, name) >= -1e-9:
                raise ValueError(f"{name} = {getattr(self, name)}: it is a divergence and cannot be negative")
        known(log_p=self.log_p, L0=0.0 if self.L0 is None else self.L0)
        if self.I_p is not None and not self.I_p >= -1e-9:
            raise ValueError(f"I_p = {self.I_p}: it is an information and cannot be negative")
        if self.M > self.R + 1e-9:
            raise ValueError(f"M = {self.M} exceeds R = {self.R}, but R = I + M and I >= 0")

    @classmethod
    def of(cls, model: DiscreteVAE | LinearGaussianVAE) -> Quantities:
        """The numbers of an exact model."""
        if isinstance(model, DiscreteVAE):
            return cls(
                model.log_p,
                model.jensen_gap,
                model.gap,
                model.rate,
                model.marginal_kl,
                model.z_free_log_likelihood,
                model.generative_mi,
            )
        prior = model.with_(v=0.0, s2=1.0, m=0.0)  # the same decoder against q = p
        blind = prior.with_(w=0.0, b=0.0)  # the best decoder without z at this fixed sigma2
        log_p = float(np.sum(model.log_p))
        return cls(
            log_p,
            log_p - float(np.sum(prior.elbo)),
            log_p - float(np.sum(model.elbo)),
            float(np.sum(model.rate)),
            float(np.sum(model.marginal_kl)),
            float(np.sum(blind.log_p)),
            float(np.sum(0.5 * np.log1p(model.w**2 / model.sigma2))),
        )

    @property
    def elbo(self) -> float:
        """ELBO = log p - G."""
        return self.log_p - self.G

    @property
    def mi(self) -> float:
        """I_q = R - M."""
        return self.R - self.M

    @property
    def distortion(self) -> float:
        """D = -ELBO - R."""
        return -self.elbo - self.R

    @property
    def best_z_free(self) -> float:
        """L0 if given, else log p."""
        return self.log_p if self.L0 is None else self.L0

    def at_prior(self) -> Quantities:
        """The same decoder when the encoder answers q(z|x) = p(z): then G is J, and R = M = 0."""
        return replace(self, G=self.J, R=0.0, M=0.0)


def _z_free_row(x: Quantities, free: str, encoder: str) -> tuple[float, float, str, str]:
    if free not in ("own", "best") or encoder not in ("x_free", "unchanged"):
        raise ValueError(
            f'free = {free!r}, encoder = {encoder!r}: choose free "own" or "best", encoder "x_free" or "unchanged"'
        )
    value, symbol = (x.log_p, _PX) if free == "own" else (x.best_z_free, "L_0")
    cost, kl = (x.M, _MKL) if encoder == "x_free" else (x.R, _KL)
    return value, value - cost, symbol, f"{symbol} - {kl}"


def vae_game(x: Quantities, free: str = "own", encoder: str = "x_free") -> Game:
    """The article's VAE matrix (section 2, Supplement 2; claims A3-A5).

    x        the pair in the cell (dependent, q != p)
    free     what A gets without z: "own", the model's marginal p_θ(x) (the article writes one log p(x) for both
             rows), or "best", L0
    encoder  in (independent, q != p), has q become x-free too ("x_free", pays M, the article), or is it the
             encoder of the other row ("unchanged", pays R)?

    >>> vae_game(Quantities(log_p=-1., J=.5, G=.1, R=.3, M=.2)).payoff_dominant().names
    ('z independent of x', 'q(z|x) = p(z)')
    """
    p00, p01, s00, s01 = _z_free_row(x, free, encoder)
    return Game(
        [[p00, p01], [x.log_p - x.J, x.elbo]],
        rows=(INDEPENDENT, DEPENDENT),
        columns=(IS_PRIOR, NOT_PRIOR),
        latex=((s00, s01), (_EPX, "ELBO")),
        title="VAE",
    )


def payoffs_of(f: ArrayLike) -> Array:
    """f(x, z; π_ij) as a (2, 2) table of numbers. ValueError for another shape, or nan."""
    known(f=f)
    f = np.asarray(f, float)
    if f.shape != (2, 2):
        raise ValueError(f"f has shape {f.shape}: give f(x, z; π_ij) as a 2 x 2 table")
    return f


def slvae_game(x: Quantities, f: ArrayLike, free: str = "own", encoder: str = "x_free") -> Game:
    """The article's SLVAE matrix: the VAE's plus f(x, z; π_ij), a (2, 2) table. Claims A6, A7.

    >>> game = slvae_game(Quantities(log_p=-1., J=.5, G=.1, R=.3), f=[[-2., -1.], [-2., -.2]])
    >>> [e.names[0] for e in game.equilibria()]
    ['z dependent on x']
    """
    base, f = vae_game(x, free, encoder), payoffs_of(f)
    latex = tuple(tuple(f"{base.latex[i][j]} + f(x, z; \\pi_{{{i},{j}}})" for j in (0, 1)) for i in (0, 1))
    return replace(base, a=base.a + f, b=base.b + f, latex=latex, title="SLVAE")


def self_labelling_f(
    p_D: ArrayLike, encoders: Sequence[ArrayLike], codes: ArrayLike, labels: Sequence[ArrayLike], lam: float
) -> Array:
    """f(π_ij) = -lam E ||z - g_i(x)||^2 on tables, (2, 2): entry (i, j) for label g_i and encoder j.

    `p_D` (K,); `encoders`, those of q = p and of q != p, each (K, L); `codes` (L, m); `labels`, one g (K, m) a row.
    With g trained by the article's formula both rows may share g (then f_00 = f_10); the SLCVAE paper trains
    g through the decoder, so the rows have their own.
    """
    non_negative(lam=lam)
    p, tables = distribution("p_D", p_D), [distribution("encoders", q) for q in encoders]
    return np.array([[-lam * float(np.sum(p[:, None] * q * squared_distances(codes, g))) for q in tables] for g in labels])


READINGS = ("per_example", "generative", "aggregate")


def constrained_game(
    low: Quantities,
    high: Quantities,
    lam: float,
    c: float,
    beta: float = 1.0,
    reading: str = "per_example",
    matched: tuple[Quantities, Quantities] | None = None,
    penalty: str = "written",
) -> Game:
    """The article's matrix for the information constraint; with beta != 1 the one for β-VAE + constraint.

    `low` and `high` are the pairs in the right column, rows I < c and I >= c. Payoffs: -J on the left and
    -G - (β-1)R on the right, and in the first row -λ(c - R) more. Claims A12, A14. ValueError for c <= 0, lam < 0
    or beta <= 0.

    penalty: how the first row is charged.
      written      by the row's label, as the article does
      implemented  λ max(c - R, 0) by the measured rate, as its algorithm does
    reading: which information the rows are about, and what B's left column says.
      per_example  I under q, and q(z|x) = p(z) for every x: then I_q = 0, so the cell (I >= c, q = p) is empty
      generative   I of p(z)p(x|z): A alone chooses the row; uses I_p where it is known
      aggregate    I under q, B's left column is q(z) = p(z); `matched` gives the pairs (low, high) with M = 0

    >>> low, high = Quantities(G=.1, R=.1, J=.2), Quantities(G=.05, R=1.2, J=2.)
    >>> game = constrained_game(low, high, lam=2., c=1.)
    >>> game.infeasible[1, 0], game.equilibria()[0].names
    ('q(z|x) = p(z) for every x makes I_q = 0 < c', ('I(x, z) ≥ c', 'q(z|x) ≠ p(z)'))
    """
    if reading not in READINGS or penalty not in ("written", "implemented"):
        raise ValueError(
            f"reading = {reading!r}, penalty = {penalty!r}: choose reading from {READINGS}, penalty "
            '"written" or "implemented"'
        )
    if not 0 < c < np.inf or not 0 <= lam < np.inf or not 0 < beta < np.inf:
        raise ValueError(f"c = {c}, lam = {lam}, beta = {beta}: need c > 0, lam >= 0, beta > 0")
    if (matched is not None) != (reading == "aggregate"):
        raise ValueError('give `matched`, two pairs with q(z) = p(z), for the reading "aggregate" and only there')
    left = matched if matched is not None else (low.at_prior(), high.at_prior())
    cells = ((left[0], low), (left[1], high))

    def pay(i: int, x: Quantities) -> float:
        short = max(c - x.R, 0.0) if penalty == "implemented" else (c - x.R) * (i == 0)
        return -x.G - (beta - 1) * x.R - lam * short

    infeasible: dict[tuple[int, int], str] = {}
    for i in (0, 1):
        for j in (0, 1):
            x = cells[i][j]
            info = x.I_p if reading == "generative" else x.mi
            if reading == "per_example" and (i, j) == (1, 0):
                infeasible[i, j] = "q(z|x) = p(z) for every x makes I_q = 0 < c"
            elif reading == "aggregate" and j == 0 and x.M > 1e-6:
                infeasible[i, j] = f"q(z) is not p(z): M = {x.M:.3g}"
            elif info is not None and (info >= c - 1e-9) != bool(i):
                infeasible[i, j] = f"this pair has I = {info:.3g}, c = {c:g}"
    rel, rate = r" - \log p(x)", _KL
    right = "ELBO" if beta == 1 else r"E_{q(z|x)}[\log p(x|z)] - \beta " + rate
    latex = (
        (_EPX + r" - \lambda c" + rel, right + rf" + \lambda E_{{p(x)}}[{rate}] - \lambda c" + rel),
        (_EPX + rel, right + rel),
    )
    columns = (MATCHED, UNMATCHED) if reading == "aggregate" else (IS_PRIOR, NOT_PRIOR)
    title = ("Information constraint" if beta == 1 else "β-VAE + information constraint") + f", {reading} reading"
    return Game(
        [[pay(i, x) for x in row] for i, row in enumerate(cells)],
        rows=(LOW, HIGH),
        columns=columns,
        latex=latex if reading != "aggregate" else (),
        infeasible=infeasible,
        title=title,
    )


def profile_game(
    models: Sequence[Sequence[Model]],
    value: Callable[[Model], float],
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str = "",
    tol: float = 1e-9,
) -> Game:
    """The game whose cell (i, j) pays value(models[i][j]): not the article's formulas, the models are asked.

    Row i should hold one decoder and column j one encoder, so that a move changes one module only. A model may be
    anything that `value` takes; differences up to `tol` are ties.

    >>> blind = DiscreteVAE([.5, .5], [.5, .5], encoder=[[.5, .5], [.5, .5]], decoder=[[.5, .5], [.5, .5]])
    >>> table = [[.9, .1], [.1, .9]]
    >>> seeing = blind.with_(decoder=table)
    >>> pairs = [[blind, blind.with_(encoder=table)], [seeing, seeing.with_(encoder=table)]]
    >>> profile_game(pairs, lambda model: model.elbo).a.round(2)
    array([[-0.69, -1.06],
           [-1.2 , -0.69]])
    """
    return Game(
        [[float(value(model)) for model in line] for line in models],
        rows=tuple(rows),
        columns=tuple(columns),
        title=title,
        tol=tol,
    )


def measured_game(
    runs: Mapping[tuple[str, str], ArrayLike] | ArrayLike,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str = "measured",
    tol: float | None = None,
) -> Game:
    """A common-payoff game from trained models: one payoff per seed in each cell, which shows mean ± sd.

    `runs` is {(row, column): payoffs} or an array (m, n, seeds). Unless given, tol is twice the largest standard error
    of a difference between two cells, so that differences the seeds do not support are ties.

    >>> game = measured_game([[[1., 1.2], [0., .1]], [[.5, .4], [2., 2.2]]], rows="ab", columns="xy")
    >>> [e.names for e in game.equilibria()]
    [('a', 'x'), ('b', 'y')]
    """
    if isinstance(runs, Mapping):
        rows = tuple(rows) or tuple(dict.fromkeys(r for r, _ in runs))
        columns = tuple(columns) or tuple(dict.fromkeys(col for _, col in runs))
        missing = [(r, col) for r in rows for col in columns if (r, col) not in runs]
        if missing:
            raise ValueError(f"no runs for the cells {missing}: measure them, or leave the row or column out")
        cells = [[np.asarray(runs[r, col], float).ravel() for col in columns] for r in rows]
    else:
        cells = [[line.ravel() for line in row] for row in np.atleast_3d(np.asarray(runs, float))]
    if not all(cell.size for row in cells for cell in row):
        raise ValueError("a cell has no runs: measure it, or leave its row or column out")
    mean = [[cell.mean() for cell in row] for row in cells]
    sd = np.array([[cell.std(ddof=1) if cell.size > 1 else 0.0 for cell in row] for row in cells])
    variance = np.array([[s**2 / cell.size for s, cell in zip(line, row)] for line, row in zip(sd, cells)])
    if tol is None:
        tol = 2 * float(np.sqrt(np.sort(variance.ravel())[-2:].sum()))
    return Game(mean, rows=tuple(rows), columns=tuple(columns), sd=sd, title=title, tol=tol)
