"""Runs that differ only in seed and objective, trained together: klcourse.training.Stack, at most 16 at a time.

A stack leaves in every run's folder what a run by itself leaves when it has trained and is not measured yet. The usual
backend goes on from there: it measures, and writes the files. It also does what cannot be stacked. A stack that was cut off
goes on from its runs' checkpoints.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from klcourse.runs import Run, build_trainer
from klcourse.runs.files import held
from klcourse.runs.trained import Begun, begin, diverged
from klcourse.training import Stack, Trainer, TrainingDiverged
from klcourse.training.stacked import why_not

from .local import local
from .stop import Stop
from .worker import Outcome, Task, dataset

MOST = 16  # models of a stack: more gain little, and their weights leave the processor's cache
CHECKPOINT_EVERY = 200  # steps, as for a run by itself


def stacked(tasks: list[Task], jobs: int, stop: Stop, say: Callable[[str], object]) -> Iterator[Outcome]:
    """Every task's outcome: first stack by stack, then those that no stack takes, `jobs` at a time. `say` is told which."""
    stacks, others = together(tasks)
    alone = [task for group in others.values() for task in group]
    why = "; ".join(f"{len(group)} do not: {reason}" for reason, group in others.items())
    say(f"stacked: {len(tasks) - len(alone)} of {len(tasks)} runs train together" + (f" ({why})" if why else ""))
    for members in stacks:
        if stop:
            return
        ended = set()
        for outcome in train_together(members, jobs * members[0].threads, stop, say):
            ended.add(outcome.key)
            yield outcome
        yield from local([task for task in members if task.key not in ended], jobs, stop)
    yield from local(alone, jobs, stop)


def together(tasks: list[Task]) -> tuple[list[list[Task]], dict[str, list[Task]]]:
    """Stacks of tasks, of about the same size; and the tasks that no stack takes, by the reason."""
    kinds: dict[tuple[Run, bool], list[Task]] = {}
    for task in tasks:
        same = replace(task.config, seed=0).with_objective("elbo")
        kinds.setdefault((same, task.config.make_objective().needs_helper), []).append(task)
    stacks, others = list[list[Task]](), dict[str, list[Task]]()
    for group in kinds.values():
        config = group[0].config
        reason = why_not(build_trainer(config, dataset(config.data, config.limit, config.hold_out)))
        if not reason and len(group) == 1:
            reason = "nothing like it"
        if reason:
            others.setdefault(reason, []).extend(group)
        else:
            n = math.ceil(len(group) / MOST)
            stacks += [group[i::n] for i in range(n)]
    return stacks, others


def train_together(tasks: list[Task], threads: int, stop: Stop, say: Callable[[str], object]) -> Iterator[Outcome]:
    """Train the runs of a stack, up to their measurement; the outcomes of those that cannot go on.

    A run whose folder cannot be used is left out: the usual backend says why, or mends it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with ExitStack() as folders:
            begun: dict[Trainer, tuple[Task, Begun]] = {}
            for task in tasks:
                try:
                    folders.enter_context(held(Path(task.folder)))
                    config = task.config
                    data = dataset(config.data, config.limit, config.hold_out)
                    each = begin(config, Path(task.folder), data, resume=True)
                    begun[each.trainer] = task, each
                except Exception:
                    continue
            for trainers in in_step(begun):
                yield from train_stack({trainer: begun[trainer] for trainer in trainers}, stop)
    except Exception as error:  # such as a full disk: then every run says so by itself
        say(f"a stack broke off ({error}): its runs go on one by one")
    finally:
        torch.set_num_threads(before)


def in_step(begun: dict[Trainer, tuple[Task, Begun]]) -> list[list[Trainer]]:
    """Trainers that have done the same number of steps: killed while it saves, a stack leaves some a checkpoint behind."""
    groups: dict[int, list[Trainer]] = {}
    for trainer, (task, _) in begun.items():
        if trainer.steps < task.config.epochs * trainer.steps_per_epoch:
            groups.setdefault(trainer.steps, []).append(trainer)
    return [groups[steps] for steps in sorted(groups)]


def train_stack(begun: dict[Trainer, tuple[Task, Begun]], stop: Stop) -> Iterator[Outcome]:
    """Train one stack; the outcomes of members that failed, or of all if the sweep is stopped."""
    for _, each in begun.values():
        each.charge(1 / len(begun))

    def save(stack: Stack) -> None:
        errors: dict[Trainer, Exception] = {}
        for trainer in stack.trainers:
            try:
                begun[trainer][1].save()
            except TrainingDiverged as error:
                errors[trainer] = error
        if errors:
            stack.leave(errors)

    def on_step(stack: Stack) -> None:
        if stack.steps % CHECKPOINT_EVERY == 0:
            save(stack)

    stack = Stack(list(begun))
    task, _ = next(iter(begun.values()))
    done = stack.fit(task.config.epochs, stop=lambda: stop, on_step=on_step)
    save(stack)
    for trainer, error in stack.failed.items():
        task, each = begun[trainer]
        if isinstance(error, TrainingDiverged):
            error = diverged(error, each.out)
        yield Outcome(task.key, "failed", f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))
    if stop and not done:
        for trainer in stack.trainers:
            yield Outcome(begun[trainer][0].key, "interrupted")
