r"""Trains and scores every run of a grid of settings, then makes a table and a report.

    bin/study --gin_file=gin/studies/chyvae_small.gin
    bin/study --gin_file=gin/beta_vae.gin --sweep='beta_vae.beta=[1, 4, 16]' \
        --sweep='train.seed=range(3)' --output=runs/sweep
    bin/study --gin_file=gin/vae.gin --seeds=5 --gin_param='train.steps=3000' \
        --metrics=mig,dci --output=runs/sweep --check
    bin/study --gin_file=mine.gin --address=auto --gpus_per_run=0.25   (a Ray cluster)
    bin/study --gin_file=mine.gin --print=slurm | sbatch

A gin file that binds study.grid describes a study; any other describes the method that
--sweep varies. The values of a sweep are a list as in gin files, or range(stop). One
sweep can vary several names together, as in
'beta_vae.beta,train.steps=[(1, 3000), (4, 6000)]'. Several sweeps are combined: every
value of one with every value of the others.

Every run is an ordinary run folder in OUTPUT/runs. The same command resumes where it
was stopped; if a list has more values than before, it does only what is new. These
commands work on a study's folder:

    bin/study status runs/sweep       show what is done, running, waiting or failed
    bin/study retry runs/sweep        give the runs that failed new attempts
    bin/study report runs/sweep       write report.html, also while the study runs
    bin/study run runs/sweep 17       do one run, by its index or id
    bin/study check runs/sweep        build one run of each kind, but train none
    bin/study udr runs/sweep          rank runs by UDR, which needs no factors
    bin/study publish runs/sweep      publish the models for others

bin/study COMMAND --help says more. Exit codes: 0 all runs are done; 2 a mistake in what
was asked; 4 some runs failed; 130 or 143 stopped, and the same command resumes.
"""

from __future__ import annotations

import inspect
import json
import pathlib
import shlex
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from tf_disentangle import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tf_disentangle.studies.plan import Plan

#: The commands on a study's folder; each is a module study_NAME beside this one.
SUBCOMMANDS = ("run", "check", "status", "retry", "report", "udr", "publish")

POSITIONAL = ()
FLAGS = flags.FlagValues()
flags.DEFINE_multi_string(
    "gin_file",
    [],
    "The gin file of a study or of a method: a path, or the name of one of the "
    "library's. Several files of a method are read in order.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "sweep",
    [],
    "What to vary, a binding or one of method, data and seed, with its values: "
    "'beta_vae.beta=[1, 4, 16]'. May be repeated.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "A binding for all runs, such as 'train.steps=3000'. May be repeated.",
    flag_values=FLAGS,
)
for _name, _help in (
    ("output", "The study's folder; by default runs/NAME, with the study's name."),
    (
        "address",
        "A Ray cluster, such as 10.0.0.1:6379 or auto; by default this machine.",
    ),
):
    flags.DEFINE_string(_name, None, _help, flag_values=FLAGS)
flags.DEFINE_list(
    "metrics",
    None,
    "Metrics that score each run, with floor and ceiling; by default those of the "
    "study or, if it names none, of the method.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "representations",
    None,
    "Which codes to score: mean, sampled or both; by default mean.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "seeds",
    None,
    "How many seeds, counted from 0. To choose them use --sweep='seed=[3, 5]'.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "engine",
    "auto",
    ["auto", "processes", "ray"],
    "What starts the runs; auto means Ray if it is installed.",
    flag_values=FLAGS,
)
for _name, _help in (
    ("workers", "Runs at a time on this machine; by default as many as it has cores."),
    ("threads_per_run", "Cores of one run; 1 by default."),
    ("attempts", "How often a run may fail before it is given up; 3 by default."),
):
    flags.DEFINE_integer(_name, None, _help, lower_bound=1, flag_values=FLAGS)
for _name, _help in (
    ("gpus_per_run", "GPUs of one run, such as 0.25; none by default."),
    ("time_limit", "Seconds that an attempt at a run may take; no limit by default."),
):
    flags.DEFINE_float(_name, None, _help, flag_values=FLAGS)
