"""What the documents show works as it is written: Python blocks and command lines.

Blocks ```python of a page are one program, with its imports. By default each is checked
without running: nothing undefined, and every name and argument of the library exists.
README.md and docs/guide/get_started.md are also run, in an empty folder, on so little
data and so few steps that it takes seconds (`tests/code_blocks.py`); the other pages
are run by `pytest -m slow`. A block under the line `<!-- not run: REASON -->` is
checked and not run. What is neither Python nor a command is ```text.

Command lines stand in indented blocks, as `bin/train ...`, or in blocks ```console,
after `$ `. Options, gin files and bindings of ours are parsed, and commands of others
are those listed in OTHERS. To try one page, with the CPU seconds of each block:

    .venv/bin/python tests/test_documents.py docs/guide/get_started.md
"""

import importlib
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402

from tests import code_blocks  # noqa: E402
from tf_disentangle import configuration  # noqa: E402
from tf_disentangle.cli import evaluate, main  # noqa: E402
from tf_disentangle.metrics import METRICS  # noqa: E402
from tf_disentangle.studies import Plan  # noqa: E402

PAGES = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/guide/*.md"))]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]
DOCUMENTS.remove(ROOT / "docs" / "errors.md")  # Its commands are mistakes.
PROGRAMS = [path for path in DOCUMENTS if any(code_blocks.python_blocks(path))]
#: Those that are run by default.
FIRST = ("README.md",)
#: The commands of the library, in either form, and their arguments.
OURS = r"(?:(?<!\.venv/)\bbin/|^\s*tf_disentangle )(\w+)([^;|&>]*)"
#: Commands of others that a reader is told to type.
OTHERS = {
    *("cd", "cp", "curl", "docker", "git", "jupyter", "kubectl", "ls", "mkdir"),
    *("nvidia-smi", "open", "pip", "python", "python3", "python3.11", "ray", "sbatch"),
    *("source", "tensorboard", "unzip", "xdg-open", "."),
}
#: Blocks without commands, or, of a console, with more than them.
NOT_TYPED = ("python", "text", "console")

RUN = """
import pathlib, sys
from tests import code_blocks
sys.exit(code_blocks.run(pathlib.Path(sys.argv[1])) or 0)
"""


def joined(code):
    """Returns code with its continued lines joined."""
    return re.sub(r"\\\n\s*", " ", code)


def prompts(document):
    """Yields what a reader types: the lines after `$ ` of blocks ```console."""
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from re.findall(r"^\$ (.+)$", joined(block), re.MULTILINE)


def lines_of_code(document):
    """Yields the lines of code blocks, continued ones joined, loops at their first.

    Python, ```text and what a ```console prints are left out.
    """
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    fenced = "\n".join(code for kind, code in blocks if kind not in NOT_TYPED)
    fenced = "\n".join([fenced, *prompts(document)])
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    indented = "\n".join(re.findall(r"^(?: {4}|\t).*$", outside, re.MULTILINE))
    code = re.sub(r"; do\n\s*", "; do ", joined(f"{fenced}\n{indented}"))
    for line in code.splitlines():
        for name, value in re.findall(r"\bfor (\w+) in ([^\s;]+)", line):
            line = line.replace(f"${name}", value)
        yield line


def commands(document, pattern):
    """Yields (name, arguments) of what a pattern finds in a document's code."""
    for line in lines_of_code(document):
        for name, rest in re.findall(pattern, line):
            yield name, shlex.split(rest, comments=True)


def named(paths):
    return pytest.mark.parametrize(
        "document", paths, ids=[str(path.relative_to(ROOT)) for path in paths]
    )


@named(DOCUMENTS)
def test_commands_parse(document, monkeypatch):
    monkeypatch.chdir(ROOT)
    own = re.findall(r"^def (\w+)\(", document.read_text(encoding="utf-8"), re.M)
    for name, arguments in commands(document, OURS):
        require_parsed(name, arguments, own)


def require_parsed(name, arguments, own=()):
    """Fails for an unknown command, or an option or binding that it does not take.

    Functions of the page's `own` may be metrics; bindings beside a gin file of the
    page's may be to parts of its own.
    """
    if name in ("version", "help"):
        return
    assert name in main.COMMANDS, name
    if name == "study":
        name, arguments = main._subcommand(arguments)
    module = name.replace(" ", "_")
    command = importlib.import_module(f"tf_disentangle.cli.{module}")
    if "--help" in arguments:
        return
    places = getattr(command, "POSITIONAL", ("run",))
    values = main._parsed(command.FLAGS, name, arguments, places)
    options = values.flag_values_dict()
    files = options.get("gin_file", [])
    ours = [f for f in files if f[:4] == "gin/" or (ROOT / "gin" / f).exists()]
    if name == "study":
        asked = command.arguments(values) if len(ours) == len(files) else {}
        asked = {k: v for k, v in asked.items() if k in command.OF_PLAN}
        assert not asked or Plan.make(**asked).runs
        return
    if len(ours) == len(files):
        configuration.parse(ours, options.get("gin_param", []))
    if name == "evaluate" and values.metrics and values.metrics not in own:
        evaluate.choose(values.metrics, METRICS)


@named(DOCUMENTS)
def test_what_is_typed_at_a_prompt_is_there(document):
    """Lines `$ ...` of blocks ```console: commands, files of ours, targets, extras."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    extras = re.findall(r'^        "(\w+)": ', (ROOT / "setup.py").read_text(), re.M)
    for line in prompts(document):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        name = words[0]
        if name == "make":
            asked = [word for word in words[1:] if "=" not in word]
            assert {*asked} <= {*targets}, line
        elif name.startswith((".venv/bin/", "bin/")):
            assert name.startswith(".venv/") or (ROOT / name).exists(), line
        else:
            assert name in {*OTHERS, "tf_disentangle"}, line
        for extra in re.findall(r"\[([\w,]+)\]", line) if "pip" in line else ():
            assert {*extra.split(",")} <= {*extras}, line
        for script in re.findall(r"\b(?:benchmarks|examples|tests)/[\w/.]+", line):
            assert (ROOT / script).exists(), line


@pytest.fixture(scope="module")
def undefined(tmp_path_factory):
    """What ruff finds in the programs of all pages: names without a definition."""
    folder = tmp_path_factory.mktemp("programs")
    for path in PROGRAMS:
        name = str(path.relative_to(ROOT)).replace("/", ".")
        (folder / f"{name}.py").write_text(code_blocks.program(path))
    options = [
        "--isolated",
        "--select=F,E9",
        "--ignore=F811",
        "--output-format=concise",
    ]
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", *options]
    done = subprocess.run([*ruff, folder], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@named(PROGRAMS)
def test_python_blocks_name_what_there_is(document, undefined):
    name = str(document.relative_to(ROOT)).replace("/", ".")
    assert [line for line in undefined if f"{name}.py" in line] == []
    assert code_blocks.faults(document) == []


@named([path for path in PROGRAMS if path.name in FIRST])
def test_python_blocks_run(document, warm):
    done = warm.run(RUN, document)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@named([path for path in PROGRAMS if path.name not in FIRST])
def test_python_blocks_of_further_pages_run(document, warm):
    test_python_blocks_run(document, warm)


@named(DOCUMENTS)
def test_benchmarks_and_gin_files_exist(document):
    for name, arguments in commands(document, r"benchmarks/(\w+)\.py([^;|&>]*)"):
        source = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        options = [a.split("=")[0] for a in arguments if a.startswith("--")]
        assert [o for o in options if f'"{o}"' not in source] == [], name
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"\bgin/[\w/]+\.gin\b", text):
        made = path.endswith("/NAME.gin") or document.stem.startswith(("own_", "your_"))
        assert made or (ROOT / path).exists(), path


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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    page = pathlib.Path(sys.argv[1]).resolve()
    for one in commands(page, OURS):
        require_parsed(*one)
    test_what_is_typed_at_a_prompt_is_there(page)
    print("\n".join(code_blocks.faults(page)))
    sys.exit(
        code_blocks.run(
            page, lambda line, seconds: print(f"{page.name}:{line}: {seconds:.1f} s")
        )
        or 0
    )
