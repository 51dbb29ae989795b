"""Independent ways to get the numbers of klcourse.exact: densities on grids, optimisers, finite differences.

Nothing here uses a closed form under test. `LinearVAE` is the n-dimensional linear VAE as matrices, with
every parameter free; optima are found by BFGS or SLSQP from a random start and polished by Newton steps on
the (KKT) equations with a finite-difference Jacobian, so that parameters, not only values, are good to about
1e-9.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm


def relative(found, true, scale: float = 1.0) -> float:
    """Largest |found - true| / max(|true|, scale)."""
    found, true = np.asarray(found, float), np.asarray(true, float)
    return float(np.max(np.abs(found - true) / np.maximum(np.abs(true), scale)))


def quadrature(model) -> dict[str, float]:
    """D, R, I_q, M and log p of a 1-D LinearGaussianVAE from normal densities summed on grids of x and z."""
    sd = np.sqrt(model.data_var)
    x = np.linspace(-9, 9, 241) * sd
    weight = norm.pdf(x, 0, sd) * (x[1] - x[0])  # (X,)
    spread = np.sqrt(model.v**2 * model.data_var + model.s2)
    # The z grid covers both the aggregate posterior and the prior.
    low, high = min(model.m - 9 * spread, -9.0), max(model.m + 9 * spread, 9.0)
    z = np.linspace(low, high, 701)
    dz = z[1] - z[0]
    log_q = norm.logpdf(z[None], model.v * x[:, None] + model.m, np.sqrt(model.s2))  # (X, Z)
    q = np.exp(np.maximum(log_q, -600))  # no denormals: they are slow
    log_prior = norm.logpdf(z)
    log_lik = norm.logpdf(x[:, None], model.w * z[None] + model.b, np.sqrt(model.sigma2))
    q_z = weight @ q  # (Z,)
    log_q_z = np.log(np.maximum(q_z, 1e-300))
    joint = weight[:, None] * q * dz
    p_x = np.exp(np.maximum(log_lik, -600)) @ (np.exp(np.maximum(log_prior, -600)) * dz)
    return {
        "distortion": -(joint * log_lik).sum(),
        "rate": (joint * (log_q - log_prior)).sum(),
        "mi": (joint * (log_q - log_q_z)).sum(),
        "marginal_kl": (q_z * (log_q_z - log_prior)).sum() * dz,
        "log_p": weight @ np.log(np.maximum(p_x, 1e-300)),
    }


def jacobian(function: Callable, point: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of a vector function."""
    columns = []
    for i in range(len(point)):
        shift = np.zeros(len(point))
        shift[i] = step
        columns.append((function(point + shift) - function(point - shift)) / (2 * step))
    return np.array(columns).T


