"""Gradient descent on the linear-Gaussian VAE: which equilibrium does training find, and how fast?

The loss is F = D + beta R + lam max(c - R, 0), or with the hinge on I_q, descended jointly in (w, b, v, m,
log s2) of both modules: the article's algorithm with the expectation over z taken exactly. Times are steps x
learning rate (gradient flow). Beyond lam = beta the penalty *rewards* rate, and the cheapest rate is the
encoder's shift m: the *lazy* point, R = c with I_q = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import chi2, norm

from klcourse.exact.inputs import finite, non_negative, numbers, positive, whole
from klcourse.exact.linear_gaussian import Array, LinearGaussianVAE

HINGES = ("rate", "mi")


# --- near the collapsed point -------------------------------------------------------------------------------


class GrowthRates(NamedTuple):
    """Growth rates of the gradient flow linearised at the collapsed point (> 0: unstable), for R < c."""

    gain: float  # w and v together: the only direction that carries information
    shift: float  # m: rate without information
    log_variance: float  # log s2: rate without information


def growth_rates(data_var: float, sigma2: float, beta: float = 1.0, lam: float = 0.0, hinge: str = "rate") -> GrowthRates:
    """Growth rates at w = b = v = m = 0, s2 = 1 with the penalty on; kappa = lam - beta.

    A hinge on the rate gives the shift kappa and the log-variance kappa / 2; a hinge on I_q leaves them at
    -beta and -beta / 2, whatever lam. The gain grows alike under both, and is > 0 iff Lambda > (beta - lam)
    sigma2.

    >>> growth_rates(data_var=0.25, sigma2=1.0, lam=2.0).shift > growth_rates(0.25, 1.0, lam=2.0).gain
    True
    >>> growth_rates(data_var=0.25, sigma2=1.0, lam=2.0, hinge="mi").shift
    -1.0
    """
    positive(data_var=data_var, sigma2=sigma2, beta=beta)
    non_negative(lam=lam)
    _check_hinge(hinge)
    kappa, precision = lam - beta, 1 / sigma2
    root = np.sqrt((kappa * data_var + precision) ** 2 + 4 * (data_var * precision) ** 2)
    free = kappa if hinge == "rate" else -beta
    return GrowthRates(float(0.5 * (kappa * data_var - precision + root)), free, free / 2)


def shift_beats_gain(data_var: float, sigma2: float, beta: float = 1.0, lam: float = 0.0) -> bool:
    """Does the rate hinge drive the shift faster than the gain, near the collapsed point?

    With kappa = lam - beta: kappa > 0 and kappa (1 - Lambda) (kappa + 1 / sigma2) > (Lambda / sigma2)^2.

    >>> shift_beats_gain(0.25, 1.0, lam=2.0), shift_beats_gain(0.25, 1.0, lam=1.0)
    (True, False)
    """
    positive(data_var=data_var, sigma2=sigma2, beta=beta)
    non_negative(lam=lam)
    kappa, precision = lam - beta, 1 / sigma2
    return bool(kappa > 0 and kappa * (1 - data_var) * (kappa + precision) > (data_var * precision) ** 2)


def escape_rate(data_var: float, sigma2: float, c: float, s2: float = 1.0) -> float:
    """Growth rate at which training leaves the lazy point, along R = c, for lam > beta.

    The lazy point is w = v = b = 0, m^2 + s2 - 1 - log s2 = 2c. The penalty is taken to switch so fast that R
    stays at c (a sliding mode). Always > 0: a saddle. For weak signals the rate is Lambda^2 / (s2 sigma2), so
    slow exactly where collapse happens.

    >>> round(escape_rate(data_var=0.05, sigma2=1.0, c=1.0), 4), round(0.05**2, 4)
    (0.0025, 0.0025)
    """
    positive(data_var=data_var, sigma2=sigma2, s2=s2, c=c)
    m2 = 2 * c - (s2 - 1 - np.log(s2))
    if m2 < 0:
        raise ValueError(f"s2={s2} alone already costs more than c={c} nats; move it towards 1")
    m = np.sqrt(m2)
    # On R = c the multiplier beta - lam * duty vanishes to first order, so only D moves (w, b, v).
    jacobian = np.array([[-(m2 + s2), -m, data_var], [-m, -1.0, 0.0], [data_var, 0.0, 0.0]]) / sigma2
    return float(np.linalg.eigvalsh(jacobian)[-1])


# --- gradient descent ---------------------------------------------------------------------------------------


class Path(NamedTuple):
    """A training run. Arrays have a leading axis of records, then the shape of the models."""

    time: Array  # (T,) steps x learning rate
    model: LinearGaussianVAE  # fields (T, ...)
    duty: Array  # (T, ...) share of steps on the penalty branch since the last record
    lam: Array  # (T, ...) the penalty weight, which dual ascent moves


def _check_hinge(hinge: str) -> None:
    if hinge not in HINGES:
        raise ValueError(f"hinge must be one of {HINGES}, got {hinge!r}")


def _gradients(state: Array, first: Array, second: Array, sigma2: Array) -> tuple[Array, Array, Array]:
    """R (...), gradients (5, ...) of D and R in (w, b, v, m, log s2); the data enter by E x and E x^2."""
    w, b, v, m, log_s2 = state
    s2, miss = np.exp(log_s2), 1 - w * v
    offset = b + w * m
    cross = miss * second - offset * first  # E[x (x - w(vx+m) - b)]
    error = miss * first - offset  # E[x - w(vx+m) - b]
    zero = np.zeros_like(cross)
    d_distortion = (
        np.stack([-(v * cross + m * error) + w * s2, -error, -w * cross, -w * error, 0.5 * w**2 * s2 + zero]) / sigma2
    )
    d_rate = np.stack([zero, zero, v * second + m * first, v * first + m, 0.5 * (s2 - 1) + zero])
    rate = 0.5 * (v**2 * second + 2 * v * m * first + m**2 + s2 - 1 - log_s2)
    return rate, d_distortion, d_rate


def _mi(state: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """I_q of the Gaussian with the given moments, and its gradient (5, ...)."""
    _, _, v, _, log_s2 = state
    var, s2 = second - np.square(first), np.exp(log_s2)
    total = v**2 * var + s2
    zero = np.zeros_like(total)
    gradient = np.stack([zero, zero, v * var / total, zero, -0.5 * v**2 * var / total])
    return 0.5 * (np.log(total) - log_s2), gradient


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges raises an error that names the remedy
def descend(
    start: LinearGaussianVAE,
    *,
    steps: int,
    lr: float = 0.01,
    beta: ArrayLike = 1.0,
    lam: ArrayLike = 0.0,
    c: ArrayLike = 0.0,
    hinge: str = "rate",
    batch_size: int | None = None,
    dual_lr: float = 0.0,
    channels: bool = False,
    record_every: int = 1,
    seed: int = 0,
) -> Path:
    """Joint gradient descent of decoder and encoder from `start`; every array of the model runs in parallel.

    batch_size  None: population gradient. Otherwise every step draws that many fresh x ~ N(0, Lambda), and
                the hinge looks at the batch-mean KL, as in the article's algorithm (claim A11).
    dual_lr     > 0: dual ascent. The loss is the Lagrangian D + beta R + lam (c - R), without the max, and
                after each step lam <- clip(lam + dual_lr (c - R), 0, beta).
    channels    the last axis is one pPCA in its eigenbasis: its channels share the hinge, and lam, c, beta.
    ValueError for an unknown hinge, or when the step size makes the run diverge.

    >>> start = LinearGaussianVAE(w=0.1, v=0.1, s2=1.0, data_var=2.0, sigma2=1.0)
    >>> path = descend(start, steps=3000, lr=0.02, beta=4.0, lam=3.0, c=1.0)      # beta_eff = 4 - 3 = 1
    >>> round(float(path.model.rate[-1]), 3), float(path.duty[-1])
    (0.347, 1.0)
    """
    _check_hinge(hinge)
    positive(lr=lr)
    whole(steps=steps, record_every=record_every, batch_size=1 if batch_size is None else batch_size)
    non_negative(beta=beta, lam=lam, dual_lr=dual_lr)
    finite(c=c)
    rng = np.random.default_rng(seed)
    w, b, v, m, s2, var, sigma2, beta, lam, c = (
        np.array(part)
        for part in np.broadcast_arrays(
            start.w,
            start.b,
            start.v,
            start.m,
            start.s2,
            start.data_var,
            start.sigma2,
            *(np.asarray(value, dtype=float) for value in (beta, lam, c)),
        )
    )
    state = np.stack([w, b, v, m, np.log(s2)])  # (5, ...)

    def pooled(values: Array) -> Array:
        return values.sum(-1, keepdims=True) if channels else values

    states, duties, lams, times, on_count = [state.copy()], [], [lam.copy()], [0.0], np.zeros_like(lam)
    first, second = np.zeros_like(var), var
    for step in range(1, steps + 1):
        if batch_size is not None:
            x = rng.standard_normal((batch_size, *var.shape)) * np.sqrt(var)
            first, second = x.mean(0), np.square(x).mean(0)
        rate, d_distortion, d_rate = _gradients(state, first, second, sigma2)
        bought, d_bought = (rate, d_rate) if hinge == "rate" else _mi(state, first, second)
        # Dual ascent descends the Lagrangian, lam (c - R) on both sides of c; the penalty acts below c only.
        on = (pooled(bought) < c) | bool(dual_lr)
        if step == 1:
            duties.append(on.astype(float) + np.zeros_like(lam))
        state = state - lr * (d_distortion + beta * d_rate - np.where(on, lam, 0.0) * d_bought)
        on_count += on
        if dual_lr:
            lam = np.clip(lam + dual_lr * (c - pooled(bought)), 0.0, beta)
        if step % record_every == 0:
            if not np.all(np.isfinite(state)):
                raise ValueError(f"gradient descent diverged by step {step} at lr={lr}; use a smaller lr")
            states.append(state.copy())
            duties.append(on_count / record_every)
            lams.append(lam.copy())
            times.append(step * lr)
            on_count = np.zeros_like(lam)
    w, b, v, m, log_s2 = np.stack(states, axis=1)
    return Path(
        np.array(times), LinearGaussianVAE(w, v, np.exp(log_s2), b, m, var, sigma2), np.stack(duties), np.stack(lams)
    )


def gd_regime(rate: ArrayLike, duty: ArrayLike, collapsed_below: float = 1e-3) -> np.ndarray:
    """Name the regime of finished runs from what training shows: their rates and duty cycles.

    The penalty is never on: inactive; on and off: held; always on: partial, or collapsed if there is no rate.

    >>> gd_regime([0.0, 0.4, 1.0, 1.3], [1.0, 1.0, 0.6, 0.0])
    array(['collapsed', 'partial', 'held', 'inactive'], dtype='<U9')
    """
    rate, duty = numbers("rate", rate), numbers("duty", duty)
    non_negative(rate=rate)
    if not np.all((duty >= 0) & (duty <= 1)):
        raise ValueError(f"duty is a share of steps and must lie in [0, 1], got {duty}")
    return np.where(
        duty == 0, "inactive", np.where(duty < 1, "held", np.where(rate < collapsed_below, "collapsed", "partial"))
    )


# --- the duty cycle -----------------------------------------------------------------------------------------


def batch_rate_std(model: LinearGaussianVAE, batch_size: float) -> Array:
    """tau: standard deviation of the batch-mean KL over batches of fresh x, nats.

    >>> round(float(batch_rate_std(LinearGaussianVAE(1.0, 0.5, 0.5, data_var=2.0), batch_size=50)), 3)
    0.05
    """
    positive(batch_size=batch_size)
    quadratic = model.v**4 * np.square(model.data_var) / 2  # Var of v^2 x^2 / 2
    return np.sqrt((quadratic + model.v**2 * model.m**2 * model.data_var) / batch_size)


def settled_rate(c: ArrayLike, tau: ArrayLike, lam_star: ArrayLike, lam: ArrayLike) -> Array:
    """Where mini-batch training settles: R = c - tau Phi^-1(lam* / lam), for lam > lam* (claim A11), nats.

    Batches blur the kink: the penalty must be on a share lam* / lam of the time, the *duty cycle*. lam* is
    beta - s(R) at the R that results; with beta - s(c) the formula is good only where R is near c.

    >>> float(settled_rate(c=1.0, tau=0.1, lam_star=0.5, lam=1.0))
    1.0
    """
    non_negative(c=c, tau=tau, lam_star=lam_star)
    positive(lam=lam)
    share = np.asarray(lam_star, float) / lam
    if np.any(share >= 1):
        raise ValueError(
            f"lam={np.asarray(lam)} does not hold the constraint: it must exceed lam_star={np.asarray(lam_star)}"
        )
    return np.asarray(c) - np.asarray(tau) * norm.ppf(share)


class Sliding(NamedTuple):
    """Where training on batches settles in the limit of small steps."""

    model: LinearGaussianVAE
    duty: float


def sliding_mode(data_var: float, sigma2: float, c: float, lam: float, batch_size: float, beta: float = 1.0) -> Sliding:
    """The stationary point of the expected mini-batch gradient: the exact form of `settled_rate`.

    The KL of a batch and its gradient are correlated: a batch on the penalty branch has small |x|, so the
    penalty pulls v less than log s2. Hence q(z) comes out a little too narrow (M > 0), and lam * duty reads
    the slope, beta - s(R), up to O(1 / sqrt(batch)). ValueError if lam does not hold R at c.

    >>> point = sliding_mode(1.0, 0.1, c=1.0, lam=3.0, beta=3.0, batch_size=1000)
    >>> round(3 * point.duty, 2), round(float(3 - 10 * np.exp(-2)), 2)         # lam * duty, lam*
    (1.65, 1.65)
    """
    positive(data_var=data_var, sigma2=sigma2, c=c, lam=lam, beta=beta)
    positive(batch_size=batch_size)
    if lam <= beta - data_var / sigma2 * np.exp(-2 * c):
        raise ValueError(f"lam={lam} does not hold R >= c={c}: it must exceed beta - s(c)")

    def point(y: float) -> tuple[float, float, float]:
        """v^2 Lambda, s2 and the duty cycle if batches with B mean(x^2) < y Lambda are penalised."""
        duty, duty_v = chi2.cdf(y, batch_size), chi2.cdf(y, batch_size + 2)  # duty_v: weighted by x^2
        beta_v = beta - lam * duty_v
        ratio, level = (beta - lam * duty) / beta_v, beta_v * sigma2 / data_var
        # s2 is the smaller root of level (ratio + (1 - ratio) s2)^2 = s2.
        half = 1 - 2 * ratio * (1 - ratio) * level
        root = np.sqrt(max(half**2 - 4 * ((1 - ratio) * ratio * level) ** 2, 0.0))
        s2 = 2 * ratio**2 * level / (half + root)
        return ratio * (1 - s2), s2, float(duty)

    def excess(y: float) -> float:
        signal, s2, _ = point(y)
        return 0.5 * (signal * y / batch_size + s2 - 1 - np.log(s2)) - c  # of the KL on the kink over c

    # The gain is open where beta_v < Lambda / sigma2; log s2 is bounded where duty < beta / lam.
    opening = (beta - data_var / sigma2) / lam
    low = chi2.ppf(opening, batch_size + 2) * (1 + 1e-12) if opening > 0 else chi2.ppf(1e-15, batch_size)
    high = chi2.ppf(min(beta / lam, 1.0) * (1 - 1e-12), batch_size)
    if not (low < high and excess(low) < 0 < excess(high)):
        raise ValueError(f"no sliding mode with batches of {batch_size}: close to collapse, use larger ones")
    y = brentq(excess, low, high, xtol=1e-12)
    signal, s2, duty = point(y)
    v = np.sqrt(signal / data_var)
    w = v * data_var / (signal + s2)
    return Sliding(LinearGaussianVAE(w, v, s2, data_var=data_var, sigma2=sigma2), duty)
