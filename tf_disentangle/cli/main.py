"""Disentangled representations on TensorFlow 2: learn, measure, inspect, serve.

Usage: tf_disentangle COMMAND [options]      (in a checkout: bin/COMMAND [options])

    bin/explore store:jointvae_invariant_mnist   a trained model, in your browser
    bin/train --gin_file=gin/beta_vae.gin --gin_param='train.steps=1000'
    bin/evaluate runs/beta_vae --metrics=mig,dci
    bin/visualize runs/beta_vae
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from absl import flags

from tf_disentangle import __version__, checks
from tf_disentangle.cli import pages, process

#: By what one wants, in a newcomer's order.
GROUPS = {
    "To begin": {
        "explore": "show what each latent does, in a page with the model inside",
        "train": "train a model, then score and draw it",
        "list": "list all named parts, or show what can be set on one",
        "data": "prepare, list and look at data sets",
        "doctor": "check this installation, and say what must be done",
        "help": "show a command's help or a page of the guide",
    },
    "With a trained run": {
        "evaluate": "score it, or any codes with their factors",
        "visualize": "draw it, and write a page with everything about it",
        "compare": "put runs on one page: settings, scores, traversals, curves",
        "encode": "encode image files with it",
        "export": "export it for TensorFlow Serving and other runtimes",
        "serve": "serve it, or an exported model, with REST and gRPC",
        "publish": "write it as a folder that others can check and load",
    },
    "Many runs, and the shell": {
        "study": "train and score a grid of settings, with a table and a report",
        "completion": "complete commands and options with TAB",
    },
}
COMMANDS = {name: does for group in GROUPS.values() for name, does in group.items()}
_EXIT_CODES = """\
Exit codes: 0 done; 1 a fault of the library, with a traceback; 2 a mistake in what
was asked, with one message; 3 a loss term was not finite; 4 some files were left out
(encode), some runs failed (study), or something must be done (doctor); 75 another
process is doing this run (study run); 130 or 143 stopped by Ctrl-C or SIGTERM (train,
encode and study resume with the same command)."""


# Commands that have something to close in good order when SIGTERM ends them.
_CLOSING = (["train"], ["encode"], ["serve"])
# Options that name files and folders.
_PATHS = (
    *("run", "runs", "study", "files", "source", "codes", "gin_file", "data_dir"),
    *("model", "card", "dir", "model_base_path", "model_config_file"),
    *("monitoring_config_file", "output", "destination"),
)
# What --help puts after an option that takes a number.
_KINDS = {"int": "=INTEGER", "float": "=NUMBER"}


def main(argv: Sequence[str]) -> int:
    """Runs one command and returns its exit code.

    Args:
        argv: The command's name and its options.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return 0 if argv else 2
    if argv[0] in ("--version", "version"):
        print(f"tf_disentangle {__version__}")
        return 0
    name, *options = argv
    try:
        rule = f"be one of {', '.join(COMMANDS)}"
        remedy = checks.suggestion(name, [*COMMANDS, "version"])
        checks.require(name in COMMANDS, "COMMAND", rule, name, remedy)
        if name == "study":
            name, options = _subcommand(options)
        module = name.replace(" ", "_")
        command = importlib.import_module(f"tf_disentangle.cli.{module}")
        if any(option in ("-h", "--help", "-help") for option in options):
            print(pages.as_typed(f"{_usage(command, name)}\n\n{command.__doc__}"))
            print(pages.as_typed(_described(command.FLAGS)))
            return 0
        places = getattr(command, "POSITIONAL", ("run",))
        values = _parsed(command.FLAGS, name, options, places)
        return command.main(values)
    except (checks.ArgumentError, checks.ArgumentTypeError, flags.Error) as error:
        # gin adds which function it was calling.
        text = re.sub(r"\n  In call to configurable .*", "", str(error))
        print(f"tf_disentangle {name}: {pages.as_typed(text)}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, process.Terminated) as signal:
        resumes = name in ("train", "encode", "study", "study run")
        again = " The same command resumes it." if resumes else ""
        print(f"tf_disentangle {name}: stopped.{again}", file=sys.stderr)
        return 130 if isinstance(signal, KeyboardInterrupt) else 143


def run() -> None:
    """Entry point of the console script and of bin/."""
    process.require_utf8()
    if sys.argv[1:2] in _CLOSING or sys.argv[1:3] == ["study", "run"]:
        process.raise_on_sigterm()
    # A gin file may import a module of the user's; last, so that it hides nothing.
    sys.path.append(os.getcwd())
    # Before a library sets up its own, with the names of modules before each line.
    logging.basicConfig(format="%(message)s")
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away, as in `tf_disentangle list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _subcommand(options: list[str]) -> tuple[str, list[str]]:
    """Returns the name of the command on studies that is meant, and its options."""
    from tf_disentangle.cli.study import SUBCOMMANDS

    first = options[0] if options else "-"
    if first.startswith("-") or first.endswith(".gin"):
        return "study", options
    rule = f"be one of {', '.join(SUBCOMMANDS)}, or left out"
    remedy = checks.suggestion(first, SUBCOMMANDS)
    checks.require(first in SUBCOMMANDS, "COMMAND", rule, first, remedy)
    return f"study {first}", options[1:]


def overview() -> str:
    """Returns the help without a command: what there is, in a newcomer's order."""
    lines = [pages.as_typed(__doc__)]
    for title, commands in GROUPS.items():
        lines.append(f"{title}:")
        lines += [f"  {name:11} {does}" for name, does in commands.items()]
    more = "COMMAND --help shows examples and options; help lists the guide's pages."
    return "\n".join([*lines, "", more, "version prints the version.", "", _EXIT_CODES])


def _usage(command: Any, name: str) -> str:
    """Returns the line that says what may stand without an option's name."""
    places = getattr(command, "POSITIONAL", ("run",))
    shown = [f"[{place.upper()}]" for place in places if place in command.FLAGS]
    if "runs" in command.FLAGS:
        shown = [*(s for s in shown if s != "[RUN]"), "[RUN ...]"]
    if "files" in command.FLAGS:
        shown = ["IMAGES ..."]
    return " ".join(["Usage: tf_disentangle", name, *shown, "[--OPTION=VALUE ...]"])


def _described(values: flags.FlagValues) -> str:
    """Returns the options with their defaults, in the order of their names.

    Those that are only taken come last.
    """
    lines = ["Options:"] if len(values) else []
    idle = {name for name in values if values[name].help.startswith("Without effect")}
    for name in sorted(values, key=lambda name: (name in idle, name)):
        flag = values[name]
        default = "" if flag.default in (None, []) else f" (default: {flag.default})"
        text = _about(flag)
        kind = _KINDS.get(flag.flag_type(), "")
        folded = textwrap.fill(f"{text}{default}", 82, break_on_hyphens=False)
        lines += [f"  --{name}{kind}", textwrap.indent(folded, "      ")]
    return "\n".join(lines)


def _about(flag: flags.Flag) -> str:
    """Returns an option's help; absl adds a line on repeating."""
    return flag.help.split(";\n", 1)[0]


def _bad_value(values: flags.FlagValues, reason: str) -> checks.ArgumentError:
    """Returns our words for an option whose value absl refuses."""
    option, value = re.match(r"flag --(\w+)=(.*?): ", reason, re.DOTALL).groups()
    flag = values[option]
    low, high = (getattr(flag.parser, f"{b}_bound", None) for b in ("lower", "upper"))
    whole = "be a whole number"
    if low is not None:
        whole += f" of at least {low}" if high is None else f" from {low} to {high}"
    rules = {"int": whole, "bool": "be true or false"}
    rule = rules.get(flag.flag_type(), "be another value")
    choices = getattr(flag.parser, "enum_values", None) or []
    rule = f"be one of {', '.join(choices)}" if choices else rule
    remedy = checks.suggestion(value, choices) or f"--{option}: {_about(flag)}"
    return checks.ArgumentError(checks.message(f"--{option}", rule, value, remedy))


def _parsed(
    values: flags.FlagValues, name: str, options: Sequence[str], places: Sequence[str]
) -> flags.FlagValues:
    """Returns the options' values; what stands alone goes to `places` in turn."""
    values.unparse_flags()
    for flag in values:
        values[flag].unparse()
    try:
        rest = values([name, *options])[1:]
        places = [place for place in places if place in values]
        for place in places:
            if rest and values[place].value is None:
                values[place].parse(rest.pop(0))
    except flags.IllegalFlagValueError as error:
        raise _bad_value(values, str(error)) from error
    except flags.UnrecognizedFlagError as error:
        rule = f"be one that tf_disentangle {name} --help shows"
        switches = [f"no{option}" for option in values if values[option].boolean]
        known = [*values, *switches, "help"]
        close = [f"--{near}" for near in checks.close_names(error.flagname, known)]
        remedy = f"Did you mean {' or '.join(close)}?" if close else ""
        if not remedy and name in ("train", "study"):
            binding = f"--gin_param='train.{error.flagname} = VALUE'"
            remedy = f"Settings of a run are given as bindings: {binding}."
        message = checks.message("option", rule, f"--{error.flagname}", remedy)
        raise checks.ArgumentError(message) from error
    except ValueError as error:  # a switch with a value that it does not take
        raise checks.ArgumentError(str(error)) from error
    named = not any(item.startswith("-") and item != "-" for item in rest)
    for many in ("runs", "files"):
        if many in values and rest and named:
            values[many].value, rest = rest, []
    after = " ".join(place.upper() for place in places)
    rule = "start with --" + (f", after one {after}" if places else "")
    remedy = f"tf_disentangle {name} --help shows them."
    if rest and "gin_file" in values:
        file = rest[0] if rest[0].endswith(".gin") else f"{rest[0]}.gin"
        remedy = f"Did you mean --gin_file={file}?"
    checks.require(not rest, "options", rule, " ".join(rest), remedy)
    for name in _PATHS:
        if name in values:
            values[name].value = _at_home(values[name].value)
    return values


def _at_home(path: Any) -> Any:
    """Returns a path, or each of several, with a home folder for a ~ at its start.

    The shell leaves it as it is within --output=~/x and in quotes.
    """
    if isinstance(path, list):
        return [_at_home(item) for item in path]
    return os.path.expanduser(path) if isinstance(path, str) else path
