"""What each mistake is answered, provoked through the command line.

tests/golden/errors.toml has the mistakes, the commands that make them and the messages;
a test goes through one section and names each case that differs. docs/errors.md shows
those with an `advice`. When a message changed on purpose, or for a new case with
`message = []`:

    python tests/test_errors.py --write
"""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import gin  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tf_disentangle.cli.main import main  # noqa: E402

FIXTURE = ROOT / "tests" / "golden" / "errors.toml"
PAGE = ROOT / "docs" / "errors.md"

# What a user would have beside a gin file.
MY_PARTS = '''
import gin
import keras
import numpy as np

from tf_disentangle.interfaces import Dataset


@gin.register
class Squares(Dataset):
    """48 x 48 images, which no network of the library takes."""

    factor_names = factor_sizes = ()
    image_shape = (48, 48, 1)
    traits = frozenset()

    def __init__(self, side=48):
        self.image_shape = (side, side, 1)

    def __len__(self):
        return 3000

    def images(self):
        return np.zeros((3000, *self.image_shape), np.uint8)

    def sample_factors(self, n, rng):
        raise NotImplementedError

    def render(self, factors, rng=None):
        raise NotImplementedError


@gin.register
def small_decoder(num_latents, image_shape, *, seed, dtype):
    z = keras.Input((num_latents,))
    h = keras.layers.Dense(32 * 32)(z)
    return keras.Model(z, keras.layers.Reshape((32, 32, 1))(h))


@gin.register
def narrow_encoder(image_shape, num_outputs, *, seed, dtype):
    x = keras.Input(image_shape)
    return keras.Model(x, keras.layers.Dense(7)(keras.layers.Flatten()(x)))
'''
SMALL = """
include 'vae.gin'
CorrelatedEllipses.num_images = 80
GaussianLatents.num_latents = 4
conv_encoder.width = 8
conv_decoder.width = 8
train.steps = 4
train.batch_size = 8
train.validation_size = 16
train.metrics = []
Intervals.log = 2
Intervals.evaluate = 0
Intervals.save = 2
Intervals.pictures = 0
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """One mistake.

    Attributes:
        section: What kind of mistake it is.
        mistake: In words.
        command: As typed, without the bin/ before it.
        message: The lines that answer it.
        files: Lines by name, in the current folder, before the command runs.
        prepare: Name of a function below, called in the current folder before the
            command, with an ExitStack for what must end with it.
        process: Whether the command needs a process of its own.
        advice: What a person should know; with it the case stands in docs/errors.md.
    """

    section: str
    mistake: str
    command: str
    message: list
    files: dict = dataclasses.field(default_factory=dict)
    prepare: str = ""
    process: bool = False
    advice: str = ""


CASES = [
    Case(section, mistake, **values)
    for section, cases in tomllib.loads(FIXTURE.read_text(encoding="utf-8")).items()
    for mistake, values in cases.items()
]


# ---- What must be so before the command runs.


def no_best(stack):
    """the run has no validation"""


def forgotten(stack):
    # gin would know my_elbo.elbo in the cases after this one too.
    stack.callback(lambda: gin.config._REGISTRY.pop("my_elbo.elbo"))


def a_file(stack):
    """`taken` is a file"""
    pathlib.Path("taken").write_text("mine")


def a_thesis(stack):
    """`thesis` holds something else"""
    pathlib.Path("thesis").mkdir()
    pathlib.Path("thesis/chapter.tex").write_text("mine")


def no_run_json(stack):
    """a run.json that is not JSON"""
    pathlib.Path("runs/a/run.json").write_text("{")


def later_schema(stack):
    """a run of a later version"""
    path = pathlib.Path("runs/a/run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))


def broken_config(stack):
    """line 1 of `runs/a/config.gin` reads `train.steps =`"""
    pathlib.Path("runs/a/config.gin").write_text("train.steps =\n")


def locked(stack):
    """another process trains in `runs/a`"""
    fcntl = pytest.importorskip("fcntl")
    file = os.open("runs/a/.lock", os.O_RDWR | os.O_CREAT)
    stack.callback(os.close, file)
    fcntl.flock(file, fcntl.LOCK_EX)


def exported(stack):
    """version 1 was exported before"""
    pathlib.Path("runs/a/export/a/1").mkdir(parents=True)


def latin_1(stack):
    """`mine.gin` is in Latin-1"""
    pathlib.Path("mine.gin").write_bytes("# Müller\n".encode("latin-1"))


def folder_gin(stack):
    """`mine.gin` is a folder"""
    pathlib.Path("mine.gin").mkdir()


def cache_is_a_file(stack):
    """`$TF_DISENTANGLE_CACHE` is a file"""
    pathlib.Path("taken").write_text("mine")
    _environment(stack, TF_DISENTANGLE_CACHE=os.path.abspath("taken"))


def codes_alone(stack):
    """`codes.npz` has no factors"""
    np.savez("codes.npz", codes=np.eye(50))


def codes_transposed(stack):
    """`codes.npz` has codes [10, 300] and factors [300, 2]"""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (300, 2))
    np.savez("codes.npz", codes=rng.normal(size=(10, 300)), factors=factors)


def codes_with_nan(stack):
    """`codes.npz` has a NaN in the codes of latent 1"""
    codes = np.random.default_rng(0).normal(size=(300, 3))
    codes[7, 1] = np.nan
    np.savez("codes.npz", codes=codes, factors=np.arange(300)[:, None] % 4)


def damaged(stack):
    """all checkpoints of `runs/a` are cut short"""
    for path in pathlib.Path("runs/a/checkpoints").rglob("state.data*"):
        path.write_bytes(path.read_bytes()[:100])


def small_files_only(stack):
    """`ulimit -f 64`: no file above 64 KB"""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))


def small_files_and_no_data(stack):
    """`ulimit -f 64`, and the data are not in the cache yet"""
    small_files_only(stack)
    _environment(stack, TF_DISENTANGLE_CACHE=os.path.abspath("cache"))


def other_backend(stack):
    """`KERAS_BACKEND` is `jax`"""
    _environment(stack, KERAS_BACKEND="jax")


def _environment(stack, **values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)

    def restore():
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

    stack.callback(restore)


# ---- Provoking one.


@contextlib.contextmanager
def working_folder(template):
    """A fresh current folder with my_parts.py and a trained run in runs/a."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        pathlib.Path(folder, "my_parts.py").write_text(MY_PARTS)
        shutil.copytree(template, pathlib.Path(folder, "runs", "a"))
        os.chdir(folder)
        sys.path.append(folder)
        stack.callback(sys.path.remove, folder)
        stack.callback(os.chdir, before)
        yield pathlib.Path(folder), stack


