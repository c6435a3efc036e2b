"""The Python blocks of the documents: found, checked without running, and run.

A page's blocks are one program: in order, in one namespace, in an empty folder, into
which a block with the first line `# NAME.py` is saved, for others to import. Where
they train, fit or score they do it for real, but on so little that it takes seconds
(`cut`).
"""

import ast
import builtins
import contextlib
import dataclasses
import importlib
import inspect
import os
import pathlib
import re
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]

_BLOCK = re.compile(
    r"(?P<note><!-- not run: [^>]+ -->\n+)?^```python[^\n]*\n(?P<code>.*?)^```",
    re.DOTALL | re.MULTILINE,
)

#: What scoring is cut to, for the metrics that take it.
_SCORED = {
    "num_train": 100,
    "num_test": 50,
    "num_train_votes": 20,
    "num_test_votes": 10,
    "num_variance_samples": 100,
    "num_images": 20,
    "num_samples": 10,
    "num_experiments": 1,
    "batch_size": 8,
}


def python_blocks(path):
    """Yields (line, code, whether it is run) of a page's Python blocks."""
    text = path.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield line, found["code"], found["note"] is None


def program(path):
    """Returns all blocks of a page as one program whose lines are the page's."""
    lines = []
    for line, code, _ in python_blocks(path):
        lines += [""] * (line - 1 - len(lines)) + code.splitlines()
    return "\n".join(lines) + "\n"


# ---- Without running.


class _Names:
    """What the names of a program stand for, as far as its imports and calls tell."""

    def __init__(self, where):
        self.where = where
        self.known = {}
        self.faults = []

    def visit(self, tree):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
        for node in sorted(
            (n for n in ast.walk(tree) if isinstance(n, ast.stmt)),
            key=lambda n: n.lineno,
        ):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.known[node.targets[0].id] = self.value_of(node.value)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._check_call(node)
            elif isinstance(node, ast.Attribute):
                self.value_of(node)
        return sorted({*self.faults})

    def _fault(self, node, text):
        self.faults.append(f"{self.where}:{node.lineno}: {text}")

    def _import(self, node):
        for alias in node.names:
            source = getattr(node, "module", None)
            whole = source or alias.name
            if whole.partition(".")[0] != "tf_disentangle":
                continue
            module = importlib.import_module(whole)
            if source is None:
                root = sys.modules["tf_disentangle"]
                self.known[alias.asname or "tf_disentangle"] = (
                    module if alias.asname else root
                )
            elif hasattr(module, alias.name):
                self.known[alias.asname or alias.name] = getattr(module, alias.name)
            else:
                self._fault(node, f"{whole} has no {alias.name}")

    def value_of(self, node):
        """Returns the module, function or class, or an `_Instance`; None: unknown."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if isinstance(node, ast.Call):
            called = self.value_of(node.func)
            if inspect.isclass(called):
                return _Instance(called)
            return _Instance.returned_by(called)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self.value_of(node.value)
        if isinstance(owner, _Instance):
            if not owner.has(node.attr):
                self._fault(node, f"a {owner.cls.__name__} has no {node.attr}")
            return getattr(owner.cls, node.attr, None)
        if owner is None or isinstance(owner, property):
            return None
        if not hasattr(owner, node.attr):
            name = getattr(owner, "__name__", owner)
            self._fault(node, f"{name} has no {node.attr}")
        return getattr(owner, node.attr, None)

    def _check_call(self, node):
        called = self.value_of(node.func)
        if not callable(called):
            return
        try:
            parameters = inspect.signature(called).parameters
        except (TypeError, ValueError):
            return
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg not in parameters:
                name = called.__name__
                self._fault(node, f"{name} takes no {keyword.arg}=")


class _Instance:
    """Stands for an object of a class of ours."""

    def __init__(self, cls):
        self.cls = cls

    @classmethod
    def returned_by(cls, function):
        """Returns the object that a function of ours says it returns; None: unknown."""
        annotation = getattr(function, "__annotations__", {}).get("return")
        name = annotation if isinstance(annotation, str) else ""
        found = getattr(function, "__globals__", {}).get(name)
        return cls(found) if inspect.isclass(found) else None

    def has(self, name):
        """Whether the class has it, or its constructor or notes set it."""
        sources = [inspect.getsource(c) for c in self.cls.__mro__ if _is_ours(c)]
        return hasattr(self.cls, name) or any(
            re.search(rf"\bself\.{name}\b|^    {name}:", source, re.MULTILINE)
            for source in sources
        )


def _is_ours(cls):
    return cls.__module__.partition(".")[0] == "tf_disentangle"


def faults(path):
    """Returns what a page's code names that the library does not have, with lines."""
    text = program(path)
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return _Names(name).visit(ast.parse(text, filename=str(name)))


# ---- Running.


