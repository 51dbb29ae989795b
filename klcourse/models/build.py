"""From the names on the command line to networks."""

from __future__ import annotations

import difflib

from torch import Tensor, nn

from .decoder import Decoder
from .floors import Floor
from .images import FactorisedDecoder, ImageEncoder, PixelCNNDecoder
from .text import TextDecoder, TextEncoder
from .vae import VAE

DECODERS = {"image": ("mlp", "ar"), "text": ("lstm",)}  # the first is the default

MEANT = {"pixelcnn": "ar", "autoregressive": "ar", "factorised": "mlp", "factorized": "mlp", "rnn": "lstm"}


def build_encoder(
    kind: str, n_out: int, *, hidden: int, vocab_size: int = 0, n_labels: int = 0, embedding: int = 0, layers: int = 1
) -> nn.Module:
    """A network from x to n_out numbers: the encoder's has n_out = 2d. `embedding` and `layers` are for text."""
    if kind == "image":
        return ImageEncoder(hidden, n_out, n_labels)
    if kind == "text":
        return TextEncoder(vocab_size, hidden, n_out, n_labels, embedding=embedding, layers=layers)
    raise ValueError(f"unknown kind of data {kind!r}: known are {', '.join(DECODERS)}")


class Features(nn.Module):
    """A network from x alone to n_out numbers, (B, ...) -> (B, n_out), built like an encoder, such as SLVAE's g."""

    def __init__(self, kind: str, n_out: int, *, hidden: int, vocab_size: int = 0):
        super().__init__()
        self.net = build_encoder(kind, n_out, hidden=hidden, vocab_size=vocab_size)

    def forward(self, x: Tensor) -> Tensor:
        """The n_out numbers of every example."""
        return self.net(x, next(self.parameters()).new_zeros(len(x), 0))


def build_vae(
    kind: str,
    decoder: str,
    *,
    latent_dim: int,
    hidden: int,
    vocab_size: int = 0,
    n_labels: int = 0,
    word_dropout: float = 0.0,
    dropout: float = 0.0,
    embedding: int = 0,
    layers: int = 1,
    skip: bool = False,
    without_z: bool = False,
    prior_encoder: bool = False,
    floor: Floor | None = None,
) -> VAE:
    """A VAE for `kind` of data ("image", "text") with the decoder of that name ("mlp", "ar"; "lstm").

    `word_dropout`, `dropout`, `embedding` (width of a word's vector, 0: half of `hidden`) and `layers` are for text, `skip`
    for decoders that are told z once only. Raises ValueError for a decoder the kind does not have, for settings of text
    where there are no words, or switches that contradict each other.

    >>> import torch
    >>> model = build_vae("image", "ar", latent_dim=4, hidden=32)
    >>> x = torch.zeros(2, 784)
    >>> mu, logvar = model.encode(x)
    >>> model.log_px(x, mu).shape
    torch.Size([2])
    """
    if kind not in DECODERS:
        raise ValueError(f"unknown kind of data {kind!r}: known are {', '.join(DECODERS)}")
    if decoder not in DECODERS[kind]:
        close = difflib.get_close_matches(MEANT.get(plain := str(decoder).lower(), plain), DECODERS[kind], n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? Choose" if close else "choose"
        raise ValueError(f"unknown decoder {decoder!r} for {kind} data: {hint} {' or '.join(DECODERS[kind])}")
    of_text = {"word_dropout": word_dropout, "dropout": dropout, "embedding": embedding, "layers": layers}
    if kind != "text" and (given := [f"{name}={value}" for name, value in of_text.items() if value > (name == "layers")]):
        raise ValueError(f"{given[0]} needs text: {kind} data has no words; leave it out")
    if skip and decoder == "ar":
        raise ValueError("skip=True with decoder 'ar': every layer of a PixelCNN is told z as it is; leave it out")
    n_in = latent_dim + n_labels
    encoder = build_encoder(
        kind,
        2 * latent_dim,
        hidden=hidden,
        vocab_size=vocab_size,
        n_labels=n_labels,
        embedding=embedding,
        layers=layers,
    )
    net: Decoder
    if decoder == "mlp":
        net = FactorisedDecoder(n_in, hidden, skip)
    elif decoder == "ar":
        net = PixelCNNDecoder(n_in)
    else:
        shape = {"embedding": embedding, "layers": layers}
        net = TextDecoder(vocab_size, n_in, hidden, word_dropout, dropout=dropout, skip=skip, **shape)
    switches = {"without_z": without_z, "prior_encoder": prior_encoder}
    return VAE(encoder, net, latent_dim, n_labels=n_labels, floor=floor, **switches)