def message_of(case, template):
    """Runs the command; returns (exit code, what it said)."""
    with working_folder(template) as (folder, stack):
        for name, text in case.files.items():
            pathlib.Path(name).write_text("\n".join([*text, ""]))
        if case.prepare:
            globals()[case.prepare](stack)
        command = shlex.split(case.command)
        if command[0] == "train" and "--output=runs/" not in case.command:
            command.append("--check")  # Whatever is accepted is not trained.
        if case.process:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [sys.executable, "-m", "tf_disentangle", *command],
                capture_output=True,
                text=True,
                env=environment,
            )
            code, said = done.returncode, done.stderr
        else:
            streams = io.StringIO(), io.StringIO()
            with (
                contextlib.redirect_stdout(streams[0]),
                contextlib.redirect_stderr(streams[1]),
            ):
                code = main(command)
            said = streams[1].getvalue()
        root = str(ROOT)
        for path, name in ((f"{folder}/", ""), (str(folder), "."), (f"{root}/", "")):
            said = said.replace(path, name)
    # A progress bar may stand before and after; a metric that refuses has a line.
    match = re.search(r"(?:tf_disentangle \w+:|\w+: no score\.) [^\r]*", said)
    message = match[0].split("\n\n")[0].strip() if match else said
    message = re.sub(r"tempstate\d+|SaveV2_dtypes_\d+", "...", message)
    message = re.sub(r"([\w./]+\.gin), line \d+", _without_line(case), message)
    return code, message.splitlines()


def _without_line(case):
    """Leaves out the lines of the library's files, which may grow."""
    own = {"runs/a/config.gin", *case.files}
    return lambda match: match[0] if match[1] in own else f"{match[1]}, line N"


