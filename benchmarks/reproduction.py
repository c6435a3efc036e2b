"""Makes docs/reproduction.md, and the README's table, of docs/reproduction/.

    .venv/bin/python benchmarks/reproduction.py
    .venv/bin/python benchmarks/reproduction.py --check   # 1 if they differ

A part is a text, NAME.md, and where it has claims a list of rows, NAME.json. The line
`<!-- claims -->` of the text becomes the table of the rows with their notes and
commands. `Row` says what a row holds. In a command, `{seed}` stands for the seed, and
several seeds are shown as a loop.

The README has a line for every row whose published figure is a number, whatever came
of it, and counts the claims in words.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reproduction"
DOCUMENT = ROOT / "docs" / "reproduction.md"
MARK = "<!-- claims -->"
README = ROOT / "README.md"
#: What stands between these lines of the README is made here.
BETWEEN = re.compile(r"(<!-- reproduction: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
#: The parts in the document's order.
PARTS = (
    "introduction",
    "joint_vae_mnist",
    "joint_vae_mnist_beyond",
    "infogan_mnist",
    "chyvae_ellipses",
    "cfactor_vae_mnist",
    "study_2019_small",
    "pinwheel",
    "decomposition_small",
    "objectives",
    "data_sets",
    "numerics",
    "not_done",
)
ONE_SEED = "one seed"
#: What each means stands in introduction.md.
VERDICTS = ("holds", "fails", "not reached", "open", "ours", "not run")


@dataclasses.dataclass(frozen=True)
class Row:
    """A claim and what came of it.

    Attributes:
        id: Its name, unique in the ledger.
        claim: What is claimed, in a few words, with the unit.
        published: The published figure, or that of the authors' code when we ran it;
            or "in words"; None where there is none.
        source: Where: paper, table or page, or whose code; None with `published`.
        ours: The mean over the seeds; None if it was not run.
        seeds: The seeds; of what was not run, those that it is planned with.
        by_seed: The figure of each seed, in their order; empty if it is not known.
        interval: [low, high]; or the words "one seed", or "not run".
        interval_of: What the interval is: "95% of the mean, Student's t", "95%,
            Wilson", "range of the seeds"; None without one.
        steps: Steps of training.
        hours: Hours of training of one seed, None if they were not noted.
        machine: Processor, cores and other load.
        command: What makes it, with `{seed}` for the seed.
        commit: The commit that ran, or for older runs the one that noted the figure.
        files: Files of the repository that it rests on: gin files, pictures.
        verdict: One of `VERDICTS`; "ours" where nothing is published.
        gap: Why they differ, or what the verdict does not say.
        study: The gin file of the study that makes it, if one does.
        readme: What the README's table says of it, in a few words each: "model",
            "paper", "data" and "measure". Every row that is published as a number has
            it.
    """

    id: str
    claim: str
    published: float | str | None
    source: str | None
    ours: float | None
    seeds: list[int]
    by_seed: list[float]
    interval: list[float] | str
    interval_of: str | None
    steps: int
    hours: float | None
    machine: str
    command: str
    commit: str
    files: list[str]
    verdict: str
    gap: str
    study: str | None = None
    readme: dict[str, str] | None = None

    @property
    def commands(self) -> list[str]:
        """The command for each seed, once if it takes none."""
        seeds = self.seeds if "{seed}" in self.command else [0]
        return [self.command.replace("{seed}", str(seed)) for seed in seeds]


def rows(part):
    """Returns the rows of a part, none if it has no claims."""
    file = FOLDER / f"{part}.json"
    if not file.exists():
        return []
    return [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


def table(claims):
    """Returns the rows as a numbered table in Markdown, notes and commands below."""
    lines = [
        "| | claim | published | ours | interval | by seed | steps | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {i} | {' | '.join(cells(r))} |" for i, r in enumerate(claims, 1)]
    made = {}
    lines.append("")
    for number, row in enumerate(claims, 1):
        source = f" Published: {row.source}." if row.source else ""
        lines.append(f"{number}. {row.gap}{source}")
        made.setdefault((row.command, tuple(row.seeds)), []).append(number)
    for numbers in made.values():
        lines += ["", *made_with(claims, numbers)]
    return "\n".join(lines)


def written(values):
    """Returns numbers as text, with the decimals that the longest needs, at most 4."""
    ends = [f"{value:.4f}".partition(".")[2].rstrip("0") for value in values]
    return [f"{value:,.{max(map(len, ends))}f}" for value in values]


def figures(row):
    """Returns the published figure, ours, and the bounds of ours if it has them."""
    published = row.published
    if published is None or isinstance(published, str):
        shown = published or "-"
    else:
        (shown,) = written([published])
    if row.ours is None:
        return shown, "-", []
    bounds = [] if isinstance(row.interval, str) else row.interval
    ours, *bounds = written([row.ours, *bounds])
    return shown, ours, bounds


def cells(row):
    """Returns a row's cells."""
    published, ours, bounds = figures(row)
    interval = f"{' to '.join(bounds)}, {row.interval_of}" if bounds else row.interval
    by_seed = written(row.by_seed) if row.by_seed else []
    pairs = zip(row.seeds, by_seed, strict=False)  # none of a row that was not run
    return (
        row.claim.replace("|", r"\|"),
        published,
        ours,
        interval,
        "; ".join(f"{seed}: {value}" for seed, value in pairs) or "-",
        f"{row.steps:,}",
        row.verdict,
    )


