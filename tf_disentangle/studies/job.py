"""One run of a study by one idempotent command: train, score, keep codes, mark done.

    bin/study run DIR ID

It may be called any number of times, even at once: a run that is done is left alone, a
run that another process has is left to that process, and a run that was stopped is
resumed. The training is that of `tf_disentangle.train` with the same configuration, bit
for bit. Only done.json says whether a run is done; this process writes it last.

    codes.npz    codes [N, L], factors [N, K], indices [N]: of the same images for all
                 runs of one data set
    done.json    when, where, how long, by which versions
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_disentangle import checks, configuration, files
from tf_disentangle.configuration import Resolved
from tf_disentangle.metrics.results import (
    Refusal,
    recording,
    results_by_call,
    summary_rows,
)
from tf_disentangle.studies import attempts, state
from tf_disentangle.studies.plan import PlannedRun, find, folder_of

if TYPE_CHECKING:
    from tf_disentangle.run import Run

#: Return codes besides 0 (done) and 128 + n (stopped by signal n).
FAULT, MISTAKE, NOT_FINITE, IN_USE = 1, 2, 3, attempts.LOCKED_CODE

#: Images of each data set whose codes are kept.
NUM_CODES = 1_000

_PACKAGES = ("tf_disentangle", "tensorflow", "keras", "tensorflow-probability", "numpy")


def do(
    study: str | os.PathLike,
    run: str,
    import_tensorflow: Callable[[], object] = lambda: None,
) -> int:
    """Does one run of a study, unless it is done.

    Args:
        study: The study's folder.
        run: The run's id or index.
        import_tensorflow: Called before TensorFlow is needed; a run that is done does
            not need it.

    Returns:
        0 if the run is done, by this call or before; 75 if another process has it; 1
        for a fault such as a full disk; 2 for a mistake in what was asked; 3 for a loss
        that is not finite; 128 + n if signal n stopped it.

    Raises:
        ArgumentError: If there is no such run.
    """
    study = pathlib.Path(study).resolve()
    planned, resolved, about = find(study, run)
    folder = folder_of(study, planned)
    with files.explaining(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(folder / state.LOCK, "run"))
        except checks.ArgumentError as error:
            print(error, file=sys.stderr)
            return IN_USE
        if state.is_done(folder):
            print(f"{folder} is done.", file=sys.stderr)
            return 0
        import_tensorflow()
        return _attempt(folder, planned, resolved, about)


def prepare(
    run: PlannedRun,
    about: Mapping[str, Any],
    output: str | os.PathLike | None,
    resolved: Resolved | None = None,
) -> Run:
    """Builds a run of a study and checks all of it; nothing is written.

    Args:
        run: The run.
        about: The content of study.json.
        output: The run folder, or None.
        resolved: The final bindings of the run's files when the study was planned; None
            reads the files.

    Raises:
        ArgumentError: If a binding is unknown, refused or without an effect.
    """
    import tf_disentangle

    bindings = [f"{name} = {value}" for name, value in run.settings.items()]
    if about["metrics"] is not None:
        bindings.append(f"train.metrics = {about['metrics']!r}")
    of_files = run.files if resolved is None else ()
    text = "" if resolved is None else resolved.text()
    configuration.parse(of_files, bindings, text=text, option="setting")
    built: tf_disentangle.Run = configuration.build(
        "train", output=output, dry_run=True
    )
    configuration.drop_unused()
    return built


class _Ended(SystemExit):
    """A run that ended before it was done, with its return code and the reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code)
        self.reason = reason


def _attempt(
    folder: pathlib.Path,
    planned: PlannedRun,
    resolved: Resolved,
    about: Mapping[str, Any],
) -> int:
    """Trains and scores; returns the code, after a last line that says why."""
    try:
        with attempts.recorded(folder):
            _train_and_score_or_end(folder, planned, resolved, about)
    except _Ended as end:
        print(end.reason, file=sys.stderr, flush=True)
        return int(str(end.code))
    return 0