flags.DEFINE_enum(
    "print",
    None,
    ["slurm"],
    "Write the plan and, instead of doing the runs, print a script that does them.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "check", False, "Check and print the plan, but write nothing.", flag_values=FLAGS
)
flags.DEFINE_bool("report", True, "Write report.html at the end.", flag_values=FLAGS)

#: Options that are arguments of `tf_disentangle.study` by the same name.
_PASSED = (
    *("output", "metrics", "representations", "seeds", "address", "workers"),
    *("threads_per_run", "gpus_per_run", "time_limit", "attempts"),
)
#: Those of `Plan.make`.
OF_PLAN = (
    *("name", "grid", "data", "seeds", "bindings"),
    *("metrics", "representations", "attempts"),
)
# Those that --print has of `check_options`: another machine has the engine.
_OF_SCRIPT = {"workers", "threads_per_run", "time_limit"}
_SHOWN = 10


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    example = "For example: bin/study --gin_file=gin/studies/chyvae_small.gin"
    checks.given(values.gin_file, "--gin_file", example)
    asked = arguments(values)
    output = pathlib.Path(asked.pop("output"))
    asked["report"] = asked.get("report", True) and values.report

    from tf_disentangle.studies import state
    from tf_disentangle.studies import study as studies
    from tf_disentangle.studies.plan import Plan

    of_plan = {name: asked.pop(name) for name in OF_PLAN if name in asked}
    local = _OF_SCRIPT if values["print"].value else asked.keys() - {"report"}
    studies.check_options(**{name: asked[name] for name in local & asked.keys()})
    plan = Plan.make(**of_plan)
    print(f"{_runs(plan)}; study folder: {output}", file=sys.stderr)
    if note := plan.note():
        print(note, file=sys.stderr)
    if values.check:
        from tf_disentangle.studies.checking import check

        plan.require_extends(output)
        check(plan)
        print(_described(plan, output))
        return 0
    plan = studies.begin(plan, output, _command(values))
    if values["print"].value:
        print(_slurm(plan, asked), end="")
        return 0
    if all(state.is_done(plan.folder_of(run)) for run in plan.runs):
        print("All runs are done: there is nothing to train.", file=sys.stderr)
    progress = studies.carry_out(plan, **asked)
    print(f"Table:    {output / 'results.parquet'}")
    if asked["report"]:
        print(f"Report:   {output / 'report.html'}")
    failed = [run for run in plan.runs if run.id in progress.failed]
    for run in failed:
        print(f"Failed:   {run.index} {run.id}: {progress.failed[run.id]}")
    print("".join(f"{line}\n" for line in remedies(plan, failed)), end="")
    return 4 if failed else 0


def remedies(plan: Any, failed: Sequence[Any]) -> list[str]:
    """Returns what may be done about runs of a plan that failed, in lines."""
    from tf_disentangle.studies import state

    alike = [run for run in failed if state.would_fail_again(plan.folder_of(run))]
    lines = []
    if others := [str(run.index) for run in failed if run not in alike]:
        names = f" {' '.join(others)}" if alike else ""
        lines.append(
            f"Again:    bin/study retry {plan.folder}{names}, then the study's command"
        )
    if alike:
        names = ", ".join(str(run.index) for run in alike)
        lines.append(
            f"Change:   {names} would fail the same way again: change the setting that "
            "made it fail, in another study"
        )
    return lines


def _command(values: flags.FlagValues) -> str:
    """Returns the command that gave these options."""
    words = ["bin/study"]
    for name in values:
        flag = values[name]
        if flag.present:
            several = isinstance(flag, flags.MultiFlag)
            words += (
                [f"--{name}={value}" for value in flag.value]
                if several
                else [flag.serialize()]
            )
    return shlex.join(words)


