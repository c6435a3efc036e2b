"""Folders as a study leaves them, without any training."""

import json

import pandas as pd


def write_plan(folder, runs, **bindings):
    """Writes the plan of runs: (id, method, strength, data, seed) each."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["id", "method", "strength", "data", "seed"]
    plan = pd.DataFrame(runs, columns=names)
    plan.insert(1, "index", range(len(plan)))
    plan["files"] = [[f"{method}.gin"] for method in plan["method"]]
    plan["settings"] = [
        json.dumps({"strength": str(run[2]), "train.seed": str(run[4])}) for run in runs
    ]
    for name, values in bindings.items():
        plan[name.replace("__", ".")] = values
    plan.astype({"strength": float}).to_parquet(folder / "plan.parquet")


def write_run(folder, run, rows, done=True):
    """Writes the rows of a run, and its done marker."""
    place = folder / "runs" / run
    place.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row) + "\n" for row in rows)
    (place / "metrics.jsonl").write_text("".join(lines))
    if done:
        (place / "done.json").write_text("{}")
    return place


def terms(step, loss, held_out=None, kl=None):
    """A row of the loss as the training loop writes it."""
    row = {"step": step, "loss": loss, "reconstruction": loss - 5.0}
    row["images_per_second"] = 1000.0
    if held_out is not None:
        row |= {"val_loss": held_out, "val_reconstruction": held_out - 5.0}
    if kl is not None:
        row["kl_per_latent"] = kl
    return {**row, "wall_time": 1.0}


def score(step, name, value, codes="mean", seed=None, protocol="dlib", **others):
    """A row of a score as `bin/evaluate` writes it."""
    own = {} if seed is None else {"seed": seed}
    call = f"{name}(protocol='{protocol}', seed={seed or 0})"
    result = {"score": value, **others, "protocol": protocol}
    return {"step": step, "codes": codes, **own, "call": call, "scores": {name: result}}