def _train_and_score_or_end(*arguments: Any) -> None:
    """Does all of a run; whatever prevents this becomes an `_Ended`."""
    from tf_disentangle.training import NonFiniteError

    try:
        _train_and_score(*arguments)
    except NonFiniteError as error:
        raise _Ended(NOT_FINITE, str(error)) from error
    except KeyboardInterrupt as error:
        raise _Ended(128 + signal.SIGINT, "Stopped by Ctrl-C.") from error
    except (checks.ArgumentError, checks.ArgumentTypeError) as error:
        raise _Ended(FAULT, str(error)) from error  # Such as a disk that is full.
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise _Ended(FAULT, reason) from error
    except _Ended:
        raise
    except BaseException as error:  # The command's own for SIGTERM.
        raise _Ended(128 + signal.SIGTERM, "Stopped by SIGTERM.") from error


def _train_and_score(
    folder: pathlib.Path,
    planned: PlannedRun,
    resolved: Resolved,
    about: Mapping[str, Any],
) -> None:
    """Does all of a run, done.json last."""
    with _in_directory(about["directory"]):
        try:
            run = prepare(planned, about, folder, resolved)
        except (checks.ArgumentError, checks.ArgumentTypeError) as error:
            raise _Ended(MISTAKE, str(error)) from error
        run.start(configuration.with_defaults(), configuration.modules())
        if run.signal is not None:
            reason = f"Stopped by signal {run.signal} at step {run.step}."
            raise _Ended(128 + run.signal, reason)
        began = time.monotonic()
        for representation in about["representations"]:
            _score(run, representation)
        _keep_codes(run, folder / "codes.npz")
    done = {"id": planned.id, "step": run.step}
    done |= {name: about[name] for name in ("metrics", "representations")}
    files.write_json(folder / "done.json", done | _about(folder, run, began))


def _score(run: Run, representation: str) -> None:
    """Scores one kind of codes with the run's metrics, as bin/evaluate records them."""
    if not run.metrics:
        return
    is_sampled = representation == "sampled"
    about = {"step": run.step, "codes": representation}
    rows = run.history
    try:
        table = run.score(
            *run.metrics,
            sampled=is_sampled,
            bounds=True,
            done=results_by_call(rows, run.step, representation),
            on_result=recording(run.folder.append, **about),
        )
    except checks.ArgumentTypeError as error:
        if not is_sampled:
            raise
        print(f"No scores of sampled codes: {error}", file=sys.stderr)
        return
    for row in summary_rows(table, **about):
        if row not in rows:  # An attempt that was killed may have written them.
            run.folder.append(row)
    for name, entry in table.items():
        score = f"{entry.score:.4f}"
        if isinstance(entry, Refusal):
            score = f"no score. {entry.reason}"
        print(f"{name}, {representation} codes: {score}", file=sys.stderr)


def _keep_codes(run: Run, path: pathlib.Path) -> None:
    """Writes the codes of images that are the same for all runs of a data set."""
    from tf_disentangle.training.input_pipeline import images_at

    data, rng = run.data, np.random.default_rng(0)
    count = min(NUM_CODES, len(data))
    indices = np.sort(rng.choice(len(data), count, replace=False))
    factors = np.zeros((count, 0), np.int64)
    if "known_rows" in data.traits:
        factors = data.factors_of(indices)
    codes = run.encode(images_at(data.images(), indices))
    with files.replacing(path) as temporary:
        np.savez(temporary, codes=codes, factors=factors, indices=indices)


def _about(folder: pathlib.Path, run: Run, began: float) -> dict[str, Any]:
    """Returns what done.json says about the time and the machine.

    Args:
        folder: The run folder.
        run: The trained run.
        began: When its training had ended, by the monotonic clock. `wall_seconds`
            covers the training in all attempts and what came after it in this one;
            `cpu_seconds` covers this process, that is, the last attempt with its start.
    """
    training = run.folder.describe()["wall_seconds"]  # Of all attempts.
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    versions = {name: _version(name) for name in _PACKAGES}
    return {
        "finished": now,
        "attempts": max(1, len(attempts.read(folder, whole=True))),
        "wall_seconds": round(training + time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "host": socket.gethostname(),
        "versions": {"python": platform.python_version(), **versions},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@contextlib.contextmanager
def _in_directory(path: str) -> Iterator[None]:
    """Goes to where the study was planned, so that paths and modules mean the same."""
    if not pathlib.Path(path).is_dir():
        yield
        return
    with contextlib.chdir(path):
        if path not in sys.path:
            sys.path.append(path)
        yield
