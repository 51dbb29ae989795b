"""Metrics against quadrature, closed forms and brute force; memory against the size of the data."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from klcourse import measure
from klcourse.exact.discrete import DiscreteVAE
from klcourse.gaussians import gaussian_kl, log_normal, reparameterise
from klcourse.measure import information, passes
from klcourse.models import VAE, Decoder, build_vae


def gaussians(n, d, v=1.5, s2=0.5, seed=0):
    """Posteriors N(v x, s2) of x ~ N(0, I): the population's I_q is (d/2) ln(1 + v^2/s2), its q(z) is normal."""
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(1000 + seed))  # not the noise of z
    return v * x, torch.full((n, d), math.log(s2))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class LinearDecoder(Decoder):
    """p(x|z) = N(w z, sigma2 I) in two dimensions: log p(x) is known, and so every bound can be checked."""

    def __init__(self, w=0.8, sigma2=0.3):
        super().__init__()
        self.w, self.sigma2 = torch.nn.Parameter(torch.tensor(w)), sigma2

    def log_px(self, x, h, generator=None):
        return log_normal(x, self.w * h, torch.full_like(x, math.log(self.sigma2)))

    def sample(self, h, generator=None, **options):
        return self.w * h + math.sqrt(self.sigma2) * torch.randn(h.shape, generator=generator).to(h)

    def cells(self, x):
        return x.shape[1]


class LinearEncoder(torch.nn.Module):
    def forward(self, x, extra):
        return torch.cat([0.4 * x, torch.full_like(x, math.log(0.6))], -1)


@pytest.fixture
def linear():
    return VAE(LinearEncoder(), LinearDecoder(), latent_dim=2).double()


@pytest.mark.parametrize("n, d, v", [(400, 1, 1.5), (400, 3, 1.0), (1000, 2, 2.0)])
def test_mutual_information_sandwich(n, d, v):
    exact = d / 2 * math.log(1 + v**2 / 0.5)
    runs = [measure.mutual_information(*gaussians(n, d, v, seed=s), generator(s)) for s in range(10)]
    lower, upper = np.mean([r.lower for r in runs]), np.mean([r.upper for r in runs])
    assert lower - 0.05 <= exact <= upper + 0.05  # 0.05: sampling error of the means
    assert upper - lower < 0.5
    assert all(r.lower <= r.cap == math.log(n) for r in runs)


def test_information_given_the_label_and_the_chain_rule():
    """z = (label, x): I(x, y; z) = log 2 + I(x; z | y), and the second part is the closed form within a label."""
    n, d, s2 = 600, 2, 0.5
    y = torch.arange(n).remainder(2)
    mu, logvar = gaussians(n, d, v=1.0, s2=s2)
    mu, logvar = torch.cat([40.0 * y[:, None], mu], 1), torch.cat([torch.zeros(n, 1), logvar], 1)
    exact = d / 2 * math.log(1 + 1 / s2)
    both, given = (
        measure.mutual_information(mu, logvar, generator(1)),
        measure.mutual_information_given(y, mu, logvar, generator(1)),
    )
    assert given.lower - 0.1 <= exact <= given.upper + 0.1 and given.cap == pytest.approx(math.log(n / 2))
    assert both.lower - given.lower == pytest.approx(math.log(2), abs=0.15)  # other noise
    assert both.upper - given.upper == pytest.approx(math.log(2), abs=0.15)
    with pytest.raises(ValueError, match="a label that two examples have"):
        measure.mutual_information_given(torch.arange(n), mu, logvar)


def test_a_conditional_model_is_measured_given_its_label_too():
    torch.manual_seed(0)
    model = build_vae("image", "mlp", latent_dim=2, hidden=8, n_labels=3)
    x, y = (torch.rand(30, 784) < 0.5).float(), torch.arange(30).remainder(3)
    found = measure.evaluate(model, x, y, iw_samples=0)
    assert found["mi_given_y"] <= found["mi_given_y_upper"] and found["mi_given_y_cap"] == pytest.approx(math.log(10))
    assert "mi_given_y" not in measure.evaluate(model, x[:3], y[:3], iw_samples=0)  # no two examples of a label


