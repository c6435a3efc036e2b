"""The notebooks of examples/: what is stored in them, and that their code runs."""

import ast
import importlib.util
import inspect
import json
import os
import pathlib
import re
import shutil
import time

import pytest

from tests import notebooks
from tests.conftest import SHARED

#: Small settings for the code of each, in the place of those of its settings cell.
SMALL = {
    "first_model": {"STEPS": 2, "NUM_IMAGES": 200, "NUM_SCORED": 100},
    "own_images": {"STEPS": 2, "NUM_PICTURES": 100},
    "scoring_torch_codes": {"STEPS": 2, "NUM_ROWS": 300, "NUM_SCORED": 50},
    "joint_vae_mnist": {"STEPS": 2},
    "sweep_and_report": {},
    "serving_and_explorer": {},
}
NEEDS = {
    "scoring_torch_codes": ("torch",),
    "sweep_and_report": ("pandas", "pyarrow", "ray", "rich"),
    "serving_and_explorer": ("onnx", "tf2onnx", "onnxruntime"),
}
NAMES = sorted(SMALL)
BY_DEFAULT = ("sweep_and_report",)


def skip_without(name):
    for package in ("pandas", *NEEDS.get(name, ())):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{name}.ipynb needs {package}")


def texts(output):
    """Yields what an output says in words; pictures are left out."""
    yield from (output.get("name", ""), *output.get("text", []))
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/"):
            text = "".join(content)
            yield re.sub(r"data:image/\w+;base64,[\w+/=]+", "", text)