def arguments(values: flags.FlagValues) -> dict[str, Any]:
    """Returns the arguments of `tf_disentangle.study` that files and options give."""
    from tf_disentangle import configuration
    from tf_disentangle.studies import grid
    from tf_disentangle.studies.study import study

    known = inspect.signature(study).parameters
    asked: dict[str, Any] = {}
    methods = []
    for file in values.gin_file:
        own = configuration.arguments(file, "study", known)
        asked |= own
        methods += [] if own else [file]
    sweeps = dict(map(grid.parse_sweep, values.sweep))
    rule = "be either studies or files of one method, not both"
    is_mixed = bool(methods) and "grid" in asked
    checks.require(not is_mixed, "--gin_file", rule, ", ".join(values.gin_file))
    stem = pathlib.Path(values.gin_file[0]).stem
    if methods:
        asked["grid"] = {"method": [methods], **sweeps}
        stem += "_study"
    else:
        rule = "bind study.grid"
        checks.require("grid" in asked, values.gin_file[-1], rule, sorted(asked))
        parts = asked["grid"] if isinstance(asked["grid"], list) else [asked["grid"]]
        asked["grid"] = [{**part, **sweeps} for part in parts]
    asked["bindings"] = dict(asked.get("bindings") or {})
    for text in values.gin_param:
        name, equals, value = (part.strip() for part in text.partition("="))
        rule = "be NAME=VALUE"
        checks.require(name and equals and value, "--gin_param", rule, text)
        found = configuration.literal(value, f"--gin_param={text!r}")
        asked["bindings"][name] = found
    given = {name: values[name].value for name in _PASSED}
    asked |= {name: value for name, value in given.items() if value is not None}
    if values.engine != "auto":
        asked["engine"] = values.engine
    asked.setdefault("output", str(pathlib.Path("runs") / asked.get("name", stem)))
    asked.setdefault("name", pathlib.Path(asked["output"]).resolve().name)
    return asked


def _described(plan: Plan, output: pathlib.Path) -> str:
    """Returns the first runs of a plan, and how much there is to do."""
    shared = dict(
        set.intersection(*(set(run.settings.items()) for run in plan.runs))
        if len(plan.runs) > 1
        else ()
    )
    lines = [f"{name} = {value}" for name, value in sorted(shared.items())]
    lines = ["All runs have", *(f"  {line}" for line in lines), ""] if lines else []
    lines.append("index  id            method, data, seed, what differs")
    for run in plan.runs[:_SHOWN]:
        own = (item for item in run.settings.items() if item[0] not in shared)
        shown = ", ".join(f"{n} = {v}" for n, v in own if n != "train.seed")
        head = f"{run.index:5}  {run.id}  {run.method}, {run.data}, seed {run.seed}"
        lines.append(f"{head}, {shown}" if shown else head)
    if len(plan.runs) > _SHOWN:
        lines.append(f"  ...  and {len(plan.runs) - _SHOWN} more")
    steps = [int(plan.bindings_of(run).get("train.steps", 0)) for run in plan.runs]
    lines.append(f"\n{_runs(plan)}, {sum(steps):,} steps in all.")
    lines.append(_time_left(plan, output))
    return "\n".join(lines)


def _time_left(plan: Plan, output: pathlib.Path) -> str:
    """Returns how long the runs that are left take, by those that are done."""
    from tf_disentangle.studies import state
    from tf_disentangle.studies.plan import folder_of

    seconds: dict[str, list[float]] = {}
    waiting = []
    for run in plan.runs:
        folder = folder_of(output, run)
        if state.is_done(folder):
            done = folder / "done.json"
            spent = json.loads(done.read_text(encoding="utf-8"))["wall_seconds"]
            seconds.setdefault(run.method, []).append(spent)
        else:
            waiting.append(run.method)
    known = [s for several in seconds.values() for s in several]
    if not waiting:
        return "All are done."
    if not known:
        return "How long they take can be said once the first of them are done."
    left = 0.0
    for method in waiting:
        own = seconds.get(method, known)
        left += sum(own) / len(own)
    time = f"{left / 3600:.1f} hours" if left >= 3600 else f"{left / 60:.1f} minutes"
    ended = "1 is" if len(known) == 1 else f"{len(known)} are"
    return f"{ended} done; the others take about {time}, one at a time."


def _runs(plan: Plan) -> str:
    return "1 run" if len(plan.runs) == 1 else f"{len(plan.runs):,} runs"


def _slurm(plan: Plan, asked: dict[str, Any]) -> str:
    from tf_disentangle.studies.engines import slurm

    return slurm.script(
        plan.folder,
        len(plan.runs),
        threads=asked.get("threads_per_run", 1),
        gpus=asked.get("gpus_per_run", 0),
        time_limit=asked.get("time_limit"),
        at_a_time=asked.get("workers"),
    )