def test_mutual_information_above_the_cap():
    """Far-apart posteriors: the lower bound stops at log N, the upper bound does not (theory: d = 8, I = 6.44, N = 1024)."""
    mi = measure.mutual_information(*gaussians(1024, 8, v=2.0, s2=1.0), generator())
    assert 5 < mi.lower < 6.44 < mi.upper < 9


def test_mutual_information_is_brute_force():
    mu, logvar = (t.double() for t in gaussians(7, 2))
    z = reparameterise(mu, logvar, generator())
    q = lambda i, j: norm.pdf(z[i], mu[j], (0.5 * logvar[j]).exp()).prod()  # noqa: E731
    lower = np.mean([math.log(q(i, i) / np.mean([q(i, j) for j in range(7)])) for i in range(7)])
    upper = np.mean([math.log(q(i, i) / np.mean([q(i, j) for j in range(7) if j != i])) for i in range(7)])
    mi = measure.mutual_information(mu, logvar, generator())
    assert mi.lower == pytest.approx(lower, abs=1e-9) and mi.upper == pytest.approx(upper, abs=1e-9)


def test_collapsed_posteriors_have_no_information():
    zero = torch.zeros(300, 5)
    mi = measure.mutual_information(zero, zero, generator())
    assert mi.lower == pytest.approx(0, abs=1e-12) and mi.upper == pytest.approx(0, abs=1e-12)
    assert measure.rate(zero, zero) == 0 and measure.active_units(zero) == 0
    assert measure.total_correlation(zero, zero, generator()) == pytest.approx(0, abs=1e-12)


def test_lazy_posteriors_have_rate_but_no_information():
    """Theory A9: q(z|x) = N(m, I) for every x."""
    m = torch.tensor([[3.0, 1.0]]).expand(300, 2)
    assert measure.rate(m, torch.zeros(300, 2)) == pytest.approx(5)
    assert measure.mutual_information(m, torch.zeros(300, 2), generator()).upper == pytest.approx(0, abs=1e-9)
    assert measure.active_units(m) == 0


def test_elbo_surgery():
    """R = I_q + M for the empirical q(z), with M = KL(q(z) || p(z)) by quadrature."""
    mu, logvar = (t.double() for t in gaussians(5, 1))
    q = lambda z: np.mean([norm.pdf(z, m, math.exp(0.5 * lv)) for m, lv in zip(mu[:, 0], logvar[:, 0])])  # noqa: E731
    m = quad(lambda z: q(z) * math.log(q(z) / norm.pdf(z)), -8, 8, limit=200)[0]
    many = mu.repeat(600, 1), logvar.repeat(600, 1)  # many samples of z, the same q(z): brings the sampling error down
    mi = measure.mutual_information(*many, generator())
    assert mi.lower == pytest.approx(measure.rate(mu, logvar) - m, abs=0.02)


def test_total_correlation_of_a_correlated_aggregate():
    """q(z) normal with correlation r: TC = -1/2 ln(1 - r^2)."""
    x = torch.randn(2000, 1, generator=generator())
    mu, logvar = torch.cat([x, x], 1), torch.full((2000, 2), math.log(0.5))
    assert measure.total_correlation(mu, logvar, generator(1)) == pytest.approx(
        -0.5 * math.log(1 - (1 / 1.5) ** 2), abs=0.08
    )


def test_active_units_counts_the_means_that_move():
    mu = torch.randn(500, 3, generator=generator()) * torch.tensor([1.0, 0.2, 0.05])
    assert measure.active_units(mu) == 2


def test_iw_nll_with_one_sample_is_the_sampled_elbo(linear):
    x = torch.randn(50, 2, generator=generator()).double()
    mu, logvar = measure.posteriors(linear, x)
    z = reparameterise(mu, logvar, generator(5))
    prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
    elbo = linear.log_px(x, z) + prior - log_normal(z, mu, logvar)
    torch.testing.assert_close(measure.iw_nll(linear, x, samples=1, generator=generator(5)), -elbo)


