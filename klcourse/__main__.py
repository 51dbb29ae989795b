"""The klcourse command: `doctor` checks the set-up, `run` trains one configuration, `sweep` a grid; lists of all else."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from typing import TYPE_CHECKING

from klcourse.system import print_anything, reason

if TYPE_CHECKING:
    from klcourse.objectives import Knob


COMMANDS = "{doctor,run,sweep,methods,ledger,exercises,hand-in,marks}"
NOT_SETTINGS = ("command", "out", "resume", "quiet", "preset")  # arguments of `run` itself


def build_parser(argv: list[str]) -> argparse.ArgumentParser:
    """The command line for these arguments. The options of `run` and `sweep` need torch: only when they are asked for."""
    parser = argparse.ArgumentParser(prog="klcourse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar=COMMANDS)
    commands.add_parser("doctor", help="check the set-up; says what to do where something is wrong")
    run = commands.add_parser(
        "run",
        help="train one configuration, measure it on the test set, write the results to a folder",
        epilog="example: klcourse run --data text --objective rate-hinge --lam 1 --c 5 --epochs 4 --seed 0 --out runs/hinge",
    )
    several = commands.add_parser(
        "sweep",
        help="do all runs of a grid file in parallel, none twice, and gather them in one table",
        epilog="example: klcourse sweep notebooks/results/phase_diagram.toml --out runs/phase_diagram",
    )
    commands.add_parser("ledger", help="every claim of the article with its verdict, computed now, as a Markdown table")
    listing = commands.add_parser("methods", help="list every method: what it minimises, its knobs, paper and file")
    listing.add_argument("--markdown", action="store_true", help="as a Markdown table, as README.md has it")
    done = commands.add_parser("exercises", help="what you have solved, predicted and bet; --reset forgets it")
    if argv[:1] == ["exercises"]:
        from klcourse.exercises.command import add_arguments as add_exercise_arguments

        add_exercise_arguments(done)
    given = commands.add_parser("hand-in", help="put your answers, predictions and capstone into one small file")
    if argv[:1] == ["hand-in"]:
        from klcourse.exercises.hand_in import add_arguments as add_hand_in_arguments

        add_hand_in_arguments(given)
    marked = commands.add_parser("marks", help="a table of all the hand-ins in a folder")
    if argv[:1] == ["marks"]:
        from klcourse.exercises.marks import add_arguments as add_marks_arguments

        add_marks_arguments(marked)
    if argv[:1] == ["run"]:
        add_run_arguments(run, argv)
    if argv[:1] == ["sweep"]:
        from klcourse.sweep.command import add_arguments

        add_arguments(several)
    return parser


def add_run_arguments(run: argparse.ArgumentParser, argv: list[str]) -> None:
    """Options of the command itself, one for every setting of a run, and one for every knob of every objective.

    An objective of your own, given by its dotted name, brings its knobs along.
    """
    from klcourse.objectives import all_knobs, find_objective
    from klcourse.runs import presets
    from klcourse.runs.config import settings

    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--objective", default="elbo")
    name = first.parse_known_args(argv[1:])[0].objective
    try:
        find_objective(name)
    except ValueError:  # said when the run is made
        pass
    run.formatter_class = argparse.RawDescriptionHelpFormatter
    run.epilog = f"{run.epilog}\n\npresets\n{presets.to_text()}"
    run.add_argument("--preset", metavar="|".join(presets.PRESETS), help="settings that belong together, listed below")
    run.add_argument("--out", required=True, help="folder for metrics.json, history.csv, run.json and the checkpoint")
    run.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    for label, what in settings().items():
        default = "" if what.default is None or what.kind is bool else f" (default: {what.default})"
        add_option(run, label, what, what.help + default)
    knobs = run.add_argument_group("knobs of the objective, with the objectives that have them and their defaults")
    for label, users in all_knobs().items():
        what = next(iter(users.values()))
        meanings = dict.fromkeys(each.help for each in users.values())
        defaults = ", ".join(f"{user} {each.default}" for user, each in users.items())
        unit = f" [{what.unit}]" if what.unit else ""
        add_option(knobs, label, what, f"{'; '.join(filter(None, meanings))}{unit} ({defaults})")


def add_option(group: argparse._ActionsContainer, name: str, what: Knob, text: str) -> None:
    """One option. Not given, it is left to the run: only what was typed reaches it."""
    option, text = "--" + name.replace("_", "-"), text.replace("%", "%%")
    if what.kind is bool:
        group.add_argument(option, action="store_true", default=argparse.SUPPRESS, help=text)
    else:
        group.add_argument(option, type=what.kind, default=argparse.SUPPRESS, help=text, metavar=name.upper())


def nearest_option(parser: argparse.ArgumentParser, command: str, typed: str) -> str:
    """A guess at which option of a command was meant, in words; nothing if none is near."""
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    options = list(commands.choices[command]._option_string_actions)
    close = difflib.get_close_matches(typed.partition("=")[0].replace("_", "-"), options, n=1, cutoff=0.6)
    return f". Did you mean {close[0]}?" if close else ""


def run_command(arguments: argparse.Namespace) -> int:
    """Train, print the metrics; returns the exit status: 0, 2 for what cannot be done, 130 after Ctrl-C."""
    from klcourse.data import DataError
    from klcourse.runs import Interrupted, Run, RunError, train
    from klcourse.runs.presets import with_preset
    from klcourse.training import TrainingDiverged

    given = {name: value for name, value in vars(arguments).items() if name not in NOT_SETTINGS}
    try:
        config = with_preset(arguments.preset, **given) if arguments.preset else Run(**given)
        run = train(config, arguments.out, resume=arguments.resume, progress=not arguments.quiet)
    except (DataError, RunError, TrainingDiverged) as error:
        print(f"klcourse run: {error}", file=sys.stderr)
        return 2
    except Interrupted as stop:
        print(f"klcourse run: {stop}", file=sys.stderr)
        return 128 + stop.signal
    except KeyboardInterrupt:
        go_on = f"go on with --resume --out {arguments.out}, from the last checkpoint"
        print(f"klcourse run: stopped at once; {go_on}", file=sys.stderr)
        return 130
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        what = str(error).splitlines()[0] if str(error) else "no more can be had"
        print(f"klcourse run: memory ran out ({what}): choose a smaller --batch-size or --hidden", file=sys.stderr)
        return 2
    width = max(map(len, run.metrics))
    for name, value in run.metrics.items():
        print(f"{name:<{width}}  {value:.4f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    if run.metrics["loss_jumps"]:
        print(
            f"klcourse run: the loss jumped {run.metrics['loss_jumps']:.0f} times (largest gradient "
            f"{run.metrics['largest_gradient']:.0f}): look at {arguments.out}/history.csv, try a smaller --lr or --clip",
            file=sys.stderr,
        )
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments (by default the shell's); returns the exit status.

    Ctrl-C, a reader that has gone (`| head`) and a disk that refuses are said in a line, wherever they come.
    """
    print_anything()
    argv = sys.argv[1:] if argv is None else argv
    try:
        status = command(argv)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("klcourse: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be written at the end
        return 141
    except OSError as error:
        print(f"klcourse: {reason(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        print("klcourse: this needs PyTorch, which is not installed: pip install -r requirements.txt", file=sys.stderr)
        return 2


def command(argv: list[str]) -> int:
    """What `main` does when nothing goes wrong with the machine."""
    parser = build_parser(argv)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{nearest_option(parser, argv[0], unknown[0])}")
    if arguments.command == "doctor":
        from klcourse import doctor

        return doctor.main()
    if arguments.command == "ledger":
        from klcourse import ledger

        print(ledger.to_markdown())
        return 0
    if arguments.command == "methods":
        from klcourse import catalogue

        print(catalogue.to_markdown() if arguments.markdown else catalogue.to_text())
        return 0
    if arguments.command == "exercises":
        from klcourse.exercises import command as exercises

        return exercises.main(arguments)
    if arguments.command == "hand-in":
        from klcourse.exercises import hand_in

        return hand_in.main(arguments)
    if arguments.command == "marks":
        from klcourse.exercises import marks

        return marks.main(arguments)
    if arguments.command == "sweep":
        from klcourse.sweep import command

        return command.main(arguments)
    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
