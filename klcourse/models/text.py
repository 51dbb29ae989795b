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

    def __init__(self, vocab_size: int, hidden: int, n_out: int, n_labels: int = 0, *, embedding: int = 0, layers: int = 1):
        super().__init__()
        width = embedding or hidden // 2
        self.embed = nn.Embedding(vocab_size, width)
        self.lstm = nn.LSTM(width, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden + n_labels, n_out)

    def forward(self, x: Tensor, extra: Tensor) -> Tensor:
        states, _ = self.lstm(self.embed(x))  # (B, T, hidden)
        last = (x != PAD).sum(1) - 1  # PAD comes after EOS and so cannot have touched this state
        return self.head(torch.cat([states[torch.arange(len(x), device=x.device), last], extra], -1))


class TextDecoder(Decoder):
    """p(x|z) = prod_t p(w_t | w_1 .. w_{t-1}, z), EOS included; z sets the first state and joins every input.

    In training each input word is replaced by UNK with probability `word_dropout` (Bowman et al. 2016), which weakens the
    decoder and so makes z worth more. `dropout` hides that share of each embedded input word, of what goes from one layer
    to the next and of what the softmax is told: it keeps the decoder from learning the training part by heart. With `skip`
    (Dieng et al. 2019) every layer and the softmax are told z too.
    """

    def __init__(
        self,
        vocab_size: int,
        n_in: int,
        hidden: int,
        word_dropout: float = 0.0,
        *,
        embedding: int = 0,
        layers: int = 1,
        dropout: float = 0.0,
        skip: bool = False,
    ):
        super().__init__()
        WORD_DROPOUT.knob.check(WORD_DROPOUT.setting, word_dropout)
        width, told = embedding or hidden // 2, n_in if skip else 0
        self.embed = nn.Embedding(vocab_size, width)
        self.start = nn.Linear(n_in, 2 * layers * hidden)
        self.lstm = nn.LSTM(width + n_in, hidden, batch_first=True)
        self.more = nn.ModuleList(nn.LSTM(hidden + told, hidden, batch_first=True) for _ in range(layers - 1))
        self.out = nn.Linear(hidden + told, vocab_size)
        self.word_dropout, self.dropout, self.skip = word_dropout, dropout, skip

    def first_state(self, h: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The state of each LSTM before the first word, (1, B, hidden) twice, as z sets it."""
        parts = self.start(h).tanh()[None].chunk(2 * (1 + len(self.more)), -1)  # (1, B, hidden) each
        return [(state.contiguous(), cell.contiguous()) for state, cell in zip(parts[::2], parts[1::2])]

    def check(self, x: Tensor) -> None:
        if x.dim() != 2 or x.is_floating_point() or x.dtype in (torch.bool, torch.uint8):
            raise ValueError(f"sentences of {x.dtype} and shape {tuple(x.shape)}: give word ids, whole numbers (N, T)")
        words = self.out.out_features
        if len(x) and not (x.min() >= 0 and x.max() < words):
            raise ValueError(f"word ids from {int(x.min())} to {int(x.max())}: the vocabulary has 0 to {words - 1}")
        if len(x) and not (x != PAD).any(1).all():
            raise ValueError("a sentence without a word: each row must end in EOS, then PAD")

    def cells(self, x: Tensor) -> int:
        layers = 1 + len(self.more)
        return x.shape[1] * (2 * self.out.out_features + 8 * layers * self.lstm.hidden_size)

    def states(
        self,
        words: Tensor,
        h: Tensor,
        before: list[tuple[Tensor, Tensor]],
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """What the softmax is told after each of the words (B, T), (B, T, .), and the LSTMs' states after the last one."""
        told = h[:, None].expand(-1, words.shape[1], -1)
        states, after = self.dropped(self.embed(words), generator), []
        for i, lstm in enumerate([self.lstm, *self.more]):
            states, last = lstm(torch.cat([states, told], -1) if i == 0 or self.skip else states, before[i])
            states = self.dropped(states, generator)
            after.append(last)
        return torch.cat([states, told], -1) if self.skip else states, after

    def dropped(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        """Some of the numbers hidden and the rest made larger, while training; which ones is up to the generator."""
        if not (self.training and self.dropout):
            return states
        if states.is_cuda and generator is not None:  # masks as large as these are drawn where they are needed
            seed = int(torch.randint(2**62, (1,), generator=generator))
            generator = torch.Generator(states.device).manual_seed(seed)
        keep = torch.rand(states.shape, generator=generator, device=states.device) >= self.dropout
        return states * keep / (1 - self.dropout)

    def log_px(self, x: Tensor, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        given = F.pad(x[:, :-1], (1, 0), value=BOS)  # (B, T): the word before each word
        if self.training and self.word_dropout:
            drop = (torch.rand(given.shape, generator=generator) < self.word_dropout).to(x.device)
            given = given.masked_fill(drop & (given != BOS), UNK)
        states, _ = self.states(given, h, self.first_state(h), generator)  # (B, T, hidden)
        # Sentences of like length come together, so next to nothing here is padding, whose loss is 0. (Taking the real words
        # only would make a GPU wait until it has counted them.)
        nll = F.cross_entropy(self.out(states).flatten(0, 1), x.flatten(), ignore_index=PAD, reduction="none")
        return -nll.view(x.shape).sum(1)

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
            output, state = self.states(word, h, state)
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
