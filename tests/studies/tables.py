"""Tables of results with planted effects, as a study's `results.parquet` has them."""

import itertools

import numpy as np
import pandas as pd

METHODS = {
    "beta_vae": (1.0, 4.0, 16.0),
    "factor_vae": (10.0, 35.0, 100.0),
    "chyvae": (100.0, 200.0, 1000.0),
}
METRICS = ("beta_vae", "factor_vae", "mig", "dci", "modularity", "sap")
SIZES = (10, 100, 1000, 10000)


def planted(
    methods=METHODS,
    seeds=5,
    data=("correlated_ellipses", "rooms3d"),
    metrics=METRICS,
    representations=("mean", "sampled"),
    *,
    objective=0.10,
    strength=0.05,
    noise=0.05,
    collapsed=(),
    missing=(),
    refused=(),
    rng=0,
):
    """A balanced study whose shares of variance are known exactly.

    The score of method m at its k-th strength with seed s is

        0.5 + objective u_m + strength v_k + noise e_mks

    with u, v and, in each cell, e of mean 0 and variance 1 (ddof 0): so the objective
    explains objective^2 / (objective^2 + strength^2 + noise^2) of each score's
    variance. Metrics and representations differ by a factor and an offset alone, but
    "modularity", whose sign is turned: rank correlations are 1 and -1. Data sets have
    noise of their own. The reconstruction error falls with the strength's place.

    Args:
        methods: Strengths by method.
        seeds: Runs per cell, at least 1; with 1 there is no noise.
        data: Labels.
        metrics: Names.
        representations: Of codes.
        objective, strength, noise: Standard deviations of the three effects.
        collapsed: Indices of runs without an active latent; they score the floor.
        missing: Indices of runs without any row.
        refused: Indices of runs whose "mig" was refused.
        rng: Seed of the noise.
    """
    generator = np.random.default_rng(rng)
    u = _standard(np.arange(len(methods)))
    rows, index = [], 0
    for d in data:
        for m, (method, values) in enumerate(methods.items()):
            v = _standard(np.arange(len(values)))
            for k, value in enumerate(values):
                e = _standard(generator.standard_normal(seeds))
                for s in range(seeds):
                    effect = objective * u[m] + strength * v[k] + noise * e[s]
                    run = {
                        "run": f"{index:012x}",
                        "index": index,
                        "method": method,
                        "strength": value,
                        "data": d,
                        "seed": s,
                        "step": 3000,
                        f"{method}.strength": value,
                    }
                    if index not in missing:
                        dead, no = index in collapsed, index in refused
                        rows += [
                            {**run, **row}
                            for row in _rows(
                                effect, k, metrics, representations, dead, no
                            )
                        ]
                    index += 1
    bindings = [f"{method}.strength" for method in methods]
    return pd.DataFrame(rows)[[*COLUMNS, *bindings]].astype({"metric_seed": "Int64"})


#: In this order, then one column for each varied binding.
COLUMNS = [
    *("run", "index", "method", "strength", "data", "seed", "step"),
    *("kind", "metric", "protocol", "representation", "metric_seed"),
    *("value", "floor", "ceiling", "reason"),
]


def planted_curves(table, points=5):
    """Curves of a table's runs: each value is reached along a straight line from 0."""
    runs = table[table.kind.isin(["score", "term", "held_out"])]
    runs = runs[runs.representation.isin(["", "mean"])]
    rows = [
        (run, kind, int(3000 * part), metric, value * part)
        for run, kind, metric, value in runs[
            ["run", "kind", "metric", "value"]
        ].itertuples(index=False)
        for part in np.arange(1, points + 1) / points
    ]
    return pd.DataFrame(rows, columns=["run", "kind", "step", "metric", "value"])


def _rows(effect, place, metrics, representations, collapsed, refused):
    score = 0.0 if collapsed else 0.5 + effect
    active = 0 if collapsed else 6
    reconstruction = 200.0 if collapsed else 60.0 - 5 * place - 20 * effect
    for metric, value in (
        ("loss", reconstruction + 20),
        ("reconstruction", reconstruction),
        ("kl_term", 20.0),
        ("active_latents", active),
        ("total_correlation", 3.0 - 0.5 * place),
    ):
        for kind in ("term", "held_out"):
            if not (metric == "active_latents" and kind == "term"):
                yield _row(kind, metric, "", "", value)
    for (c, representation), (i, metric) in itertools.product(
        enumerate(representations), enumerate(metrics)
    ):
        sign = -1 if metric == "modularity" else 1
        value = 0.5 + sign * (score - 0.5) * (1 - 0.1 * i) - 0.02 * c
        if refused and metric == "mig":
            yield _row(
                "score", metric, "", representation, np.nan, reason="has one value"
            )
        else:
            yield _row("score", metric, "dlib", representation, value, 0.1, 1.0)
    if collapsed:
        return
    for c, representation in enumerate(representations):
        # Means grow more dependent with the strength, samples less.
        tc = (3.0 - 0.5 * place, 1.0 + 0.5 * place)[c == 0]
        yield _row("unsupervised", "unsupervised", "dlib", representation, tc)
        for size in SIZES:
            accuracy = min(1.0, 0.2 * np.log10(size) + 0.2 * score)
            yield _row(
                "score",
                f"downstream.by_size.{size}",
                "dlib, predictor=gradient_boosting",
                representation,
                accuracy,
            )
        efficiency = (0.4 + 0.2 * score) / (0.8 + 0.2 * score)
        yield _row(
            "score", "statistical_efficiency", "dlib", representation, efficiency
        )
    yield _row("unsupervised", "udr", "udr, lasso", "mean", 0.3 + 0.5 * score)


def _row(
    kind,
    metric,
    protocol,
    representation,
    value,
    floor=np.nan,
    ceiling=np.nan,
    reason="",
):
    return {
        "kind": kind,
        "metric": metric,
        "protocol": protocol,
        "representation": representation,
        "metric_seed": 0 if kind == "score" else None,
        "value": float(value),
        "floor": floor,
        "ceiling": ceiling,
        "reason": reason,
    }


def _standard(values):
    """Values with mean 0 and variance 1; of one alone 0."""
    values = np.asarray(values, float)
    deviation = values.std()
    return (values - values.mean()) / (deviation if deviation else 1.0)