def made_with(claims, numbers):
    """Returns the lines on the one command that the rows of `numbers` come from."""
    row = claims[numbers[0] - 1]
    each = {claims[number - 1].hours for number in numbers}
    hours = "hours not noted"
    if None not in each:
        ends = dict.fromkeys((min(each), max(each)))
        hours = f"{' to '.join(map(str, ends))} h a seed"
    study = f"; study `{row.study}`" if row.study else ""
    command = row.commands[0]
    if len(row.commands) > 1:
        loop = row.command.replace("{seed}", "$seed")
        command = f"for seed in {' '.join(map(str, row.seeds))}; do {loop}; done"
    return [
        f"{', '.join(map(str, numbers))}: {hours}, {row.machine}, commit "
        f"{row.commit}{study}:",
        "",
        f"    {command}",
    ]


def document():
    """Returns the text of docs/reproduction.md."""
    texts = []
    for part in PARTS:
        text = (FOLDER / f"{part}.md").read_text(encoding="utf-8").strip()
        claims = rows(part)
        texts.append(text.replace(MARK, table(claims)) if claims else text)
    return "\n\n".join(texts) + "\n"


def readme_table(claims):
    """Returns what the README shows of the rows: a table, and a count of the rest."""
    shown = [row for row in claims if row.readme]
    lines = [
        "| model (paper) | data | measure | published | ours | seeds | verdict |",
        "|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(readme_cells(row))} |" for row in shown),
    ]
    others = [row for row in claims if row.published is not None and not row.readme]
    counts = collections.Counter(row.verdict for row in others)
    verdicts = [f"{verdict}: {counts[verdict]}" for verdict in VERDICTS]
    told = ", ".join(text for text in verdicts if not text.endswith(": 0"))
    lines += ["", f"Claims that papers make in words or pictures: {told}."]
    return "\n".join(lines)


def readme_cells(row):
    """Returns a row's cells in the README."""
    model, paper, *about = row.readme.values()
    published, ours, bounds = figures(row)
    if bounds and row.interval_of.startswith("95%"):
        ours += f" [{', '.join(bounds)}]"
    elif bounds:
        ours += f" ({' to '.join(bounds)})"
    seeds = "-" if row.ours is None else str(len(row.seeds))
    return [f"{model} ({paper})", *about, published, ours, seeds, row.verdict]


def readme():
    """Returns the text of README.md with its table made anew."""
    claims = [row for part in PARTS for row in rows(part)]
    text = README.read_text(encoding="utf-8")
    return BETWEEN.sub(rf"\g<1>\n{readme_table(claims)}\n\n\g<2>", text)


def main():
    """Writes the documents, or says whether they are what would be written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    made = {DOCUMENT: document(), README: readme()}
    if options.check:
        sys.exit(any(f.read_text(encoding="utf-8") != made[f] for f in made))
    for file, text in made.items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