# ------------------------------------------------------------------------------------------- importance weighting


def known_model(w, shift, d=8, sigma2=0.3):
    """p(x|z) = N(wz, sigma2), encoder the exact posterior but for a shift of its mean: log p(x) is known."""

    class Encoder(torch.nn.Module):
        def forward(self, x, extra):
            var = 1 / (1 + w**2 / sigma2)
            return torch.cat([var * w * x / sigma2 + shift, torch.full_like(x, math.log(var))], -1)

    model = VAE(Encoder(), LinearDecoder(w, sigma2), latent_dim=d).double()
    x = math.sqrt(w**2 + sigma2) * torch.randn(300, d, generator=generator(9)).double()
    exact = -log_normal(x, torch.zeros_like(x), torch.full_like(x, math.log(w**2 + sigma2)))
    return model, x, exact


HONEST, OFF, LAZY = (0.8, 0.0), (0.8, 0.3), (0.0, math.sqrt(10 / 8))  # a lazy encoder: R = 5 nats, and a deaf decoder


class SignDecoder(Decoder):
    """p(x|z) a table: x is one of K symbols, and the sign of the latent picks one of two codes."""

    def __init__(self, rows):
        super().__init__()
        self.rows = torch.nn.Parameter(torch.tensor(rows).log())  # (2, K)

    def log_px(self, x, h, generator=None):
        return self.rows[(h[:, 0] > 0).long(), x[:, 0].long()]

    def sample(self, h, generator=None, **options):
        raise NotImplementedError

    def cells(self, x):
        return 1


def discrete_model(rows, means, sd):
    """A VAE over three symbols whose log p(x) is that of the exact discrete model with two equally likely codes."""
    table = DiscreteVAE([1 / 3] * 3, [0.5, 0.5], [[0.5, 0.5]] * 3, rows)

    class Encoder(torch.nn.Module):
        def forward(self, x, extra):
            mu = torch.tensor(means, dtype=torch.double)[x.long()]
            return torch.cat([mu, torch.full_like(mu, 2 * math.log(sd))], -1)

    x = torch.arange(300).remainder(3)[:, None].double()
    return VAE(Encoder(), SignDecoder(rows), latent_dim=1).double(), x, -torch.tensor(table.log_px)[x[:, 0].long()]


# honest: each symbol goes where its code is; lazy: all posteriors shifted alike, R = 5 nats, and both codes say the same
TABLE_HONEST = ([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]], [-0.5, 0.0, 0.5], 0.9)
TABLE_LAZY = ([[0.5, 0.3, 0.2]] * 2, [math.sqrt(10)] * 3, 1.0)


@pytest.mark.parametrize("case", [TABLE_HONEST, TABLE_LAZY], ids=["honest", "lazy"])
def test_tables_agree_with_the_exact_discrete_model(case):
    """The same story where x and the code are discrete: the mixture finds log p(x), for a lazy encoder too."""
    model, x, exact = discrete_model(*case)

    def error(samples, share):
        known = {"samples": samples, "prior_share": share, "generator": generator(2)}
        return measure.importance_weighted(model, x, **known).mean - exact.mean().item()

    assert abs(error(512, 0.5)) < 0.005 and -0.02 < error(8, 0.5) < 0.1
    assert (error(8, 0.0) > 1) == (error(512, 0.0) > 0.1) == (case is TABLE_LAZY)


def error_of(case, samples, share):
    model, x, exact = known_model(*case)
    found = measure.importance_weighted(model, x, samples=samples, prior_share=share, generator=generator(3))
    return found.mean - exact.mean().item(), found


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("case", [HONEST, OFF], ids=["honest", "off"])
def test_for_an_honest_encoder_both_proposals_find_log_p(case, share):
    error, found = error_of(case, 512, share)
    assert -0.02 < error < 0.02 and found.flat and list(found.ladder) == [128, 256, 512]


