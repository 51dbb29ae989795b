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
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from klcourse.data import BOS, EOS, PAD, UNK

SIDE = 28  # MNIST digits are 28 x 28, stored as rows of 784 pixels
MAX_WORDS = 40  # the longest sentence `sample` writes unless told otherwise

DECODERS = {"image": ("mlp", "ar"), "text": ("lstm",)}  # the first is the default


def reparameterise(mu: Tensor, logvar: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw z ~ N(mu, diag exp(logvar)) so that gradients reach mu and logvar (Kingma & Welling 2014).

    >>> reparameterise(torch.zeros(2, 3), torch.full((2, 3), -80.0)).abs().max() < 1e-6
    tensor(True)
    """
    return mu + torch.exp(0.5 * logvar) * normal(mu.shape, generator).to(mu.device)


def normal(shape, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal noise. Always drawn on the CPU, so that a seed means the same noise on every device."""
    return torch.randn(shape, generator=generator)


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) || N(0, I)) per example: (B, d), (B, d) -> (B,), nats.

    >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(-1)


class VAE(nn.Module):
    """An encoder and a decoder with a standard normal prior; see the module's first lines for the interface.

    `encoder(x, extra)` returns (B, 2d); `decoder` has `log_px(x, h)` and `sample(h)`, where h = (z, label) is all the
    decoder is told. `extra` and the label part of h have width 0 in an unconditional model.

    Two switches make the cells of the article's game: `without_z` gives the decoder zeros instead of z (module A plays
    "independent"), `prior_encoder` makes q(z|x) = p(z) for every x (module B plays "q = p").
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        latent_dim: int,
        n_labels: int = 0,
        without_z: bool = False,
        prior_encoder: bool = False,
    ):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim, self.n_labels = latent_dim, n_labels
        self.without_z, self.prior_encoder = without_z, prior_encoder

    def label_code(self, y: Tensor | None, rows: int) -> Tensor:
        """The label as a one-hot row, (B, n_labels); (B, 0) for an unconditional model, whatever y is."""
        if not self.n_labels:
            return next(self.parameters()).new_zeros(rows, 0)
        if y is None:
            raise ValueError(f"this model is conditional on {self.n_labels} labels: pass y, one label per example")
        return F.one_hot(y, self.n_labels).float()

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The parameters of q(z|x): mu, logvar, (B, d) each."""
        mu, logvar = self.encoder(x, self.label_code(y, len(x))).chunk(2, dim=-1)
        return (0 * mu, 0 * logvar) if self.prior_encoder else (mu, logvar)

    def told(self, z: Tensor, y: Tensor | None) -> Tensor:
        """What the decoder is told, (B, d + n_labels): z and the label's code."""
        return torch.cat([0 * z if self.without_z else z, self.label_code(y, len(z))], -1)

    def log_px(self, x: Tensor, z: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """log p(x|z) per example, (B,), nats. `generator` drives word dropout, which acts only in training mode."""
        return self.decoder.log_px(x, self.told(z, y), generator)

    @torch.no_grad()
    def sample(self, z: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None, **options) -> Tensor:
        """Draw x ~ p(x|z) for every row of z. Text decoders take `greedy=True` and `max_words`."""
        return self.decoder.sample(self.told(z, y), generator, **options)

    @torch.no_grad()
    def mean(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """E[x|z] in (0, 1), (B, 784): what the factorised decoder paints. Only decoders with a closed form have it."""
        if not hasattr(self.decoder, "mean"):
            raise ValueError(f"{type(self.decoder).__name__} has no closed-form E[x|z]; use sample(z)")
        return self.decoder.mean(self.told(z, y))


# ------------------------------------------------------------------------------------------------------- images


def mlp(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """Two tanh layers, the network of Burda et al. (2016)."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, n_out))


class ImageEncoder(nn.Module):
    """(B, 784) pixels and (B, k) label code -> (B, n_out)."""

    def __init__(self, hidden: int, n_out: int, n_labels: int = 0):
        super().__init__()
        self.net = mlp(SIDE * SIDE + n_labels, hidden, n_out)

    def forward(self, x: Tensor, extra: Tensor) -> Tensor:
        return self.net(torch.cat([x, extra], -1))


class FactorisedDecoder(nn.Module):
    """p(x|z) = prod_i Bernoulli(x_i; pi_i(z)): pixels are independent once z is known."""

    def __init__(self, n_in: int, hidden: int):
        super().__init__()
        self.net = mlp(n_in, hidden, SIDE * SIDE)

    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return bernoulli_log_likelihood(self.net(h), x)

    def mean(self, h: Tensor) -> Tensor:
        return self.net(h).sigmoid()

    def sample(self, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean(h).cpu(), generator=generator).to(h.device)


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log prod_i Bernoulli(x_i; sigmoid(logits_i)): (B, 784), (B, 784) -> (B,), nats, summed over pixels."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees only pixels before the current one in reading order (van den Oord et al. 2016).

    The kernel holds just the rows above and the current one: the rows below would be masked, and cost as much.
    `include_centre` is False in the first layer (mask A), where the centre is the very pixel to predict, and True after
    it (mask B). Row r of the output depends on rows r - size // 2 ... r of the input.
    """

    def __init__(self, n_in: int, n_out: int, size: int, include_centre: bool):
        reach = size // 2
        super().__init__(n_in, n_out, (reach + 1, size), padding=reach)
        mask = torch.ones(reach + 1, size)
        mask[reach, reach + include_centre :] = 0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)
        return y[..., : x.shape[-2], :]  # the padding below let the kernel run past the last row


class PixelCNNDecoder(nn.Module):
    """p(x|z) = prod_i Bernoulli(x_i; pi_i(x_1 .. x_{i-1}, z)): 7x7 and four 3x3 masked convolutions.

    z enters as one bias per channel and layer: it can say what to draw, and where only in so far as the layers work it out.
    """

    def __init__(self, n_in: int, channels: int = 32, layers: int = 4):
        super().__init__()
        self.first = MaskedConv2d(1, channels, 7, include_centre=False)
        self.rest = nn.ModuleList(MaskedConv2d(channels, channels, 3, include_centre=True) for _ in range(layers))
        self.bias = nn.Linear(n_in, channels * (layers + 1))  # z -> one bias per channel and layer
        # Quiet at first: at the usual scale, moving q(z) as a whole is the fastest way to set these biases, so the encoder
        # does that, and unlearns it over the next thousand steps (after 2 epochs: rate 10, information 0.3).
        nn.init.normal_(self.bias.weight, std=0.01)
        self.out = nn.Conv2d(channels, 1, 1)
        self.context_rows = 3 + layers  # how many rows above a pixel its prediction depends on

    def logits(self, x: Tensor, biases: Tensor) -> Tensor:
        """(B, 1, rows, 28) pixels and (B, layers + 1, channels) biases -> (B, 1, rows, 28) logits."""
        b = biases[..., None, None]  # (B, layers + 1, channels, 1, 1)
        a = F.relu(self.first(x) + b[:, 0])
        for i, layer in enumerate(self.rest, start=1):
            a = a + F.relu(layer(a) + b[:, i])  # residual: the 7x7 features reach every layer
        return self.out(a)

    def biases(self, h: Tensor) -> Tensor:
        return self.bias(h).unflatten(-1, (len(self.rest) + 1, -1))  # (B, layers + 1, channels)

    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        pixels = x.view(-1, 1, SIDE, SIDE)
        return bernoulli_log_likelihood(self.logits(pixels, self.biases(h)).flatten(1), x)

    def sample(self, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        biases = self.biases(h)
        x = h.new_zeros(len(h), 1, SIDE, SIDE)
        u = torch.rand(SIDE, SIDE, len(h), generator=generator).to(h.device)
        for r in tqdm(range(SIDE), desc="drawing row by row", delay=2, leave=False):
            top = max(0, r - self.context_rows)  # rows further up cannot change the answer: 3.5 times less work
            for c in range(SIDE):
                p = self.logits(x[:, :, top : r + 1], biases)[:, 0, -1, c].sigmoid()
                x[:, 0, r, c] = (u[r, c] < p).float()
        return x.flatten(1)


# --------------------------------------------------------------------------------------------------------- text


class TextEncoder(nn.Module):
    """(B, T) word ids ending in EOS, then PAD -> (B, n_out), read from the LSTM's state at EOS."""

    def __init__(self, vocab_size: int, hidden: int, n_out: int, n_labels: int = 0):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden // 2)
        self.lstm = nn.LSTM(hidden // 2, hidden, batch_first=True)
        self.head = nn.Linear(hidden + n_labels, n_out)

    def forward(self, x: Tensor, extra: Tensor) -> Tensor:
        states, _ = self.lstm(self.embed(x))  # (B, T, hidden)
        last = (x != PAD).sum(1) - 1  # PAD comes after EOS and so cannot have touched this state
        return self.head(torch.cat([states[torch.arange(len(x)), last], extra], -1))


class TextDecoder(nn.Module):
    """p(x|z) = prod_t p(w_t | w_1 .. w_{t-1}, z), EOS included; z sets the first state and joins every input.

    In training each input word is replaced by UNK with probability `word_dropout` (Bowman et al. 2016), which weakens the
    decoder and so makes z worth more.
    """

    def __init__(self, vocab_size: int, n_in: int, hidden: int, word_dropout: float = 0.0):
        super().__init__()
        if not 0 <= word_dropout <= 1:
            raise ValueError(f"word_dropout is a probability, not {word_dropout}: choose a number from 0 to 1")
        self.embed = nn.Embedding(vocab_size, hidden // 2)
        self.start = nn.Linear(n_in, 2 * hidden)
        self.lstm = nn.LSTM(hidden // 2 + n_in, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab_size)
        self.word_dropout = word_dropout

    def first_state(self, h: Tensor) -> tuple[Tensor, Tensor]:
        state, cell = self.start(h).tanh()[None].chunk(2, -1)  # (1, B, hidden) each
        return state.contiguous(), cell.contiguous()

    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        given = F.pad(x[:, :-1], (1, 0), value=BOS)  # (B, T): the word before each word
        if self.training and self.word_dropout:
            drop = (torch.rand(given.shape, generator=generator) < self.word_dropout).to(x.device)
            given = given.masked_fill(drop & (given != BOS), UNK)
        inputs = torch.cat([self.embed(given), h[:, None].expand(-1, x.shape[1], -1)], -1)
        states, _ = self.lstm(inputs, self.first_state(h))  # (B, T, hidden)
        real = x != PAD  # the softmax over the vocabulary costs most, so do it only where there is a word
        nll = F.cross_entropy(self.out(states[real]), x[real], reduction="none")
        return -h.new_zeros(x.shape).masked_scatter(real, nll).sum(1)

    def sample(
        self, h: Tensor, generator: torch.Generator | None = None, greedy: bool = False, max_words: int = MAX_WORDS
    ) -> Tensor:
        word = torch.full((len(h), 1), BOS, device=h.device)
        state, words = self.first_state(h), []
        ended = torch.zeros(len(h), 1, dtype=torch.bool, device=h.device)
        for _ in range(max_words):
            output, state = self.lstm(torch.cat([self.embed(word), h[:, None]], -1), state)
            logits = self.out(output[:, 0])
            logits[:, [PAD, BOS]] = -torch.inf  # never words of a sentence
            if greedy:
                word = logits.argmax(-1, keepdim=True)
            else:
                word = torch.multinomial(logits.softmax(-1).cpu(), 1, generator=generator).to(h.device)
            word = word.masked_fill(ended, PAD)
            words.append(word)
            ended |= word == EOS
            if ended.all():
                break
        return torch.cat(words, 1)  # (B, T)


# ------------------------------------------------------------------------------------------------------ building


def build_encoder(kind: str, n_out: int, *, hidden: int, vocab_size: int = 0, n_labels: int = 0) -> nn.Module:
    """A network from x to n_out numbers: the encoder's (n_out = 2d), or SLVAE's labelling network g (n_out = d)."""
    if kind == "image":
        return ImageEncoder(hidden, n_out, n_labels)
    if kind == "text":
        return TextEncoder(vocab_size, hidden, n_out, n_labels)
    raise ValueError(f"unknown kind of data {kind!r}: known are {', '.join(DECODERS)}")


class LabellingNetwork(nn.Module):
    """SLVAE's g: it gives x a label g(x) in the latent space, (B, d) (article: L_SLVAE; Zhang et al. 2019)."""

    def __init__(self, kind: str, latent_dim: int, *, hidden: int, vocab_size: int = 0):
        super().__init__()
        self.net = build_encoder(kind, latent_dim, hidden=hidden, vocab_size=vocab_size)

    def forward(self, x: Tensor) -> Tensor:
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
    without_z: bool = False,
    prior_encoder: bool = False,
) -> VAE:
    """A VAE for `kind` of data ("image", "text") with the decoder of that name ("mlp", "ar"; "lstm").

    Raises ValueError for a decoder the kind does not have, or word dropout where there are no words.

    >>> model = build_vae("image", "ar", latent_dim=4, hidden=32)
    >>> x = torch.zeros(2, 784)
    >>> mu, logvar = model.encode(x)
    >>> model.log_px(x, mu).shape
    torch.Size([2])
    """
    if kind not in DECODERS:
        raise ValueError(f"unknown kind of data {kind!r}: known are {', '.join(DECODERS)}")
    if decoder not in DECODERS[kind]:
        raise ValueError(f"unknown decoder {decoder!r} for {kind} data: choose {' or '.join(DECODERS[kind])}")
    if word_dropout and kind != "text":
        raise ValueError(f"word_dropout={word_dropout} needs text: {kind} data has no words")
    n_in = latent_dim + n_labels
    encoder = build_encoder(kind, 2 * latent_dim, hidden=hidden, vocab_size=vocab_size, n_labels=n_labels)
    if decoder == "mlp":
        net = FactorisedDecoder(n_in, hidden)
    elif decoder == "ar":
        net = PixelCNNDecoder(n_in)
    else:
        net = TextDecoder(vocab_size, n_in, hidden, word_dropout)
    return VAE(encoder, net, latent_dim, n_labels, without_z, prior_encoder)
