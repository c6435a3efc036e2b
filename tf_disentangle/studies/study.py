"""`study`: trains and scores all runs of a grid, for a table and a report.

    table = tf_disentangle.study(
        {"method": "beta_vae.gin", "beta_vae.beta": [1.0, 4.0, 16.0]},
        seeds=3, metrics=["mig", "dci"], output="runs/beta",
    )

`bin/study` does the same in the same steps; a gin file binds the arguments.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import pathlib
import signal
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tf_disentangle import checks
from tf_disentangle.studies import checking, engines, state
from tf_disentangle.studies.driver import Progress, drive, run_command
from tf_disentangle.studies.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


def study(
    grid: Mapping[Any, Any] | Sequence[Mapping[Any, Any]],
    *,
    output: str | os.PathLike,
    name: str | None = None,
    data: str | Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
    bindings: Mapping[str, Any] | None = None,
    metrics: Sequence[str] | None = None,
    representations: Sequence[str] = ("mean",),
    engine: str | None = None,
    address: str | None = None,
    workers: int | None = None,
    threads_per_run: int = 1,
    gpus_per_run: float = 0,
    time_limit: float | None = None,
    attempts: int = state.ATTEMPTS,
    report: bool = True,
) -> pd.DataFrame:
    """Trains and scores every run of a grid; resumes where it was stopped.

    Each run is a process with an ordinary run folder. What is done is not done again:
    the same call resumes the study, and a call with more values does what is new.

    Args:
        grid: What to combine: a dictionary of lists, or a list of such. Names with a
            dot are gin bindings; "method" is a gin file, or a list of gin files of one
            model; "data" and "seed" may stand here too. `studies.grid` says more.
        output: The study's folder.
        name: What the study is called; None is the name of the folder.
        data: Gin files of data sets (gin/datasets); None leaves those of the methods.
        seeds: Seeds of training, or how many; None leaves that of the methods.
        bindings: Further bindings of all runs, such as {"train.steps": 3000}.
        metrics: Names such as "mig", which score each run as it ends, with floor and
            ceiling; None is what the methods' files score with.
        representations: Of "mean" and "sampled": which codes are scored.
        engine: "processes", or "ray"; None is Ray where it is installed.
        address: Address of a Ray cluster, such as "auto"; None is this machine.
        workers: Runs at a time on this machine; None is one for each
            `threads_per_run` cores.
        threads_per_run: Cores of one run.
        gpus_per_run: GPUs of one run, such as 0.25; with Ray.
        time_limit: Seconds that an attempt may take; None for no limit.
        attempts: How often a run may fail before it is given up.
        report: Whether to write report.html at the end.

    Returns:
        The table of results: a row for each run, metric, protocol and representation.
        Runs that failed are not in it; a UserWarning names them.

    Raises:
        ArgumentError: If a name or a value is wrong, before anything starts; or if the
            folder has another study.
        KeyboardInterrupt: If Ctrl-C stopped it, after the runs have saved themselves.

    Example:
        >>> import tf_disentangle as td
        >>> table = td.study(  # doctest: +SKIP
        ...     {"method": "vae.gin"}, seeds=2, output="runs/vae_twice"
        ... )
    """
    call = _call(locals())
    check_options(
        engine=engine,
        address=address,
        workers=workers,
        threads_per_run=threads_per_run,
        gpus_per_run=gpus_per_run,
        time_limit=time_limit,
    )
    output = pathlib.Path(output)
    plan = Plan.make(
        grid,
        name=output.resolve().name if name is None else name,
        data=data,
        seeds=seeds,
        bindings=bindings,
        metrics=metrics,
        representations=representations,
        attempts=attempts,
    )
    if note := plan.note():
        warnings.warn(note, stacklevel=2)
    plan = begin(plan, output, call)
    progress = carry_out(
        plan,
        engine=engine,
        address=address,
        workers=workers,
        threads_per_run=threads_per_run,
        gpus_per_run=gpus_per_run,
        time_limit=time_limit,
        report=report,
    )
    if progress.failed:
        warnings.warn(_of_failed(progress.failed, plan, output), stacklevel=2)
    from tf_disentangle.studies import table

    return table.read(output)


def _of_failed(failed: Mapping[str, str], plan: Plan, output: pathlib.Path) -> str:
    """Returns the warning about runs that failed, by their ids with the reasons."""
    run, reason = next(iter(failed.items()))
    return (
        f"{len(failed)} of {len(plan.runs)} runs failed and are not in the table, such "
        f"as {run}: {reason}\n`bin/study status {output}` shows all."
    )


def check_options(
    *,
    engine: str | None = None,
    address: str | None = None,
    workers: int | None = None,
    threads_per_run: int = 1,
    gpus_per_run: float = 0,
    time_limit: float | None = None,
) -> None:
    """Checks arguments of `carry_out`, before anything is written.

    Raises:
        ArgumentError: If one has no meaning, the engine cannot do it, or there is no
            such cluster.
    """
    engines.check(
        engine,
        workers=workers,
        threads=threads_per_run,
        gpus=gpus_per_run,
        address=address,
    )
    if address is not None:
        from tf_disentangle.studies.engines.ray import require_cluster

        require_cluster(address)
    if time_limit is not None:
        checks.real(time_limit, "time_limit", above=0)


def _call(given: Mapping[str, Any]) -> str:
    """Returns the call of `study` with these arguments, without the default ones."""
    defaults = inspect.signature(study).parameters
    shown = [
        f"{name}={(os.fspath(value) if name == 'output' else value)!r}"
        for name, value in given.items()
        if repr(value) != repr(defaults[name].default)
    ]
    return f"tf_disentangle.study({', '.join(shown)})"


def begin(plan: Plan, output: str | os.PathLike, command: str = "") -> Plan:
    """Checks a plan and writes it into its folder; returns it as it is there.

    Args:
        plan: The plan.
        output: The study's folder.
        command: What makes the study, for study.json: a command or a call.

    Raises:
        ArgumentError: If a run cannot be built, or the folder has another study.
    """
    output = pathlib.Path(output)
    there = plan.require_extends(output)
    known = {run.id for run in there.runs} if there else set()
    if not known.issuperset(run.id for run in plan.runs):
        checking.check(plan)
    about = {**plan.about, "command": command}
    return dataclasses.replace(plan, about=about).write(output)


def carry_out(
    plan: Plan,
    *,
    engine: str | None = None,
    address: str | None = None,
    workers: int | None = None,
    threads_per_run: int = 1,
    gpus_per_run: float = 0,
    time_limit: float | None = None,
    report: bool = True,
) -> Progress:
    """Runs what is not done yet of a plan in its folder, then makes table and report.

    The arguments are those of `study`.

    Raises:
        KeyboardInterrupt: If Ctrl-C stopped it.
        SystemExit: If SIGTERM did.
    """
    from tf_disentangle.studies.live import LiveView

    started = engines.make(
        engine,
        workers=workers,
        threads=threads_per_run,
        gpus=gpus_per_run,
        address=address,
    )
    with LiveView() as view:
        progress = drive(
            plan,
            started,
            run_command(plan.folder),
            attempts=plan.about["attempts"],
            time_limit=time_limit,
            threads=threads_per_run,
            view=view,
        )
    if progress.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if progress.signal is not None:
        raise SystemExit(128 + progress.signal)
    from tf_disentangle.studies import table

    table.collect(plan.folder)
    if report:
        write_report(plan.folder)
    return progress


def write_report(folder: str | os.PathLike) -> pathlib.Path:
    """Writes a study's report.html; returns its path."""
    from tf_disentangle.studies import report

    return report.write_report(folder)
