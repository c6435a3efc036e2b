"""What became of a run, told from its folder alone, without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

from tf_disentangle import checks, files
from tf_disentangle.studies import attempts as records

#: How many attempts a run has, unless the study says otherwise.
ATTEMPTS = 3
WAITING, RUNNING, PARTIAL, DONE, FAILED = STATES = (
    "waiting",
    "running",
    "partial",
    "done",
    "failed",
)
# Exit codes after which the same run would end the same way: a mistake in what was
# asked, and a loss that is not finite.
_FINAL = (2, 3)
_TAIL = 1 << 16
#: The lock of the process that is working on a run, in its folder.
LOCK = ".attempt.lock"


@dataclasses.dataclass(frozen=True)
class RunState:
    """What became of a run.

    Attributes:
        state: "waiting" (nothing is there), "running", "partial" (it can go on),
            "done", or "failed" (its attempts are used up, or another attempt would end
            the same way).
        failures: How often it failed so far.
        step: The last step that metrics.jsonl tells of; 0 before the first.
        steps: The number of steps that it is to have; 0 if that is not known yet.
        reason: Why the last attempt failed; "" if it did not.
    """

    state: str
    failures: int = 0
    step: int = 0
    steps: int = 0
    reason: str = ""


def state_of(
    folder: str | os.PathLike, attempts: int = ATTEMPTS, *, steps: bool = True
) -> RunState:
    """Returns the state of the run in a folder.

    Args:
        folder: The run folder; need not be there.
        attempts: How many attempts a run has.
        steps: Whether to look for the number of steps, which takes most of the time.
    """
    folder = pathlib.Path(folder)
    if is_done(folder):
        return RunState(DONE)
    tried = records.read(folder)
    failures = records.failures(tried)
    is_running = _is_running(folder, tried)
    reason = failures[-1].reason if failures and not is_running else ""
    if is_running:
        state = RUNNING
    elif given_up(failures, attempts):
        state = FAILED
    elif tried or (folder / "run.json").exists():
        state = PARTIAL
    else:
        return RunState(WAITING)
    known = (last_step(folder), _steps(folder)) if steps else (0, 0)
    return RunState(state, len(failures), *known, reason)


def is_running(folder: str | os.PathLike) -> bool:
    """Whether a process is working on the run, here or on another machine."""
    return _is_running(folder, records.read(folder))


def _is_running(folder: str | os.PathLike, tried: list[records.Attempt]) -> bool:
    """The same, of these attempts."""
    known = {attempt.alive for attempt in tried}
    return True in known or (None in known and _is_locked(folder))


def _is_locked(folder: str | os.PathLike) -> bool:
    """Whether a process has the lock of the run, or none could have one there."""
    lock = os.path.join(folder, LOCK)
    if not os.path.exists(lock):
        return False
    try:
        with files.locked(lock) as has_it:
            return not has_it
    except (checks.ArgumentError, OSError):
        return True


def is_done(folder: str | os.PathLike) -> bool:
    """Whether the run wrote its last file."""
    return os.path.exists(os.path.join(folder, "done.json"))


def given_up(failures: list[records.Attempt], attempts: int) -> bool:
    """Whether a run that failed so is not tried again."""
    final = bool(failures) and failures[-1].code in _FINAL
    return final or len(failures) >= attempts


def would_fail_again(folder: str | os.PathLike) -> bool:
    """Whether a run failed in such a way that another attempt would end the same."""
    failures = records.failures(records.read(folder))
    return bool(failures) and failures[-1].code in _FINAL


def last_step(folder: str | os.PathLike) -> int:
    """Returns the step of the last whole line of metrics.jsonl, 0 if there is none."""
    try:
        with open(os.path.join(folder, "metrics.jsonl"), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return 0
    for line in reversed(lines):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, TypeError, KeyError):
            continue
    return 0


def _steps(folder: pathlib.Path) -> int:
    """Returns the steps that run.json names, 0 if it is not there or damaged."""
    try:
        description: Any = json.loads((folder / "run.json").read_bytes())
        return int(description["training"]["steps"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def move_aside(folder: str | os.PathLike, study: str | os.PathLike) -> pathlib.Path:
    """Moves a run folder to STUDY/aside, so that the run starts from nothing.

    Returns:
        Where the folder is now.

    Raises:
        ArgumentError: If a process is at the run.
    """
    folder, aside = pathlib.Path(folder), pathlib.Path(study) / "aside"
    with files.explaining(aside, "study"), files.locked(folder / LOCK, "run"):
        aside.mkdir(exist_ok=True)
        number = 1
        while (moved := aside / f"{folder.name}-{number}").exists():
            number += 1
        os.rename(folder, moved)
    return moved