def test_every_notebook_is_here():
    assert sorted(path.stem for path in notebooks.FOLDER.glob("*.ipynb")) == NAMES
    listed = (notebooks.FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"({name}.ipynb)" not in listed] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_complete(name):
    """Cells, settings, and the outputs of one run from top to bottom."""
    path = notebooks.FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 500_000
    notebook = notebooks.read(name)
    assert notebook["nbformat"] == 4
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    cells = notebook["cells"]
    assert 10 <= len(cells) <= 25
    opening = cells[0]["source"]
    assert opening.startswith("# ") and "At the end you will" in opening
    assert re.search(r"takes? about \w+ (minutes?|seconds) on two cores|about a minute",
                     " ".join(opening.split()))  # fmt: skip
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    (settings,) = filter(notebooks.is_settings, code)
    assert set(SMALL[name]) <= notebooks.assigned(settings)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_has_no_error_no_noise_and_no_path(name):
    cells = notebooks.read(name)["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [o["output_type"] for o in outputs if o["output_type"] == "error"] == []
    for output in outputs:
        assert output.get("name") != "stderr", output["text"]
        for text in texts(output):
            assert not re.search(r"Warning|WARNING|Traceback|Error\b", text), text
            absolute = re.search(r"(?<![\w.:/<])/(?:[\w.-]+/)+[\w.-]*", text)
            assert absolute is None, absolute


@pytest.mark.parametrize("name", NAMES)
def test_its_links_lead_somewhere(name):
    for cell in notebooks.read(name)["cells"]:
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\(([^)#]+)", cell["source"]):
                if not target.startswith("http"):
                    assert (notebooks.FOLDER / target).exists(), target


def named(node, roots):
    """What a chain of attributes names, such as td.models.build_vae; None for others.

    Raises:
        AttributeError: If there is no such thing.
    """
    if isinstance(node, ast.Name):
        return roots.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = named(node.value, roots)
        if owner is None or (inspect.isclass(owner) and not hasattr(owner, node.attr)):
            return None  # What instances alone have is not looked for.
        found = getattr(owner, node.attr)
        return None if isinstance(found, property) else found
    return None


@pytest.mark.parametrize("name", NAMES)
def test_what_its_code_names_is_there(name):
    """Each function of the library, and each argument that is given by its name."""
    import tf_disentangle as td

    roots = {"td": td, **dict.fromkeys(("run", "again", "trained"), td.Run)}
    checked = 0
    for cell in notebooks.read(name)["cells"]:
        tree = ast.parse(cell["source"] if cell["cell_type"] == "code" else "")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                named(node, roots)
            function = named(node.func, roots) if isinstance(node, ast.Call) else None
            if callable(function):
                parameters = inspect.signature(function).parameters.values()
                known = {parameter.name for parameter in parameters}
                is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                assert is_open or given <= known, (given - known, ast.unparse(node))
                checked += 1
    assert checked > 2


@pytest.mark.parametrize(
    "name",
    [
        # Those by default show what most of the others do, and take half as long.
        name if name in BY_DEFAULT else pytest.param(name, marks=pytest.mark.slow)
        for name in NAMES
    ],
)
def test_its_code_runs(name, warm, tmp_path):
    """On small settings, in a process that has TensorFlow already, without a kernel."""
    skip_without(name)
    code = "from tests import notebooks; notebooks.main(*sys.argv[1:])"
    env = {**os.environ, "TF_DISENTANGLE_CACHE": str(tmp_path / "cache")}
    values = json.dumps(SMALL[name])
    (tmp_path / "here").mkdir()
    done = warm.run(f"import sys; {code}", name, values, cwd=tmp_path / "here", env=env)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_runs_it(name, tmp_path):
    """As a reader does: in a fresh kernel, in an empty folder, nothing left out."""
    skip_without(name)
    nbclient, nbformat = map(pytest.importorskip, ("nbclient", "nbformat"))
    if name == "joint_vae_mnist":
        if not (SHARED / "data" / "train-images-idx3-ubyte.gz").exists():
            pytest.skip("MNIST's files are not at hand")
        downloads = pathlib.Path(os.environ["TF_DISENTANGLE_CACHE"], "downloads")
        shutil.copytree(SHARED / "data", downloads / "mnist", dirs_exist_ok=True)
    notebook = nbformat.read(notebooks.FOLDER / f"{name}.ipynb", as_version=4)
    for cell in filter(notebooks.is_settings, notebook.cells):
        cell.source += "".join(f"\n{k} = {v!r}" for k, v in SMALL[name].items())
    where = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, timeout=600, resources=where)
    env = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    client.execute(env=env)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output["text"]


@pytest.mark.slow
def test_an_interrupted_kernel_has_a_usable_run():
    """The square button ends the training after its interval, and the cell goes on."""
    manager = pytest.importorskip("jupyter_client.manager")
    # With this variable a kernel does not show what is written to its descriptor 2.
    env = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    kernel, client = manager.start_new_kernel(kernel_name="python3", env=env)
    try:
        said = []

        def run(source, interrupt=False):
            call = client.execute(source)
            while True:
                message = client.get_iopub_msg(timeout=300)
                if message["parent_header"].get("msg_id") != call:
                    continue
                kind, content = message["msg_type"], message["content"]
                said.append((kind, content))
                if interrupt and kind in ("display_data", "update_display_data"):
                    interrupt = False
                    time.sleep(1.0)
                    kernel.interrupt_kernel()
                if kind == "status" and content["execution_state"] == "idle":
                    return

        run("import tf_disentangle as td\n"
            "data = td.datasets.CorrelatedEllipses(num_images=200)\n"
            "model = td.models.build_vae(data)\n"
            "often = td.training.Intervals(log=2)")  # fmt: skip
        run("run = td.train(model, data, steps=100_000, batch_size=8, intervals=often)",
            interrupt=True)  # fmt: skip
        run("print(run.signal, 0 < run.step < 99_999, run.sample(2).shape)")
        streams = [content for kind, content in said if kind == "stream"]
        assert streams[-1]["text"] == "2 True (2, 64, 64, 1)\n"
        told = "".join(c["text"] for c in streams if c["name"] == "stderr")
        assert told.strip().startswith("Stopping after this interval")
        assert not [content for kind, content in said if kind == "error"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
