"""Text: an LSTM that reads a sentence, and one that writes it word by word."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from klcourse.data import BOS, EOS, PAD, UNK
from klcourse.objectives.switches import WORD_DROPOUT

from .decoder import Decoder

MAX_WORDS = 40  # the longest sentence `sample` writes unless told otherwise


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


class TextDecoder(Decoder):
    """p(x|z) = prod_t p(w_t | w_1 .. w_{t-1}, z), EOS included; z sets the first state and joins every input.

    In training each input word is replaced by UNK with probability `word_dropout` (Bowman et al. 2016), which weakens the
    decoder and so makes z worth more.
    """

    def __init__(self, vocab_size: int, n_in: int, hidden: int, word_dropout: float = 0.0):
        super().__init__()
        WORD_DROPOUT.knob.check(WORD_DROPOUT.setting, word_dropout)
        self.embed = nn.Embedding(vocab_size, hidden // 2)
        self.start = nn.Linear(n_in, 2 * hidden)
        self.lstm = nn.LSTM(hidden // 2 + n_in, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab_size)
        self.word_dropout = word_dropout

    def first_state(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The state of the LSTM before the first word, (1, B, hidden) twice, as z sets it."""
        state, cell = self.start(h).tanh()[None].chunk(2, -1)  # (1, B, hidden) each
        return state.contiguous(), cell.contiguous()

    def cells(self, x: Tensor) -> int:
        return x.shape[1] * (2 * self.out.out_features + 8 * self.out.in_features)

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
        self,
        h: Tensor,
        generator: torch.Generator | None = None,
        *,
        greedy: bool = False,
        max_words: int = MAX_WORDS,
        **options: Any,
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
