"""Tables that were printed about the study of 2019, to be drawn beside our own.

The numbers are rank correlations in per cent, as they stand on slides about Locatello
et al. (2019), Challenging Common Assumptions in the Unsupervised Learning of
Disentangled Representations, arXiv 1811.12359. Each table says which slide it is from.
"""

from __future__ import annotations

import dataclasses

_SLIDES = 'slides "Improving the ELBO: disentangling part 2", slide '
_METRICS = ("beta_vae", "factor_vae", "mig", "dci", "modularity", "sap")


@dataclasses.dataclass(frozen=True)
class PublishedTable:
    """A printed table of rank correlations.

    Attributes:
        title: What it shows.
        source: Where it was printed.
        data: The data set that it is about; "" where its rows are data sets.
        metric: The metric that it is about; "" where its columns are metrics.
        rows: Names of the rows: metrics, terms or data sets, as this library calls
            them.
        columns: Names of the columns, likewise.
        values: Rank correlations in per cent, [rows, columns], as printed.
    """

    title: str
    source: str
    data: str
    metric: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]


#: Whether the metrics order models alike.
METRICS_AGREE = PublishedTable(
    title="Rank correlation of metrics",
    source=f'{_SLIDES}"Do different methods for quantifying disentanglement agree?"',
    data="Noisy-dSprites",
    metric="",
    rows=_METRICS,
    columns=_METRICS,
    values=(
        (100, 80, 44, 41, 46, 37),
        (80, 100, 49, 52, 25, 38),
        (44, 49, 100, 76, 6, 42),
        (41, 52, 76, 100, -8, 38),
        (46, 25, 6, -8, 100, 13),
        (37, 38, 42, 38, 13, 100),
    ),
)

#: Whether unsupervised scores order models as the metrics do. "TC (sampled)" is the
#: total correlation of sampled codes.
UNSUPERVISED = PublishedTable(
    title="Rank correlation of unsupervised scores with metrics",
    source=f'{_SLIDES}"Can we find good hyperparameters using unsupervised metrics?"',
    data="Shapes3D",
    metric="",
    rows=("reconstruction", "total_correlation", "kl_term", "elbo"),
    columns=_METRICS,
    values=(
        (-30, -4, 59, 22, -21, 27),
        (1, 5, -11, -8, -11, -2),
        (-14, -1, -38, -31, -11, -29),
        (-38, -9, 48, 9, -25, 15),
    ),
)

#: Whether settings that are good for one data set are good for another. The slide's
#: heading reads "PCI Disentanglement", for DCI.
TRANSFER = PublishedTable(
    title="Rank correlation of settings between data sets",
    source=(
        f'{_SLIDES}"Do hyperparameters learned on one task transfer to other tasks?"'
    ),
    data="",
    metric="dci",
    rows=(
        "dSprites",
        "Color-dSprites",
        "Noisy-dSprites",
        "Scream-dSprites",
        "SmallNORB",
        "Cars3D",
        "Shapes3D",
    ),
    columns=(
        "dSprites",
        "Color-dSprites",
        "Noisy-dSprites",
        "Scream-dSprites",
        "SmallNORB",
        "Cars3D",
        "Shapes3D",
    ),
    values=(
        (100, 95, 65, 65, 34, 64, 46),
        (95, 100, 61, 60, 21, 63, 47),
        (65, 61, 100, 68, 17, 64, 59),
        (65, 60, 68, 100, 36, 93, 69),
        (34, 21, 17, 36, 100, 21, -9),
        (64, 63, 64, 93, 21, 100, 85),
        (46, 47, 59, 69, -9, 85, 100),
    ),
)

TABLES = (METRICS_AGREE, UNSUPERVISED, TRANSFER)
