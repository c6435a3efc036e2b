"""Scores trained runs, or any codes with their factors, with named metrics.

    bin/evaluate runs/chyvae
    bin/evaluate runs/chyvae --metrics=mig,dci,sap --seeds=3
    bin/evaluate runs/a runs/b --metrics=mig,factor_vae
    bin/evaluate runs/chyvae --metrics=study --sampled --checkpoint=best
    bin/evaluate runs/chyvae --metrics=log_evidence,aggregate_posterior
    bin/evaluate runs/chyvae --metrics=factor_vae --protocol=dlib --factors=x,y
    bin/evaluate runs/chyvae --metrics=dci --gin_param='dci_score.num_train = 1000'
    bin/evaluate --codes=codes.npz --metrics=study,active_units --output=/tmp/scores

A run's results are printed and added to its metrics.jsonl, each as it ends, and
pictures of the matrices of latents and factors to its pictures/. The same command goes
on where it was interrupted; --again computes everything anew. With --bounds each score
stands between its floor (untrained networks, noise) and its ceiling (the factors).

Seeds are those of the metrics' draws: their interval is the error of measuring this one
model, not the spread over trainings. With --codes the rows are given, so that seeds
show only what their split into train and test part, or a classifier's seed, does to the
score: its least and greatest value.

"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import codes_file, run_flags

if TYPE_CHECKING:  # It imports TensorFlow, which --codes does without.
    from tf_disentangle.metrics import Evaluation, Refusal

__doc__ = f"{__doc__}--codes scores without TensorFlow.\n{codes_file.HELP}\n"

# Untrained networks behind a floor.
_NUM_UNTRAINED = 3

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_list(
    "runs",
    [],
    "Further run folders; may stand alone after the first.",
    flag_values=FLAGS,
)
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
flags.DEFINE_bool(
    "bounds", False, "Show each score's floor and ceiling.", flag_values=FLAGS
)
flags.DEFINE_bool(
    "again", False, "Compute what metrics.jsonl has already.", flag_values=FLAGS
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
    if values.codes is not None:
        for name, value in (("RUN", values.run), ("--gin_param", values.gin_param)):
            checks.require(not value, name, "not be given beside --codes", value)
        checks.require(not values.sampled, "--sampled", "come with a RUN", True)
        return _evaluate_file(values)
    from tf_disentangle.cli import score_table

    tables = {}
    for folder in [values.run, *values.runs]:
        values["run"].value = folder
        tables[str(folder)] = _evaluate_run(values)
    if len(tables) > 1:
        print(f"\n{score_table.side_by_side(tables)}")
    return _exit_code([entry for table in tables.values() for entry in table.values()])


def _exit_code(entries: Sequence[Any]) -> int:
    """Returns 2 if no metric gave a score, else 0."""
    return 2 if all(hasattr(entry, "reason") for entry in entries) else 0


def _evaluate_file(values: flags.FlagValues) -> int:
    from tf_disentangle import metrics
    from tf_disentangle.cli import score_table

    file = codes_file.read(values.codes)
    scored = values.factors or None
    positions, _ = metrics.scored_factors(file.factor_names, scored)
    known = {
        name: metric
        for name, metric in metrics.METRICS.items()
        if metric.input is metrics.Input.CODES
        or (metric.input is not metrics.Input.ENCODER and file.factors is not None)
    }
    names = choose(values.metrics or ["study"], known, metrics.METRICS)
    table = metrics.evaluate_arrays(
        file.codes,
        file.factors,
        with_protocol({name: known[name] for name in names}, values.protocol),
        test_codes=file.test_codes,
        test_factors=file.test_factors,
        seeds=_seeds(values.seeds),
        columns=file.columns,
        factor_names=file.factor_names or None,
        scored=scored,
        bounds=values.bounds,
    )
    print(score_table.text(table))
    if values.output:
        folder = pathlib.Path(values.output)
        latents = [f"z{d}" for d in range(file.codes.shape[1])]
        factors = [file.factor_names[k] for k in positions]
        paths = score_table.save_pictures(table, factors, latents, folder)
        paths.append(folder / "metrics.jsonl")
        rows = score_table.rows(table, file=str(values.codes))
        score_table.append_rows(rows, paths[-1])
        print("", *paths, sep="\n")
    return _exit_code(list(table.values()))


def _evaluate_run(values: flags.FlagValues) -> dict[str, Evaluation | Refusal]:
    from tf_disentangle import metrics

    run = run_flags.load(values)
    from tf_disentangle.cli import score_table
    from tf_disentangle.models.encoder import ModelEncoder

    calls = _metrics_of(run, values)
    names, _ = metrics.scored_factors(run.data.factor_names, values.factors or None)
    kind = "sampled" if values.sampled else "mean"
    about = {"step": run.step, "codes": kind}

    def keep(name: str, seed: int | None, result: Any, call: str) -> None:
        row = {} if seed is None else {"seed": seed}
        scores = score_table.as_row({name: result})
        run.folder.append({**about, **row, "call": call, "scores": scores})

    done = {} if values.again else score_table.results(run.folder.rows(), about)
    table = metrics.evaluate(
        run.data,
        ModelEncoder(run.model, values.sampled),
        calls,
        seeds=_seeds(values.seeds),
        held_out=run.batches.held_out,
        done=done,
        on_result=keep,
        factors=values.factors or None,
        **(_bounds(run) if values.bounds else {}),
    )
    for row in score_table.summaries(table, **about):
        run.folder.append(row)
    print(score_table.terms(run.folder.rows(), run.step))
    print(f"\nStep {run.step}, {kind} codes\n{score_table.text(table)}")
    paths = score_table.save_pictures(
        table,
        [run.data.factor_names[k] for k in names],
        [column.name for column in run.model.latents.columns],
        pathlib.Path(values.output or run.folder.pictures),
    )
    print("", *paths, sep="\n")
    return table


def _bounds(run: Any) -> dict[str, Any]:
    """Returns the arguments of `metrics.evaluate` for floors and ceilings."""
    from tf_disentangle.datasets.cache import cache_dir
    from tf_disentangle.models.encoder import UntrainedEncoder

    untrained = [UntrainedEncoder(run.model, seed) for seed in range(_NUM_UNTRAINED)]
    return {
        "bounds": True,
        "floor_encoders": untrained,
        "architecture": untrained[0].architecture,
        "cache": cache_dir(),
    }


def _metrics_of(run: Any, values: flags.FlagValues) -> dict[str, Any]:
    """Returns the metrics to call by name, with what gin binds to them.

    They are those of the library, and what a module of the user's registers, which the
    run's config.gin imports.

    Raises:
        ArgumentError: For an unknown name, or if none is named.
    """
    from tf_disentangle import configuration, metrics

    files = [str(run.folder.config)] if run.folder.config.exists() else []
    configuration.parse(files, values.gin_param)

    def bound(name: str) -> Any:
        if name not in metrics.METRICS:
            return configuration.configured(name)
        function = metrics.METRICS[name].function.__name__
        options = configuration.bindings(function)
        return functools.partial(metrics.METRICS[name].on_data, **options)

    if values.metrics:
        users = configuration.users_parts()
        known: dict[str, Any] = {n: None for n in values.metrics if n in users}
        known |= metrics.METRICS
        chosen = {name: bound(name) for name in choose(values.metrics, known)}
    elif files:
        with configuration.explained("train"):
            calls = metrics.calls_of(configuration.built("train.metrics"))
        chosen = {c.name: bound(c.name) if c.metric else c.function for c in calls}
    else:
        calls = metrics.calls_of(run.metrics)
        chosen = {call.name: call.function for call in calls}
    configuration.drop_unused()  # Of --gin_param all must be of use.
    checks.require(
        chosen,
        "--metrics",
        "name at least one metric, as train.metrics of this run does not",
        "none",
        "For example --metrics=factor_vae,mig, or --metrics=all",
    )
    return with_protocol(chosen, values.protocol)


def choose(
    names: Sequence[str], known: Mapping[str, Any], elsewhere: Collection[str] = ()
) -> list[str]:
    """Returns the short names of the metrics that are asked for, each once.

    Args:
        names: Of metrics, "mig" or "mig_score", "study" or "all".
        known: What can be named, by short name.
        elsewhere: Names that need a data set and so a run.

    Raises:
        ArgumentError: If a name is unknown.
    """
    from tf_disentangle.metrics import STUDY, named
    from tf_disentangle.metrics.results import display_name

    groups = {"all": list(known), "study": [name for name in known if name in STUDY]}
    chosen: dict[str, None] = {}
    for name in names:
        if name in groups:
            chosen |= dict.fromkeys(groups[name])
        elif name not in known and display_name(name) in elsewhere:
            if display_name(name) not in known:
                rule = "name metrics for which the file has the arrays"
                raise checks.ArgumentError(checks.message("--metrics", rule, name))
            chosen[display_name(name)] = None
        else:
            try:
                chosen[named(name, known)] = None
            except checks.ArgumentError as error:
                rule = "name known metrics"
                remedy = checks.nearest(name, [*groups, *known])
                text = checks.message("--metrics", rule, name, remedy)
                raise checks.ArgumentError(text) from error
    return list(chosen)


def with_protocol(chosen: Mapping[str, Any], protocol: str | None) -> dict[str, Any]:
    """Returns the metrics, those that know the protocol bound to it.

    Raises:
        ArgumentError: If none of them knows it.
    """
    from tf_disentangle.metrics import PROTOCOLS

    if protocol is None:
        return dict(chosen)
    knowing = {k for k in chosen if protocol in PROTOCOLS.get(k, ())}
    if not knowing:
        names = sorted({name for k in chosen for name in PROTOCOLS.get(k, ())})
        checks.one_of(protocol, names, "--protocol")
    return {
        name: functools.partial(metric, protocol=protocol)
        if name in knowing
        else metric
        for name, metric in chosen.items()
    }


def _seeds(count: int | None) -> range | None:
    return (
        None if count is None else range(checks.integer(count, "--seeds", at_least=1))
    )