def run(path, report=None):
    """Runs a page's blocks in this process, cut; returns the traceback, "" for none.

    Args:
        path: The page.
        report: Called with (line, CPU seconds) as each block ends.
    """
    cut()
    namespace = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        # A page may import modules: its blocks that begin with `# name.py`.
        sys.path.insert(0, folder)
        for line, code, is_run in python_blocks(path):
            if not is_run:
                continue
            began = time.process_time()
            if named := re.match(r"# (\w+\.py)\n", code):
                pathlib.Path(named[1]).write_text(code, encoding="utf-8")
                continue
            padded = "\n" * (line - 1) + code
            try:
                if module := re.match(r"# (\w+)\.py\n", code):
                    pathlib.Path(folder, f"{module[1]}.py").write_text(padded)
                    padded = f"import {module[1]}"
                exec(compile(padded, str(path), "exec"), namespace)
            except BaseException:
                return f"{path}, block at line {line}:\n{traceback.format_exc()}"
            if report is not None:
                report(line, time.process_time() - began)
    return ""


def cut():
    """Has this process train, fit, score and draw little, and open no browser."""
    import webbrowser

    os.environ["MPLBACKEND"] = "agg"
    webbrowser.open = lambda *_, **__: True
    builtins.input = _no_input
    _cut_training()
    _cut_fit()
    _cut_scoring()
    _cut_pictures()
    _cut_studies()


def _no_input(*_):
    raise EOFError("A page's code cannot ask.")


def _cut_training():
    from tf_disentangle import datasets, training
    from tf_disentangle import run as of_run

    whole, seen = of_run.train, set()
    signature = inspect.signature(whole)

    def train(*arguments, **options):
        given = signature.bind(*arguments, **options).arguments
        seen.add(given["steps"])
        device = given.get("device") or training.Device()
        # A run that goes on to more steps still does.
        executions = 1 + sorted(seen).index(given["steps"])
        given["steps"] = executions * device.steps_per_execution
        given["batch_size"] = min(given.get("batch_size", 64), 8)
        if given.get("device"):
            one = dataclasses.replace(given["device"], steps_per_execution=1)
            given["device"] = one
        held_out = given.get("validation_size")
        given["validation_size"] = 8 if held_out is None else min(held_out, 8)
        is_dry = given.pop("dry_run", False)
        run = whole(**given, dry_run=True)
        run._loop.draw = lambda: None
        run.model.diagnostics = lambda images, seed: {}
        return run if is_dry else run.start()

    train.__signature__ = signature
    train.__annotations__, train.__doc__ = whole.__annotations__, whole.__doc__
    train.__module__, train.__name__ = whole.__module__, whole.__name__
    of_run.train = train
    ellipses = datasets.CorrelatedEllipses.__init__
    ellipses.__defaults__ = (20_000, *ellipses.__defaults__[1:])


def _cut_fit():
    from tf_disentangle.models import LatentModel

    for name in ("fit", "evaluate", "predict"):
        whole = getattr(LatentModel, name)

        def method(self, x=None, *arguments, _whole=whole, **options):
            if "epochs" in options:
                options["epochs"] = min(options["epochs"], 2)
            if "batch_size" in options:
                options["batch_size"] = min(options["batch_size"], 8)
            if "validation_data" in options:
                options["validation_data"] = _few(options["validation_data"])
            return _whole(self, _few(x), *arguments, **options)

        setattr(LatentModel, name, method)


def _few(images):
    """Returns a few of images: an array's first, or a tf.data set's first batches."""
    if hasattr(images, "take") and hasattr(images, "cardinality"):
        return images.take(2)
    return images if isinstance(images, tuple | type(None)) else images[:20]


def _cut_scoring():
    from tf_disentangle import metrics, training
    from tf_disentangle import run as of_run
    from tf_disentangle.metrics.calls import calls_of

    whole = metrics.evaluate

    def evaluate(data, encoder, names, **options):
        calls = calls_of(names)
        for option, most in _SCORED.items():
            if any(call.takes(option) for call in calls):
                options[option] = min(options.get(option) or most, most)
        return whole(data, encoder, names, **options)

    evaluate.__signature__ = inspect.signature(whole)
    loop = importlib.import_module(f"{training.__name__}.loop")
    evaluation = importlib.import_module(f"{metrics.__name__}.evaluation")
    for module in (metrics, evaluation, of_run, loop):
        module.evaluate = evaluate


def _cut_pictures():
    from tf_disentangle import Run, explorer

    draw, explore = Run.draw, explorer.explore

    def drawn(self, folder=None, kinds=None, formats=("png",), **options):
        return draw(self, folder, kinds or ["reconstructions"], formats, **options)

    def explored(*arguments, **options):
        inspect.signature(explore).bind(*arguments, **options)
        return explorer.Explorer("<!doctype html>")  # ONNX's conversion takes seconds.

    Run.draw, explorer.explore = drawn, explored


def _cut_studies():
    """The first two runs of a study are done in this process, one after the other."""
    from tf_disentangle.studies import study as of_study

    def carry_out(plan, **_):
        from tf_disentangle.studies import job, table
        from tf_disentangle.studies.driver import Progress

        for planned in plan.runs[:2]:
            code = job.do(plan.folder, planned.id)
            assert code == 0, f"run {planned.id} ended with {code}"
        table.collect(plan.folder)
        return Progress(plan, attempts=1, done=len(plan.runs))

    of_study.carry_out = carry_out
