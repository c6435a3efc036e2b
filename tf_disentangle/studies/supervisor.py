"""Runs one command in its own process group, and never leaves it behind.

Each engine starts this file for each run. It ends with the first of these three: the
run (its return code, reason and attempt are recorded), the time limit (SIGTERM to the
group, then SIGKILL), and whoever started it (its standard input ends, and the run is
stopped). SIGTERM, which a machine sends to all before it goes down, stops the run. It
prints one line of JSON: the outcome. Only Python's standard library is imported, so
that it starts at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from typing import Any

from tf_disentangle.studies import attempts

# How many bytes a run folder must take, for the disk not to be full.
_ROOM = 1 << 16
_FULL = (errno.ENOSPC, errno.EDQUOT)


def supervise(job: dict[str, Any]) -> dict[str, Any]:
    """Runs a job to its end; returns the kind, code and reason of its outcome.

    Args:
        job: `engines.Job` as a dictionary.
    """
    folder = pathlib.Path(job["log"]).parent
    if not folder.is_dir():
        reason = f"{folder} is not there on {os.uname().nodename}: share that folder"
        return {"kind": attempts.FAILED, "code": None, "reason": reason}
    key = None
    try:
        key = attempts.begin(folder)
        outcome = _run(job, key)
    except OSError as error:
        kind = attempts.FULL if error.errno in _FULL else attempts.FAILED
        outcome = {"kind": kind, "code": None, "reason": f"OSError: {error}"}
    if outcome["kind"] == attempts.FAILED and _is_full(folder):
        outcome["kind"] = attempts.FULL
    if key is not None:
        with contextlib.suppress(OSError):  # the disk is full
            attempts.end(folder, key, **outcome)
    return outcome


def _run(job: dict[str, Any], key: str) -> dict[str, Any]:
    """Starts the command, waits for what comes first and says how it ended."""
    wake = _signals()
    with open(job["log"], "ab", buffering=0) as log:
        began = time.strftime("%Y-%m-%d %H:%M:%S")
        log.write(f"--- {began} on {os.uname().nodename}, attempt {key}\n".encode())
        start = log.tell()
        try:
            run = subprocess.Popen(
                job["command"],
                env={**os.environ, **job["env"], attempts.VARIABLE: key},
                cwd=job["cwd"] or None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_prepare,
            )
        except OSError as error:
            reason = f"{job['command'][0]} cannot be started: {error}"
            return {"kind": attempts.FAILED, "code": None, "reason": reason}
        cause = _wait(run, wake, job["time_limit"], job["grace"])
        _signal(run, signal.SIGKILL)  # what the run itself left in its group
    code = run.returncode
    kind, reason = attempts.kind_of(code), ""
    if code == 0 and (pathlib.Path(job["log"]).parent / "done.json").exists():
        pass
    elif cause == "stopped":
        kind, reason = attempts.STOPPED, "stopped with the study"
    elif cause == "late":
        limit = f"{job['time_limit']:g} s"
        kind, reason = attempts.FAILED, f"not done within the time limit of {limit}"
    elif code == 0:
        kind, reason = attempts.FAILED, "ended with exit code 0, but without done.json"
    elif kind == attempts.FAILED:
        reason = attempts.reason_of(code, _tail(job["log"], start))
    return {"kind": kind, "code": code, "reason": reason}


def _signals() -> int:
    """Returns a file that has a byte for each SIGCHLD and SIGTERM from now on."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(waker)
    return wake


def _wait(run: subprocess.Popen, wake: int, limit: float | None, grace: float) -> str:
    """Waits for the end of the run, stopping it if need be; returns why it was.

    Orders come on standard input: a byte, or the end of the input, stops the run; a
    second byte, or "k", kills it. SIGTERM stops it too; when it goes to all processes,
    the order comes after it.
    """
    deadline = None if limit is None else time.monotonic() + limit
    listening, cause, orders = [wake, 0], "", 0
    while run.poll() is None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = select.select(listening, [], [], left)[0]
        order, is_late = b"", not ready
        if wake in ready:
            if signal.SIGTERM not in os.read(wake, 4096) or cause:
                continue
        elif ready:
            order, orders = os.read(0, 16), orders + 1
            if not order:
                listening.remove(0)  # its end is reported only once
            if cause and orders == 1 and b"k" not in order:
                continue
        _signal(run, signal.SIGKILL if cause or b"k" in order else signal.SIGTERM)
        deadline = None if cause else time.monotonic() + grace
        cause = cause or ("late" if is_late else "stopped")
    return cause


def _signal(run: subprocess.Popen, number: int) -> None:
    """Sends a signal to the run's process group, if anything of it is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(run.pid, number)


def _prepare() -> None:
    """Has Linux kill the run if this very process is killed; elsewhere it goes on.

    The run also receives SIGINT again, which Ray's workers hold back and we ignore.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _tail(path: str, start: int) -> str:
    """Returns the end of what the run wrote into its log."""
    with open(path, "rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(start, size - 4096))
        return log.read().decode(errors="replace")


def _is_full(folder: pathlib.Path) -> bool:
    """Whether nothing more can be written to the disk of the folder."""
    probe = folder / f".probe.{os.getpid()}.tmp"
    try:
        probe.write_bytes(b"\0" * _ROOM)
    except OSError as error:
        return error.errno in _FULL
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return False


if __name__ == "__main__":
    if sys.argv[2:] == ["apart"] and os.fork():
        # As nobody's child: Ray kills the children of a worker, which then could not
        # record how they ended, nor let their runs save themselves.
        os._exit(0)
    # Ctrl-C is for the driver, which then gives the order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps(supervise(json.loads(sys.argv[1]))))
