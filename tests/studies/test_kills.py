"""Sixty runs while everything is killed that can be; two nodes of which one is.

Run by hand, with -m slow; each in processes of its own.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.studies import tiny
from tests.studies.test_driver import num_done, start, wait_until
from tests.studies.test_job import TINY
from tf_disentangle.studies import attempts, state

BAD = {"raise": [7, 31], "hang": [12], "fill": [23], "damaged": [40]}
ALL_BAD = [number for numbers in BAD.values() for number in numbers]
ONCE = [3, 18]  # killed by themselves at their first attempt


def processes_below(process):
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []


def kill_one(choices):
    """Kills one of the processes; returns whether there was one."""
    choices = [process for process in choices if process.is_running()]
    if not choices:
        return False
    random.choice(choices).kill()
    return True


def runs_without_failure(plan, children):
    """The processes of well-behaved runs that have not failed yet."""
    found = []
    for process in children:
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if str(tiny.SCRIPT) in command and "supervisor" not in " ".join(command):
            run = next(run for run in plan.runs if run.id == command[3])
            tried = attempts.read(plan.folder_of(run))
            if run.index not in {*ONCE, *ALL_BAD} and not attempts.failures(tried):
                found.append(process)
    return found


def named(children, *names):
    found = []
    for process in children:
        try:
            text = f"{process.name()} {' '.join(process.cmdline())}"
        except psutil.Error:
            continue
        if any(name in text for name in names):
            found.append(process)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_sixty_runs_survive(tmp_path, engine):
    """Each is done exactly once, or listed as failed with its reason and log."""
    random.seed(0)
    plan = tiny.TinyPlan(tmp_path, 60)
    plan.behave(kill=ONCE, **{k: v for k, v in BAD.items() if k != "damaged"})
    for number in BAD["damaged"]:
        folder = plan.folder_of(plan.runs[number])
        folder.mkdir(parents=True)
        (folder / "run.json").write_text('{"training": {"st')
    options = {"seconds": 1.0, "limit": 15}
    ever = set()
    # Started twice at once.
    drivers = [start(plan, engine, **options), start(plan, engine, **options)]
    wait_until(lambda: num_done(plan) >= 4, 180)
    below = [processes_below(driver) for driver in drivers]
    ever |= set(below[0] + below[1])
    # A run, then a worker.
    wait_until(
        lambda: kill_one(runs_without_failure(plan, tiny.processes_of(tmp_path)))
    )
    worker = "ray::run_supervised" if engine == "ray" else "studies.supervisor"
    wait_until(lambda: kill_one(named(processes_below(drivers[1]), worker)))
    wait_until(lambda: num_done(plan) >= 12, 180)
    if engine == "ray":  # Ray itself
        assert kill_one(named(processes_below(drivers[1]), "/raylet"))
    wait_until(lambda: num_done(plan) >= 25, 180)
    # A driver, which is started again.
    ever |= set(processes_below(drivers[0]))
    drivers[0].kill()
    drivers[0].communicate()
    drivers[0] = start(plan, engine, **options)
    said = []
    for driver in drivers:
        while driver.poll() is None and not said:
            ever |= set(processes_below(driver))
            time.sleep(1)
        said.append(driver.communicate(timeout=400)[1])
    print(*said, sep="\n\n")
    bad = {plan.runs[number].id for number in ALL_BAD}
    times = tiny.times_finished(plan)
    assert {name for name, number in times.items() if number == 1} == times.keys() - bad
    assert {name for name, number in times.items() if number > 1} == set()
    for run in plan.runs:
        found = state.state_of(plan.folder_of(run))
        assert found.state == ("failed" if run.id in bad else "done"), (run, found)
        if run.id in bad:
            assert found.reason
            assert (plan.folder_of(run) / "log.txt").stat().st_size
            # Each failure is told by the driver that saw it; both count it.
            assert any(run.id in text for text in said)
    assert [driver.returncode for driver in drivers] == [1, 1]
    tiny.require_none_left(tmp_path)
    # Ray's agents end by themselves after a killed driver.
    assert not psutil.wait_procs(ever, timeout=180)[1]


TWO_NODES = """
import json, os, pathlib, signal, sys
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster
from tests.studies import tiny
from tf_disentangle.studies import attempts, driver, engines, state

store = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **store})
second = cluster.add_node(num_cpus=2, object_store_memory=80 * 2**20)
cluster.wait_for_nodes()
plan = tiny.TinyPlan(pathlib.Path(sys.argv[1]), 12)
killed = []
raylet = str(second.all_processes["raylet"][0].process.pid)

def nodes():
    return [line.split()[1] for run in plan.runs
            for line in tiny.lines(plan.folder_of(run) / "pids.txt")]

def kill_second(progress):
    there = [run for run in plan.runs if not state.is_done(plan.folder_of(run))
             and raylet in (tiny.lines(plan.folder_of(run) / "pids.txt") or [""])[-1]]
    if not killed and progress.done >= 2 and len(set(nodes())) == 2 and there:
        # As with a machine all of it goes, the supervisors and their runs first.
        for run in there:
            os.kill(attempts.read(plan.folder_of(run))[-1].pid, signal.SIGKILL)
        cluster.remove_node(second, allow_graceful=False)
        killed.append(len(nodes()))

