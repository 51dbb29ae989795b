"""The models do what their formulas say: checked by enumeration and by perturbing inputs, not by their own code."""

import itertools
import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from klcourse.data import EOS, PAD
from klcourse.gaussians import gaussian_kl, reparameterise
from klcourse.models import SIDE, MaskedConv2d, PixelCNNDecoder, TextDecoder, build_vae

IMAGE = dict(latent_dim=3, hidden=12)
TEXT = dict(latent_dim=3, hidden=12, vocab_size=9)
KINDS = [("image", "mlp", IMAGE), ("image", "ar", IMAGE), ("text", "lstm", TEXT)]


def examples(kind: str, n: int = 5) -> torch.Tensor:
    torch.manual_seed(1)
    if kind == "image":
        return (torch.rand(n, SIDE * SIDE) < 0.3).float()
    x = torch.randint(4, 9, (n, 6))
    for i in range(n):  # sentences of 1 to 5 words, EOS, PAD
        x[i, 1 + i % 5] = EOS
        x[i, 2 + i % 5 :] = PAD
    return x


def make(kind, decoder, sizes, **more):
    torch.manual_seed(0)
    return build_vae(kind, decoder, **sizes, **more).eval()


@pytest.mark.parametrize("kind, decoder, sizes", KINDS)
def test_one_interface(kind, decoder, sizes):
    model, x = make(kind, decoder, sizes), examples(kind)
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (5, 3)
    log_px = model.log_px(x, reparameterise(mu, logvar))
    assert log_px.shape == (5,) and (log_px < 0).all()
    assert len(model.sample(torch.randn(2, 3))) == 2


