"""What keeps q(z|x) off the prior by construction: BN-VAE acts on its means, delta-VAE on its variances.

Both put a floor under the rate, whatever the objective and the decoder. A floor under the rate is not one under what the
decoder makes of z: see the two docstrings.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from scipy.special import lambertw
from torch import Tensor, nn


class FixedScaleNorm(nn.BatchNorm1d):
    """Means (B, d) to means of standard deviation gamma over the batch: BN-VAE (Zhu et al. 2020).

    mu -> gamma (mu - mean) / sd + shift, the shift learnt, gamma fixed. As the batch mean of mu_j^2 is then gamma^2 +
    shift_j^2, the rate is at least d gamma^2 / 2. Means that differ between examples do carry information, so I_q > 0 as
    well; whether the decoder listens is another matter. Training uses the statistics of the mini-batch, evaluation
    running averages of them, with which the floor holds on the average only.

    >>> import torch
    >>> FixedScaleNorm(1, gamma=0.5)(torch.tensor([[1.0], [3.0]])).detach()
    tensor([[-0.5000],
            [ 0.5000]])
    """

    def __init__(self, latent_dim: int, gamma: float):
        if not (math.isfinite(gamma) and gamma > 0):
            raise ValueError(f"bn_gamma = {gamma}: choose a number above 0, or leave it out")
        # With the usual 1e-5 the floor has a hole: means of a spread below 0.003 pass almost unscaled, the KL rewards
        # shrinking them, and the encoder of a text model did so within a few hundred steps.
        super().__init__(latent_dim, affine=False, eps=1e-12)
        self.gamma = gamma
        self.shift = nn.Parameter(self.running_mean.clone())  # zeros

    def forward(self, mu: Tensor) -> Tensor:
        if len(mu) == 1:  # the last mini-batch of an epoch: a batch of one has no spread of its own
            scaled = F.batch_norm(mu, self.running_mean, self.running_var, eps=self.eps)
        else:
            scaled = super().forward(mu)
        return self.gamma * scaled + self.shift


def largest_logvar(delta: float, latent_dim: int) -> float:
    """The log-variance at which a posterior of mean 0 is delta nats from the prior, d latents taken together.

    KL >= (v - 1 - ln v) / 2 for a variance v whatever the mean, which decreases for v < 1. So variances up to the v with
    (v - 1 - ln v) / 2 = delta / d make the rate at least delta; Lambert's W solves for v.

    >>> import torch
    >>> from klcourse.gaussians import gaussian_kl
    >>> round(gaussian_kl(torch.zeros(8), torch.full((8,), largest_logvar(5.0, 8))).item(), 4)
    5.0
    """
    if not (math.isfinite(delta) and delta >= 0):
        raise ValueError(f"delta = {delta}: choose a number of nats >= 0; 0 is off")
    # v e^-v = e^-(1 + 2 delta/d), so v = -W(-e^-(1 + 2 delta/d)); and ln v from the equation, as v may underflow
    a = 1 + 2 * delta / latent_dim
    v = -lambertw(-math.exp(-a)).real
    return float(v - a)


def limit_logvar(logvar: Tensor, largest: float) -> Tensor:
    """Log-variances bent so that none exceeds `largest`: delta-VAE with independent latents (Razavi et al. 2019).

    The bend is smooth, log-sigmoid(logvar - largest) + largest, so that a gradient brings back what went too far: far
    below the limit nothing changes. The authors restrict variances to a range and push the means away to make up the
    rest; here the variances alone pay. That commits the model to a *rate*, not to information: if the means stay put, all
    of delta is marginal KL and I_q = 0.
    """
    return F.logsigmoid(logvar - largest) + largest
