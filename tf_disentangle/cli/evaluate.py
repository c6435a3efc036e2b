"""Scores a trained run, or any codes with their factors, with named metrics.

    bin/evaluate runs/chyvae
    bin/evaluate runs/chyvae --metrics=mig,dci,sap --seeds=3
    bin/evaluate runs/chyvae --metrics=study --sampled --checkpoint=best
    bin/evaluate runs/chyvae --metrics=log_evidence,aggregate_posterior
    bin/evaluate runs/chyvae --metrics=factor_vae --protocol=dlib --factors=x,y
    bin/evaluate runs/chyvae --metrics=dci --gin_param='dci_score.num_train = 1000'
    bin/evaluate --codes=codes.npz --metrics=study,active_units --output=/tmp/scores

A run's results are printed and added to its metrics.jsonl, and pictures of the matrices
of latents and factors to its pictures/. Seeds are those of the metrics' draws: their
interval is the error of measuring this one model, not the spread over trainings. With
--codes the rows are given, so that seeds show only what their split into train and test
part, or a classifier's seed, does to the score: its least and greatest value.

"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import codes_file, run_flags
from tf_disentangle.metrics.draws import chosen_factors
from tf_disentangle.metrics.results import short_name

if TYPE_CHECKING:  # It imports TensorFlow, which --codes does without.
    from tf_disentangle import loading

__doc__ = f"{__doc__}--codes scores without TensorFlow.\n{codes_file.HELP}\n"

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_list(
    "metrics",
    [],
    "Names such as mig or mig_score, separated by commas (tf_disentangle list shows "
    "them); study: those of Locatello et al. (2019); all: these and others, some of "
    "which fit many classifiers and take long. By default those of the run's "
    "configuration, and study for --codes.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "protocol",
    None,
    "For the metrics that know it; the others keep their own, as the table says.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "seeds",
    None,
    "Score with the seeds 0 to SEEDS - 1 and give mean and interval, with --codes mean "
    "and range; by default once, with each metric's own seed.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "factors",
    [],
    "Names of the factors to score; the others still vary. All by default.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "sampled",
    False,
    "Score codes sampled from q(z|x) instead of its means.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "codes", None, "An .npz file to score instead of a run.", flag_values=FLAGS
)
flags.DEFINE_string(
    "output",
    None,
    "Folder for pictures and, with --codes, metrics.jsonl; by default RUN/pictures, "
    "and none for --codes.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "A binding on top of the run's config.gin. May be repeated.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    if values.codes is None:
        return _evaluate_run(values)
    for name, value in (("RUN", values.run), ("--gin_param", values.gin_param)):
        checks.require(not value, name, "not be given beside --codes", value)
    checks.require(not values.sampled, "--sampled", "come with a RUN", True)
    return _evaluate_file(values)


def _evaluate_file(values: flags.FlagValues) -> int:
    from tf_disentangle import metrics
    from tf_disentangle.cli import score_table

    file = codes_file.read(values.codes)
    factors = values.factors or None
    positions, _ = chosen_factors(file.factor_names, factors)
    known = metrics.ARRAY_METRICS
    if "factors" not in file.arrays:
        known = {k: m for k, m in known.items() if metrics.needs(m) == ("codes",)}
    chosen = choose(values.metrics or ["study"], known, metrics.METRICS)
    evaluations = metrics.evaluate_arrays(
        file.arrays,
        with_protocol(chosen, values.protocol, metrics.PROTOCOLS),
        seeds=_seeds(values.seeds),
        columns=file.columns,
        factors=factors,
        factor_names=file.factor_names,
    )
    print(score_table.text(evaluations))
    if values.output:
        folder = pathlib.Path(values.output)
        latents = [f"z{d}" for d in range(file.arrays["codes"].shape[1])]
        paths = score_table.save_pictures(
            evaluations, [file.factor_names[k] for k in positions], latents, folder
        )
        rows = score_table.rows(evaluations, file=str(values.codes))
        paths.append(folder / "metrics.jsonl")
        score_table.append_rows(rows, paths[-1])
        print("", *paths, sep="\n")
    return 0


def _evaluate_run(values: flags.FlagValues) -> int:
    from tf_disentangle import metrics

    run = run_flags.load(values, values.gin_param, metrics.METRICS)
    from tf_disentangle import configuration
    from tf_disentangle.cli import score_table
    from tf_disentangle.models.posterior_samples import PosteriorSamples
    from tf_disentangle.training.scores import dry_run, name_of

    if values.metrics:
        chosen = choose(values.metrics, metrics_of(run, values.metrics))
    else:
        chosen = {name_of(metric): metric for metric in run.experiment.metrics}
    checks.require(
        chosen,
        "--metrics",
        "name at least one metric, as train.metrics of this run does not",
        "none",
        "For example --metrics=factor_vae,mig, or --metrics=all",
    )
    factors = values.factors or None
    names = metrics.chosen_names(run.dataset, factors)
    chosen = with_protocol(chosen, values.protocol, metrics.PROTOCOLS)
    with configuration.explained("train"):
        dry_run(run.dataset, [m for k, m in chosen.items() if k in metrics.METRICS])
    configuration.drop_unused()
    evaluations = metrics.evaluate(
        run.dataset,
        PosteriorSamples(run.model) if values.sampled else run.encode,
        chosen,
        seeds=_seeds(values.seeds),
        factors=factors,
        columns=run.model.latents.columns,
    )
    kind = "sampled" if values.sampled else "mean"
    for row in score_table.rows(evaluations, step=run.step, codes=kind):
        run.folder.append(row)
    print(score_table.terms(run.folder.rows(), run.step))
    print(f"\nStep {run.step}, {kind} codes\n{score_table.text(evaluations)}")
    paths = score_table.save_pictures(
        evaluations,
        names,
        [column.name for column in run.model.latents.columns],
        pathlib.Path(values.output or run.folder.pictures),
    )
    print("", *paths, sep="\n")
    return 0


def metrics_of(
    run: loading.LoadedRun, asked: Collection[str] = ()
) -> dict[str, Callable[..., Any]]:
    """Returns the metrics of a run by name: those of the library and of its model.

    Args:
        run: The run.
        asked: Names that must be among them.

    Raises:
        ArgumentError: If the model has no metric of a name that was asked for.
    """
    from tf_disentangle import configuration, metrics
    from tf_disentangle.training.aggregate_posterior import aggregate_posterior_of
    from tf_disentangle.training.evidence import log_evidence_of

    known = {name: configuration.configured(name) for name in metrics.METRICS}
    of_model = {
        "aggregate_posterior": functools.partial(aggregate_posterior_of, run.model),
        "log_evidence": functools.partial(
            log_evidence_of, run.model, run.experiment.batches.held_out
        ),
    }
    for name, make in of_model.items():
        try:
            known[name] = make()
        except checks.ArgumentError:
            if name in asked:
                raise
    return known


def choose(
    names: Sequence[str],
    known: Mapping[str, Callable[..., Any]],
    elsewhere: Collection[str] = (),
) -> dict[str, Callable[..., Any]]:
    """Returns the metrics of these names; "mig" is "mig_score" too.

    Args:
        names: Of metrics, "study" or "all".
        known: What can be named.
        elsewhere: Names that need a data set and so a run.

    Raises:
        ArgumentError: If a name is unknown.
    """
    from tf_disentangle.metrics import STUDY

    groups = {"all": known, "study": {k: m for k, m in known.items() if k in STUDY}}
    chosen: dict[str, Callable[..., Any]] = {}
    for name in names:
        if name in groups:
            chosen |= groups[name]
            continue
        forms = (name, f"{name}_score", f"{name}_scores")
        for form in forms:
            if form in known:
                chosen[form] = known[form]
                break
        else:
            rule = "name known metrics"
            if any(form in elsewhere for form in forms):
                rule = "name metrics for which the file has the arrays"
            remedy = checks.nearest(name, [*groups, *map(short_name, known)])
            raise checks.ArgumentError(checks.message("--metrics", rule, name, remedy))
    return chosen


def with_protocol(
    chosen: Mapping[str, Callable[..., Any]],
    protocol: str | None,
    protocols: Mapping[str, Collection[str]],
) -> dict[str, Callable[..., Any]]:
    """Returns the metrics, those that know the protocol bound to it.

    Raises:
        ArgumentError: If none of them knows it.
    """
    if protocol is None:
        return dict(chosen)
    knowing = {k for k in chosen if protocol in protocols.get(k, ())}
    names = sorted({name for k in chosen for name in protocols.get(k, ())})
    if not knowing:
        checks.one_of(protocol, names, "--protocol")
    bound = {}
    for name, metric in chosen.items():
        bound[name] = metric
        if name in knowing:
            bound[name] = functools.partial(metric, protocol=protocol)
    return bound


def _seeds(count: int | None) -> range | None:
    return (
        None if count is None else range(checks.integer(count, "--seeds", at_least=1))
    )
