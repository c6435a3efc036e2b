"""What engines start and how it ends: codes, limits, stopping, and no one left behind.

That of processes here; Ray's in processes of their own, since its threads stay.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time
import types

import psutil
import pytest

from tests.studies import tiny
from tf_disentangle import checks
from tf_disentangle.studies import attempts, engines
from tf_disentangle.studies.engines import ray as ray_engine
from tf_disentangle.studies.engines import slurm
from tf_disentangle.studies.engines.processes import ProcessEngine
from tf_disentangle.studies.study import study

# Says that it has begun, and goes on for a minute; with "deaf" SIGTERM does not end it.
SLEEPER = textwrap.dedent(
    """
    import pathlib, signal, subprocess, sys, time
    if "deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in sys.argv:
        sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
        subprocess.Popen([*sleep, *sys.argv])
    pathlib.Path(sys.argv[1], "begun").touch()
    time.sleep(60)
    """
)


def job(folder, code, *arguments, **options):
    command = [sys.executable, "-c", code, str(folder), *arguments]
    return engines.Job("a", command, str(folder / "log.txt"), **options)


def outcome_of(engine, timeout=20.0):
    """Waits for the one job of an engine."""
    deadline = time.monotonic() + timeout
    while not (finished := engine.wait(0.2)):
        assert time.monotonic() < deadline
    ((_, outcome),) = finished
    return outcome


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


@pytest.fixture
def engine(tmp_path):
    engine = ProcessEngine(2)
    yield engine
    engine.close()
    tiny.require_none_left(tmp_path)


@pytest.mark.parametrize(
    ("code", "kind", "number", "reason"),
    [
        ("import sys; open(sys.argv[1] + '/done.json', 'w')", "done", 0, ""),
        ("print('fine')", "failed", 0, "without done.json"),
        ("raise ValueError('nu is too small')", "failed", 1, "^ValueError: nu is too"),
        ("import sys; sys.exit(3)", "failed", 3, "exit code 3, and no message"),
        ("import sys; sys.exit(75)", "locked", 75, ""),
        ("import os; os.kill(os.getpid(), 9)", "failed", -9, "killed by SIGKILL"),
        ("import os; os.kill(os.getpid(), 11)", "failed", -11, "killed by SIGSEGV"),
    ],
)
def test_outcomes_are_told_and_recorded(engine, tmp_path, code, kind, number, reason):
    engine.submit(job(tmp_path, code))
    outcome = outcome_of(engine)
    assert (outcome.kind, outcome.code) == (kind, number)
    assert re.search(reason, outcome.reason)
    (attempt,) = attempts.read(tmp_path)
    assert (attempt.kind, attempt.code) == (kind, number)
    assert attempt.reason == outcome.reason
    assert f"attempt {attempt.key}" in (tmp_path / "log.txt").read_text()


def test_a_command_that_is_not_there(engine, tmp_path):
    engine.submit(engines.Job("a", ["no_such_command"], str(tmp_path / "log.txt")))
    outcome = outcome_of(engine)
    assert outcome.kind == "failed"
    assert "no_such_command cannot be started" in outcome.reason


def test_a_run_folder_that_is_not_there_is_not_made(engine, tmp_path):
    engine.submit(job(tmp_path / "elsewhere", "pass"))
    outcome = outcome_of(engine)
    assert outcome.kind == "failed"
    assert "share that folder" in outcome.reason
    assert not (tmp_path / "elsewhere").exists()


def test_a_late_run_is_stopped_with_all_that_it_started(engine, tmp_path):
    """Deaf to SIGTERM, with a child that is deaf too: the whole group is killed."""
    engine.submit(job(tmp_path, SLEEPER, "deaf", "child", time_limit=1, grace=0.3))
    outcome = outcome_of(engine)
    assert (outcome.kind, outcome.code) == ("failed", -9)
    assert outcome.reason == "not done within the time limit of 1 s"
    tiny.require_none_left(tmp_path, within=3)


# Takes a while to save itself.
SAVES = textwrap.dedent(
    """
    import pathlib, signal, sys, time
    def save(*_):
        time.sleep(0.5)
        pathlib.Path(sys.argv[1], "saved").touch()
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    pathlib.Path(sys.argv[1], "begun").touch()
    time.sleep(60)
    """
)


@pytest.mark.parametrize("then", ["nothing", "stop", "driver ends"])
def test_a_machine_that_goes_down_gives_time(engine, tmp_path, then):
    """It sends SIGTERM to all: a supervisor has it once, and from its driver again."""
    engine.submit(job(tmp_path, SAVES))
    wait_for(tmp_path / "begun")
    supervisor_of(tmp_path).terminate()
    time.sleep(0.2)
    if then == "stop":
        engine.stop()
    elif then == "driver ends":
        (process,) = engine._running
        process.stdin.close()
    outcome = outcome_of(engine)
    assert (outcome.kind, outcome.code) == ("stopped", 143)
    assert (tmp_path / "saved").exists()
    assert attempts.failures(attempts.read(tmp_path)) == []


def test_stopping_gives_time_and_killing_does_not(engine, tmp_path):
    engine.submit(job(tmp_path, SAVES))
    wait_for(tmp_path / "begun")
    engine.stop()
    outcome = outcome_of(engine)
    assert (outcome.kind, outcome.code) == ("stopped", 143)
    assert (tmp_path / "saved").exists()
    (tmp_path / "begun").unlink()
    engine.submit(job(tmp_path, SLEEPER, "deaf"))
    wait_for(tmp_path / "begun")
    engine.stop()
    time.sleep(0.2)
    engine.kill()
    outcome = outcome_of(engine, timeout=5)
    assert (outcome.kind, outcome.code) == ("stopped", -9)
    assert attempts.failures(attempts.read(tmp_path)) == []


def supervisor_of(folder):
    (found,) = [
        process
        for process in tiny.processes_of(folder)
        if "tf_disentangle.studies.supervisor" in process.cmdline()
    ]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="a service of Linux's kernel")
def test_a_run_dies_with_its_supervisor(engine, tmp_path):
    engine.submit(job(tmp_path, SLEEPER, "deaf"))
    wait_for(tmp_path / "begun")
    supervisor_of(tmp_path).kill()
    assert outcome_of(engine).kind == "lost"
    tiny.require_none_left(tmp_path, within=3)
    (attempt,) = attempts.read(tmp_path)
    assert attempt.kind == "" and not attempt.alive


def test_a_run_dies_with_its_driver(tmp_path):
    """A driver that is killed closes its end of the pipe: the run is asked to stop."""
    code = (
        "import json, sys, time\n"
        "from tf_disentangle.studies import engines\n"
        "engine = engines.make('processes', workers=1)\n"
        "engine.submit(engines.Job(**json.loads(sys.argv[1])))\n"
        "engine.wait(60)\n"
    )
    deaf = job(tmp_path, SLEEPER, "deaf", grace=0.5)
    text = json.dumps(vars(deaf))
    command = [sys.executable, "-c", code, text]
    with subprocess.Popen(command, cwd=tiny.ROOT) as driver:
        wait_for(tmp_path / "begun")
        driver.kill()
    tiny.require_none_left(tmp_path, within=5)
    (attempt,) = attempts.read(tmp_path)
    assert (attempt.kind, attempt.code) == ("stopped", -9)


def test_runs_get_their_environment_and_folder(engine, tmp_path):
    code = (
        "import json, os, signal, sys\n"
        "blocked = len(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
        "hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "own_group = os.getpgid(0) == os.getpid()\n"
        "print(json.dumps([dict(os.environ), os.getcwd(), own_group, hears, blocked]))"
    )
    caps = engines.thread_caps(3)
    engine.submit(job(tmp_path, code, env=caps, cwd=str(tmp_path)))
    outcome_of(engine)
    found = json.loads((tmp_path / "log.txt").read_text().splitlines()[-1])
    environment, folder, own_group, hears_ctrl_c, blocked = found
    assert environment.items() >= caps.items()
    assert (
        environment["OMP_NUM_THREADS"] == environment["TF_NUM_INTRAOP_THREADS"] == "3"
    )
    assert environment["TF_NUM_INTEROP_THREADS"] == "1"
    assert environment["PATH"] == os.environ["PATH"]
    assert pathlib.Path(folder) == tmp_path.resolve()
    assert own_group and hears_ctrl_c and not blocked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "dask"}, "engine must be one of 'ray', 'processes'"),
        ({"name": "processes", "gpus": 0.5}, "gpus must be left out"),
        ({"name": "processes", "address": "auto"}, "address must be left out"),
        ({"name": "processes", "workers": 0}, "workers must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"gpus": -1}, "gpus must be at least 0"),
    ],
)
def test_what_engines_refuse(arguments, message):
    with pytest.raises(checks.ArgumentError, match=message):
        engines.make(**arguments)


def test_without_ray_processes_do(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    engine = engines.make(threads=10_000)
    assert isinstance(engine, ProcessEngine)
    assert engine.slots == 1
    with pytest.raises(checks.ArgumentError, match="engine must be installed"):
        engines.make("ray")


@pytest.mark.parametrize("num_runs", [3, 2500])
def test_the_slurm_script_does_each_run_once(tmp_path, monkeypatch, num_runs):
    """Run by bash, with srun and Python replaced by what notes the index."""
    monkeypatch.setattr(slurm.sys, "executable", str(tmp_path / "a python"))
    study = tmp_path / "a study"
    text = slurm.script(study, num_runs, threads=2, gpus=1, time_limit=90, at_a_time=7)
    (lines,) = re.findall(r"((?:^#SBATCH .*\n)+)", text, re.MULTILINE)
    options = dict(re.findall(r"--([\w-]+)=(\S+)", lines))
    tasks = min(num_runs, 1000)
    assert options["array"] == f"0-{tasks - 1}%7"
    assert options["cpus-per-task"] == "2"
    assert options["gpus-per-task"] == "1"
    # A limit of 90 s and a minute's grace for each run, and two minutes' notice.
    assert options["time"] == ("5" if num_runs == 3 else "10")
    srun = tmp_path / "srun"
    srun.write_text('#!/bin/bash\necho "$@" $OMP_NUM_THREADS\n')
    srun.chmod(0o755)
    started = []
    for task in range(tasks) if num_runs == 3 else (0, 499, 500, 999):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        environment["SLURM_ARRAY_TASK_ID"] = str(task)
        done = subprocess.run(
            ["bash"], input=text, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        started += done.stdout.splitlines()
    command = f"timeout --kill-after=60 90 {tmp_path}/a python -m tf_disentangle"
    command += f" study run {study}"
    indices = [0, 1, 2]
    if num_runs > 3:
        indices = [0, 1000, 2000, 499, 1499, 2499, 500, 1500, 999, 1999]
    assert started == [f"{command} {index} 2" for index in indices]


@pytest.mark.parametrize(("code", "started"), [(143, 1), (124, 3), (1, 3)])
def test_a_slurm_task_starts_no_other_run_after_a_signal(tmp_path, code, started):
    """But after one that failed, or was over its limit: `timeout` returns 124."""
    srun = tmp_path / "srun"
    srun.write_text(f"#!/bin/bash\necho started\nexit {code}\n")
    srun.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment["SLURM_ARRAY_TASK_ID"] = "7"
    text = slurm.script(tmp_path / "study", 2500)
    done = subprocess.run(
        ["bash"], input=text, env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["started"] * started
    assert done.returncode == (143 if code == 143 else 1)


# Ray, embedded: four runs of which one is killed; fractions of a GPU; nothing is left.
WITH_RAY = """
import json, os, pathlib, sys
from tests.studies import tiny
from tf_disentangle.studies import driver
from tf_disentangle.studies.engines import Job
from tf_disentangle.studies.engines.ray import RayEngine