def train_template(folder):
    """Trains the run that the cases use."""
    pathlib.Path(folder, "small.gin").write_text(SMALL)
    output = pathlib.Path(folder, "run")
    streams = io.StringIO()
    with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
        code = main(["train", f"--gin_file={folder}/small.gin", f"--output={output}"])
    assert code == 0, streams.getvalue()
    return output


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return train_template(tmp_path_factory.mktemp("template"))


# ---- The tests.


@pytest.mark.parametrize("section", dict.fromkeys(case.section for case in CASES))
def test_each_mistake_ends_with_code_2_and_its_message(section, template):
    cases = [case for case in CASES if case.section == section]
    wrong = {}
    for case in cases:
        code, message = message_of(case, template)
        if (code, message) != (2, case.message):
            wrong[case.mistake] = code, message
    assert wrong == {}, "see the top of this file"


def test_no_message_shows_the_inside():
    for case in CASES:
        text = "\n".join(case.message)
        assert re.match(r"tf_disentangle \w+: |\w+: no score\. ", text), case.mistake
        assert "Traceback" not in text and " at 0x" not in text, case.mistake


def test_every_mistake_has_a_name_of_its_own():
    names = [case.mistake for case in CASES]
    assert len(set(names)) == len(names) >= 150


def test_the_page_has_the_twenty_that_matter():
    assert 15 <= sum(bool(case.advice) for case in CASES) <= 25
    assert PAGE.read_text(encoding="utf-8") == page(CASES), "see the top of this file"


# ---- Writing the messages and the page.

HEAD = """\
# Common mistakes

A mistake in what was asked ends with exit code 2 and a single message. The message
names what is wrong, the rule, the value that was received and, where there is one, the
remedy. For a value from a gin file it also shows the file and the line. Everything is
checked before the first step, and `bin/train --check` does only that. A fault of the
library ends with exit code 1 and a traceback: please report it.

Below are the {count} most common mistakes. In the examples `runs/a` is a finished run
and `mine.gin` is your own file. (This page is written by
`python tests/test_errors.py --write`; `tests/golden/errors.toml` has all {all} mistakes
that the tests provoke.)
"""


def page(cases):
    """Returns the text of docs/errors.md."""
    shown = [case for case in cases if case.advice]
    text, section = HEAD.format(count=len(shown), all=len(cases)), ""
    for case in shown:
        if case.section != section:
            section = case.section
            text += f"\n## {section}\n"
        text += f"\n### {case.mistake}\n\n"
        for name, lines in case.files.items():
            text += "".join(f"    {line}\n" for line in [f"# {name}", *lines]) + "\n"
        if case.prepare and (state := globals()[case.prepare].__doc__):
            text += f"    # {state.replace('`', '')}\n"
        text += f"    $ bin/{case.command}\n"
        text += "".join(f"    {line}\n" for line in case.message)
        text += "\n" + textwrap.fill(case.advice, 88) + "\n"
    return text


def fixture(cases):
    """Returns the text of the fixture."""
    head = FIXTURE.read_text(encoding="utf-8").split("\n\n")[0]
    blocks = [head]
    for case in cases:
        lines = [f"[{_quoted(case.section)}.{_quoted(case.mistake)}]"]
        lines.append(f"command = {_quoted(case.command)}")
        for name, text in case.files.items():
            lines.append(f"files.{_quoted(name)} = {_quoted(text)}")
        lines += [f"prepare = {_quoted(case.prepare)}"] * bool(case.prepare)
        lines += ["process = true"] * case.process
        lines += [f"advice = {_quoted(case.advice)}"] * bool(case.advice)
        lines.append(f"message = {_quoted(case.message)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _quoted(value):
    """JSON's strings and lists of strings are TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def write():
    """Fills in the messages; those that changed are printed."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TF_DISENTANGLE_CACHE"] = f"{folder}/cache"
        template = train_template(folder)
        for case in CASES:
            try:
                code, message = message_of(case, template)
            except Exception as error:  # All others are of interest too.
                code, message = 1, [f"{type(error).__name__}: {error}"]
            if code != 2:
                print(f"NO MESSAGE, BUT CODE {code}:", flush=True)
            if message != case.message:
                print(case.mistake, *message, "", sep="\n  ", flush=True)
            cases.append(dataclasses.replace(case, message=message))
    FIXTURE.write_text(fixture(cases), encoding="utf-8")
    PAGE.write_text(page(cases), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        sys.exit(__doc__)
