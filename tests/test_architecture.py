"""The import rules of docs/architecture.md, read from the source.

Every module of the package stands in the table; one that does not, fails.
"""

import ast
import collections
import graphlib
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tf_disentangle"

BASE = {"interfaces", "checks", "configs"}
STANDARD = set(sys.stdlib_module_names) | {"numpy"}
TF = {"tensorflow"}
TFP = {"tensorflow", "tensorflow_probability"}

# room: (what it may import from the package, what from outside beyond numpy)
RULES = {
    "checks": (set(), set()),
    "configs": ({"checks", "known_parts"}, {"keras"}),
    "known_parts": (set(), TF | {"keras"}),
    "interfaces": ({"checks", "configs"}, set()),
    "files": ({"checks"}, {"filelock"}),
    "determinism": (set(), TF),
    "progress": (set(), {"IPython", "tqdm"}),
    "quiet": ({"determinism"}, set()),
    "datasets": (BASE | {"files", "progress"}, {"cv2"}),
    "datasets.published": (BASE | {"files"}, {"tensorflow_datasets", "tqdm"}),
    "datasets.files": (BASE | {"files"}, {"h5py", "PIL", "scipy"}),
    "networks": (BASE | {"determinism"}, {"keras"}),
    "distributions": ({"checks", "determinism"}, TFP),
    "priors": ({"distributions"} | BASE, TFP | {"keras"}),
    "latents": ({"distributions", "priors"} | BASE, TFP | {"keras"}),
    "objectives": ({"distributions"} | BASE, TFP),
    "models": (
        {"latents", "priors", "objectives", "determinism"} | BASE,
        TFP | {"keras"},
    ),
    "models.builders": ({"latents", "objectives", "networks"} | BASE, {"keras"}),
    "metrics": (
        BASE | {"files", "progress"},
        {"scipy", "sklearn", "numba", "threadpoolctl"},
    ),
    "visualization": (BASE | {"files"}, {"PIL", "matplotlib", "scipy"}),
    "training": (
        {
            "datasets",
            "determinism",
            "files",
            "known_parts",
            "metrics",
            "models",
            "progress",
            "visualization",
        }
        | BASE,
        TFP | {"keras", "tensorboard", "tqdm"},
    ),
    "summary": ({"metrics", "visualization", "training"} | BASE, TF),
    "serving": (
        {"models", "files", "summary"} | BASE,
        TF | {"tensorflow_serving"},
    ),
    "serving.client": ({"checks"}, {"google", "grpc", "requests", "urllib3"}),
    "serving.server": (
        {"checks"},
        TF
        | {"google", "grpc", "grpc_health", "tensorflow_serving"}
        | {"PIL", "prometheus_client", "starlette", "uvicorn"},
    ),
    "serving.variants": (
        {"models", "files"} | BASE,
        TF | {"ai_edge_litert", "onnx", "onnxruntime", "openvino", "tf2onnx"},
    ),
    "explorer": (
        {"datasets", "files", "models", "serving", "summary", "training"} | BASE,
        {"scipy"},
    ),
    "store": (
        {
            "explorer",
            "files",
            "metrics",
            "models",
            "serving",
            "summary",
            "training",
            "visualization",
        }
        | BASE,
        {"safetensors"},
    ),
    "run": (
        {
            "datasets",
            "explorer",
            "metrics",
            "models",
            "serving",
            "store",
            "training",
        }
        | BASE,
        {"keras"},
    ),
    "pages": (
        {"run", "summary", "metrics", "training", "visualization", "files"} | BASE,
        {"PIL", "scipy"},
    ),
    "registry": (
        {
            "datasets",
            "distributions",
            "latents",
            "metrics",
            "models",
            "networks",
            "objectives",
            "priors",
            "run",
            "training",
        },
        {"keras"},
    ),
    "configuration": ({"registry", "checks"}, {"gin"}),
    "studies": (
        {
            "configuration",
            "datasets",
            "files",
            "metrics",
            "pages",
            "progress",
            "run",
            "training",
            "visualization",
        }
        | BASE,
        {"matplotlib", "pandas", "pyarrow", "ray", "rich", "scipy", "tqdm"},
    ),
    "cli": (
        {
            "configuration",
            "datasets",
            "determinism",
            "explorer",
            "files",
            "metrics",
            "models",
            "pages",
            "quiet",
            "registry",
            "serving",
            "store",
            "studies",
            "summary",
            "training",
            "visualization",
        }
        | BASE,
        {"absl", "PIL", "pyarrow", "rich", "tqdm"} | TFP,
    ),
    "__main__": ({"cli"}, set()),
    "__init__": ({"run", "studies", "checks", "quiet"}, set()),
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts


def rule_for(path):
    parts = name_of(path)
    for length in (2, 1):
        rule = RULES.get(".".join(parts[:length]))
        if rule is not None:
            return parts[0], rule
    raise AssertionError(f"{path} is in no room of the table")


def imported(path):
    """Yields (module, line) of each import, those under TYPE_CHECKING left out."""
    tree = ast.parse(path.read_text())
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(id(n) for n in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            if node.module == "tf_disentangle":
                yield from (
                    (f"tf_disentangle.{a.name}", node.lineno) for a in node.names
                )
            else:
                yield node.module, node.lineno


def test_imports_follow_the_table():
    wrong = []
    for path in MODULES:
        room, (inside, outside) = rule_for(path)
        for module, line in imported(path):
            top, *rest = module.split(".")
            if top == "tf_disentangle":
                fits = not rest or rest[0] in inside | {room, "__version__"}
            else:
                fits = top in STANDARD | outside | {"__future__"}
            if not fits:
                wrong.append(f"{path}:{line}: {room} may not import {module}")
    assert not wrong, "\n".join(wrong)


def test_every_rule_has_its_module():
    rooms = {".".join(name_of(path)[:2]) for path in MODULES}
    rooms |= {name_of(path)[0] for path in MODULES}
    assert set(RULES) - {"__init__"} <= rooms


def test_the_rooms_have_an_order():
    """What a room may import never leads back to it."""
    graph = collections.defaultdict(set)
    for name, (inside, _) in RULES.items():
        room = name.split(".")[0]
        graph[room] |= inside - {room}
    graphlib.TopologicalSorter(graph).prepare()


def test_every_room_has_its_tests():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert rooms <= folders


def spoken(path):
    """Yields (text, line) of each string of a module but its docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docs:
            yield node.value, node.lineno


def test_only_the_configuration_and_the_commands_speak_gin():
    """In the numerics a remedy is Python's: "pass X()"."""
    gins = re.compile(r"\b[Ii]n gin\b|@\w+\(\)|gin_param|parentheses")
    said = [
        f"{path}:{line}: {text}"
        for path in MODULES
        if name_of(path)[0] not in ("configuration", "cli")
        for text, line in spoken(path)
        if gins.search(text)
    ]
    assert not said, "\n".join(said)


@pytest.mark.parametrize(
    "room",
    [
        *("metrics", "datasets", "visualization", "serving"),
        *("cli.main", "cli.train", "cli.encode", "cli.study"),
        *("studies.driver", "studies.state"),
    ],
)
def test_light_rooms_do_not_load_tensorflow(room):
    code = (
        f"import sys, tf_disentangle.{room}; "
        "bad = {'tensorflow', 'keras', 'gin', 'matplotlib'} & set(sys.modules); "
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_budgets():
    """400 lines a file, 60 a function less docstring, 7 constructor arguments."""
    over = []
    for path in MODULES:
        text = path.read_text()
        if text.count("\n") > 400:
            over.append(f"{path}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef):
                continue
            doc = ast.get_docstring(node) or ""
            size = node.end_lineno - node.lineno - (doc.count("\n") + 1 if doc else 0)
            if size > 60:
                over.append(f"{path}:{node.lineno} {node.name}: {size} lines")
            arguments = len(node.args.args) + len(node.args.kwonlyargs) - 1
            if node.name == "__init__" and arguments > 7:
                over.append(f"{path}:{node.lineno} __init__: {arguments} arguments")
    assert not over, "\n".join(over)


def test_no_init_file_hides_gin():
    assert not list((ROOT / "gin").rglob("__init__.py"))