folder = pathlib.Path(sys.argv[1])
plan = tiny.TinyPlan(folder, 4)
plan.behave(kill=[2])
engine = RayEngine(2, gpus=0.5, gpus_here=1)
# The limits of the engine's own variables reach a run.
shared = folder / "gpu"
shared.mkdir()
code = "import os; print(*map(os.environ.get, ('CUDA_VISIBLE_DEVICES', "
code += "'TF_FORCE_GPU_ALLOW_GROWTH')))"
engine.submit(Job("gpu", [sys.executable, "-c", code], str(shared / "log.txt")))
while not engine.wait(1):
    pass
progress = driver.drive(plan, engine, plan.command(), time_limit=60)
home = pathlib.Path.home()
print(json.dumps([progress.done, progress.failed, (home / ".ray").exists()]))
"""


def test_ray_runs_a_study_and_leaves_nothing(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment["HOME"] = str(tmp_path / "home")
    study = tmp_path / "study"
    command = [sys.executable, "-c", WITH_RAY, str(study)]
    before = set(pathlib.Path("/tmp").glob("tfd-ray-*"))
    driver = subprocess.Popen(
        command,
        env=environment,
        cwd=tiny.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    children = set()
    while driver.poll() is None:
        try:
            children |= set(psutil.Process(driver.pid).children(recursive=True))
        except psutil.Error:
            break
        time.sleep(0.5)
    printed, said = driver.communicate(timeout=60)
    assert driver.returncode == 0, said
    assert json.loads(printed.splitlines()[-1]) == [4, {}, False]
    plan = tiny.TinyPlan(study, 4)
    assert set(tiny.times_finished(plan).values()) == {1}
    killed = attempts.read(plan.folder_of(plan.runs[2]))
    assert [(a.kind, a.code) for a in killed] == [("failed", -9), ("done", 0)]
    assert (study / "gpu" / "log.txt").read_text().splitlines()[-1] == "0 true"
    assert len(children) > 4
    tiny.require_none_left(study)
    left = psutil.wait_procs(children, timeout=10)[1]
    assert not left
    after = set(pathlib.Path("/tmp").glob(f"tfd-ray-{driver.pid}-*"))
    assert not after - before


def test_an_address_where_nobody_listens_is_refused(monkeypatch):
    """At once, where Ray itself would try for minutes; Ray is not asked."""
    monkeypatch.setattr(ray_engine, "_imported", lambda address: None)
    with pytest.raises(
        checks.ArgumentError, match=r"address must be that of a Ray clu"
    ):
        engines.make("ray", address="127.0.0.1:1")


def test_no_cluster_is_told_before_anything_is_written(monkeypatch, tmp_path):
    def init(address, **options):
        raise ConnectionError("Could not find any running Ray instance")

    fake = types.SimpleNamespace(init=init)
    monkeypatch.setattr(ray_engine, "_imported", lambda address: fake)
    output = tmp_path / "study"
    with pytest.raises(checks.ArgumentError, match="Could not find any running"):
        study({"method": "vae.gin"}, output=output, address="auto")
    assert not output.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "RuntimeError"), ("\nno node\nis left", "RuntimeError: no node")],
)
def test_what_ray_says_of_a_lost_job(text, reason):
    engine = ray_engine.RayEngine.__new__(ray_engine.RayEngine)

    def get(ref):
        raise RuntimeError(text)

    errors = types.SimpleNamespace(TaskCancelledError=KeyError)
    engine._ray = types.SimpleNamespace(get=get, exceptions=errors)
    assert engine._outcome(None) == engines.Outcome("lost", None, reason)


def test_signal_numbers_have_names():
    assert attempts.reason_of(-signal.SIGTERM, "") == "killed by SIGTERM"
    assert attempts.reason_of(-40, "") == "killed by signal 40"
    assert attempts.reason_of(1, "a\nKeyError: 'x'\n\n") == "KeyError: 'x'"
