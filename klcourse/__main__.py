"""The klcourse command: `doctor` checks the set-up, `run` trains one configuration, `sweep` a grid of them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields

HELP = {
    "data": "mnist, text, grammar, mnist-full, ptb, or a text file, one sentence a line",
    "decoder": "mlp (factorised, the default) or ar (PixelCNN) for images, lstm for text",
    "objective": "elbo, sl, mi, beta, tc, anneal, cyclical, freebits, freebits-dim, capacity, dual, mi-hinge or mmd",
    "lam": "penalty weight of mi, mi-hinge, capacity and mmd, label weight of sl, first multiplier of dual",
    "c": "target of mi, mi-hinge, capacity and dual, free nats of freebits and freebits-dim",
    "beta": "KL weight (total-correlation weight of tc)",
    "label": "how sl trains its labelling network: joint or alternating",
    "warmup": "epochs until the KL has its full weight, for anneal",
    "period": "epochs of one cycle, for cyclical",
    "ratio": "share of a cycle in which the KL's weight grows, for cyclical",
    "eta": "step size of the multiplier, for dual (and mi)",
    "epochs": "passes over the training set",
    "seed": "decides initial weights, data order and noise",
    "latent_dim": "number of latents d (default: 16 for images, 32 for text)",
    "hidden": "units per layer (default: 200 for images, 256 for text)",
    "batch_size": "examples per mini-batch (default: 50 for images, 100 for text)",
    "lr": "learning rate of Adam (default: 0.002 for images, 0.001 for text)",
    "word_dropout": "probability that the text decoder does not see a word",
    "bn_gamma": "BN-VAE: fixed standard deviation of the posterior means over a mini-batch",
    "delta": "delta-VAE: nats that the rate cannot fall below; 0 is off",
    "encoder_steps": "lagging inference: updates of the encoder for one of the decoder; 1 is off",
    "conditional": "give the label to encoder and decoder",
    "without_z": "hide z from the decoder: module A plays 'independent'",
    "prior_encoder": "fix q(z|x) = p(z): module B plays 'q = p'",
    "binarisation": "static, or dynamic: pixels drawn afresh at every step",
    "limit": "train on the first LIMIT examples only",
    "mi_every": "measure rate and information every so many steps (default: at the end of every epoch)",
    "iw_samples": "samples K of the importance-weighted NLL; 0 leaves it out",
    "generate": "sentences a conditional text model writes per condition, to be measured; 0 leaves it out",
    "device": "auto, cpu or cuda",
}


def build_parser(for_run: bool = True, for_sweep: bool = True) -> argparse.ArgumentParser:
    """The command line. The options of `run` and `sweep` need torch, so they are left out where not asked for."""
    parser = argparse.ArgumentParser(prog="klcourse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{doctor,run,sweep}")
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
    several = commands.add_parser(
        "sweep",
        help="do all runs of a grid file in parallel, none twice, and gather them in one table",
        epilog="example: klcourse sweep notebooks/results/phase_diagram.toml --out runs/phase_diagram",
    )
    if for_sweep:
        from klcourse.sweep.command import add_arguments

        add_arguments(several)
    return parser


def add_config_arguments(run: argparse.ArgumentParser) -> None:
    """One option per field of Run, with its default, so that the two cannot drift apart."""
    from klcourse.runs import Run

    types = {"int": int, "float": float, "str": str}
    for f in fields(Run):
        option, text = "--" + f.name.replace("_", "-"), HELP[f.name]
        if f.type == "bool":
            run.add_argument(option, action="store_true", help=text)
        else:
            text += "" if f.default is None else f" (default: {f.default})"
            run.add_argument(option, type=types[f.type.removesuffix(" | None")], default=f.default, help=text)


def run_command(arguments: argparse.Namespace) -> int:
    """Train, print the metrics; returns the exit status: 0, 2 for what cannot be done, 130 after Ctrl-C."""
    from klcourse.data import DataError
    from klcourse.runs import Interrupted, Run, RunError, train
    from klcourse.training import TrainingDiverged

    given = {f.name: getattr(arguments, f.name) for f in fields(Run)}
    try:
        run = train(Run(**given), arguments.out, resume=arguments.resume, progress=not arguments.quiet)
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
    arguments = build_parser(for_run="run" in argv[:1], for_sweep="sweep" in argv[:1]).parse_args(argv)
    if arguments.command == "doctor":
        from klcourse import doctor

        return doctor.main()
    if arguments.command == "sweep":
        from klcourse.sweep import command

        return command.main(arguments)
    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
