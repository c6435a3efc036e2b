"""A run of a few steps that keeps to the contract of `bin/study run`, in an instant.

    python tiny_run.py STUDY ID [SECONDS]

STUDY/behaviour/ID says what is wrong with it: "raise", "hang" (deaf to SIGTERM too),
"kill" (dies once by SIGKILL), "fill" (writes until the disk or its limit is full),
"slow" (a minute).
"""

import fcntl
import json
import os
import pathlib
import resource
import signal
import sys
import time

STEPS = 10


def main(study, name, seconds="0.2"):
    folder = pathlib.Path(study) / "runs" / name
    if (folder / "done.json").exists():
        return 0
    lock = open(folder / ".attempt.lock", "w")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as filelock does
    except BlockingIOError:
        return 75
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    description = folder / "run.json"
    if description.exists():
        json.loads(description.read_text())  # raises for a damaged folder
    else:
        description.write_text(json.dumps({"training": {"steps": STEPS}}))
    wrong = pathlib.Path(study) / "behaviour" / name
    wrong = wrong.read_text() if wrong.exists() else ""
    with open(folder / "pids.txt", "a") as file:
        file.write(f"{os.getpid()} {os.environ.get('RAY_RAYLET_PID', '')}\n")
    rows = folder / "metrics.jsonl"
    first = len(rows.read_text().splitlines()) if rows.exists() else 0
    for step in range(first + 1, STEPS + 1):
        time.sleep(float(seconds) / STEPS)
        with open(rows, "a") as file:
            file.write(json.dumps({"step": step}) + "\n")
        if step == max(first + 1, 2):
            misbehave(wrong, folder)
    with open(folder / "finished.txt", "a") as file:
        file.write(f"{os.getpid()}\n")
    (folder / ".done.tmp").write_text(json.dumps({"step": STEPS}))
    os.replace(folder / ".done.tmp", folder / "done.json")
    return 0


def misbehave(wrong, folder):
    if wrong == "raise":
        raise ValueError("beta must be at least 0; received -1.")
    if wrong == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    if wrong == "slow":
        time.sleep(60)
    if wrong == "kill" and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if wrong == "fill":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with open(folder / "big", "wb", buffering=0) as file:
            while True:
                assert file.write(bytes(1 << 18))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
