"""Scores trained runs, or any codes with their factors, by named metrics.

    bin/evaluate runs/chyvae
    bin/evaluate runs/chyvae --metrics=mig,dci,sap --seeds=3
    bin/evaluate runs/a runs/b --metrics=mig,factor_vae
    bin/evaluate runs/chyvae --metrics=study --sampled --checkpoint=best
    bin/evaluate runs/chyvae --metrics=log_evidence,aggregate_posterior
    bin/evaluate runs/chyvae --metrics=factor_vae --protocol=dlib --factors=x,y
    bin/evaluate runs/chyvae --metrics=dci --gin_param='dci_score.num_train = 1000'
    bin/evaluate --codes=codes.npz --metrics=study,active_units --output=/tmp/scores
    bin/evaluate store:chyvae_ellipses --metrics=mig

The results are printed, and each is added to the run's metrics.jsonl as soon as it is
ready. Pictures of the matrices of latents and factors go to the run's pictures/. The
same command resumes where it was interrupted; --again computes everything anew. With
--bounds each score is shown with its floor (what untrained networks or noise score) and
its ceiling (what the factors themselves score).

--seeds sets the seeds of the metrics' random draws. The interval over them is the error
of measuring this one model, not the spread over trainings. With --codes the rows are
given, so seeds change only how these are split into a train and a test part, or the
seed of a classifier; the lowest and the highest score are shown.

Nothing is added to a published model: its scores are computed anew and printed, and
pictures are written only with --output.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tf_disentangle import checks, files, store
from tf_disentangle.cli import codes_file, run_flags

if TYPE_CHECKING:  # It imports TensorFlow, which --codes does without.
    from tf_disentangle.metrics import Evaluation, Refusal

__doc__ = f"{__doc__}\n--codes needs no TensorFlow.\n{codes_file.HELP}\n"

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
_list = functools.partial(flags.DEFINE_list, flag_values=FLAGS)
_bool = functools.partial(flags.DEFINE_bool, flag_values=FLAGS)
_string = functools.partial(flags.DEFINE_string, flag_values=FLAGS)

_list("runs", [], "More runs; they may follow the first without --runs=.")
_list(
    "metrics",
    [],
    "Names such as mig or mig_score, separated by commas (tf_disentangle list shows "
    "them). study stands for those of Locatello et al. (2019), all for these and "
    "others, some of which fit many classifiers and take long. By default the metrics "
    "of the run's configuration; for --codes, study.",
)
_string(
    "protocol",
    None,
    "A named set of settings, for the metrics that know it: dlib is that of "
    "disentanglement_lib, the code of Locatello et al. (2019); chyvae that of CHyVAE's "
    "authors. At least one metric must know it; others keep their own protocol, "
    "which the table shows.",
)
flags.DEFINE_integer(
    "seeds",
    None,
    "Score with the seeds 0 to SEEDS - 1, and show the mean and its interval (with "
    "--codes, the mean and the range). By default score once, with each metric's own "
    "seed.",
    flag_values=FLAGS,
)
_list(
    "factors",
    [],
    "Names of the factors to score; the others still vary. All by default.",
)
_bool("sampled", False, "Score codes sampled from q(z|x) instead of its means.")
_bool("bounds", False, "Show each score's floor and ceiling.")
_bool("again", False, "Compute again what metrics.jsonl already has.")
_string("codes", None, "An .npz file to score instead of a run.")
_string(
    "output",
    None,
    "Folder for pictures and, with --codes, metrics.jsonl. By default RUN/pictures; "
    "for --codes or a published model nothing is written by default.",
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "A binding read after the run's config.gin. May be repeated.",
    flag_values=FLAGS,
)

# What says which run is scored, and how it is read.
_OF_RUNS = ("run", "gin_param", "sampled", "checkpoint", "again", "trust")


def main(values: flags.FlagValues) -> int:
    """Runs the command; it returns 2 if no metric gave a score."""
    tables: dict[str, Mapping[str, Evaluation | Refusal]] = {}
    if values.codes is not None:
        for option in _OF_RUNS:
            name = "RUN" if option == "run" else f"--{option}"
            given = values[option].present
            rule = "not be given together with --codes"
            checks.require(not given, name, rule, values[option].value)
        tables[values.codes] = _evaluate_file(values)
    else:
        runs = [values.run, *values.runs]
        for run, name in zip(runs, _distinct_names(runs), strict=True):
            values["run"].value = run
            tables[str(run)] = _evaluate_run(values, name)
    if len(tables) > 1:
        from tf_disentangle.cli import score_table

        print(f"\n{score_table.side_by_side(tables)}")
    entries = [entry for table in tables.values() for entry in table.values()]
    return 2 if all(hasattr(entry, "reason") for entry in entries) else 0


def _evaluate_file(values: flags.FlagValues) -> Mapping[str, Evaluation | Refusal]:
    from tf_disentangle import metrics
    from tf_disentangle.cli import score_table
    from tf_disentangle.metrics.results import recording, summary_rows

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
    about = {"file": str(values.codes)}
    folder = (
        files.require_writable(values.output, "--output") if values.output else None
    )

    def append(row: dict[str, Any]) -> None:
        if folder is not None:
            score_table.append_rows([row], folder / "metrics.jsonl")

    table = metrics.evaluate_arrays(
        file.codes,
        file.factors,
        with_protocol({name: known[name] for name in names}, values.protocol),
        test_codes=file.test_codes,
        test_factors=file.test_factors,
        seeds=_seeds(values),
        columns=file.columns,
        factor_names=file.factor_names or None,
        scored=scored,
        bounds=values.bounds,
        on_result=recording(append, **about),
    )
    print(table)
    if folder is not None:
        latents = [f"z{d}" for d in range(file.codes.shape[1])]
        factors = [file.factor_names[k] for k in positions]
        paths = score_table.save_pictures(table, factors, latents, folder)
        for row in summary_rows(table, **about):
            append(row)
        print("", *paths, folder / "metrics.jsonl", sep="\n")
    return table


def _distinct_names(runs: Sequence[str | None]) -> list[str]:
    """Returns a name for each run: the last part of its path, or as many as it takes.

    Two may be called seed_0, of two studies.
    """
    given = [str(run).removeprefix(store.PREFIX).removesuffix(".zip") for run in runs]
    # Of "." and ".." the path says no name.
    paths = [
        n if pathlib.Path(n).name.strip(".") else os.path.abspath(n) for n in given
    ]
    parts = [pathlib.Path(path).parts for path in paths]
    names: list[str] = []
    for count in range(1, 1 + max(map(len, parts))):
        names = ["-".join(path[-count:]).replace("/", "") for path in parts]
        if len({*names}) == len({*runs}):
            break
    return names


def _evaluate_run(
    values: flags.FlagValues, name: str
) -> Mapping[str, Evaluation | Refusal]:
    """Scores the run that the options name.

    Args:
        values: The options.
        name: Of its folder of pictures, beside those of other runs.
    """
    run = run_flags.load(values)
    from tf_disentangle import metrics
    from tf_disentangle.cli import score_table
    from tf_disentangle.metrics.results import (
        recording,
        results_by_call,
        summary_rows,
    )

    chosen = _metrics_of(run, values)
    positions, _ = metrics.scored_factors(run.data.factor_names, values.factors or None)
    output = _output_of(run, values, name)
    pictures = output and files.require_writable(output, "--output")
    # What was published stays as it was, and is not taken for what this measures.
    append = (lambda row: None) if run.folder.is_published else run.folder.append
    kind = "sampled" if values.sampled else "mean"
    about = {"step": run.step, "codes": kind}
    known = [] if run.folder.is_published else run.folder.rows()
    done = results_by_call(known, run.step, kind)
    table = run.score(
        *chosen.values(),
        seeds=_seeds(values),
        sampled=values.sampled,
        bounds=values.bounds,
        done={} if values.again else done,
        on_result=recording(append, **about),
        factors=values.factors or None,
    )
    for row in summary_rows(table, **about):
        append(row)
    print(score_table.terms(run.folder.rows(), run.step))
    print(f"\nStep {run.step}, {kind} codes\n{table}")
    if not pictures:
        return table
    paths = score_table.save_pictures(
        table,
        [run.data.factor_names[k] for k in positions],
        [column.name for column in run.model.latents.columns],
        pictures,
    )
    print("", *paths, sep="\n")
    return table


def _output_of(run: Any, values: flags.FlagValues, name: str) -> pathlib.Path | None:
    """Returns where pictures go: those of several runs to a folder for each."""
    if not values.output:
        return None if run.folder.is_published else run.folder.pictures
    return pathlib.Path(values.output) / (name if values.runs else "")


def _metrics_of(run: Any, values: flags.FlagValues) -> dict[str, Any]:
    """Returns the metrics to call by name, with what gin binds to them.

    They are those of the library, and what a module of the user's registers, which the
    run's config.gin imports.

    Raises:
        ArgumentError: For an unknown name, or if none is named.
    """
    from tf_disentangle import configuration, metrics
    from tf_disentangle.training import description

    # That of a published model may import anything; its metrics are in its record.
    own = run.folder.config.exists() and not run.folder.is_published
    files = [str(run.folder.config)] if own else []
    with description.importing_copies(run.folder):
        configuration.parse(files, values.gin_param)
    chosen: dict[str, Any] = {}
    if values.metrics:
        users = configuration.users_parts()
        known: dict[str, Any] = {n: None for n in values.metrics if n in users}
        recorded = description.options_of(description.librarys_metrics(run.folder))
        for name in choose(values.metrics, known | metrics.METRICS):
            metric = metrics.METRICS.get(name)
            registered = metric.function.__name__ if metric else name
            chosen[name] = configuration.configured(registered)
            # A protocol that is given stands for all options of the recorded one.
            known_protocols = metrics.PROTOCOLS.get(name, ())
            is_other = values.protocol in known_protocols
            if is_other or configuration.is_bound(f"{registered}.protocol"):
                continue
            options = {
                option: value
                for option, value in recorded.get(name, {}).items()
                if not configuration.is_bound(f"{registered}.{option}")
            }
            if options:
                chosen[name] = functools.partial(chosen[name], **options)
    elif files and configuration.is_bound("train.metrics"):
        with configuration.explained("train"):
            calls = metrics.calls_of(configuration.built("train.metrics"))
        chosen = {call.name: call.function for call in calls}
    elif not files:
        calls = metrics.calls_of(run.metrics)
        chosen = {call.name: call.function for call in calls}
    metrics.calls_of(chosen)  # Their bindings are of use.
    configuration.drop_unused()  # Of --gin_param all must be of use.
    checks.require(
        chosen,
        "--metrics",
        "name at least one metric, since train.metrics of this run names none",
        checks.NOTHING,
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
                rule = "name metrics that need no arrays besides those in the file"
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
    bound = {k: functools.partial(chosen[k], protocol=protocol) for k in knowing}
    return {**chosen, **bound}


def _seeds(values: flags.FlagValues) -> range | None:
    if values.seeds is None:
        return None
    return range(checks.integer(values.seeds, "--seeds", at_least=1))
