"""Ordinary trouble: full disks, folders that cannot be used, signals, consoles, machines that lack something."""

import errno
import io
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
import torch

from klcourse import system
from klcourse.__main__ import main
from klcourse.data import cache
from klcourse.runs import Interrupted, Run, RunError, build_trainer, train, trained
from klcourse.runs.build import available
from klcourse.sweep import local, sweep
from klcourse.sweep.folder import FolderError
from klcourse.training import Trainer
from klcourse.training.checkpoint import read

TINY = dict(limit=60, batch_size=10, hidden=8, latent_dim=2, iw_samples=0)
posix = pytest.mark.skipif(os.name == "nt", reason="no such signals on Windows")


def command(out, *more):
    return [
        "run",
        *(f"--{k.replace('_', '-')}={v}" for k, v in TINY.items()),
        "--epochs=2",
        f"--out={out}",
        "--quiet",
        *more,
    ]


def in_one_line(capsys):
    """What a command said on the error stream: one message, no traceback."""
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.startswith("klcourse")
    return said


# ---------------------------------------------------------------------------------------------------- disks


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_a_full_disk_is_said_and_the_run_goes_on_later(tmp_path, monkeypatch, capsys, after):
    whole = train(Run(**TINY, epochs=2), progress=False)
    real, written = os.fsync, []

    def fsync(fd):
        written.append(fd)
        return real(fd) if len(written) <= after else full()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        assert main(command(tmp_path / "r")) == 2
    assert "No space left on device; make room" in in_one_line(capsys)
    assert not list((tmp_path / "r").glob(".*"))
    assert main(command(tmp_path / "r", "--resume")) == 0
    assert json.loads((tmp_path / "r" / "metrics.json").read_text()) == whole.metrics


@pytest.mark.parametrize("out", ["file/r", "file", pytest.param("/proc/r", marks=posix), "x" * 300, "nul\0"])
def test_a_folder_that_cannot_be_used_is_said_by_run_and_sweep(tmp_path, capsys, out):
    (tmp_path / "file").write_text("")
    assert main(command(tmp_path / out)) == 2
    assert "cannot write to" in in_one_line(capsys) or "\0" in out
    (tmp_path / "g.toml").write_text("[[grid]]\nlimit = 60")
    assert main(["sweep", str(tmp_path / "g.toml"), f"--out={tmp_path / out}", "--quiet"]) == 2
    in_one_line(capsys)


def test_an_empty_name_is_no_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(command("")) == 2
    assert "out = '' names no folder: give one" in in_one_line(capsys)
    (tmp_path / "g.toml").write_text("[[grid]]\nlimit = 60")
    with pytest.raises(SystemExit):
        main(["sweep", "g.toml", "--out="])
    assert "names no folder" in capsys.readouterr().err and [p.name for p in tmp_path.iterdir()] == ["g.toml"]


def test_a_sweep_whose_table_cannot_be_written_keeps_its_runs(tmp_path, monkeypatch):
    (tmp_path / "g.toml").write_text(
        "[common]\n" + "\n".join(f"{k} = {v}" for k, v in TINY.items()) + "\nepochs = 1\n[[grid]]"
    )
    from klcourse.sweep import gather

    with monkeypatch.context() as patch:
        patch.setattr(gather, "write_csv", full)
        with pytest.raises(FolderError, match="No space left on device; make room.*the same command goes on"):
            sweep(tmp_path / "g.toml", tmp_path / "out", jobs=1, progress=False)
    assert sweep(tmp_path / "g.toml", tmp_path / "out", jobs=1, progress=False).missing == 0


def test_one_error_of_the_system_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("klcourse.catalogue.to_text", lambda: full())
    assert main(["methods"]) == 2
    assert in_one_line(capsys) == "klcourse: No space left on device\n"


# ---------------------------------------------------------------------------------------------------- signals