engine = engines.make("ray", address=cluster.address)
view = tiny.Notes(kill_second)
progress = driver.drive(plan, engine, plan.command(2.0), time_limit=60, view=view)
cluster.shutdown()
print(json.dumps([progress.done, progress.failed, len(killed), len(set(nodes()))]))
print(*view.lines, sep="\\n", file=sys.stderr)
"""


@pytest.mark.slow
def test_a_study_spreads_over_two_nodes_and_leaves_one_that_is_killed(tmp_path):
    command = [sys.executable, "-c", TWO_NODES, str(tmp_path)]
    done = subprocess.run(
        command, cwd=tiny.ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    assert json.loads(done.stdout.splitlines()[-1]) == [12, {}, 1, 2]
    plan = tiny.TinyPlan(tmp_path, 12)
    assert set(tiny.times_finished(plan).values()) == {1}
    moved = [run.id for run in plan.runs if len(nodes_of(plan, run)) == 2]
    assert moved
    tiny.require_none_left(tmp_path)


def nodes_of(plan, run):
    lines = tiny.lines(plan.folder_of(run) / "pids.txt")
    return {line.split()[1] for line in lines}


@pytest.mark.slow
def test_an_embedded_ray_whose_control_service_is_killed_is_started_again(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 6)
    driver = start(plan, "ray", seconds=2.0)
    wait_until(lambda: list(tmp_path.glob("runs/*/pids.txt")), 120)
    assert kill_one(named(processes_below(driver), "/gcs_server"))
    _, said = driver.communicate(timeout=300)
    assert driver.returncode == 0, said
    assert "gcs_server is gone" in said
    assert set(tiny.times_finished(plan).values()) == {1}
    assert os.path.exists(plan.folder_of(plan.runs[0]) / "done.json")
    tiny.require_none_left(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_with_ray(tmp_path, times):
    """Once: a run that hears ends as it likes; twice: a deaf one is killed."""
    plan = tiny.TinyPlan(tmp_path, 2)
    plan.behave(**({"slow": [0, 1]} if times == 1 else {"hang": [0], "slow": [1]}))
    driver = start(plan, "ray", limit=100)
    wait_until(lambda: len(list(tmp_path.glob("runs/*/pids.txt"))) == 2, 120)
    time.sleep(2)
    ever = processes_below(driver)
    for _ in range(times):
        os.killpg(driver.pid, signal.SIGINT)
        time.sleep(1)
    _, said = driver.communicate(timeout=100)
    assert driver.returncode == 130, said
    for run in plan.runs:
        (attempt,) = attempts.read(plan.folder_of(run))
        assert attempt.kind == "stopped"
    tiny.require_none_left(tmp_path)
    assert not psutil.wait_procs(ever, timeout=20)[1]


@pytest.mark.slow
def test_real_trainings_survive_with_their_bits(tmp_path):
    """A run and the driver are killed; the rows are those of runs left in peace."""
    (tmp_path / "tiny.gin").write_text(TINY)
    command = [sys.executable, "-m", "tf_disentangle", "study", "--gin_file=tiny.gin"]
    command += ["--sweep=train.seed=range(3)", "--gin_param=train.steps=300"]
    command += ["--gin_param=Intervals.save=50", "--gin_param=Intervals.log=50"]
    command += ["--gin_param=Intervals.evaluate=100"]
    command += ["--report=false", "--workers=2"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment["PYTHONPATH"] = str(tiny.ROOT)
    options = {"cwd": tmp_path, "env": environment, "start_new_session": True}
    peace = [*command, "--engine=processes", "--output=peace"]
    done = subprocess.run(peace, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    killed = [*command, "--engine=ray", "--output=killed"]
    rows = tmp_path.glob
    driver = subprocess.Popen(killed, **options)
    wait_until(lambda: list(rows("killed/runs/*/checkpoints/[!.]*")), 300)
    trained = next(iter(rows("killed/runs/*/checkpoints/[!.]*"))).parents[1].name
    wait_until(
        lambda: kill_one(
            [p for p in named(tiny.processes_of(tmp_path), trained) if is_run(p)]
        )
    )
    wait_until(lambda: list(rows("killed/runs/*/done.json")), 300)
    ever = processes_below(driver)
    driver.kill()
    driver.wait()
    done = subprocess.run(killed, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    folders = sorted((tmp_path / "killed" / "runs").iterdir())
    assert len(folders) == 3
    for folder in folders:
        assert (folder / "done.json").exists()
        calm = tmp_path / "peace" / "runs" / folder.name
        assert without_times(folder) == without_times(calm)
        assert without_times(folder)[-1]["step"] == 300
    failures = [len(attempts.failures(attempts.read(folder))) for folder in folders]
    assert sum(failures) == 1
    assert len(attempts.read(tmp_path / "killed" / "runs" / trained)) >= 2
    tiny.require_none_left(tmp_path)
    assert not psutil.wait_procs(ever, timeout=180)[1]


def is_run(process):
    """Whether this is a run itself and not what watches over it."""
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return command[2:5] == ["tf_disentangle", "study", "run"]


def without_times(folder):
    rows = [json.loads(line) for line in tiny.lines(folder / "metrics.jsonl")]
    times = {"wall_time", "images_per_second", "seconds"}
    return [{k: v for k, v in row.items() if k not in times} for row in rows]
