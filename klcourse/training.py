"""Training, one mini-batch at a time.

    trainer = Trainer(model, ELBO(), x)
    trainer.fit(epochs=3)                  # progress bar; Ctrl-C stops after the current step and loses nothing
    trainer.objective = RateHinge(lam=1, c=5)
    trainer.objective.lam = 2              # live: the next step uses it
    trainer.step()

All randomness of step t (order of the data, noise of z, word dropout) is a function of the seed and t alone. So there is
no generator state to save, and a run that is cut off and resumed is the same, bit for bit, as one that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from tqdm.auto import tqdm

from klcourse.data import PAD
from klcourse.gaussians import gaussian_kl, reparameterise
from klcourse.measure import mutual_information, posteriors, rate
from klcourse.models import VAE
from klcourse.objectives import Objective, Sizes, Terms
from klcourse.system import deferred_interrupt, keep_freed_memory, write_atomically

ORDER, NOISE, HELPER_ORDER, PROBE, ENCODER = range(5)  # independent streams of random numbers
STEP_MEANS = ("loss", "rate", "distortion", "penalty_on", "lam")  # what a history row averages over steps
MEASURED = ("mi", "mi_upper", "test_rate")  # what it measures on the probe


class TrainingDiverged(RuntimeError):
    """The loss or a weight is no longer a finite number."""


def seeded(seed: int, stream: int, *index: int) -> torch.Generator:
    """The generator for one stream at one index (a step or an epoch): well mixed, and nothing to remember."""
    state = np.random.SeedSequence((seed, stream, *index)).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


class Trainer:
    """Trains `model` on `x` (N, ...) under `objective`, which may be exchanged or changed between steps.

    x is images (N, 784), 0/1, or with `grey=True` 0..255, binarised afresh at every step (Burda et al. 2016); or word ids
    (N, T). y (N,) are labels, for a conditional model. `helper` is the network beside the model that some objectives need
    (SLVAE's g); with `sizes` the trainer builds those of objectives chosen later. `clip` bounds the norm of the gradient.
    `probe` examples (x, y) are what I_q is measured on, every `mi_every` steps or, by default, at the end of every epoch.

    `encoder_steps` = K > 1 is lagging inference (He et al. 2019): K updates of the encoder for one of the decoder, K - 1
    of them on other mini-batches with the decoder left alone, until at the end of an epoch I_q on the probe has not
    grown; from then on plain training. `encoder_steps_done` counts the extra updates, which cost about a step each.

    `history` is a list of rows. loss, rate, distortion, penalty_on and lam (the penalty weight in force, nan without one)
    are means over the steps since the row before; mi and mi_upper (the two bounds on I_q) and test_rate are measured on
    the probe after the row's last step, or nan. Everything in nats per example.
    """

    def __init__(
        self,
        model: VAE,
        objective: Objective,
        x: Tensor,
        y: Tensor | None = None,
        *,
        helper: nn.Module | None = None,
        sizes: Sizes | None = None,
        batch_size: int = 100,
        lr: float = 1e-3,
        seed: int = 0,
        clip: float | None = None,
        grey: bool = False,
        log_every: int = 20,
        probe: tuple[Tensor, Tensor | None] | None = None,
        mi_every: int | None = None,
        encoder_steps: int = 1,
    ):
        if not 0 < batch_size <= len(x):
            raise ValueError(f"batch_size = {batch_size} with {len(x)} training examples: choose 1 to {len(x)}")
        if log_every < 1:
            raise ValueError(f"log_every = {log_every}: choose 1 or more steps")
        if mi_every is not None and mi_every < 1:
            raise ValueError(f"mi_every = {mi_every}: choose 1 or more steps")
        if encoder_steps < 1 or (encoder_steps > 1 and probe is None):
            remedy = "choose 1 or more" if encoder_steps < 1 else "it stops when I_q on the probe does: pass probe=(x, y)"
            raise ValueError(f"encoder_steps = {encoder_steps}: {remedy}")
        keep_freed_memory()
        self.model, self.sizes = model, sizes
        self.x, self.y, self.probe = x, y, probe
        self.batch_size, self.seed, self.clip, self.grey = batch_size, seed, clip, grey
        self.log_every, self.mi_every, self.encoder_steps = log_every, mi_every, encoder_steps
        self.helpers: dict[str, nn.Module] = {} if helper is None else {objective.name: helper}
        self.parameters = [*model.parameters(), *(helper.parameters() if helper else ())]
        self.optimizer = torch.optim.Adam(self.parameters, lr=lr, fused=True)
        self.objective = objective
        self.steps_per_epoch = math.ceil(len(x) / batch_size)
        self.steps = 0  # done so far
        self.history: list[dict[str, float]] = []
        self.encoder_steps_done = 0  # extra ones, of lagging inference
        self.lagging = encoder_steps > 1  # still in its first phase
        self._epoch_mi = -math.inf  # I_q at the end of the epoch before, while lagging
        self._since_row = self._empty_row()
        self._order: dict[int, tuple[int, Tensor]] = {}  # stream -> (epoch, permutation)

    # ------------------------------------------------------------------------------------------------- one step

    @property
    def lr(self) -> float:
        """The learning rate; may be set between steps."""
        return self.optimizer.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = value

    @property
    def objective(self) -> Objective:
        """What is minimised; may be exchanged between steps, or its knobs moved."""
        return self._objective

    @objective.setter
    def objective(self, objective: Objective) -> None:
        objective.check_batch_size(self.batch_size)
        if objective.needs_helper and objective.name not in self.helpers:
            self._add_helper(objective)
        self._objective = objective

    def _add_helper(self, objective: Objective) -> None:
        """Build the network that an objective needs beside the model, and train it from now on."""
        if self.sizes is None:
            raise ValueError(f"objective {objective.name} trains a network of its own: pass helper=... or sizes=Sizes(...)")
        with torch.random.fork_rng():  # leave the caller's random numbers alone
            torch.manual_seed(self.seed)
            helper = objective.build_helper(self.sizes)
        if helper is not None:
            self.helpers[objective.name] = helper.to(self.x.device)
            weights = list(helper.parameters())
            self.parameters += weights
            self.optimizer.add_param_group({"params": weights})

    def batch(self, stream: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The mini-batch of the next step: every epoch a new permutation of the data."""
        epoch, i = divmod(self.steps, self.steps_per_epoch)
        if self._order.get(stream, (-1, None))[0] != epoch:
            self._order[stream] = epoch, torch.randperm(len(self.x), generator=seeded(self.seed, stream, epoch))
        return self.examples(self._order[stream][1][i * self.batch_size : (i + 1) * self.batch_size], generator)

    def examples(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The training examples of these row numbers, as the model takes them."""
        rows = rows.to(self.x.device)
        x, y = self.x[rows], None if self.y is None else self.y[rows]
        if self.grey:
            x = torch.bernoulli(x.float().cpu() / 255, generator=generator).to(x.device)
        elif x.dtype == torch.uint8:
            x = x.float()
        else:
            x = x[:, : int((x != PAD).sum(1).max())]  # as long as the longest sentence of this batch
        return x, y

    def terms(self, x: Tensor, y: Tensor | None, generator: torch.Generator) -> Terms:
        """What the objective is told about a mini-batch."""
        mu, logvar = self.model.encode(x, y)
        z = reparameterise(mu, logvar, generator)
        return Terms(
            rec=-self.model.log_px(x, z, y, generator),
            kl=gaussian_kl(mu, logvar),
            mu=mu,
            logvar=logvar,
            z=z,
            x=x,
            helper=self.helpers.get(self.objective.name),
            dataset_size=len(self.x),
            epoch=self.steps / self.steps_per_epoch,
            batch_size=self.batch_size,
        )

    def step(self) -> dict[str, float]:
        """Train on one mini-batch; returns its loss, rate, distortion, penalty_on and lam.

        Raises TrainingDiverged if the loss is not finite, with the weights as the step before (or the extra step of
        lagging inference before) left them.
        """
        if not self.model.training:  # train() walks over all modules: not for every step
            self.model.train()
        if self.lagging:
            self.update_encoder()
        generator = seeded(self.seed, NOISE, self.steps)
        x, y = self.batch(ORDER, generator)
        terms = self.terms(x, y, generator)
        loss = self.objective(terms)
        value = self.finite(loss)
        self.optimizer.zero_grad()
        loss.backward()
        if self.objective.helper_alternates:
            self.helper_gradients(generator)
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        self.steps += 1
        done = {
            "loss": value,
            "rate": terms.kl.mean().item(),
            "distortion": terms.rec.mean().item(),
            "penalty_on": self._penalty_on(terms),
            "lam": self.objective.penalty_weight,
        }
        self.objective.after_step(terms)
        self._log(done)
        return done

    def finite(self, loss: Tensor) -> float:
        """The loss as a number; TrainingDiverged if it is none."""
        if not math.isfinite(value := loss.item()):
            raise TrainingDiverged(f"the loss is {value} at step {self.steps} with objective {self.objective}")
        return value

    def update_encoder(self) -> None:
        """The encoder's extra updates before a joint step: lagging inference lets it catch up with the decoder."""
        weights = self.model.encoder_parameters()
        for i in range(self.encoder_steps - 1):
            generator = seeded(self.seed, ENCODER, self.steps, i)
            rows = torch.randint(len(self.x), (self.batch_size,), generator=generator)
            loss = self.objective(self.terms(*self.examples(rows, generator), generator))
            self.finite(loss)
            self.optimizer.zero_grad()  # weights without a gradient are left alone, the decoder's among them
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights)):
                weight.grad = gradient
            if self.clip:
                torch.nn.utils.clip_grad_norm_(weights, self.clip)
            self.optimizer.step()
            self.encoder_steps_done += 1

    def helper_gradients(self, generator: torch.Generator) -> None:
        """The lesson of a helper that alternates with the model: on a mini-batch of its own, with the decoder frozen."""
        helper = self.helpers[self.objective.name]
        x, y = self.batch(HELPER_ORDER, generator)
        loss = self.objective.helper_loss(x, lambda z: self.model.log_px(x, z, y, generator), helper)
        weights = list(helper.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights)):  # of the helper only
            weight.grad = gradient

    @torch.no_grad()
    def _penalty_on(self, terms: Terms) -> float:
        return float(self.objective.penalty_on(terms))

    # -------------------------------------------------------------------------------------------------- history

    @staticmethod
    def _empty_row() -> dict[str, float]:
        return {"steps": 0} | dict.fromkeys(STEP_MEANS, 0.0)

    def _log(self, done: dict[str, float]) -> None:
        for key, value in done.items():
            self._since_row[key] += value
        self._since_row["steps"] += 1
        epoch_ends = self.steps % self.steps_per_epoch == 0
        measured = self.steps % self.mi_every == 0 if self.mi_every else epoch_ends
        measured |= epoch_ends and self.lagging
        if measured or epoch_ends or self.steps % self.log_every == 0:
            n = self._since_row.pop("steps")
            row = {"step": self.steps, "epoch": self.steps / self.steps_per_epoch}
            row |= {key: total / n for key, total in self._since_row.items()}
            row |= self.measure() if measured else dict.fromkeys(MEASURED, math.nan)
            self.history.append(row)
            self._since_row = self._empty_row()
            if epoch_ends and self.lagging:
                self.lagging, self._epoch_mi = row["mi"] > self._epoch_mi, row["mi"]

    def measure(self) -> dict[str, float]:
        """I_q (both bounds) and rate on the probe examples now: mi, mi_upper, test_rate, nats; nan without a probe."""
        if self.probe is None:
            return dict.fromkeys(MEASURED, math.nan)
        was_training = self.model.training
        self.model.eval()  # BN-VAE must neither use the probe's statistics nor learn them
        mu, logvar = posteriors(self.model, *self.probe)
        self.model.train(was_training)
        mi = mutual_information(mu, logvar, seeded(self.seed, PROBE, self.steps))
        return {"mi": mi.lower, "mi_upper": mi.upper, "test_rate": rate(mu, logvar)}

    # ------------------------------------------------------------------------------------------------ many steps

    def fit(self, epochs: float, *, progress: bool = True, on_step: Callable[[Trainer], None] | None = None) -> bool:
        """Train until `epochs` are done since the start; False if Ctrl-C stopped it earlier, after a whole step.

        Call it again to go on. `on_step` is called after every step.
        """
        until = round(epochs * self.steps_per_epoch)
        bar = tqdm(total=until, initial=self.steps, unit="step", leave=False, disable=not progress, desc=self.objective.name)
        with deferred_interrupt() as interrupted, bar:
            while self.steps < until and not interrupted:
                done = self.step()
                if on_step is not None:
                    on_step(self)
                bar.update()
                if progress and self.steps % 10 == 0:
                    bar.set_postfix(rate=f"{done['rate']:.2f}", D=f"{done['distortion']:.1f}", refresh=False)
            return self.steps >= until

    # ---------------------------------------------------------------------------------------------- checkpoints

    def save(self, path: Path, **extra) -> None:
        """Write everything a bit-exact continuation needs to one file, atomically. `extra` goes along as JSON.

        Raises TrainingDiverged, and leaves the file before as it is, if a weight is not finite.
        """
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for name, helper in self.helpers.items():
            tensors |= {f"helper.{name}.{k}": v for k, v in helper.state_dict().items()}
        if not all(t.isfinite().all() for t in tensors.values()):
            raise TrainingDiverged(f"a weight is not finite after step {self.steps} with objective {self.objective}")
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{k}": v for k, v in state.items()}
        meta = {
            "steps": self.steps,
            "lr": self.lr,
            "history": self.history,
            "since_row": self._since_row,
            "objective": self.objective.state(),
            "lagging": [self.lagging, self._epoch_mi, self.encoder_steps_done],
            "extra": extra,
        }
        data = to_bytes({k: v.contiguous() for k, v in tensors.items()}, {"klcourse": json.dumps(meta)})
        write_atomically(path, data)

    def load(self, path: Path) -> dict:
        """Continue from a file that `save` wrote; returns its `extra`. Model and objective must be as they were."""
        with safe_open(path, framework="pt") as file:
            meta = json.loads(file.metadata()["klcourse"])
            tensors = {k: file.get_tensor(k) for k in file.keys()}

        def under(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.model.load_state_dict(under("model."))
        for name, helper in self.helpers.items():
            helper.load_state_dict(under(f"helper.{name}."))
        state = self.optimizer.state_dict()
        for key, value in under("adam.").items():
            i, name = key.split(".")
            state["state"].setdefault(int(i), {})[name] = value
        self.optimizer.load_state_dict(state)
        self.steps, self.lr, self.history = meta["steps"], meta["lr"], meta["history"]
        # a file from before a column existed: its mean is not known for the row that was begun
        self._since_row = dict.fromkeys(STEP_MEANS, math.nan) | meta["since_row"]
        for knob, value in meta.get("objective", {}).items():
            setattr(self.objective, knob, value)
        if "lagging" in meta:
            self.lagging, self._epoch_mi, self.encoder_steps_done = meta["lagging"]
        return meta["extra"]
