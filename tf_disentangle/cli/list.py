"""Lists what gin files can name: models, objectives, priors, networks, metrics, data.

tf_disentangle list
"""

from __future__ import annotations

import inspect

from absl import flags

from tf_disentangle.cli import startup

FLAGS = flags.FlagValues()


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    startup.import_tensorflow()
    from tf_disentangle import (
        configuration,
        datasets,
        latents,
        metrics,
        models,
        networks,
        objectives,
        priors,
    )

    tables = {
        "Models": models.MODELS,
        "Objectives": objectives.OBJECTIVES,
        "Adversarial objectives": objectives.ADVERSARIAL_OBJECTIVES,
        "KL costs": objectives.KL_TERMS,
        "Penalties": objectives.PENALTIES,
        "Schedules": objectives.SCHEDULES,
        "Latents": latents.LATENTS,
        "Priors": priors.PRIORS,
        "Networks": {
            **networks.ENCODERS,
            **networks.DECODERS,
            **networks.CRITICS,
        },
        "Data sets": datasets.DATASETS,
        "Metrics": {m.function.__name__: m.on_data for m in metrics.METRICS.values()},
    }
    for title, table in tables.items():
        print(title)
        for name, item in sorted(table.items()):
            print(f"  {name:22} {_first_line(item)}")
    root = configuration.gin_root()
    print(f"Gin files in {root}")
    for file in sorted(root.glob("*.gin")):
        print(f"  {file.name:22} {file.read_text().splitlines()[0].lstrip('# ')}")
    return 0


def _first_line(item: object) -> str:
    return (inspect.getdoc(item) or "").splitlines()[0]
