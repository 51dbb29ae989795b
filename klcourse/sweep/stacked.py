"""Runs that differ only in seed and objective, trained together: klcourse.training.Stack, at most 16 in a process.

A stack leaves in every run's folder what a run by itself leaves when it has trained and is not measured yet. The usual code
goes on from there: it measures, writes the files, and says which runs have diverged. It also does what cannot be stacked. A
stack that was cut off goes on from its runs' checkpoints.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from klcourse.runs import Run, RunError, build_trainer
from klcourse.runs.files import held
from klcourse.runs.trained import Begun, begin
from klcourse.training import Stack, Trainer, TrainingDiverged
from klcourse.training.stacked import why_not

from .local import local
from .stop import Stop
from .worker import Outcome, Task, attempt, dataset

MOST = 16  # models of a stack: more gain little, and their weights leave the processor's cache
CHECKPOINT_EVERY = 200  # steps, as for a run by itself


def stacked(tasks: list[Task], jobs: int, stop: Stop, say: Callable[[str], object]) -> Iterator[Outcome]:
    """Every task's outcome: first of stacks, then of those that no stack takes, `jobs` at a time. `say` is told which."""
    stacks, others = together(tasks, jobs)
    alone = [task for group in others.values() for task in group]
    why = "; ".join(f"{len(group)} do not: {reason}" for reason, group in others.items())
    say(f"stacked: {len(tasks) - len(alone)} of {len(tasks)} runs train together" + (f" ({why})" if why else ""))
    for outcome in local([*stacks], jobs, stop):
        if outcome.status == "failed":  # its process is gone
            say(f"a stack broke off ({outcome.error}): its runs go on one by one")
            alone = [*next(stack.members for stack in stacks if stack.key == outcome.key), *alone]
        else:
            yield from outcome.members or [outcome]
    yield from local(alone, jobs, stop)


def together(tasks: list[Task], jobs: int) -> tuple[list[Together], dict[str, list[Task]]]:
    """Stacks of tasks, of about the same size, for `jobs` processes; and what no stack takes, by the reason."""
    kinds: dict[tuple[Run, bool], list[Task]] = {}
    for task in tasks:
        same = replace(task.config, seed=0).with_objective("elbo")
        kinds.setdefault((same, task.config.make_objective().needs_helper), []).append(task)
    stacks, others = list[Together](), dict[str, list[Task]]()
    for group in kinds.values():
        config = group[0].config
        reason = why_not(build_trainer(config, dataset(config.data, config.limit, config.hold_out)))
        if not reason and len(group) == 1:
            reason = "nothing like it"
        if reason:
            others.setdefault(reason, []).extend(group)
        else:
            n = min(len(group) // 2, jobs * math.ceil(len(group) / (jobs * MOST)))
            stacks += [Together.of(group[i::n]) for i in range(n)]
    return stacks, others


@dataclass(frozen=True)
class Together(Task):
    """Tasks that a worker gets as one; its own fields are those of the first member."""

    members: tuple[Task, ...] = ()

    @classmethod
    def of(cls, tasks: list[Task]) -> Together:
        """These tasks, as one."""
        return cls(**vars(tasks[0]), members=tuple(tasks))

    def run(self) -> Outcome:
        """Train all at once, then let each be done as usual."""
        torch.set_num_threads(self.threads)
        try:
            train_together(self.members)
        except Exception as error:  # such as a full disk: then every run says so by itself
            warnings.warn(f"a stack broke off ({error}): its runs go on one by one", stacklevel=2)
        ended = list[Outcome]()
        for task in self.members:
            ended.append(attempt(task))
            if ended[-1].status == "interrupted":
                break
        return Outcome(self.key, "finished", members=tuple(ended))


def train_together(tasks: tuple[Task, ...]) -> None:
    """Train the runs of a stack, up to their measurement. A run whose folder or checkpoint cannot be used is left out."""
    with ExitStack() as folders:
        begun = list[Begun]()
        for task in tasks:
            config, folder = task.config, Path(task.folder)
            try:
                folders.enter_context(held(folder))
                begun.append(begin(config, folder, dataset(config.data, config.limit, config.hold_out), resume=True))
            except RunError:
                continue
        for steps in sorted({each.trainer.steps for each in begun}):  # killed while it saves, a stack leaves some behind
            train_stack([each for each in begun if each.trainer.steps == steps])


def train_stack(begun: list[Begun]) -> None:
    """Train runs that have done the same number of steps. Raises KeyboardInterrupt, with checkpoints written, on Ctrl-C."""
    runs: dict[Trainer, Begun] = {each.trainer: each for each in begun}
    for each in begun:
        each.charge(1 / len(begun))

    def save(stack: Stack) -> None:
        for trainer in [*stack.trainers]:
            try:
                runs[trainer].save()
            except TrainingDiverged as error:
                stack.leave({trainer: error})

    def on_step(stack: Stack) -> None:
        if stack.steps % CHECKPOINT_EVERY == 0:
            save(stack)

    stack = Stack([*runs])
    done = stack.fit(begun[0].config.epochs, on_step=on_step)
    save(stack)
    if stack.trainers and not done:
        raise KeyboardInterrupt
