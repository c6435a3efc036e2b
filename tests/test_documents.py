"""The commands in README.md and docs/ parse as they are written, files included."""

import importlib
import pathlib
import re
import shlex

import pytest

from tf_disentangle import configuration
from tf_disentangle.cli import evaluate, main
from tf_disentangle.metrics import METRICS
from tf_disentangle.studies import Plan

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
DOCUMENTS.remove(ROOT / "docs" / "errors.md")  # Its commands are mistakes.


def lines_of_code(text):
    """Yields the lines of code blocks, continued ones joined, loops at their first."""
    fenced = "\n".join(
        re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    )
    indented = "\n".join(re.findall(r"^(?: {4}|\t).*$", text, re.MULTILINE))
    code = re.sub(r"\\\n\s*", " ", f"{fenced}\n{indented}")
    code = re.sub(r"; do\n\s*", "; do ", code)
    for line in code.splitlines():
        for name, value in re.findall(r"\bfor (\w+) in ([^\s;]+)", line):
            line = line.replace(f"${name}", value)
        yield line


def commands(document, pattern):
    """Yields (name, arguments) of what a pattern finds in a document's code."""
    for line in lines_of_code(document.read_text(encoding="utf-8")):
        for name, rest in re.findall(pattern, line):
            yield name, shlex.split(rest, comments=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_commands_parse(document, monkeypatch):
    monkeypatch.chdir(ROOT)
    for name, arguments in commands(document, r"(?<!\.venv/)\bbin/(\w+)([^;|&>]*)"):
        if name == "study":
            name, arguments = main._subcommand(arguments)
        module = name.replace(" ", "_")
        command = importlib.import_module(f"tf_disentangle.cli.{module}")
        places = getattr(command, "POSITIONAL", ("run",))
        values = main._parsed(command.FLAGS, name, arguments, places)
        options = values.flag_values_dict()
        files = options.get("gin_file", [])
        ours = [f for f in files if f[:4] == "gin/" or (ROOT / "gin" / f).exists()]
        if name == "study":
            asked = command.arguments(values) if len(ours) == len(files) else {}
            asked = {k: v for k, v in asked.items() if k in command.OF_PLAN}
            assert not asked or Plan.make(**asked).runs
            continue
        configuration.parse(ours, options.get("gin_param", []))
        if name == "evaluate" and values.metrics:
            evaluate.choose(values.metrics, METRICS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_benchmarks_and_gin_files_exist(document):
    for name, arguments in commands(document, r"benchmarks/(\w+)\.py([^;|&>]*)"):
        source = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        options = [a.split("=")[0] for a in arguments if a.startswith("--")]
        assert [o for o in options if f'"{o}"' not in source] == [], name
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"\bgin/[\w/]+\.gin\b", text):
        assert (ROOT / path).exists(), path


def test_the_guide_to_serving_holds_what_servers_read():
    """Its configuration parses, and its probe asks what the server answers."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    from tf_disentangle.serving.server import rest

    yaml = pytest.importorskip("yaml")
    guide = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    (manifest,) = [text for kind, text in blocks if kind == "yaml"]
    deployment, service = yaml.safe_load_all(manifest)
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    probe = container["readinessProbe"]["httpGet"]["path"]
    assert rest.parse_address("GET", probe).method == "status"
    (config,) = [text for _, text in blocks if "model_config_list" in text]
    parsed = text_format.Parse(config, model_server_config_pb2.ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert {*model.version_labels.values()} == {
        *model.model_version_policy.specific.versions
    }
