"""One run of a study, by one idempotent command: train, score, keep codes, say done.

    bin/study run DIR ID

It may be called any number of times, by anyone, also at once: a run that is done is left
alone, one that another process has is left to it, and one that was stopped goes on. The
training is that of `tf_disentangle.train` with the same configuration, bit for bit.
Whether a run is done, its done.json alone says, which this process writes last.

    attempts.jsonl  a line as an attempt begins, and one as it ends
    codes.npz       codes [N, L], factors [N, K], indices [N]: of the same images for all
                    runs of one data set
    done.json       when, where, how long, by which versions
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
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
from tf_disentangle.studies.plan import PlannedRun, find, folder_of

if TYPE_CHECKING:
    from tf_disentangle.run import Run

#: Return codes beside 0, done, and 128 + n, stopped by signal n.
FAULT, MISTAKE, NOT_FINITE, IN_USE = 1, 2, 3, 75

#: Images of each data set whose codes are kept.
NUM_CODES = 1_000

_PACKAGES = ("tf_disentangle", "tensorflow", "keras", "tensorflow-probability", "numpy")


def command(study: str | os.PathLike, run: PlannedRun | str) -> list[str]:
    """Returns the command that does one run, for an engine to start."""
    identity = run if isinstance(run, str) else run.id
    start = [sys.executable, "-m", "tf_disentangle", "study", "run"]
    return [*start, os.path.abspath(study), identity]


def do(study: str | os.PathLike, run: str) -> int:
    """Does one run of a study, unless it is done.

    Args:
        study: The study's folder.
        run: The run's id or index.

    Returns:
        0 if the run is done, by this call or before; 75 if another process has it; 1
        for a fault, 2 for a mistake or a full disk, 3 for a loss that is not finite;
        128 + n if signal n stopped it.

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
            stack.enter_context(files.locked(folder / ".attempt.lock", "run"))
        except checks.ArgumentError as error:
            print(error, file=sys.stderr)
            return IN_USE
        if (folder / "done.json").exists():
            print(f"{folder} is done.", file=sys.stderr)
            return 0
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
        about: What study.json says.
        output: The run folder, or None.
        resolved: What the run's files came to when the study was planned; None reads
            the files.

    Raises:
        ArgumentError: If a binding is unknown, refused or without an effect.
    """
    import tf_disentangle

    bindings = [f"{name} = {value}" for name, value in run.settings.items()]
    if about["metrics"] is not None:
        bindings.append(f"train.metrics = {about['metrics']!r}")
    of_files = run.files if resolved is None else ()
    text = "" if resolved is None else resolved.text()
    configuration.parse(of_files, bindings, text=text, option="grid")
    built: tf_disentangle.Run = configuration.build(
        "train", output=output, dry_run=True
    )
    configuration.drop_unused()
    return built


def _attempt(
    folder: pathlib.Path,
    planned: PlannedRun,
    resolved: Resolved,
    about: Mapping[str, Any],
) -> int:
    """Trains and scores, and notes in attempts.jsonl how that went."""
    attempts = _Attempts(folder / "attempts.jsonl")
    attempts.begin()
    code, reason = 128 + 2, "KeyboardInterrupt"
    try:
        code, reason = _train_and_score(folder, planned, resolved, about, attempts)
    except (checks.ArgumentError, checks.ArgumentTypeError) as error:
        code, reason = MISTAKE, str(error)
    except Exception as error:
        traceback.print_exc()
        code, reason = FAULT, f"{type(error).__name__}: {error}"
    except BaseException as error:
        is_sigterm = type(error).__name__ == "Terminated"
        code, reason = (143, "SIGTERM") if is_sigterm else (130, "SIGINT")
        raise
    finally:
        attempts.end(code, reason)
        if code:
            print(f"The run did not end: {reason}", file=sys.stderr)
    return code


def _train_and_score(
    folder: pathlib.Path,
    planned: PlannedRun,
    resolved: Resolved,
    about: Mapping[str, Any],
    attempts: _Attempts,
) -> tuple[int, str]:
    """Does all of a run; returns the code and the reason if it is not 0."""
    from tf_disentangle.training import NonFiniteError

    with _in_directory(about["directory"]):
        run = prepare(planned, about, folder, resolved)
        try:
            run.start(configuration.with_defaults(), configuration.modules())
        except NonFiniteError as error:
            return NOT_FINITE, str(error)
        if run.signal is not None:
            return 128 + run.signal, f"signal {run.signal} at step {run.step}"
        for representation in about["representations"]:
            _score(run, representation)
        _keep_codes(run, folder / "codes.npz")
    files.write_json(
        folder / "done.json",
        {
            "id": planned.id,
            "step": run.step,
            "metrics": about["metrics"],
            "representations": about["representations"],
            **attempts.summary(),
        },
    )
    return 0, ""


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
        score = f"no score. {entry.reason}"
        if not isinstance(entry, Refusal):
            score = f"{entry.score:.4f}"
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


class _Attempts:
    """attempts.jsonl: a line as each attempt begins, and one as it ends.

    An attempt without a second line was killed.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.number = 0

    def begin(self) -> None:
        """Notes that this process has begun."""
        lines = self._lines()
        self.number = 1 + sum(line.get("event") == "begin" for line in lines)
        self._seconds = sum(line.get("seconds", 0.0) for line in lines)
        self._began = time.monotonic()
        about = {"host": socket.gethostname(), "pid": os.getpid()}
        self._append({"event": "begin", "attempt": self.number, **_now(), **about})

    def end(self, code: int, reason: str) -> None:
        """Notes how it ended; a full disk must not hide why."""
        seconds = round(time.monotonic() - self._began, 1)
        line = {"event": "end", "attempt": self.number, **_now(), "seconds": seconds}
        with contextlib.suppress(checks.ArgumentError):
            self._append({**line, "return_code": code, "reason": reason})

    def summary(self) -> dict[str, Any]:
        """Returns what done.json says of the attempts, this one the last of them."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        own = time.monotonic() - self._began
        versions = {name: _version(name) for name in _PACKAGES}
        return {
            "finished": _now()["time"],
            "attempts": self.number,
            "wall_seconds": round(self._seconds + own, 1),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "host": socket.gethostname(),
            "versions": {"python": platform.python_version(), **versions},
        }

    def _lines(self) -> Sequence[Mapping[str, Any]]:
        """Returns the lines; what a killed process left half-written is passed over."""
        lines = []
        if self.path.exists():
            for text in self.path.read_text("utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    line = json.loads(text)
                    lines += [line] if isinstance(line, dict) else []
        return lines

    def _append(self, line: Mapping[str, Any]) -> None:
        with files.explaining(self.path), open(self.path, "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # Half a line stands alone, so that it takes no other along.
                file.write(b"\n" * (file.read(1) != b"\n"))
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _now() -> dict[str, str]:
    return {"time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@contextlib.contextmanager
def _in_directory(path: str) -> Iterator[None]:
    """Goes to where the study was planned: paths and modules mean the same there."""
    if not pathlib.Path(path).is_dir():
        yield
        return
    with contextlib.chdir(path):
        if path not in sys.path:
            sys.path.append(path)
        yield
