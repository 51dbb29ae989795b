"""Many small models in one step: their weights lie in one tensor a layer, and one call of torch.func.vmap moves all.

    stack = Stack([build_trainer(Run(objective="rate-hinge", lam=lam, c=10), data) for lam in (1, 2, 4, 8)])
    stack.fit(epochs=3)
    stack.trainers[0].history, stack.failed

A small model leaves most of a machine idle: what a step costs is the calls, not the arithmetic. The members are usual
trainers, each with its own seed, mini-batches, noise, objective and history, and their weights are views of the common
tensors. So whatever a trainer can do, be measured, validated, saved, is done by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from klcourse.gaussians import gaussian_kl, normal
from klcourse.models import VAE
from klcourse.models.images import FactorisedDecoder, bernoulli_log_likelihood
from klcourse.system import deferred_interrupt

from .order import NOISE, ORDER, seeded
from .trainer import Trainer, TrainingDiverged


def why_not(trainer: Trainer) -> str:
    """What keeps a trainer out of any stack, in a few words; empty if nothing does.

    >>> from klcourse.models import build_vae
    >>> from klcourse.objectives import ELBO
    >>> why_not(Trainer(build_vae("image", "ar", latent_dim=2, hidden=4), ELBO(), torch.zeros(10, 784), batch_size=5))
    'not an MLP on images'
    """
    model = trainer.model
    obstacles = {
        "not an MLP on images": not isinstance(model.decoder, FactorisedDecoder),
        "labels": model.n_labels > 0,
        "bn_gamma": model.floor is not None and model.floor.norm is not None,
        "a helper network": trainer.objective.needs_helper or bool(trainer.helpers),
        "encoder_steps": trainer.encoder_steps > 1,
        "pretrain": trainer.pretrain_steps > 0,
        "patience": trainer.plateau is not None,
    }
    return next((name for name, there in obstacles.items() if there), "")


class Pass(nn.Module):
    """One pass through a VAE of the factorised decoder, with noise that is given: what is mapped over the members."""

    def __init__(self, model: VAE):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 784), (B, d) -> mu, logvar, z (B, d) and logits (B, 784)."""
        decoder = self.model.decoder
        assert isinstance(decoder, FactorisedDecoder)
        mu, logvar = self.model.encode(x)
        z = mu + (0.5 * logvar).exp() * noise
        return mu, logvar, z, decoder.net(self.model.told(z, None))


