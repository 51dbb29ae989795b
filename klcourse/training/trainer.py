"""The loop: a mini-batch, a loss, a step; at the end of an epoch a look at the validation part."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from klcourse.gaussians import gaussian_kl, reparameterise
from klcourse.measure import mutual_information, posteriors, rate
from klcourse.models import VAE
from klcourse.models.images import check_pixels
from klcourse.objectives import Objective, Sizes, Terms
from klcourse.system import deferred_interrupt, keep_freed_memory

from . import checkpoint
from .order import ENCODER, HELPER_ORDER, NOISE, ORDER, PROBE, VALID, Batches, seeded
from .stopping import Plateau

STEP_MEANS = ("loss", "rate", "distortion", "penalty_on", "lam")  # what a history row averages over steps
MEASURED = ("mi", "mi_upper", "valid_rate")  # what it measures on the validation part
PROBE_EXAMPLES = 1000  # examples of it on which I_q is measured while training
JUMP = 2.0  # a row whose D + R is so many times that of the row before has jumped
BURN_IN = 15  # updates of the encoder whose mean loss lagging inference compares with that of the 15 before


class TrainingDiverged(RuntimeError):
    """The loss or a weight is no longer a finite number."""


class Trainer:
    """Trains `model` on `x` (N, ...) under `objective`, which may be exchanged or changed between steps.

    x is images (N, 784), 0/1, or with `grey=True` 0..255, binarised afresh at every step (Burda et al. 2016); or word ids
    (N, T). y (N,) are labels, for a conditional model. `helper` is the network beside the model that some objectives need
    (SLVAE's g); with `sizes` the trainer builds those of objectives chosen later. `clip` bounds the norm of the gradient.
    `valid` = (x, y) are examples that training does not see: at the end of every epoch the loss is measured on them, and
    I_q on the first 1 000, or every `mi_every` steps. A `plateau` says when their loss asks for a lower learning rate,
    and when to stop; the best weights are kept for `use_best`.

    `encoder_steps` = K > 1 is lagging inference (He et al. 2019): before each update of the decoder the encoder alone is
    updated, until its mean loss over 15 updates no longer falls, K times at most; when at the end of an epoch I_q on the
    validation part has not grown, plain training follows. `encoder_steps_done` counts the extra updates, which cost about
    a step each. `pretrain` = P > 0 epochs come first in which the distortion alone is minimised: an autoencoder, whose
    encoder is kept while the decoder starts afresh (Li et al. 2019).

    `history` is a list of rows. loss, rate, distortion, penalty_on and lam (the penalty weight in force, nan without one)
    are means over the steps since the row before, grad_norm is the largest norm of the gradient in them, before clipping;
    mi and mi_upper (the two bounds on I_q) and valid_rate are measured on the validation part after the row's last step,
    valid_loss at the end of an epoch, else nan. Everything in nats per example.
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
        valid: tuple[Tensor, Tensor | None] | None = None,
        mi_every: int | None = None,
        encoder_steps: int = 1,
        pretrain: int = 0,
        plateau: Plateau | None = None,
    ):
        if not 0 < batch_size <= len(x):
            raise ValueError(f"batch_size = {batch_size} with {len(x)} training examples: choose 1 to {len(x)}")
        if log_every < 1:
            raise ValueError(f"log_every = {log_every}: choose 1 or more steps")
        if mi_every is not None and mi_every < 1:
            raise ValueError(f"mi_every = {mi_every}: choose 1 or more steps")
        if encoder_steps < 1 or (encoder_steps > 1 and valid is None):
            remedy = "choose 1 or more" if encoder_steps < 1 else "it stops when I_q on valid=(x, y) does: pass them"
            raise ValueError(f"encoder_steps = {encoder_steps}: {remedy}")
        if valid is not None and len(valid[0]) < 2:
            raise ValueError("a validation part of 1 example: its information takes 2; hold out more examples, or none")
        if clip is not None:
            check_number("clip", clip, above=True)
        check_number("lr", lr)
        if pretrain < 0:
            raise ValueError(f"pretrain = {pretrain}: choose 0 or more epochs")
        if plateau is not None and valid is None:
            raise ValueError("a plateau is one of the loss on examples that training does not see: pass valid=(x, y)")
        if grey:
            check_pixels(x, most=255)
        else:
            model.check(x, y)
        if valid is not None:
            model.check(*valid)
        keep_freed_memory()
        self.model, self.sizes = model, sizes
        self.x, self.y, self.valid = x, y, valid
        self.batch_size, self.seed, self.clip, self.grey = batch_size, seed, clip, grey
        self.log_every, self.mi_every, self.encoder_steps = log_every, mi_every, encoder_steps
        self.helpers: dict[str, nn.Module] = {} if helper is None else {objective.name: helper}
        self.parameters = [*model.parameters(), *(helper.parameters() if helper else ())]
        self.optimizer = torch.optim.Adam(self.parameters, lr=lr, fused=True)
        self.batches = {stream: Batches(x, batch_size, seed, stream) for stream in (ORDER, HELPER_ORDER)}
        self.steps_per_epoch = len(self.batches[ORDER])
        self.pretrain_steps = pretrain * self.steps_per_epoch
        self._first_decoder = {k: v.clone() for k, v in model.decoder.state_dict().items()} if pretrain else {}
        self.objective = objective
        self.epochs = 0.0  # planned in all (0: not known)
        self.steps = 0  # done so far
        self.history: list[dict[str, float]] = []
        self.encoder_steps_done = 0  # extra ones, of lagging inference
        self.lagging = encoder_steps > 1  # still in its first phase
        self._epoch_mi = -math.inf  # I_q at the end of the epoch before, while lagging
        self.plateau, self.best, self.stopped = plateau, checkpoint.State(), False
        self.interrupted = 0  # the signal that ended `fit` early
        self._since_row = self._empty_row()
        self._largest = torch.zeros((), device=x.device)  # norm of the gradient since the last row

    # ------------------------------------------------------------------------------------------------- one step

    @property
    def lr(self) -> float:
        """The learning rate; may be set between steps."""
        return self.optimizer.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        check_number("lr", value)
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
        """The mini-batch of the next step."""
        epoch, i = divmod(self.steps, self.steps_per_epoch)
        return self.examples(self.batches[stream].of(epoch)[i], generator)

    def examples(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The training examples of these row numbers, as the model takes them."""
        x, y = taken(self.x, self.y, rows, self.batches[ORDER].words)
        if self.grey:
            x = torch.bernoulli(x.cpu() / 255, generator=generator).to(x.device)
        return x, y

    def terms(self, x: Tensor, y: Tensor | None, generator: torch.Generator, epoch: float | None = None) -> Terms:
        """What the objective is told about a mini-batch; `epoch` is now, unless told otherwise."""
        mu, logvar = self.model.encode(x, y)
        z = reparameterise(mu, logvar, generator)
        rec = -self.model.log_px(x, z, y, generator)
        return self.told(x, rec, gaussian_kl(mu, logvar), mu, logvar, z, epoch)

    def told(
        self, x: Tensor, rec: Tensor, kl: Tensor, mu: Tensor, logvar: Tensor, z: Tensor, epoch: float | None = None
    ) -> Terms:
        """What was computed on a mini-batch, with what the objective is told beside it."""
        return Terms(
            rec=rec,
            kl=kl,
            mu=mu,
            logvar=logvar,
            z=z,
            x=x,
            helper=self.helpers.get(self.objective.name),
            dataset_size=len(self.x),
            epoch=(self.steps - self.pretrain_steps) / self.steps_per_epoch if epoch is None else epoch,
            epochs=max(0.0, self.epochs - self.pretrain_steps / self.steps_per_epoch),
            batch_size=self.batch_size,
        )

    @property
    def pretraining(self) -> bool:
        """Whether the model is still an autoencoder."""
        return self.steps < self.pretrain_steps

    def step(self) -> dict[str, float]:
        """Train on one mini-batch; returns its loss, rate, distortion, penalty_on and lam.

        Raises TrainingDiverged if the loss or its gradient is not finite, with the weights as the step before (or the extra
        step of lagging inference before) left them.
        """
        if not self.model.training:  # train() walks over all modules: not for every step
            self.model.train()
        if self.pretrain_steps and self.steps == self.pretrain_steps:
            self.model.decoder.load_state_dict(self._first_decoder)
            self.optimizer.state.clear()
        lagging = self.lagging and not self.pretraining
        if lagging:
            self.update_encoder()
        generator = seeded(self.seed, NOISE, self.steps)
        x, y = self.batch(ORDER, generator)
        terms = self.terms(x, y, generator)
        loss = terms.rec.mean() if self.pretraining else self.objective(terms)
        # one transfer for all numbers: on a GPU each makes the processor wait
        value, rate, distortion = torch.stack([loss, terms.kl.mean(), terms.rec.mean()]).detach().tolist()
        self.finite(value)
        self.optimizer.zero_grad()
        loss.backward()
        if lagging:  # the decoder's turn: what has no gradient is left alone
            for weight in self.model.encoder_parameters():
                weight.grad = None
        if self.objective.helper_alternates and not self.pretraining:
            self.helper_gradients(generator)
        self.clip_gradient(self.parameters)
        self.optimizer.step()
        return self.close_step(terms, value, rate, distortion)

    def close_step(self, terms: Terms, loss: float, rate: float, distortion: float) -> dict[str, float]:
        """The end of a step, once the weights have moved: count it, let the objective move its knobs, write history."""
        self.steps += 1
        done = {
            "loss": loss,
            "rate": rate,
            "distortion": distortion,
            "penalty_on": self._penalty_on(terms),
            "lam": self.objective.penalty_weight,
        }
        if not self.pretraining:
            self.objective.after_step(terms)
        self._log(done)
        return done

    def clip_gradient(self, weights: list[nn.Parameter]) -> None:
        """Keep the norm of the gradient within `clip`."""
        self.note_norm(torch.nn.utils.clip_grad_norm_(weights, self.clip or math.inf))

    def note_norm(self, norm: Tensor) -> None:
        """Remember the largest norm of the gradient, before clipping.

        TrainingDiverged if it is not finite: a step along it would spoil the weights, with the loss as good as ever.
        """
        if not math.isfinite(norm):
            raise TrainingDiverged(
                f"the gradient is {norm.item()} at step {self.steps} with objective {self.objective}, "
                "though the loss is finite"
            )
        self._largest = torch.maximum(self._largest, norm.detach())

    def finite(self, loss: float) -> None:
        """TrainingDiverged if a loss is no number."""
        if not math.isfinite(loss):
            raise TrainingDiverged(f"the loss is {loss} at step {self.steps} with objective {self.objective}")

    def update_encoder(self) -> None:
        """The encoder's updates before the decoder's: lagging inference lets it catch up until its loss stops falling."""
        weights = self.model.encoder_parameters()
        before, total = math.inf, 0.0
        for i in range(1, self.encoder_steps + 1):
            generator = seeded(self.seed, ENCODER, self.steps, i)
            rows = torch.randint(len(self.x), (self.batch_size,), generator=generator)
            loss = self.objective(self.terms(*self.examples(rows, generator), generator))
            self.finite(value := loss.item())
            self.optimizer.zero_grad()  # weights without a gradient are left alone, the decoder's among them
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights)):
                weight.grad = gradient
            self.clip_gradient(weights)
            self.optimizer.step()
            self.encoder_steps_done += 1
            total += value
            if i % BURN_IN == 0:
                if total > before:
                    break
                before, total = total, 0.0

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
            row["grad_norm"] = self._largest.item()
            row |= self.measure() if measured else dict.fromkeys(MEASURED, math.nan)
            row["valid_loss"] = self.validate() if epoch_ends else math.nan
            self.history.append(row)
            self._since_row, self._largest = self._empty_row(), torch.zeros_like(self._largest)
            if epoch_ends and self.lagging and not self.pretraining:
                self.lagging, self._epoch_mi = row["mi"] > self._epoch_mi, row["mi"]
            if epoch_ends and self.plateau is not None:
                self._heed(self.plateau, row["valid_loss"])

    @property
    def jumps(self) -> int:
        """How often D + R of a history row was more than twice that of the row before: training was thrown off there."""
        sums = [row["rate"] + row["distortion"] for row in self.history]
        return sum(after > JUMP * before for before, after in zip(sums, sums[1:]) if before > 0)

    def measure(self) -> dict[str, float]:
        """I_q (both bounds) and rate on validation examples now: mi, mi_upper, valid_rate, nats; nan without them."""
        if self.valid is None:
            return dict.fromkeys(MEASURED, math.nan)
        x, y = (None if t is None else t[:PROBE_EXAMPLES] for t in self.valid)
        assert x is not None
        was_training = self.model.training
        self.model.eval()  # BN-VAE must neither use these examples' statistics nor learn them
        mu, logvar = posteriors(self.model, x, y)
        self.model.train(was_training)
        mi = mutual_information(mu, logvar, seeded(self.seed, PROBE, self.steps))
        return {"mi": mi.lower, "mi_upper": mi.upper, "valid_rate": rate(mu, logvar)}

    @torch.no_grad()
    def validate(self) -> float:
        """The loss on the validation part as it will be when all schedules have ended, nats; nan without such a part.

        Same mini-batches and noise at every call, so that two calls differ by the weights alone.
        """
        if self.valid is None:
            return math.nan
        x, y = self.valid
        batches = Batches(x, min(self.batch_size, len(x)), self.seed, VALID)
        was_training, total, n = self.model.training, 0.0, 0
        self.model.eval()
        for i, rows in enumerate(batches.of(0)):
            if len(rows) > 1 or n == 0:  # information needs two examples
                generator = seeded(self.seed, VALID, i)
                terms = self.terms(*taken(x, y, rows, batches.words), generator, epoch=math.inf)
                loss = terms.rec.mean() if self.pretraining else self.objective.validation_loss(terms)
                total, n = total + float(loss) * len(rows), n + len(rows)
        self.model.train(was_training)
        return total / n

    def _heed(self, plateau: Plateau, loss: float) -> None:
        """Slow down or stop on the plateau's advice, once pre-training and the objective's schedule are over."""
        if (self.steps - self.pretrain_steps) / self.steps_per_epoch < max(1.0, self.objective.settles(self.epochs)):
            return
        match plateau.after_epoch(loss):
            case "better":
                self.best = checkpoint.State.of(*self._kept)
            case "slower":
                lr = self.lr / 2
                self.use_best()
                self.lr = lr
            case "stop":
                self.use_best()
                self.stopped = True

    def use_best(self) -> None:
        """Put the weights of the epoch with the best validation loss, and the optimiser as it was then, into place."""
        if self.best:
            lr = self.lr
            self.best.put_back(*self._kept)
            self.lr = lr

    # ------------------------------------------------------------------------------------------------ many steps

    def fit(self, epochs: float, *, progress: bool = True, on_step: Callable[[Trainer], None] | None = None) -> bool:
        """Train until `epochs` are done since the start, or the plateau stops it; False if Ctrl-C did, after a whole step.

        So do SIGTERM and SIGHUP, if nothing else waits for them; `interrupted` is the signal. Call it again to go on.
        `on_step` is called after every step.
        """
        self.epochs = epochs
        until = round(epochs * self.steps_per_epoch)
        bar = tqdm(total=until, initial=self.steps, unit="step", leave=False, disable=not progress, desc=self.objective.name)
        with deferred_interrupt() as asked, bar:
            while self.steps < until and not self.stopped and not asked:
                done = self.step()
                if on_step is not None:
                    on_step(self)
                bar.update()
                if progress and self.steps % 10 == 0:
                    bar.set_postfix(rate=f"{done['rate']:.2f}", D=f"{done['distortion']:.1f}", refresh=False)
            self.interrupted = asked[0] if asked else 0
            return self.stopped or self.steps >= until

    # ---------------------------------------------------------------------------------------------- checkpoints

    @property
    def _kept(self) -> tuple[VAE, dict[str, nn.Module], torch.optim.Optimizer]:
        """What has tensors that a checkpoint keeps."""
        return self.model, self.helpers, self.optimizer

    @property
    def _made_by(self) -> dict[str, Any]:
        """What must be the same when a checkpoint is gone on from: it decides the examples and the noise of every step."""
        names = "seed", "batch_size", "grey", "encoder_steps", "pretrain_steps"
        return {name: getattr(self, name) for name in names} | {"examples": len(self.x), "objective": self.objective.name}

    def save(self, path: Path, **extra) -> None:
        """Write everything a bit-exact continuation needs to one file, atomically. `extra` goes along as JSON.

        Raises TrainingDiverged, and leaves the file before as it is, if a weight is not finite.
        """
        now = checkpoint.State.of(*self._kept)
        if not now.finite:
            raise TrainingDiverged(f"a weight is not finite after step {self.steps} with objective {self.objective}")
        meta = {
            "made_by": self._made_by,
            "steps": self.steps,
            "lr": self.lr,
            "history": self.history,
            "since_row": self._since_row,
            "grad_norm": self._largest.item(),
            "objective": self.objective.state(),
            "lagging": [self.lagging, self._epoch_mi, self.encoder_steps_done],
            "plateau": self.plateau and self.plateau.state(),
            "stopped": self.stopped,
            "extra": extra,
        }
        checkpoint.write(path, {"": now, "best.": self.best}, meta)

    def load(self, path: Path) -> dict:
        """Continue from a file that `save` wrote; returns its `extra`. Model and objective must be as they were.

        Raises CheckpointError, and leaves all as it is, if the file is damaged or of another training.
        """
        states, meta = checkpoint.read(path, ("best.", ""))
        now, then = self._made_by, meta.get("made_by", {})
        if changed := [f"{name} was {then[name]}, is {now[name]}" for name in then if then[name] != now.get(name)]:
            raise checkpoint.CheckpointError(f"{path} is of another training ({', '.join(changed)})")
        if states["best."]:
            states["best."].check(*self._kept)
        states[""].put_back(*self._kept)
        self.best = states["best."]
        self.steps, self.lr, self.history = meta["steps"], meta["lr"], meta["history"]
        # a file from before a column existed: its mean is not known for the row that was begun
        self._since_row = dict.fromkeys(STEP_MEANS, math.nan) | meta["since_row"]
        self._largest = torch.full_like(self._largest, meta.get("grad_norm", 0.0))
        for knob, value in meta.get("objective", {}).items():
            setattr(self.objective, knob, value)
        if "lagging" in meta:
            self.lagging, self._epoch_mi, self.encoder_steps_done = meta["lagging"]
        if self.plateau is not None and meta.get("plateau"):
            self.plateau = Plateau(**meta["plateau"])
        self.stopped = meta.get("stopped", False)
        return meta["extra"]


def check_number(name: str, value: float, above: bool = False) -> None:
    """ValueError unless a setting is a finite number from 0, or above it."""
    if not (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf) or (
        above and value == 0
    ):
        raise ValueError(f"{name} = {value!r}: choose a finite number {'above 0' if above else 'from 0'}")


def taken(x: Tensor, y: Tensor | None, rows: Tensor, words: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The examples of these row numbers as a model takes them: sentences as long as the longest one of them."""
    width = None if words is None else int(words[rows].max())
    rows = rows.to(x.device)
    x, y = x[rows], None if y is None else y[rows]
    return (x.float() if x.dtype == torch.uint8 else x) if width is None else x[:, :width], y
