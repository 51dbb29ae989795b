"""s(0) of decoders without z: scores against finite differences, estimates against models whose s(0) is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from klcourse.data import EOS, PAD
from klcourse.exact.threshold import bernoulli_threshold
from klcourse.measure import threshold as th
from klcourse.models.decoder import Decoder
from klcourse.models.images import FactorisedDecoder, PixelCNNDecoder, bernoulli_log_likelihood
from klcourse.models.text import TextDecoder
from klcourse.sweep import threshold as command


def made(kind):
    torch.manual_seed(0)
    if kind == "lstm":
        words = torch.tensor([[5, 6, EOS, PAD], [7, 8, 9, EOS], [5, EOS, PAD, PAD]])
        return TextDecoder(12, 4, 6).eval(), words
    pixels = (torch.rand(3, 784) < 0.3).float()
    return (PixelCNNDecoder(4, channels=3, layers=2) if kind == "ar" else FactorisedDecoder(4, 5)).eval(), pixels


@pytest.mark.parametrize("kind", ["mlp", "ar", "lstm"])
def test_a_listening_decoder_is_the_old_one_at_zero_and_its_scores_are_slopes(kind):
    decoder, x = made(kind)
    copied = th.listening(decoder)
    k = th.width(copied)
    assert torch.allclose(copied.log_px(x, torch.zeros(3, k)), decoder.log_px(x, torch.zeros(3, 4)), atol=1e-5)
    found = th.scores(copied, x)
    assert found.shape == (3, k)
    copied, x = copied.double(), x.double() if kind != "lstm" else x
    for i in range(0, k, max(1, k // 7)):
        step = 1e-6 * torch.eye(k, dtype=torch.float64)[i].expand(3, k)
        slope = (copied.log_px(x, step) - copied.log_px(x, -step)) / 2e-6
        assert np.allclose(found[:, i], slope.detach(), atol=1e-3 * max(1, abs(found[:, i]).max()))


def test_every_weight_of_the_z_input_is_reached():
    """The score of a unit is the decoder's own slope for a z that reaches this unit alone."""
    decoder, x = made("ar")
    h = torch.tensor([[1.0, 0, 0, 0]]).expand(3, 4)
    with torch.no_grad():
        decoder.bias.weight.zero_()
    decoder.bias.weight.requires_grad_(True)
    slope = torch.autograd.grad(decoder.log_px(x, h).sum(), decoder.bias.weight)[0][:, 0]
    assert np.allclose(th.scores(th.listening(decoder), x).sum(0), slope, atol=1e-3)


def test_scores_have_mean_zero_under_the_decoder_itself():
    decoder, _ = made("mlp")
    copied = th.listening(decoder)
    found = th.scores(copied, th.own_samples(copied, 3000, seed=1))
    assert (abs(found.mean(0)) < 5 * found.std(0) / np.sqrt(3000)).all()


def test_estimate_for_a_factorised_decoder_whose_threshold_is_known():
    """A last layer that is free in every pixel: s(0) is the eigenvalue of the correlation matrix."""
    rng = np.random.default_rng(0)
    hidden = rng.uniform(-1, 1, (30_000, 1))
    x = (rng.uniform(size=(30_000, 8)) < 0.5 + 0.35 * hidden).astype(float)
    own = (rng.uniform(size=(30_000, 8)) < x.mean(0)).astype(float)
    fit, test = np.array_split(x - x.mean(0), 2)
    found = th.threshold(fit, test, own - x.mean(0))
    assert abs(found.held_out - bernoulli_threshold(x)) < 4 * found.error + 0.02
    assert np.mean(np.square((own - x.mean(0)) @ found.direction)) == pytest.approx(1.0)


def test_a_decoder_that_explains_all_is_at_one():
    rng = np.random.default_rng(1)
    fit, test, own = (rng.standard_normal((4000, 20)) for _ in range(3))
    found = th.threshold(fit, test, own)
    assert abs(found.held_out - 1) < 4 * found.error < 0.3 and found.fitted > found.held_out - 0.1


def test_other_decoders_are_refused():
    with pytest.raises(ValueError, match="skip"):
        th.listening(TextDecoder(12, 4, 6, skip=True))


def test_the_command_keeps_the_rows_of_other_decoders(tmp_path, monkeypatch, capsys):
    small = replace(command.without_z()["mlp"], epochs=1, limit=200, hidden=4)
    monkeypatch.setattr(command, "without_z", lambda: {"mlp": small})
    table = tmp_path / "t.csv"
    for _ in range(2):
        assert command.main(["--table", str(table), "--seeds", "1", "--decoders", "mlp", "--samples", "100"]) == 0
    found = pd.read_csv(table)
    assert list(found["decoder"]) == ["mlp"] and found["held_out"].between(0, 100).all()
    found.assign(decoder="lstm").to_csv(table, index=False)
    assert command.main(["--table", str(table), "--seeds", "1", "--decoders", "mlp", "--samples", "100"]) == 0
    assert sorted(pd.read_csv(table)["decoder"]) == ["lstm", "mlp"]
    assert json.loads(table.with_suffix(".json").read_text())["data"]["mlp"] and "held_out" in capsys.readouterr().out


class Bits(Decoder):
    """Independent bits whose logits are what z adds to the best ones without z: the theorem's own decoder."""

    def __init__(self, x):
        super().__init__()
        self.start = torch.nn.Linear(x.shape[1], x.shape[1])
        self.base = torch.logit(x.mean(0))

    def log_px(self, x, h, generator=None):
        return bernoulli_log_likelihood(self.base + h, x)

    def sample(self, h, generator=None, **options):
        raise NotImplementedError

    def cells(self, x):
        return x.shape[1]


@pytest.mark.parametrize(("factor", "leaves"), [(0.6, True), (1.4, False)])
def test_free_codes_leave_collapse_below_the_threshold_only(factor, leaves):
    rng = np.random.default_rng(2)
    cause = rng.uniform(-1, 1, (1000, 1))
    x = torch.as_tensor((rng.uniform(size=(1000, 8)) < 0.5 + 0.4 * cause).astype(np.float32))
    decoder = Bits(x).requires_grad_(False)
    beta = factor * bernoulli_threshold(x.numpy())
    found = th.free_codes(decoder, x, beta, epochs=300, lr=3e-3)
    assert len(found.rate) == 300 and (found.rate[-1] > 0.1) == leaves
    if leaves:
        assert np.mean(found.gain[-50:]) > 0
        fresh = th.free_codes(decoder, x, beta, epochs=100, direction=found.direction, lr=3e-3)
        assert torch.equal(fresh.direction, found.direction) and abs(fresh.rate[-1] - found.rate[-1]) < 0.3
    else:
        assert found.rate[-1] < 0.01