class Stack:
    """Trainers of models of one shape that step together; they may differ in seed, objective and its knobs.

    Each sees what it would see alone: the same initial weights, mini-batches and noise, Adam and the bound on its own
    gradient. So it ends where it would alone, but for the order in which floats are added. A member whose loss or gradient
    is no number leaves the stack, with its weights as the step before left them, and stands in `failed` with the reason; the
    others go on. After `release`, as at the end of `fit`, all are usual trainers again.

    Raises ValueError for trainers that cannot be stacked; `why_not` says which.

    >>> from klcourse.models import build_vae
    >>> from klcourse.objectives import BetaVAE
    >>> x = torch.bernoulli(torch.full((20, 784), 0.1))
    >>> models = [build_vae("image", "mlp", latent_dim=2, hidden=4) for _ in range(3)]
    >>> stack = Stack([Trainer(m, BetaVAE(beta=b), x, batch_size=10, seed=b) for b, m in enumerate(models)])
    >>> stack.fit(epochs=2), stack.steps, [len(trainer.history) for trainer in stack.trainers]
    (True, 4, [2, 2, 2])
    """

    def __init__(self, trainers: Sequence[Trainer]):
        if not trainers:
            raise ValueError("a stack of no trainers: give one or more")
        for trainer in trainers:
            if why := why_not(trainer):
                raise ValueError(f"a trainer with objective {trainer.objective} cannot be stacked ({why}): train it alone")
        if len(kinds := {self._kind(trainer) for trainer in trainers}) > 1:
            one, other, *_ = kinds
            differ = [f"{a} and {b}" for a, b in zip(one, other) if a != b]
            raise ValueError(
                f"trainers of a stack differ in more than seed and objective ({differ[0]}): stack like with like"
            )
        self.trainers = list(trainers)
        self.failed: dict[Trainer, Exception] = {}
        self.weights: dict[str, Tensor] = {}  # (M, in, out) or (M, out); empty while everybody's weights are their own
        self._optimizer: torch.optim.Optimizer | None = None

    @staticmethod
    def _kind(trainer: Trainer) -> tuple:
        """What members of a stack must have in common."""
        shapes = tuple((name, tuple(weight.shape)) for name, weight in trainer.model.named_parameters())
        switches = trainer.model.without_z, trainer.model.prior_encoder, getattr(trainer.model.floor, "largest", None)
        return trainer.steps, trainer.lr, trainer.clip, trainer.batch_size, len(trainer.x), switches, shapes

    @property
    def steps(self) -> int:
        """How many are done."""
        return self.trainers[0].steps if self.trainers else 0

    # --------------------------------------------------------------------------------------- joining and parting

    def join(self) -> None:
        """Put all weights, and Adam's averages of their gradients, into one tensor a layer, everybody's being views of it.

        Matrices are kept turned, (in, out): so the gradient of a batched product has the layout of the weight, and is not
        copied.
        """
        first = self.trainers[0]
        self._pass = Pass(first.model)
        self.weights, states = {}, {}
        for (name, _), *members in zip(first.model.named_parameters(), *(t.model.parameters() for t in self.trainers)):
            kept = [trainer.optimizer.state[weight] for trainer, weight in zip(self.trainers, members)]
            whole = self.weights[name] = joined([weight.detach() for weight in members]).requires_grad_()
            state = states[whole] = {"step": torch.tensor(float(self.steps), device=whole.device)}
            for key in "exp_avg", "exp_avg_sq":
                state[key] = joined([of.get(key, torch.zeros_like(w.detach())) for of, w in zip(kept, members)])
            for i, (weight, of) in enumerate(zip(members, kept)):
                weight.data, weight.grad = turned(whole.detach())[i], None
                of |= {"step": state["step"], **{key: turned(state[key])[i] for key in ("exp_avg", "exp_avg_sq")}}
        self._optimizer = torch.optim.Adam(list(self.weights.values()), lr=first.lr, fused=True)
        self._optimizer.state.update(states)
        for trainer in self.trainers:
            trainer.model.train()

    def release(self) -> None:
        """Give every member weights of its own again."""
        if self.weights:
            for trainer in self.trainers:
                for weight in trainer.model.parameters():
                    weight.data = weight.detach().clone(memory_format=torch.contiguous_format)
                    state = trainer.optimizer.state[weight]
                    state |= {key: value.clone(memory_format=torch.contiguous_format) for key, value in state.items()}
        self.weights, self._optimizer = {}, None

    def leave(self, errors: dict[Trainer, Exception]) -> None:
        """Part with members that cannot go on, for the reasons given."""
        self.release()
        self.failed |= errors
        self.trainers = [trainer for trainer in self.trainers if trainer not in errors]

    # ------------------------------------------------------------------------------------------------- training

    def step(self) -> None:
        """Train every member on its next mini-batch; whose loss or gradient is no number leaves, before any weight moves."""
        while self.trainers and (errors := self._try_step()):
            self.leave(errors)  # and once more with the rest: noise is a function of the step

    def _try_step(self) -> dict[Trainer, Exception]:
        """A step of all; or of none, and why some cannot."""
        if self._optimizer is None:
            self.join()
        assert self._optimizer is not None
        generators = [seeded(trainer.seed, NOISE, trainer.steps) for trainer in self.trainers]
        x = torch.stack([t.batch(ORDER, generator)[0] for t, generator in zip(self.trainers, generators)])  # (M, B, 784)
        size = x.shape[1], self._pass.model.latent_dim
        noise = torch.stack([normal(size, generator) for generator in generators]).to(x.device)  # (M, B, d)
        weights = {f"model.{name}": turned(whole) for name, whole in self.weights.items()}
        one = vmap(lambda weights, x, noise: functional_call(self._pass, weights, (x, noise)))
        mu, logvar, z, logits = one(weights, x, noise)
        rec, kl = -bernoulli_log_likelihood(logits, x), gaussian_kl(mu, logvar)  # (M, B)
        terms = [
            trainer.told(*each) for trainer, *each in zip(self.trainers, x, *(t.unbind() for t in (rec, kl, mu, logvar, z)))
        ]
        losses, errors = [], dict[Trainer, Exception]()
        for trainer, each in zip(self.trainers, terms):
            try:
                losses.append(trainer.objective(each))  # outside vmap: it may ask for a number, as a hinge does
            except Exception as error:  # of a class of the reader's own
                errors[trainer] = error
        if errors:
            return errors
        numbers = torch.stack([torch.stack(losses), kl.mean(1), rec.mean(1)], 1).detach().tolist()
        if errors := refused(self.trainers, Trainer.finite, [loss for loss, *_ in numbers]):
            return errors
        self._optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        gradients = [whole.grad for whole in self.weights.values() if whole.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]).norm(dim=0)  # (M,)
        if errors := refused(self.trainers, Trainer.note_norm, norms.unbind()):
            return errors
        if (clip := self.trainers[0].clip) and (norms > clip).any():
            share = (clip / (norms + 1e-6)).clamp(max=1)  # as clip_grad_norm_ has it
            for gradient in gradients:
                gradient.mul_(share.view(-1, *[1] * (gradient.dim() - 1)))
        self._optimizer.step()
        for trainer, each, values in zip(self.trainers, terms, numbers):
            trainer.close_step(each, *values)
        return {}

    def fit(self, epochs: float, *, on_step: Callable[[Stack], None] | None = None) -> bool:
        """Train until `epochs` are done since the start; False if Ctrl-C came first, or if nobody is left.

        `on_step` is called after every step. At the end all are usual trainers again.
        """
        for trainer in self.trainers:
            trainer.epochs = epochs
        until = round(epochs * self.trainers[0].steps_per_epoch) if self.trainers else 0
        with deferred_interrupt() as asked:
            try:
                while self.trainers and self.steps < until and not asked:
                    self.step()
                    if on_step is not None:
                        on_step(self)
            finally:
                self.release()
        return bool(self.trainers) and self.steps >= until


def joined(members: list[Tensor]) -> Tensor:
    """Matrices (out, in) to (M, in, out), vectors (out,) to (M, out)."""
    return turned(torch.stack(members)).contiguous()


def turned(whole: Tensor) -> Tensor:
    """Stacked matrices the other way round, stacked vectors as they are; the inverse of itself."""
    return whole.mT if whole.dim() == 3 else whole


def refused(trainers: list[Trainer], check: Callable, values: Sequence) -> dict[Trainer, Exception]:
    """Whose value does not pass a check, and what it says."""
    found: dict[Trainer, Exception] = {}
    for trainer, value in zip(trainers, values):
        try:
            check(trainer, value)
        except TrainingDiverged as error:
            found[trainer] = error
    return found