def test_for_a_lazy_encoder_its_own_draws_fail_and_the_mixture_does_not():
    """R = 5 with a deaf decoder: 8 draws of the encoder are 2 nats off, 512 still .4; 8 of the mixture .02."""
    error, found = error_of(LAZY, 8, 0.0)
    assert error > 1.5 and not found.flat and found.ess < 3
    error, found = error_of(LAZY, 512, 0.0)
    assert error > 0.2 and not found.flat and found.ess < 0.1 * 512
    error, found = error_of(LAZY, 8, 0.5)
    assert abs(error) < 0.1
    error, found = error_of(LAZY, 512, 0.5)
    assert abs(error) < 0.01 and found.flat and found.ess == pytest.approx(256, rel=0.2)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("case", [HONEST, OFF, LAZY], ids=["honest", "off", "lazy"])
def test_every_rung_is_an_upper_bound_and_lower_than_the_one_before(case, share):
    for samples in (8, 64):
        model, x, exact = known_model(*case)
        found = measure.importance_weighted(model, x, samples=samples, prior_share=share, generator=generator(5))
        rungs = list(found.ladder.values())
        assert all(after < before + 1e-9 for before, after in zip(rungs, rungs[1:]))  # from the true posterior all are equal
        assert rungs[-1] > exact.mean().item() - 0.03


def test_k_grows_until_the_ladder_is_flat_or_says_that_it_is_not():
    model, x, exact = known_model(*OFF)
    known = {"samples": 8, "prior_share": 0.5, "generator": generator(1)}
    found = measure.importance_weighted(model, x, tolerance=0.1, most=4096, **known)
    assert found.flat and max(found.ladder) > 8 and found.mean == pytest.approx(exact.mean().item(), abs=0.1)
    stopped = measure.importance_weighted(model, x, tolerance=1e-9, most=32, **known)
    assert not stopped.flat and max(stopped.ladder) == 32 and "still falling" in str(stopped)
    out = measure.evaluate(model, x, iw_samples=8, prior_share=0.5, tolerance=0.1)
    assert out["iw_flat"] == 1 and out["iw_samples"] > 8 and out["iw_nll_k4"] - out["iw_nll"] < 0.1
    plain = measure.evaluate(model, x, iw_samples=8, prior_share=0.5)
    assert plain["iw_samples"] == 8 and plain["iw_flat"] == 0


def test_the_error_is_that_of_a_mean_over_examples():
    _, found = error_of(OFF, 8, 0.0)
    assert found.error == pytest.approx(found.nll.std().item() / math.sqrt(300))


def test_a_lazy_encoder_has_a_prior_gap_and_no_shuffle_gap():
    """A decoder tuned to a shift of all posteriors alike: it does not read the differences, but it is not deaf either."""
    model, x, _ = known_model(0.0, 2.0, d=2)
    model.decoder.w.data.fill_(0.5)  # p(x|z) = N(z/2, .3), q(z|x) = N(2, 1): so data around 1
    x = 1 + math.sqrt(0.3) * torch.randn(2000, 2, generator=generator(7)).double()
    found = measure.evaluate(model, x, iw_samples=0)
    assert abs(found["shuffle_gap"]) < 0.2 and found["prior_gap"] > 1


def test_iw_nll_tightens_to_log_p(linear):
    """K = 1 agrees with the closed-form-KL ELBO in expectation; large K reaches log p(x) = log N(x; 0, w^2 + sigma2)."""
    x = torch.randn(400, 2, generator=generator()).double()
    exact = -log_normal(x, torch.zeros_like(x), torch.full_like(x, math.log(0.8**2 + 0.3))).mean().item()
    nll = [measure.iw_nll(linear, x, samples=k, generator=generator(k)).mean().item() for k in (1, 10, 1000)]
    assert nll[0] > nll[1] > nll[2] > exact - 0.01
    assert nll[2] == pytest.approx(exact, abs=0.01)
    mu, logvar = measure.posteriors(linear, x)
    var, s2 = logvar.exp(), 0.3
    distortion = 0.5 * (((x - 0.8 * mu) ** 2 + 0.64 * var) / s2 + math.log(2 * math.pi * s2)).sum(-1)
    assert nll[0] == pytest.approx((distortion + gaussian_kl(mu, logvar)).mean().item(), abs=0.15)


