"""The public names and signatures of every room, pinned, and each described.

tests/golden/public_api.txt has them. When one changed on purpose, or is new:

    python tests/test_public_api.py --write

and say in CHANGELOG.md what a user has to change.
"""

import difflib
import functools
import importlib
import inspect
import pathlib
import re
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402

import tf_disentangle  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "public_api.txt"
ROOMS = sorted(
    name
    for name in tf_disentangle.__all__
    if (ROOT / "tf_disentangle" / name / "__init__.py").exists()
)
MODULES = [*ROOMS, "configs", "interfaces", "registry"]


def public_names(module):
    """Returns what a module offers: its __all__, or what it defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, item in vars(module).items()
        if not name.startswith("_")
        and not isinstance(item, types.ModuleType)
        and getattr(item, "__module__", module.__name__) == module.__name__
    )


class _Unprintable:
    """Stands for a default whose text is an address."""

    def __repr__(self):
        return "..."


def _of_keras(cls):
    """Whether a class of ours has no constructor but that of a Keras layer."""
    return getattr(cls.__init__, "__module__", "").startswith("keras.")


def signature_of(function):
    """Returns the parameters with their defaults, as a call sees them."""
    if isinstance(function, types.GenericAlias):  # of a type; Python 3.13 finds one
        return "(...)"
    try:
        # A base's __new__(*args, **kwargs) would hide the arguments.
        is_class = isinstance(function, type) and inspect.isfunction(function.__init__)
        signature = inspect.signature(function.__init__ if is_class else function)
    except (TypeError, ValueError):
        return "(...)"
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    kinds = {p.kind for name, p in signature.parameters.items() if name != "self"}
    if isinstance(function, type) and (kinds <= {*variable} or _of_keras(function)):
        return "()"
    parameters = []
    for name, parameter in signature.parameters.items():
        if name in ("self", "cls"):
            continue
        default = parameter.default
        if default is not parameter.empty and re.match(r"<|.* at 0x", repr(default)):
            default = _Unprintable()
        parameters.append(
            parameter.replace(annotation=parameter.empty, default=default)
        )
    return str(
        signature.replace(parameters=parameters, return_annotation=signature.empty)
    )


def modules():
    return [importlib.import_module(f"tf_disentangle.{name}") for name in MODULES]


def members_of(cls):
    """Yields the public members of a class but those of bases that are pinned too."""
    members = {}
    pinned = [getattr(m, name) for m in modules() for name in public_names(m)]
    for base in reversed(cls.__mro__):
        ours = base.__module__.partition(".")[0] == "tf_disentangle"
        if base is cls or (ours and not any(base is item for item in pinned)):
            members.update(vars(base))
    for name, member in sorted(members.items()):
        if name.startswith("_") and name != "__call__":
            continue
        function = getattr(member, "__func__", member)
        if inspect.isfunction(function):
            yield f".{name}{signature_of(function)}"
        elif isinstance(
            member, property | functools.cached_property
        ) or inspect.isdatadescriptor(member):
            yield f".{name}"


def described(name, item):
    """Yields the lines that pin one public name."""
    if inspect.isclass(item):
        bases = [b.__name__ for b in item.__bases__ if b is not object]
        extends = f" of {', '.join(bases)}" if bases else ""
        yield f"class {name}{signature_of(item)}{extends}"
        yield from (f"    {member}" for member in members_of(item))
    elif callable(item):
        yield f"{name}{signature_of(item)}"
    elif isinstance(item, dict | list | tuple | set | frozenset):
        yield f"{name}: {', '.join(sorted(map(str, item)))}"
    else:
        yield name


def api():
    """Returns the text of the golden file."""
    lines = ["tf_disentangle", *(f"  {n}" for n in sorted(tf_disentangle.__all__))]
    for function in ("train", "load"):
        item = getattr(tf_disentangle, function, None)
        lines += [f"  {line}" for line in described(function, item) if item]
    for module in modules():
        lines += ["", module.__name__]
        for name in public_names(module):
            lines += [f"  {line}" for line in described(name, getattr(module, name))]
    return "\n".join(lines) + "\n"


def test_the_public_names_and_signatures_are_those_promised():
    promised = GOLDEN.read_text(encoding="utf-8").splitlines()
    changed = difflib.unified_diff(promised, api().splitlines(), "promised", "now", n=0)
    assert not (text := "\n".join(changed)), f"{text}\nSee the top of this file."


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_is_described(room):
    module = importlib.import_module(f"tf_disentangle.{room}")
    for name in module.__all__:
        item = getattr(module, name)
        if not inspect.isclass(item) and not inspect.isfunction(item):
            continue
        doc = inspect.getdoc(item)
        assert doc, f"{room}.{name}"
        if inspect.isfunction(item) and len(inspect.signature(item).parameters) > 2:
            assert "Args:" in doc, f"{room}.{name}"


def pages():
    """Yields (module, name) of what docs/api has, in the blocks ```{api} MODULE."""
    for path in (ROOT / "docs" / "api").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for module, block in re.findall(
            r"^```{api} (\S+)\n(.*?)^```", text, re.S | re.M
        ):
            for line in filter(str.strip, re.sub(r"^:.*\n", "", block).splitlines()):
                yield importlib.import_module(module), line.partition(":")[0]


def test_every_public_name_has_its_place_on_a_page():
    """docs/api: once each; a name of two modules is on the page of one of them."""
    placed = [*pages()]
    assert len(placed) == len({(module.__name__, name) for module, name in placed})
    shown = {id(getattr(module, name)) for module, name in placed}
    promised = [(tf_disentangle, {*tf_disentangle.__all__} - {*ROOMS})]
    promised += [(module, {*public_names(module)}) for module in modules()]
    for module, names in promised:
        here = {name for other, name in placed if other is module}
        assert here <= names, module.__name__
        missing = {n for n in names - here if id(getattr(module, n)) not in shown}
        assert missing == set(), f"docs/api has no place for these of {module.__name__}"


def test_there_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", tf_disentangle.__version__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tf_disentangle.nothing  # noqa: B018


def test_signatures_are_written_without_annotations_and_addresses():
    def function(a: int, *, b: str = "x", c: object = object()) -> None:
        """Does nothing."""

    class Class:
        def __init__(self, a=3):
            self.a = a

    assert signature_of(function) == "(a, *, b='x', c=...)"
    assert list(described("Class", Class)) == ["class Class(a=3)"]
    assert list(described("TABLE", {"b": 1, "a": 2})) == ["TABLE: a, b"]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        GOLDEN.write_text(api(), encoding="utf-8")
    else:
        sys.exit(__doc__)


@pytest.mark.parametrize(
    "name",
    ["datasets", "latents", "metrics", "models", "networks", "objectives", "priors"],
)
def test_tab_offers_the_public_names_alone(name):
    package = importlib.import_module(f"tf_disentangle.{name}")
    # Remedies name this module of models.
    named = {"encoder"} if name == "models" else set()
    assert {*dir(package)} == {*package.__all__} | named
    assert all(hasattr(package, each) for each in dir(package))