class LinearVAE:
    """x in R^n with covariance `cov`, d latents; parameters (W, b, V, m, log s2[, log sigma2]) in one flat vector.

    `self_label` adds a jointly trained linear label g(x) = G x + g0 to the parameters and lam E||z - g||^2 to
    the rate.
    """

    def __init__(self, cov, d: int, sigma2: float | None, self_label: float = 0.0):
        self.cov = np.atleast_2d(np.asarray(cov, float))
        self.n, self.d, self.sigma2, self.self_label = len(self.cov), d, sigma2, self_label
        n, d = self.n, d
        shapes = [(n, d), (n,), (d, n), (d,), (d,)]
        shapes += [()] if sigma2 is None else []
        shapes += [(d, n), (d,)] if self_label else []
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes]).tolist()
        self.places = list(zip([0, *ends], ends, shapes))
        self.size = ends[-1]
        self.identity = np.eye(self.n)
        self.last: tuple = (b"", None)

    def views(self, p) -> list[np.ndarray]:
        return [p[start:end].reshape(shape) for start, end, shape in self.places]

    def split(self, p):
        parts = self.views(p)
        log_noise = parts.pop(5) if self.sigma2 is None else np.log(self.sigma2)
        return parts, log_noise

    def terms(self, p) -> tuple[float, np.ndarray, float, np.ndarray]:
        """D, its gradient, R (with the label term), its gradient; read-only.

        Optimisers ask for value, constraint and derivatives at the same point, one after the other: it is kept.
        """
        point = p.tobytes()
        if self.last[0] != point:
            self.last = point, self._terms(p)
        return self.last[1]

    @np.errstate(all="ignore")  # a line search may step far out; it comes back from inf
    def _terms(self, p) -> tuple[float, np.ndarray, float, np.ndarray]:
        (W, b, V, m, ls, *label), log_noise = self.split(p)
        S, s2, noise = self.cov, np.exp(ls), np.exp(log_noise)
        A, u, squares, VS = self.identity - W @ V, b + W @ m, W**2, V @ S
        AS = A @ S
        mse = (AS * A).sum() + (squares @ s2).sum() + u @ u
        D = 0.5 * (self.n * (np.log(2 * np.pi) + log_noise) + mse / noise)
        flat_D, flat_R = np.zeros(self.size), np.zeros(self.size)
        gD, gR = self.views(flat_D), self.views(flat_R)
        gD[0][:] = (-AS @ V.T + W * s2 + u[:, None] * m) / noise
        gD[1][:] = u / noise
        gD[2][:] = -W.T @ AS / noise
        gD[3][:] = u @ W / noise
        gD[4][:] = 0.5 * squares.sum(0) * s2 / noise
        if self.sigma2 is None:
            gD[5][...] = 0.5 * (self.n - mse / noise)
        R = 0.5 * ((VS * V).sum() + m @ m + (s2 - 1 - ls).sum())
        gR[2][:], gR[3][:], gR[4][:] = VS, m, 0.5 * (s2 - 1)
        if self.self_label:
            (G, g0), lam = label, self.self_label
            gap, shift = V - G, m - g0
            gap_S = gap @ S
            R = R + lam * ((gap_S * gap).sum() + s2.sum() + shift @ shift)
            gR[2] += 2 * lam * gap_S
            gR[3] += 2 * lam * shift
            gR[4] += lam * s2
            gR[-2][:], gR[-1][:] = -2 * lam * gap_S, -2 * lam * shift
        flat_D.flags.writeable = flat_R.flags.writeable = False
        return float(D), flat_D, float(R), flat_R

    def rates(self, p) -> tuple[float, float]:
        """R (without labels) and I_q."""
        (_, _, V, m, ls, *_), _ = self.split(p)
        signal, s2 = V @ self.cov @ V.T, np.exp(ls)
        rate = 0.5 * (np.trace(signal) + m @ m + (s2 - 1 - ls).sum())
        return float(rate), float(0.5 * (np.linalg.slogdet(signal + np.diag(s2))[1] - ls.sum()))

    def log_p(self, p) -> float:
        """E log N(x; b, W W^T + sigma2 I)."""
        (W, b, *_), log_noise = self.split(p)
        C = W @ W.T + np.exp(log_noise) * np.eye(self.n)
        return float(
            -0.5
            * (
                self.n * np.log(2 * np.pi)
                + np.linalg.slogdet(C)[1]
                + np.trace(np.linalg.solve(C, self.cov + np.outer(b, b)))
            )
        )

    def gradient(self, p, beta: float) -> np.ndarray:
        _, gD, _, gR = self.terms(p)
        return gD + beta * gR

    def start(self, seed: int = 0) -> np.ndarray:
        return 0.3 * np.random.default_rng(seed).standard_normal(self.size)

    def minimise(self, beta: float, seed: int = 0) -> np.ndarray:
        """Parameters of a minimum of D + beta R."""

        def loss(p):
            D, gD, R, gR = self.terms(p)
            return D + beta * R, gD + beta * gR

        options = {"gtol": 1e-7, "maxiter": 3000}
        p = minimize(loss, self.start(seed), jac=True, method="BFGS", options=options).x
        for _ in range(4):
            gradient = self.gradient(p, beta)
            if np.abs(gradient).max() < 1e-12:
                break
            step = np.linalg.lstsq(jacobian(lambda t: self.gradient(t, beta), p), gradient, rcond=1e-9)[0]
            worse = np.abs(self.gradient(p - step, beta)).max() > np.abs(gradient).max()
            if np.abs(step).max() > 0.1 or worse:
                break
            p = p - step
        return p

    def frontier(self, rate: float, seed: int = 0) -> tuple[np.ndarray, float]:
        """Parameters minimising D subject to R = rate, and the multiplier -dD/dR."""
        constraint = {"type": "eq", "fun": lambda p: self.terms(p)[2] - rate, "jac": lambda p: self.terms(p)[3]}
        found = minimize(
            lambda p: self.terms(p)[:2],
            self.start(seed),
            jac=True,
            method="SLSQP",
            constraints=[constraint],
            options={"ftol": 1e-11, "maxiter": 1000},
        )
        p = found.x
        _, gD, _, gR = self.terms(p)
        y = np.append(p, -(gD @ gR) / (gR @ gR))

        def kkt(y):
            _, gD, R, gR = self.terms(y[:-1])
            return np.append(gD + y[-1] * gR, R - rate)

        for _ in range(5):
            residual = kkt(y)
            if np.abs(residual).max() < 1e-12:
                break
            step = np.linalg.lstsq(jacobian(kkt, y), residual, rcond=1e-9)[0]
            if np.abs(step).max() > 0.2 or np.abs(kkt(y - step)).max() > np.abs(residual).max():
                break
            y = y - step
        return y[:-1], float(y[-1])

    def penalised(self, beta: float, lam: float, c: float, seed: int = 0) -> tuple[float, float]:
        """Minimum of F = D + beta R + lam max(c - R, 0), and its rate: smooth on a side, or on the kink."""
        candidates = [self.frontier(c, seed)[0], self.minimise(beta, seed)]
        if lam < beta:
            candidates.append(self.minimise(beta - lam, seed))
        found = []
        for p in candidates:
            D, _, R, _ = self.terms(p)
            found.append((D + beta * R + lam * max(c - R, 0.0), R))
        return min(found)

    def best_encoder(self, w: float, b: float, beta: float, lam: float, c: float, seed: int) -> tuple[float, float]:
        """The same for a 1-D encoder (v, m, log s2) and a fixed decoder, by SLSQP on R >= c and on R <= c."""

        def full(p):
            return np.concatenate([[w, b], p])

        best = (np.inf, np.nan)
        for multiplier, sign, offset in ((beta, 1.0, 0.0), (beta - lam, -1.0, lam * c)):

            def loss(p, multiplier=multiplier):
                D, gD, R, gR = self.terms(full(p))
                return D + multiplier * R, (gD + multiplier * gR)[2:]

            constraint = {
                "type": "ineq",
                "fun": lambda p, sign=sign: sign * (self.terms(full(p))[2] - c),
                "jac": lambda p, sign=sign: sign * self.terms(full(p))[3][2:],
            }
            found = minimize(
                loss,
                self.start(seed)[2:],
                jac=True,
                method="SLSQP",
                constraints=[constraint],
                options={"ftol": 1e-12, "maxiter": 1000},
            )
            rate = self.terms(full(found.x))[2]
            if sign * (rate - c) > -1e-7 and found.fun + offset < best[0]:
                best = (float(found.fun + offset), rate)
        return best


