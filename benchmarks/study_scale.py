"""What planning a study of many runs costs, and asking for the state of each run.

    python benchmarks/study_scale.py --runs=12600
    python benchmarks/study_scale.py --runs=100000
    python benchmarks/study_scale.py --runs=1000000 --plan_only

Plans a grid of gin/beta_vae.gin, writes and reads it, finds one run in it (as every run
does when it begins), makes the folders of done runs, and reads the state of
each, as `bin/study status` and a driver that begins again do. Each row is of a process
of its own: seconds of wall and of CPU time, and the peak memory.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

_STEP = """
import resource, sys, time
sys.path.insert(0, {root!r})
from tf_disentangle.studies import plan as plans, state
folder, number = {folder!r}, {number}
{setup}
began, cpu = time.perf_counter(), time.process_time()
{code}
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{{seconds:8.1f}} {{cpu:8.1f}} {{peak:8.0f}}   {name}", flush=True)
"""
_GRID = (
    'plans.Plan.make({{"method": "beta_vae.gin", "beta_vae.beta": '
    '[1.0 + i for i in range(number // 100)], "seed": range(100)}})'
)
_READ = "plan = plans.Plan.read(folder)"
STEPS = {
    "plan": ("", f"plan = {_GRID}"),
    "write": (f"plan = {_GRID}", "plan.write(folder)"),
    "read": ("", _READ),
    "find one run": ("", "plans.find(folder, str(number // 2))"),
}
FOLDERS = {
    "make folders": (
        _READ,
        "for run in plan.runs:\n    path = plan.folder_of(run)"
        "\n    path.mkdir(parents=True)\n    (path / 'done.json').write_text('{{}}')",
    ),
    "state of each": (
        _READ,
        "states = [state.state_of(plan.folder_of(run), steps=False) "
        "for run in plan.runs]\nassert {{one.state for one in states}} == {{'done'}}",
    ),
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=12_600, help="in hundreds")
    parser.add_argument("--plan_only", action="store_true", help="make no folders")
    options = parser.parse_args()
    steps = STEPS if options.plan_only else STEPS | FOLDERS
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        study = str(pathlib.Path(folder) / "study")
        print(f"{'s':>8} {'CPU s':>8} {'MB':>8}   {options.runs:,} runs")
        for name, (setup, code) in steps.items():
            about = {"root": str(ROOT), "folder": study, "number": options.runs}
            texts = {"setup": setup.format(), "code": code.format(), "name": name}
            program = _STEP.format(**about, **texts)
            subprocess.run([sys.executable, "-c", program], check=True)


if __name__ == "__main__":
    main()
