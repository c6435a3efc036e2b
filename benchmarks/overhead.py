"""What checkpoints, rows, validation and pictures cost of the training time.

    .venv/bin/python benchmarks/overhead.py [--steps=2000] [--gin_file=chyvae.gin]

One real run at the default intervals; each duty's own seconds are read off the clock as
it acts, so the machine's wandering speed does not hide what is far below it. Rows and
checkpoints must stay under 1%.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import time

from tf_disentangle.cli import startup

startup.import_tensorflow()

from tf_disentangle import configuration  # noqa: E402
from tf_disentangle.training import callbacks  # noqa: E402

GROUPS = {
    "rows (log)": ("FiniteGuard", "Speed", "Record", "Progress", "StopOnSignal"),
    "checkpoints": ("Save",),
    "validation and best checkpoint": ("Validate",),
    "pictures": ("Pictures",),
    "scores on the way": ("Score",),
}


def timed(spent: dict[str, float]) -> None:
    """Has every callback add its seconds to `spent` under its name."""

    def wrap(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def method(self, *arguments, **options):
            start = time.perf_counter()
            try:
                return original(self, *arguments, **options)
            finally:
                spent[type(self).__name__] += time.perf_counter() - start

        setattr(owner, name, method)

    for owner in (callbacks.Action, callbacks.Validate):
        wrap(owner, "on_epoch_end")
    wrap(callbacks.Save, "on_train_end")


def main() -> None:
    """Trains and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--gin_file", default="chyvae.gin")
    options = parser.parse_args()
    spent: dict[str, float] = collections.defaultdict(float)
    timed(spent)
    with tempfile.TemporaryDirectory() as output:
        configuration.parse(
            [options.gin_file],
            [f"train.steps = {options.steps}", "train.metrics = []"],
        )
        run = configuration.build("train", output=f"{output}/run", dry_run=True)
        fit = run.model.fit
        seconds = []

        def timed_fit(*arguments, **named):
            start = time.perf_counter()
            fit(*arguments, **named)
            seconds.append(time.perf_counter() - start)

        run.model.fit = timed_fit
        run.start(configuration.with_defaults())
    total = sum(seconds)
    print(f"\n{options.gin_file}, {options.steps} steps: {total:.1f} s of training")
    for group, names in GROUPS.items():
        own = sum(spent.pop(name, 0.0) for name in names)
        print(f"  {group:32} {own:7.2f} s  {100 * own / total:6.2f} %")
    if spent:
        raise SystemExit(f"not in the table: {sorted(spent)}")


if __name__ == "__main__":
    main()