@pytest.mark.parametrize("kind, decoder, sizes", KINDS)
def test_every_example_is_on_its_own(kind, decoder, sizes):
    """A batch is only for speed: padding and neighbours change nothing."""
    model, x = make(kind, decoder, sizes), examples(kind)
    z = torch.randn(5, 3)
    alone = torch.cat([model.log_px(x[i : i + 1], z[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(model.log_px(x, z), alone)
    torch.testing.assert_close(model.encode(x)[0], torch.cat([model.encode(x[i : i + 1])[0] for i in range(5)]))


@pytest.mark.parametrize("kind, decoder, sizes", KINDS)
def test_conditional_model_uses_the_label_on_both_sides(kind, decoder, sizes):
    model, x = make(kind, decoder, sizes, n_labels=4), examples(kind)
    y, other = torch.zeros(5, dtype=torch.long), torch.ones(5, dtype=torch.long)
    z = torch.randn(5, 3)
    assert not torch.allclose(model.encode(x, y)[0], model.encode(x, other)[0])
    assert not torch.allclose(model.log_px(x, z, y), model.log_px(x, z, other))
    with pytest.raises(ValueError, match="conditional on 4 labels"):
        model.encode(x)


def test_gaussian_kl_is_the_textbook_one():
    mu, logvar = torch.randn(7, 3), torch.randn(7, 3)
    q = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    p = Independent(Normal(torch.zeros(7, 3), torch.ones(7, 3)), 1)
    torch.testing.assert_close(gaussian_kl(mu, logvar), kl_divergence(q, p))


def test_reparameterise_has_the_right_moments():
    z = reparameterise(torch.full((200_000, 1), 2.0), torch.full((200_000, 1), math.log(9.0)))
    assert abs(z.mean() - 2) < 0.05 and abs(z.std() - 3) < 0.05


def test_pixelcnn_sees_only_pixels_before():
    """Gradient of every logit with respect to the picture: zero at the pixel itself and all after it."""
    torch.manual_seed(0)
    decoder = PixelCNNDecoder(3).double()
    x = torch.rand(1, 1, SIDE, SIDE, dtype=torch.double, requires_grad=True)
    biases = decoder.biases(torch.randn(1, 3, dtype=torch.double))
    for r, c in [(0, 0), (0, 5), (9, 0), (13, 27), (27, 27), (20, 11)]:
        (g,) = torch.autograd.grad(decoder.logits(x, biases)[0, 0, r, c], x)
        seen = g[0, 0].flatten() != 0
        here = r * SIDE + c
        assert not seen[here:].any()
        assert seen[:here].any() == (here > 0)


def test_masked_convolution_equals_the_full_kernel_with_a_mask():
    torch.manual_seed(0)
    for size, centre in [(7, False), (3, True)]:
        conv = MaskedConv2d(2, 3, size, include_centre=centre)
        full = torch.zeros(3, 2, size, size)
        full[:, :, : size // 2 + 1] = conv.weight.detach()
        full.view(3, 2, -1)[:, :, size * size // 2 + centre :] = 0  # van den Oord's mask A or B
        x = torch.randn(2, 2, 9, 9)
        torch.testing.assert_close(conv(x), torch.conv2d(x, full, conv.bias, padding=size // 2))


def test_pixelcnn_sampling_follows_its_own_likelihood():
    """The cropped rows of sample() give exactly the probabilities that log_px scores."""
    model = make("image", "ar", IMAGE)
    z = torch.randn(3, 3)
    x = model.sample(z, generator=torch.Generator().manual_seed(0))
    u = torch.rand(SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0)).flatten(0, 1).T  # what sample() drew
    p = model.decoder.logits(x.view(-1, 1, SIDE, SIDE), model.decoder.biases(z)).flatten(1).sigmoid()
    assert ((u < p).float() == x).all()
    assert 0.02 < x.mean() < 0.98


def test_text_probabilities_sum_to_one():
    """All sentences of up to n words, enumerated: their probabilities and the rest's make one."""
    torch.manual_seed(0)
    decoder = TextDecoder(vocab_size=5, n_in=2, hidden=8).double()
    h = torch.randn(1, 2, dtype=torch.double)
    total, last = 0.0, 0.0
    for n in range(4):  # words before EOS; every id but EOS counts as a word for the likelihood, PAD excepted
        for words in itertools.product([1, 3, 4], repeat=n):
            total += decoder.log_px(torch.tensor([[*words, EOS]]), h).exp().item()
    with torch.no_grad():  # probability of no end within 4 words, by the chain rule; PAD as a word has its own share

        def walk(words, p):
            nonlocal last
            given = torch.tensor([[*words, EOS]])
            inputs = torch.cat([decoder.embed(torch.tensor([[1, *words]])), h[:, None].expand(-1, len(words) + 1, -1)], -1)
            probs = decoder.out(decoder.lstm(inputs, decoder.first_state(h)[0])[0][0, -1]).softmax(-1)
            assert given.shape[1] == len(words) + 1
            last += p * probs[PAD].item()
            for w in [1, 3, 4]:
                if len(words) == 3:
                    last += p * probs[w].item()
                else:
                    walk([*words, w], p * probs[w].item())

        walk([], 1.0)
    assert total + last == pytest.approx(1, abs=1e-9)


def test_word_dropout_acts_only_in_training():
    model, x = make("text", "lstm", TEXT, word_dropout=0.5), examples("text")
    z = torch.randn(5, 3)
    torch.testing.assert_close(model.log_px(x, z), model.log_px(x, z))
    model.train()
    g = torch.Generator().manual_seed(0)
    assert not torch.allclose(model.log_px(x, z, generator=g), model.log_px(x, z, generator=g))
    same = [model.log_px(x, z, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    torch.testing.assert_close(*same)


def test_text_samples_are_sentences():
    model = make("text", "lstm", TEXT)
    x = model.sample(torch.randn(50, 3), generator=torch.Generator().manual_seed(0), max_words=30)
    for row in x.tolist():
        if EOS in row:
            assert set(row[row.index(EOS) + 1 :]) <= {PAD}
        assert PAD not in row[: row.index(EOS) if EOS in row else None]
    greedy = [model.sample(torch.ones(2, 3), greedy=True) for _ in range(2)]
    assert torch.equal(*greedy)


@pytest.mark.parametrize(
    "kind, decoder, more, message",
    [
        ("image", "lstm", {}, "choose mlp or ar"),
        ("text", "ar", {}, "choose lstm"),
        ("sound", "mlp", {}, "unknown kind"),
        ("image", "mlp", {"word_dropout": 0.3}, "has no words"),
        ("text", "lstm", {"word_dropout": 1.3}, "word_dropout = 1.3: choose a number from 0 to 1"),
    ],
)
def test_wrong_choices_are_named(kind, decoder, more, message):
    with pytest.raises(ValueError, match=message):
        build_vae(kind, decoder, **TEXT, **more)


@pytest.mark.parametrize("kind, decoder, sizes", KINDS)
def test_switches_of_the_game(kind, decoder, sizes):
    x, z = examples(kind), torch.randn(5, 3)
    deaf = make(kind, decoder, sizes, without_z=True)
    torch.testing.assert_close(deaf.log_px(x, z), deaf.log_px(x, -3 * z))
    silent = make(kind, decoder, sizes, prior_encoder=True)
    assert not any(t.any() for t in silent.encode(x))
    assert not torch.allclose(silent.log_px(x, z), silent.log_px(x, -3 * z))