def rotated(eigenvalues, seed: int) -> np.ndarray:
    """A covariance matrix with these eigenvalues and a random basis."""
    n = len(eigenvalues)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return basis @ np.diag(eigenvalues) @ basis.T


def expected_batch_gradient(model, beta: float, lam: float, c: float, batch_size: int):
    """Expected mini-batch gradient in (w, v, log s2) at b = m = 0, and P(batch KL < c).

    Both depend on the batch through q = mean x^2 only. q B / Lambda is chi-squared: its density is summed,
    split at the kink.
    """
    from scipy.stats import chi2

    s2, v, w, var = float(model.s2), float(model.v), float(model.w), float(model.data_var)
    kink = 2 * (c - 0.5 * (s2 - 1 - np.log(s2))) / v**2  # q at which the batch KL equals c
    top = var * chi2.ppf(1 - 1e-16, batch_size) / batch_size
    bottom = var * chi2.ppf(1e-16, batch_size) / batch_size
    total, share = np.zeros(3), 0.0
    abscissae, weights = np.polynomial.legendre.leggauss(200)
    kink = float(np.clip(kink, bottom, top))
    for low, high, on in ((bottom, kink, 1.0), (kink, top, 0.0)):
        q = 0.5 * (high - low) * abscissae + 0.5 * (high + low)
        mass = 0.5 * (high - low) * weights * chi2.pdf(q * batch_size / var, batch_size) * batch_size / var
        e, mult = 1 - w * v, beta - lam * on
        gradient = np.stack(
            [
                (-v * e * q + w * s2) / model.sigma2,
                -w * e * q / model.sigma2 + mult * v * q,
                0.5 * w**2 * s2 / model.sigma2 + mult * 0.5 * (s2 - 1) + 0 * q,
            ]
        )
        total += gradient @ mass
        share += on * mass.sum()
    return total, share
