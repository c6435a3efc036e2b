"""The attempts at one run, counted in its own folder: attempts.jsonl.

One line is written when an attempt begins and another when it ends, each in one piece,
so that attempts are counted correctly even if a driver is killed or two drivers work on
one study. Only Python's standard library is imported, since each run's supervisor
imports this file at its start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

#: Exit code of a run that another process is working on (EX_TEMPFAIL).
LOCKED_CODE = 75
#: Set for the runs of an engine, whose supervisor records their attempts.
VARIABLE = "TF_DISENTANGLE_ATTEMPT"

# How an attempt ended.
DONE = "done"
FAILED = "failed"
LOCKED = "locked"  # another process is working on it
STOPPED = "stopped"  # because the study was stopped
FULL = "full"  # the disk was full
LOST = "lost"  # its worker or machine went away


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt at a run.

    Attributes:
        key: Identifies it.
        time: When it began, in seconds since 1970.
        host: The machine.
        pid: The process there that watches it, or the run itself.
        kind: How it ended: DONE, FAILED, LOCKED, STOPPED, FULL or LOST; "" if no line
            says that it ended.
        code: The exit code; negative for a signal, None if it is not known.
        reason: Why it failed, in a sentence; "" if it did not.
        ended: When, in seconds since 1970; None if no line says so.
    """

    key: str
    time: float
    host: str
    pid: int
    kind: str = ""
    code: int | None = None
    reason: str = ""
    ended: float | None = None

    @property
    def alive(self) -> bool | None:
        """Whether it is under way; None if that is not known, as on another machine."""
        if self.kind:
            return False
        if self.host != socket.gethostname():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def path_of(folder: str | os.PathLike) -> pathlib.Path:
    """Returns the file of a run folder."""
    return pathlib.Path(folder) / "attempts.jsonl"


def begin(folder: str | os.PathLike) -> str:
    """Records that an attempt begins in this process; returns its key."""
    key = secrets.token_hex(4)
    place = {"host": socket.gethostname(), "pid": os.getpid()}
    _append(folder, {"begin": key, "time": round(time.time(), 3), **place})
    return key


def end(
    folder: str | os.PathLike, key: str, kind: str, code: int | None, reason: str = ""
) -> None:
    """Records how an attempt ended."""
    row = {"end": key, "time": round(time.time(), 3), "kind": kind, "code": code}
    _append(folder, {**row, "reason": reason})


def reset(folder: str | os.PathLike) -> None:
    """Starts counting the attempts from zero again; their lines stay."""
    _append(folder, {"retry": True, "time": round(time.time(), 3)})


def read(folder: str | os.PathLike, *, whole: bool = False) -> list[Attempt]:
    """Returns the attempts in order; half lines are left out.

    Args:
        folder: The run folder; without the file there were none.
        whole: Whether to include those before the last `reset`.
    """
    try:
        lines = path_of(folder).read_bytes().splitlines()
    except OSError:
        return []
    found: dict[str, Attempt] = {}
    for line in lines:
        try:
            row = json.loads(line)
            if "begin" in row:
                place = (float(row["time"]), str(row["host"]), int(row["pid"]))
                found[row["begin"]] = Attempt(row["begin"], *place)
            elif row.get("end") in found:
                ended = {name: row[name] for name in ("kind", "code", "reason")}
                ended["ended"] = float(row["time"])
                found[row["end"]] = dataclasses.replace(found[row["end"]], **ended)
            elif "retry" in row and not whole:
                found.clear()
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return list(found.values())


def failures(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Returns those that count as failures of the run.

    A run does not fail by being stopped or killed with the study or the machine, nor by
    finding the run in use or the disk full. The supervisor reports all that the run
    itself does, so an attempt without an end is one whose supervisor was killed too.
    """
    return [attempt for attempt in attempts if attempt.kind == FAILED]


@contextlib.contextmanager
def recorded(folder: str | os.PathLike) -> Iterator[None]:
    """Records the block as an attempt, unless a supervisor does so already.

    For runs that are started by hand or by Slurm: `bin/study run DIR ID`.
    """
    if os.environ.get(VARIABLE):
        yield
        return
    key = begin(folder)
    try:
        yield
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
        reason = getattr(error, "reason", f"exit code {code}") if code else ""
        is_stopped = code in (128 + signal.SIGINT, 128 + signal.SIGTERM)
        end(folder, key, STOPPED if is_stopped else kind_of(code), code, reason)
        raise
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        end(folder, key, FAILED, 1, reason)
        raise
    end(folder, key, DONE, 0)


def kind_of(code: Any) -> str:
    """Returns how an attempt that nobody stopped ended, by its exit code."""
    return {0: DONE, LOCKED_CODE: LOCKED}.get(code, FAILED)


def reason_of(code: int, text: str) -> str:
    """Returns why a run failed, in a sentence.

    Args:
        code: Its exit code, negative for a signal.
        text: What it printed; the last line says why, as Python's tracebacks do.
    """
    if code < 0:
        names = {int(s): s.name for s in signal.Signals}
        name = names.get(-code, f"signal {-code}")
        memory = ", as happens when memory is short" if name == "SIGKILL" else ""
        return f"killed by {name}{memory}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-500:] if lines else f"exit code {code}, and no message"


def _append(folder: str | os.PathLike, row: dict[str, Any]) -> None:
    """Adds a line in one piece, starting a new line if the last one is incomplete."""
    with open(path_of(folder), "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
        broken = bool(size) and file.read(1) != b"\n"
        file.write(b"\n" * broken + json.dumps(row).encode() + b"\n")
