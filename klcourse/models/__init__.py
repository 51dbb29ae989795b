"""VAEs for images and text behind one interface.

Every model has the prior p(z) = N(0, I_d), an encoder q(z|x) = N(mu, diag exp(logvar)) and a decoder p(x|z):

    mu, logvar = model.encode(x)            # (B, d) each
    z = reparameterise(mu, logvar)          # (B, d)
    model.log_px(x, z)                      # (B,)  log p(x|z) in nats, summed over pixels or words
    model.sample(z)                         # x drawn from p(x|z)

Images come with two decoders. The factorised one must get everything it knows about x from z. The autoregressive one
(a PixelCNN) also sees the pixels before the one it predicts, so it can do well without z: it is the kind that collapses.
The text decoder, an LSTM, is autoregressive too.

A conditional model (`n_labels > 0`) takes a label y (B,) everywhere: q(z|x, y) and p(x|z, y).

`vae` has the interface, `decoder` that of all decoders, `images` and `text` the networks, `floors` what keeps q(z|x) off
the prior by construction (BN-VAE, delta-VAE), `build` puts a model together.
"""

from .build import DECODERS, Features, build_encoder, build_vae
from .decoder import Decoder
from .floors import FixedScaleNorm, Floor, build_floor, largest_logvar
from .images import (
    SIDE,
    FactorisedDecoder,
    ImageEncoder,
    MaskedConv2d,
    PixelCNNDecoder,
    bernoulli_log_likelihood,
    mlp,
)
from .text import MAX_WORDS, TextDecoder, TextEncoder
from .vae import VAE

__all__ = [
    "DECODERS",
    "Decoder",
    "FactorisedDecoder",
    "Features",
    "FixedScaleNorm",
    "Floor",
    "ImageEncoder",
    "MAX_WORDS",
    "MaskedConv2d",
    "PixelCNNDecoder",
    "SIDE",
    "TextDecoder",
    "TextEncoder",
    "VAE",
    "bernoulli_log_likelihood",
    "build_encoder",
    "build_floor",
    "build_vae",
    "largest_logvar",
    "mlp",
]
