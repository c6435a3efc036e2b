"""What the small study of 2019 says beside the paper and the slides.

    bin/study --gin_file=gin/studies/locatello_2019_small.gin
    .venv/bin/python benchmarks/study_2019.py runs/locatello_2019_small

Printed: the share of each score's variance that objective, strength and seed have,
less what as many means would explain by chance; and the rank correlations of the
scores with each other and with what needs no factors, over all runs, of mean codes,
with the middle 95% of 2,000 resamples of the runs, that of each seed's runs alone, and
the printed one.
"""

import argparse
import itertools

import numpy as np

from tf_disentangle.studies import analysis, published, table

CAUSES = ("adjusted_objective", "adjusted_strength", "adjusted_seed")
RESAMPLES = 2_000


def main():
    """Prints all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    results = table.collect(parser.parse_args().folder)
    print("Shares of the variance: objective, strength, seed")
    shares = analysis.variance_shares(results)[list(CAUSES)]
    shares.loc["mean"] = shares.mean()
    for name, row in shares.iterrows():
        print(f"  {name:14}", *(f"{share:6.2f}" for share in row))

    wide = analysis.agreement.scores(results)
    known = analysis.agreement.unsupervised(results)
    both = known.join(wide)
    correlations = both.corr(method="spearman")
    rng = np.random.default_rng(0)
    drawn = [
        both.iloc[rng.integers(len(both), size=len(both))] for _ in range(RESAMPLES)
    ]
    resampled = [sample.corr(method="spearman") for sample in drawn]
    print(
        f"Rank correlations over {len(both)} runs [95%] (by seed), and the printed ones"
    )
    each_seed = both.groupby(level="seed").corr(method="spearman")
    pairs = [
        *itertools.combinations(wide.columns, 2),
        *itertools.product(known.columns, wide.columns),
    ]
    for first, second in pairs:
        low, high = np.nanquantile(
            [each.loc[first, second] for each in resampled], [0.025, 0.975]
        )
        own = f"{correlations.loc[first, second]:6.2f} [{low:.2f}, {high:.2f}]"
        by_seed = each_seed.xs(first, level=1)[second]
        own += f" ({', '.join(f'{value:.2f}' for value in by_seed)})"
        print(f"  {first:26} {second:12} {own}  {printed(first, second)}")


def printed(first, second):
    """Returns what the slides have for a pair, "-" if nothing."""
    for each in (published.METRICS_AGREE, published.UNSUPERVISED):
        if first in each.rows and second in each.columns:
            row, column = each.rows.index(first), each.columns.index(second)
            return f"{each.values[row][column] / 100:.2f} ({each.data})"
    return "-"


if __name__ == "__main__":
    main()
