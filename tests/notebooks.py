"""Notebooks as a test reads them, and their code as Python runs it, without a kernel.

python -m tests.notebooks NAME VALUES runs a notebook's cells in this process, with its
settings replaced by VALUES (JSON), and shows what a cell ends with as a notebook would.
"""

import ast
import dataclasses
import json
import os
import pathlib
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "examples"


def read(name):
    """A notebook, each cell with its source as one text."""
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def is_settings(cell):
    return "parameters" in cell["metadata"].get("tags", ())


def assigned(cell):
    """The names that a cell of settings gives values to."""
    nodes = ast.parse(cell["source"]).body
    return {target.id for node in nodes for target in node.targets}


def run(name, values):
    """Runs the code of the cells in turn."""
    space = {"__name__": "__main__"}
    for number, cell in enumerate(read(name)["cells"]):
        if cell["cell_type"] != "code":
            continue
        place = f"<{name}, cell {number}>"
        tree = ast.parse(cell["source"], place)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, place, "exec"), space)
        if is_settings(cell):
            space.update(values)
        if last is not None:
            show(eval(compile(ast.Expression(last.value), place, "eval"), space))


def show(value):
    """Does to what a cell ends with what a notebook does to show it."""
    repr(value)
    for form in ("_repr_html_", "_repr_png_"):
        if hasattr(value, form):
            getattr(value, form)()


def leave_out_what_takes_long():
    """Trains without pictures and diagnostics at the end, scores without bounds.

    Pictures, diagnostics and bounds have tests of their own. The cells that draw and
    score are run all the same.
    """
    import tf_disentangle as td
    from tf_disentangle.training.loop import TrainingLoop

    TrainingLoop.draw = lambda self: None
    td.models.LatentModel.diagnostics = lambda self, images, seed: {}
    score = td.Run.score
    td.Run.score = lambda self, *names, bounds, **options: score(
        self, *names, **options
    )


def prepare_digits(folder, num_images=200):
    """Has `published("mnist")` read a few made images, in the published format."""
    from tests.datasets.published.published_files import idx
    from tf_disentangle.datasets.published import SETS

    rng, row = np.random.default_rng(0), SETS["mnist"]
    files = {}
    for split, of_split in row.files.items():
        images, labels = of_split["images"], of_split["labels"]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (num_images, 28, 28), np.uint8)
        idx(folder / images.name, pixels)
        idx(folder / labels.name, np.resize(np.arange(10, dtype=np.uint8), num_images))
        files[split] = {
            key: dataclasses.replace(file, content_md5=None)
            for key, file in of_split.items()
        }
    counts = dict.fromkeys(row.counts, num_images)
    SETS["mnist"] = dataclasses.replace(row, counts=counts, files=files)


def invent_the_runs_of_studies():
    """Has studies write made-up results in place of training."""
    from tests.studies import folders
    from tests.studies.test_study import Instant
    from tf_disentangle.studies import checking, engines

    class Engine(Instant):
        """Writes the scores of a run that gets better with each."""

        def submit(self, job):
            super().submit(job)
            count = len(self.jobs)
            rows = [folders.terms(4, 60.0 - count, 61.0 - count, [1.0] * 10)]
            rows += [folders.score(4, name, count / 10) for name in ("mig", "sap")]
            place = pathlib.Path(job.log).parent
            folders.write_run(place.parent.parent, place.name, rows)

    engines.make = lambda *_, **options: Engine()
    checking.check = lambda plan: None


def main(name, values):
    os.environ["MPLBACKEND"] = "agg"
    if name == "joint_vae_mnist":
        cache = pathlib.Path(os.environ["TF_DISENTANGLE_CACHE"])
        prepare_digits(cache / "downloads" / "mnist")
    if name == "sweep_and_report":
        invent_the_runs_of_studies()
    elif name != "scoring_torch_codes":
        leave_out_what_takes_long()
    run(name, json.loads(values))


if __name__ == "__main__":
    main(*sys.argv[1:])
