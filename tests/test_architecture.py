"""The import rules of docs/architecture.md, read from the source.

Every module of the package stands in the table; one that does not, fails.
"""

import ast
import pathlib
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
    "interfaces": ({"checks", "configs"}, set()),
    "checks": (set(), set()),
    "configs": ({"checks"}, {"keras"}),
    "files": ({"checks"}, {"filelock"}),
    "datasets": (BASE | {"files"}, {"cv2", "tqdm"}),
    "datasets.published": (
        BASE | {"files"},
        {"h5py", "PIL", "scipy", "tensorflow_datasets", "tqdm"},
    ),
    "datasets.files": (BASE | {"files"}, {"h5py", "PIL", "scipy"}),
    "networks": (BASE, {"keras"}),
    "distributions": ({"checks"}, TFP),
    "priors": ({"distributions", "interfaces", "checks"}, TFP | {"keras"}),
    "latents": ({"distributions", "priors", "interfaces", "checks"}, TFP | {"keras"}),
    "objectives": ({"distributions", "interfaces", "checks"}, TFP),
    "models": ({"latents", "priors", "objectives"} | BASE, TFP | {"keras"}),
    "models.builders": ({"latents", "objectives", "networks"} | BASE, {"keras"}),
    "metrics": (BASE, {"scipy", "sklearn", "numba", "threadpoolctl", "tqdm"}),
    "visualization": (BASE | {"files"}, {"PIL"}),
    "training": (
        {"models", "datasets", "metrics", "visualization", "files"} | BASE,
        TFP | {"keras", "tensorboard", "tqdm"},
    ),
    "serving": ({"models", "visualization", "files"} | BASE, TF | {"keras"}),
    "loading": ({"models", "training", "configuration"} | BASE, set()),
    "configuration": (
        {
            "datasets",
            "distributions",
            "latents",
            "metrics",
            "models",
            "networks",
            "objectives",
            "priors",
            "training",
        }
        | BASE,
        {"gin", "keras"},
    ),
    "cli": (
        {
            "configuration",
            "datasets",
            "files",
            "latents",
            "loading",
            "metrics",
            "models",
            "networks",
            "objectives",
            "priors",
            "serving",
            "training",
            "visualization",
        }
        | BASE,
        {"absl", "gin"} | TFP,
    ),
    "__main__": ({"cli"}, set()),
    "__init__": ({"loading"}, set()),
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


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_table(path):
    room, (inside, outside) = rule_for(path)
    for module, line in imported(path):
        top, *rest = module.split(".")
        where = f"{path}:{line}: {room} may not import {module}"
        if top == "tf_disentangle":
            assert not rest or rest[0] in inside | {room, "__version__"}, where
        else:
            assert top in STANDARD | outside | {"__future__"}, where


def test_every_rule_has_its_module():
    rooms = {".".join(name_of(path)[:2]) for path in MODULES}
    rooms |= {name_of(path)[0] for path in MODULES}
    assert set(RULES) - {"__init__"} <= rooms


@pytest.mark.parametrize(
    "room", ["metrics", "datasets", "visualization", "cli.main", "cli.train"]
)
def test_light_rooms_do_not_load_tensorflow(room):
    code = (
        f"import sys, tf_disentangle.{room}; "
        "bad = {'tensorflow', 'keras', 'gin'} & set(sys.modules); "
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