def test_chunks_change_nothing(linear, monkeypatch):
    x = torch.randn(60, 2, generator=generator()).double()
    whole = measure.evaluate(linear, x, iw_samples=8)
    monkeypatch.setattr(passes, "CELLS", 32)
    monkeypatch.setattr(passes, "ROWS", 16)
    monkeypatch.setattr(information, "CELLS", 200)
    assert measure.evaluate(linear, x, iw_samples=8) == pytest.approx(whole, rel=1e-9)


def test_memory_of_a_text_model_is_bounded_whatever_vocabulary_and_length():
    """300 sentences of 100 words of 6 000: the logits of all draws at once would take 2.9 GB, and did."""
    code = """
import resource, torch
from klcourse import measure
from klcourse.models import build_vae
torch.set_num_threads(1)
model = build_vae("text", "lstm", latent_dim=2, hidden=16, vocab_size=6000)
x = torch.randint(4, 6000, (300, 100))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure.evaluate(model, x, iw_samples=4, text=True)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 2**10)
"""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500, f"{done.stdout.strip()} MiB more"


def test_memory_is_bounded():
    """A table of N x N x d numbers would take 3.2 GB here; chunks keep it to tens of megabytes."""
    from torch.profiler import ProfilerActivity, profile

    mu, logvar = gaussians(5000, 16)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as p:
        measure.total_correlation(mu[:2000], logvar[:2000], generator())
        measure.mutual_information(mu, logvar, generator())
    largest = max(e.cpu_memory_usage for e in p.events())
    assert 0 < largest < 100e6


def test_shuffle_gap_tells_whether_the_decoder_listens(linear):
    x = torch.randn(200, 2, generator=generator()).double()
    assert measure.evaluate(linear, x, iw_samples=0)["shuffle_gap"] > 0.1
    torch.nn.init.zeros_(linear.decoder.w)  # now it is deaf, though the encoder still speaks
    deaf = measure.evaluate(linear, x, iw_samples=0)
    assert deaf["shuffle_gap"] == pytest.approx(0, abs=1e-9) and deaf["mi"] > 0.05


def test_evaluate_on_text_counts_eos():
    model = build_vae("text", "lstm", latent_dim=2, hidden=8, vocab_size=6)
    x = torch.tensor([[4, 5, 2, 0], [4, 2, 0, 0], [5, 5, 4, 2]])
    out = measure.evaluate(model, x, iw_samples=4, text=True)
    assert out["elbo_ppl"] == pytest.approx(math.exp((out["distortion"] + out["rate"]) * 3 / 9))
    assert out["iw_ppl"] == pytest.approx(math.exp(out["iw_nll"] * 3 / 9))
    assert out["reconstruction_ppl"] < out["elbo_ppl"]
    assert out["elbo"] == pytest.approx(-(out["distortion"] + out["rate"]))
    assert out["marginal_kl"] == pytest.approx(out["rate"] - out["mi"])


def test_evaluate_leaves_the_model_as_it_was(linear):
    linear.train()
    before = torch.get_rng_state()
    measure.evaluate(linear, torch.randn(4, 2, generator=generator()).double(), iw_samples=2)
    assert linear.training and torch.equal(before, torch.get_rng_state())


def test_too_little_is_refused(linear):
    with pytest.raises(ValueError, match="at least 2"):
        measure.mutual_information(torch.zeros(1, 2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="0 samples"):
        measure.iw_nll(linear, torch.zeros(3, 2).double(), samples=0)
