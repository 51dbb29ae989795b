"""The klcourse command: `klcourse doctor` checks the set-up, `klcourse run` trains one configuration."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields

HELP = {
    "data": "mnist, text, mnist-full, ptb, or a text file, one sentence a line",
    "decoder": "mlp (factorised, the default) or ar (PixelCNN) for images, lstm for text",
    "objective": "elbo, sl, mi, beta or tc",
    "lam": "penalty weight of mi, label weight of sl",
    "c": "target of mi, in nats",
    "beta": "KL weight of beta and mi, total-correlation weight of tc",
    "label": "how sl trains its labelling network: joint or alternating",
    "epochs": "passes over the training set",
    "seed": "decides initial weights, data order and noise",
    "latent_dim": "number of latents d (default: 16 for images, 32 for text)",
    "hidden": "units per layer (default: 200 for images, 256 for text)",
    "batch_size": "examples per mini-batch (default: 50 for images, 100 for text)",
    "lr": "learning rate of Adam (default: 0.002 for images, 0.001 for text)",
    "word_dropout": "probability that the text decoder does not see a word",
    "conditional": "give the label to encoder and decoder",
    "without_z": "hide z from the decoder: module A plays 'independent'",
    "prior_encoder": "fix q(z|x) = p(z): module B plays 'q = p'",
    "binarisation": "static, or dynamic: pixels drawn afresh at every step",
    "limit": "train on the first LIMIT examples only",
    "iw_samples": "samples K of the importance-weighted NLL; 0 leaves it out",
    "device": "auto, cpu or cuda",
}


def build_parser(for_run: bool = True) -> argparse.ArgumentParser:
    """The command line. The options of `run` need torch, so they are left out where it is not asked for."""
    parser = argparse.ArgumentParser(prog="klcourse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{doctor,run}")
    commands.add_parser("doctor", help="check the set-up; says what to do where something is wrong")
    run = commands.add_parser(
        "run",
        help="train one configuration, measure it on the test set, write the results to a folder",
        epilog="example: klcourse run --data text --objective mi --lam 1 --c 5 --epochs 4 --seed 0 --out runs/mi",
    )
    if for_run:
        run.add_argument("--out", required=True, help="folder for metrics.json, history.csv, run.json and the checkpoint")
        run.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
        run.add_argument("--quiet", action="store_true", help="no progress bar")
        add_config_arguments(run)
    return parser


def add_config_arguments(run: argparse.ArgumentParser) -> None:
    """One option per field of RunConfig, with its default, so that the two cannot drift apart."""
    from klcourse.runs import RunConfig

    types = {"int": int, "float": float, "str": str}
    for f in fields(RunConfig):
        option, text = "--" + f.name.replace("_", "-"), HELP[f.name]
        if f.type == "bool":
            run.add_argument(option, action="store_true", help=text)
        else:
            text += "" if f.default is None else f" (default: {f.default})"
            run.add_argument(option, type=types[f.type.removesuffix(" | None")], default=f.default, help=text)


def run_command(arguments: argparse.Namespace) -> int:
    """Train, print the metrics; returns the exit status: 0, 2 for what cannot be done, 130 after Ctrl-C."""
    from klcourse.data import DataError
    from klcourse.runs import Interrupted, RunConfig, RunError, train
    from klcourse.training import TrainingDiverged

    given = {f.name: getattr(arguments, f.name) for f in fields(RunConfig)}
    try:
        run = train(RunConfig(**given), arguments.out, resume=arguments.resume, progress=not arguments.quiet)
    except (DataError, RunError, TrainingDiverged) as error:
        print(f"klcourse run: {error}", file=sys.stderr)
        return 2
    except Interrupted as stop:
        print(f"klcourse run: {stop}", file=sys.stderr)
        return 130
    width = max(map(len, run.metrics))
    for name, value in run.metrics.items():
        print(f"{name:<{width}}  {value:.4f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments (by default the shell's); returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = build_parser(for_run="run" in argv).parse_args(argv)
    if arguments.command == "doctor":
        from klcourse import doctor

        return doctor.main()
    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