def at_step(monkeypatch, n, what):
    """Do something in the step that comes after n."""
    step = Trainer.step

    def stepping(self):
        if self.steps == n:
            what()
        return step(self)

    monkeypatch.setattr(Trainer, "step", stepping)


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_that_ask_to_end_write_a_checkpoint_first(tmp_path, monkeypatch, capsys, name):
    signum = getattr(signal, name)
    before = signal.getsignal(signum)
    assert main(command(tmp_path / "whole")) == 0
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda: signal.raise_signal(signum))
        assert main(command(tmp_path / "r")) == 128 + signum
    assert "stopped after step 6 of 12: go on with --resume" in in_one_line(capsys)
    assert read(tmp_path / "r" / "checkpoint.safetensors", ("best.", ""))[1]["steps"] == 6
    assert signal.getsignal(signum) == before
    assert main(command(tmp_path / "r", "--resume")) == 0
    assert (tmp_path / "r" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()


@posix
def test_a_signal_that_is_ignored_or_taken_stays_so(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda signum: signal.SIG_IGN)
    assert system.ending_signals() == [signal.SIGINT]


@posix
def test_ctrl_c_twice_stops_at_once_and_leaves_no_half_file(tmp_path, monkeypatch, capsys):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        at_step(patch, 5, twice)
        assert main(command(tmp_path / "r")) == 130
    assert "stopped at once; go on with --resume" in in_one_line(capsys)
    assert not list((tmp_path / "r").glob(".*")) and main(command(tmp_path / "r", "--resume")) == 0


@posix
def test_ctrl_c_while_measuring_loses_nothing(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(trained.measure, "evaluate", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted, match="stopped while the trained model was measured: its .run"):
            train(Run(**TINY, epochs=1), progress=False)
        assert main(command(tmp_path / "r")) == 130
    assert "go on with --resume" in in_one_line(capsys)
    before = (tmp_path / "r" / "checkpoint.safetensors").read_bytes()
    assert main(command(tmp_path / "r", "--resume")) == 0
    tensors = [read(tmp_path / name, ("best.", ""))[0][""] for name in ("r/checkpoint.safetensors", "old")[:1]]
    (tmp_path / "old").write_bytes(before)
    old = read(tmp_path / "old", ("best.", ""))[0][""]
    assert all(torch.equal(old[k], tensors[0][k]) for k in old)


@posix
def test_ctrl_c_at_the_start_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Run, "load_data", lambda self: signal.raise_signal(signal.SIGINT))
    assert main(command(tmp_path / "r")) == 130
    assert "stopped" in in_one_line(capsys)
    (tmp_path / "g.toml").write_text("[[grid]]\nlimit = 60")
    assert main(["sweep", str(tmp_path / "g.toml"), f"--out={tmp_path / 's'}", "--quiet"]) == 130
    assert "stopped" in in_one_line(capsys)


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_sweep_that_is_told_to_end_keeps_every_step(tmp_path, monkeypatch, capsys, name):
    signum = getattr(signal, name)
    (tmp_path / "g.toml").write_text(
        "[common]\n" + "\n".join(f"{k} = {v}" for k, v in TINY.items()) + "\nepochs = 2\n[[grid]]\nseed = [0, 1]"
    )
    with monkeypatch.context() as patch:
        at_step(patch, 5, lambda: signal.raise_signal(signum))
        arguments = ["sweep", str(tmp_path / "g.toml"), f"--out={tmp_path / 's'}", "--jobs=1", "--quiet"]
        # the sweep's own handler hears it first, unless a run is under way, which has its own
        assert main(arguments) in (130, 128 + signum)
    assert "nothing is lost" in in_one_line(capsys)
    (kept,) = (tmp_path / "s" / "runs").glob("*/checkpoint.safetensors")
    assert read(kept, ("best.", ""))[1]["steps"] == 6
    assert main(arguments) == 0


# ---------------------------------------------------------------------------------------------------- machines


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "cuda:x", "mps", "gpu", "CUDA", "", "tpu"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(device):
    if available(device):
        pytest.skip("it is there")
    with pytest.raises(RunError, match=f"device = {device} is not (here|known): choose cpu, .*or auto|choose cpu or auto"):
        build_trainer(Run(**TINY, device=device), Run(**TINY).load_data())


@pytest.mark.parametrize("seed", [2**63, 2**64, 10**400, -1, 1.5, True, "0", [0], None])
def test_a_seed_that_no_generator_takes_is_refused(seed):
    with pytest.raises(RunError, match="seed = .*: choose a whole number from 0 to 9223372036854775807"):
        Run(seed=seed)


def test_the_largest_seed_trains():
    assert train(Run(**TINY, epochs=1, seed=2**63 - 1), progress=False).trainer.steps == 6


def test_one_example_is_refused_before_training_and_two_are_enough():
    with pytest.raises(RunError, match="1 test example, and its information takes 2"):
        train(Run(**(TINY | dict(limit=1, batch_size=1)), epochs=1), progress=False)
    assert train(Run(**(TINY | dict(limit=2, batch_size=2)), epochs=1), progress=False).metrics["rate"] >= 0


def test_a_user_without_a_home_gets_a_folder_for_passing_files(monkeypatch):
    monkeypatch.delenv("KLCOURSE_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: Path("~/.cache") / name)
    assert cache.folder().is_absolute() and cache.folder().name == "klcourse"


def test_without_shared_memory_a_sweep_gives_the_same_table(tmp_path, monkeypatch):
    (tmp_path / "g.toml").write_text(
        "[common]\n" + "\n".join(f"{k} = {v}" for k, v in TINY.items()) + "\nepochs = 1\n[[grid]]\nseed = [0, 1, 2]"
    )
    sweep(tmp_path / "g.toml", tmp_path / "one", jobs=1, progress=False)
    one_at_a_time = threading.Lock()  # here the runs share a process, and torch's generator

    def attempt(task, stopped, patience):
        with one_at_a_time:
            return local.attempt(task)

    monkeypatch.setattr("multiprocessing.context.SpawnContext.Lock", full)
    monkeypatch.setattr(local, "attempt_in_process", attempt)
    with pytest.warns(UserWarning, match="no locks between processes here"):
        sweep(tmp_path / "g.toml", tmp_path / "two", jobs=2, progress=False)
    tables = [pd.read_csv(tmp_path / name / "g.csv").drop(columns="seconds") for name in ("one", "two")]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_a_console_without_lambda_gets_a_question_mark(monkeypatch, encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["methods"]) == 0
    out.flush()
    assert b"?" in out.buffer.getvalue() and b"rate-hinge" in out.buffer.getvalue()


def test_a_reader_that_has_gone_is_no_error(monkeypatch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(["methods"]) == 141


def test_memory_that_runs_out_is_said(tmp_path, capsys):
    assert main(command(tmp_path / "r", "--hidden=1000000000000")) == 2
    assert "memory ran out" in in_one_line(capsys)
