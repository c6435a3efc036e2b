"""Everything that can be named: kind -> name -> class or function.

The subpackages keep the tables of their own parts (`DATASETS`, `PRIORS`, ...); this is
the one place that collects them. gin files name parts by it, `tf_disentangle list`
shows it, and the tests of the tables go through it. A part that is added to its
subpackage's table needs no entry here; a new kind of part is one entry in `PARTS`.

Importing this module imports TensorFlow.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from typing import Any

import keras

from tf_disentangle import (
    datasets,
    distributions,
    latents,
    metrics,
    models,
    networks,
    objectives,
    priors,
    run,
    training,
)

#: A class or function.
Part = Any

#: Kinds that are Keras's own: every class of these modules.
KERAS: Mapping[str, types.ModuleType] = {
    "optimizers": keras.optimizers,
    "learning rate schedules": keras.optimizers.schedules,
    "callbacks": keras.callbacks,
}

PARTS: Mapping[str, Mapping[str, Part]] = {
    "runs": {
        "train": run.train,
        "Intervals": training.Intervals,
        "Device": training.Device,
    },
    "models": {**models.MODELS, "CriticTraining": models.CriticTraining},
    "objectives": {**objectives.OBJECTIVES, "Objective": objectives.Objective},
    "adversarial objectives": {
        **objectives.ADVERSARIAL_OBJECTIVES,
        "AdversarialObjective": objectives.AdversarialObjective,
    },
    "GAN losses": objectives.GAN_LOSSES,
    "KL terms": objectives.KL_TERMS,
    "penalties": objectives.PENALTIES,
    "views of images": objectives.VIEWS,
    "schedules": objectives.SCHEDULES,
    "likelihoods": distributions.LIKELIHOODS,
    "latents": latents.LATENTS,
    "priors": priors.PRIORS,
    "variances of priors": {"principal_shares": datasets.principal_shares},
    "encoders": networks.ENCODERS | networks.ENCODER_PAIRS,
    "decoders": networks.DECODERS,
    "critics": networks.CRITICS,
    "data sets": datasets.DATASETS,
    "metrics": {m.function.__name__: m.on_data for m in metrics.METRICS.values()},
    **{
        kind: {k: v for k, v in sorted(vars(module).items()) if isinstance(v, type)}
        for kind, module in KERAS.items()
    },
}

#: Parameters whose values the library supplies, whatever is configured.
SUPPLIED: Mapping[str, Collection[str]] = {
    "runs": ("output", "dry_run"),
    "models": ("data", "seed"),
    "encoders": ("image_shape", "num_outputs", "seed", "dtype"),
    "decoders": ("num_latents", "image_shape", "seed", "dtype"),
    "critics": ("num_inputs", "seed", "dtype"),
    "metrics": ("data", "encoder", "held_out", "columns"),
}


def names() -> dict[str, Part]:
    """Returns every part by its name."""
    return {name: part for table in PARTS.values() for name, part in table.items()}


def kind_of(name: str) -> str:
    """Returns the kind of a part, "" for a name that no part has."""
    return next((kind for kind, table in PARTS.items() if name in table), "")
