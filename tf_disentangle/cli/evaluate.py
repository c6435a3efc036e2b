"""Scores a trained run with the metrics that its configuration names.

    bin/evaluate runs/chyvae
    bin/evaluate runs/chyvae --checkpoint=best
    bin/evaluate runs/chyvae --gin_param='factor_vae_score.protocol="dlib"'

The results are printed and added to the run's metrics.jsonl.
"""

from __future__ import annotations

from absl import flags

from tf_disentangle.cli import run_flags

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "A binding on top of the run's config.gin. May be repeated.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    run = run_flags.load(values, values.gin_param)
    from tf_disentangle import checks, configuration
    from tf_disentangle.training.scores import as_row, described, score

    metrics = run.experiment.metrics
    checks.require(
        metrics,
        "train.metrics",
        "name at least one metric in the run's config.gin",
        metrics,
        "Bind one: --gin_param='train.metrics=[@factor_vae_score]'",
    )
    with configuration.explained("train"):
        run.experiment.rehearse()
    configuration.drop_unused()
    results = score(run.dataset, run.represent, metrics)
    run.folder.append({"step": run.step, "scores": as_row(results)})
    for name, result in results.items():
        print(f"{name} = {result.score:.4f}{described(result)}")
        if hasattr(result, "table"):
            print(result.table())
    return 0
