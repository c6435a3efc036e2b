"""The commands as a user types them.

One run and one mistake in processes of their own, which take seconds to start; the
rest in this one.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tf_disentangle import __version__
from tf_disentangle.cli import encode, main
from tf_disentangle.training.loop import TrainingLoop

ROOT = pathlib.Path(__file__).resolve().parents[2]

SMALL = """
include '{name}'
CorrelatedEllipses.num_images = 80
conv_encoder.width = 8
conv_decoder.width = 8
train.steps = 4
train.batch_size = 8
train.validation_size = 16
Intervals.log = 2
Intervals.evaluate = 2
Intervals.save = 2
Intervals.pictures = 4
factor_vae_score.num_train_votes = 20
factor_vae_score.num_test_votes = 20
"""


# What `bin/train` of a set that is drawn, scored by the FactorVAE metric, has no use
# for: each costs every start of every run.
NOT_FOR_TRAINING = {
    *("pandas", "pyarrow", "sklearn", "scipy.stats", "numba"),
    *("tensorflow_datasets", "onnx", "onnxruntime", "openvino", "tf2onnx"),
    *("grpc", "uvicorn", "starlette", "prometheus_client", "tensorflow_serving"),
    *("ray", "playwright", "IPython", "httpx"),
}
LIST_MODULES = """
import atexit, os, sys
atexit.register(lambda: open(os.environ["MODULES"], "w").write(" ".join(sys.modules)))
"""


def command(*arguments, cwd=ROOT, launcher=None, **environment):
    start = [launcher] if launcher else [sys.executable, "-m", "tf_disentangle"]
    # The launcher finds the checkout by itself, `python -m` finds the installed one.
    return subprocess.run(
        [*start, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
    )


@pytest.fixture
def here(capsys):
    """Runs a command in this process: here(*arguments) -> as `command` returns."""

    def run(*arguments):
        code = main.main(list(map(str, arguments)))
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def rows_of(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    gin_file = folder / "small.gin"
    gin_file.write_text(SMALL.format(name="chyvae.gin"))
    (folder / "start").mkdir()  # Python runs a sitecustomize.py before all else.
    (folder / "start" / "sitecustomize.py").write_text(LIST_MODULES)
    done = command(
        "--gin_file=small.gin",
        f"--output={folder / 'run'}",
        launcher=str(ROOT / "bin" / "train"),
        cwd=folder,
        PYTHONPATH=os.pathsep.join([str(folder / "start"), str(ROOT)]),
        MODULES=str(folder / "modules.txt"),
    )
    return folder / "run", done


def test_training_imports_nothing_that_it_does_not_use(trained):
    modules = set((trained[0].parent / "modules.txt").read_text().split())
    assert {"tensorflow", "tf_disentangle.training.loop"} <= modules
    assert modules & NOT_FOR_TRAINING == set()


def test_train_prints_score_pictures_and_how_to_go_on(trained):
    folder, done = trained
    assert done.returncode == 0, done.stderr
    for words in ("factor_vae = 0.", "reconstruction", "held out", "bin/export"):
        assert words in done.stdout
    assert "--gin_param='train.steps=8'" in done.stdout
    rows = rows_of(folder)
    assert [row["step"] for row in rows] == [2, 4, 4]
    assert "scores" in rows[-1]


def test_no_tensorflow_noise(trained):
    _, done = trained
    assert done.stderr.startswith("Run folder: ")
    for noise in ("oneDNN", "cuda", "InitializeLog", "Warning", "I0000", "ERROR"):
        assert noise not in done.stderr, done.stderr


def test_tensorboard_files_hold_scalars_pictures_and_the_configuration(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained[0]))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "configuration",
        "loss",
        "pictures/reconstructions",
        "pictures/traversals",
        "pictures/samples",
    } <= tags
    text = events.Tensors("configuration")[0].tensor_proto.string_val[0].decode()
    assert "    InverseWishartPrior.nu = 200" in text


@pytest.mark.slow
def test_run_again_from_its_config(trained, tmp_path, here, monkeypatch):
    monkeypatch.setattr(TrainingLoop, "draw", lambda self: None)  # Rows are compared.
    done = here(
        "train", f"--gin_file={trained[0] / 'config.gin'}", f"--output={tmp_path / 'b'}"
    )
    assert done.returncode == 0, done.stderr

    def without_clocks(folder):
        clocks = {"wall_time", "images_per_second"}
        return [
            {k: v for k, v in row.items() if k not in clocks} for row in rows_of(folder)
        ]

    assert without_clocks(tmp_path / "b") == without_clocks(trained[0])
    # What is written is the same again, origin and all defaults included.
    assert bound_and_operative(tmp_path / "b") == bound_and_operative(trained[0])


def bound_and_operative(folder):
    lines = (folder / "config.gin").read_text().splitlines()
    return [line for line in lines if not line.startswith("# train.output")]


def test_run_json_says_what_it_takes_to_run_it_again(trained):
    facts = json.loads((trained[0] / "run.json").read_text())
    assert {"model", "data"} <= set(facts)
    assert {"tensorflow", "keras", "numpy", "gin-config"} <= set(facts["versions"])
    assert all(isinstance(facts["versions"][name], str) for name in ("keras", "numpy"))
    training = facts["training"]
    assert (training["seed"], training["jit_compile"]) == (0, False)
    assert facts["replicas"] == 1
    assert any("CPU" in device for device in facts["devices"])
    assert facts["threads"] >= 1 and facts["wall_seconds"] > 0
    head = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(head, capture_output=True, text=True)
    if done.returncode:
        assert facts["commit"] is None
    else:
        assert facts["commit"] in (done.stdout.strip(), f"{done.stdout.strip()}-dirty")


def test_evaluate_prints_and_records(trained, here):
    done = here(
        "evaluate", trained[0], "--gin_param=factor_vae_score.num_test_votes = 30"
    )
    assert done.returncode == 0, done.stderr
    assert "num_test_votes=30" in done.stdout
    assert "rotation" in done.stdout, "the vote table names the factors"


def test_evaluate_names_metrics_seeds_factors_and_sampled_codes(
    trained, tmp_path, here
):
    before = len(rows_of(trained[0]))
    done = here(
        "evaluate",
        trained[0],
        "--metrics=mig,factor_vae",
        "--seeds=2",
        "--factors=x,scale",
        "--sampled",
        "--protocol=chyvae",
        f"--output={tmp_path}",
        "--gin_param=mig_score.num_train = 300",
    )
    assert done.returncode == 0, done.stderr
    assert "Held out at step 4" in done.stdout
    assert "sampled codes" in done.stdout
    assert "dlib, num_train=300, factors=x+scale" in done.stdout
    assert "chyvae, num_train_votes=20, num_test_votes=20, factors=x+" in done.stdout
    rows = rows_of(trained[0])[before:]
    assert [row.get("seed") for row in rows] == [0, 0, 1, 1, None]
    assert all(row["codes"] == "sampled" and row["step"] == 4 for row in rows)
    assert {"mean", "low", "high"} <= set(rows[-1]["intervals"]["mig"])
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {"mig_mutual_information.png", "factor_vae_votes.png"}


def test_evaluate_offers_the_metrics_of_the_model(trained, here):
    """A CHyVAE has an evidence, and no aggregate posterior of the usual form."""
    before = len(rows_of(trained[0]))
    few = "--gin_param=log_evidence.num_samples = 50"
    done = here("evaluate", trained[0], "--metrics=log_evidence", few)
    assert done.returncode == 0, done.stderr
    assert "held-out images, 50 draws" in done.stdout
    (row,) = rows_of(trained[0])[before:]
    result = row["scores"]["log_evidence"]
    assert result["score"] == pytest.approx(np.mean(result["per_image"]))
    assert result["score"] < 0 < result["standard_error"]
    done = here("evaluate", trained[0], "--metrics=aggregate_posterior")
    assert done.returncode == 2
    assert "diagonal Gaussian posteriors and a standard normal prior" in done.stdout


def test_visualize_writes_pictures_and_a_page(trained, tmp_path, here):
    options = ["--kinds=reconstructions,hyperprior", "--format=png,pdf"]
    options += [f"--output={tmp_path}", "--checkpoint=best", "--range=codes"]
    done = here("visualize", trained[0], *options)
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in tmp_path.iterdir())
    assert done.stdout.splitlines()[-1] == str(tmp_path / "index.html")
    assert {"reconstructions.png", "hyperprior.pdf", "index.html"} <= {*made}
    assert len(made) == 5
    page = (tmp_path / "index.html").read_text()
    assert page.count("<figure>") == 2, "the PNG files"


def test_visualize_without_a_page(trained, tmp_path, here):
    done = here(
        "visualize", trained[0], f"--output={tmp_path}", "--kinds=data", "--nopage"
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data.png"]


def test_compare_writes_one_page(trained, tmp_path, here):
    page = tmp_path / "both.html"
    done = here("compare", trained[0], trained[0], f"--output={page}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(page)
    assert "The runs have the same settings." in page.read_text()


def test_export_writes_the_next_version(trained, tmp_path, here):
    models = tmp_path / "my models"
    options = [f"--destination={models}", "--name=small", "--version=3"]
    done = here("export", f"--run={trained[0]}", *options)
    assert done.returncode == 0, done.stderr
    version = models / "small" / "3"
    assert done.stdout.strip() == str(version)
    assert (version / "saved_model.pb").exists()
    assert f"bin/serve '{models}'" in done.stderr and "docker run" in done.stderr
    assert str(version / "model_card.md") in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage"),
        (["trian"], "Did you mean train"),
        (["versoin"], "Did you mean version"),
        (["list", "a", "b"], "options must start with --, after one NAME"),
        (["train"], "--gin_file must be given"),
        (["train", "--gin_fil=x"], "Did you mean --gin_file"),
        (["evaluate", "x", "--noagian"], "Did you mean --noagain?"),
        (["evaluate", "--hlep"], "Did you mean --help?"),
        (["train", "--gin_file=chyvea.gin"], "Did you mean chyvae.gin"),
        (["train", "chyvae.gin"], "options must start with --"),
        (
            ["train", "--gin_file=chyvae.gin", "--gin_param=train.stepz=3"],
            "Did you mean steps",
        ),
        (
            ["train", "--gin_file=chyvae.gin", "--gin_param=InverseWishartPrior.nu=9"],
            "nu must be greater than p - 1 = 9",
        ),
        (
            [
                "train",
                "--gin_file=vae.gin",
                "--gin_param=factor_vae_score.protocol='x'",
            ],
            "protocol must be one of",
        ),
        (["evaluate", "/nowhere"], "run must be the folder of a run"),
        (["evaluate", "--codes=/nowhere.npz"], "No such file"),
        (["export", "/tmp", "--version=x"], "version"),
        (["visualize"], "RUN must be given"),
        (["visualize", "r", "--start=prior", "--images=3"], "--start must not be"),
        (["compare", "runs/one"], "RUNS must be 2 to 6 runs"),
        (["compare", *"abcdefg"], "RUNS must be 2 to 6 runs"),
    ],
)
def test_mistakes_end_with_code_2_and_one_message(arguments, words, here):
    done = here(*arguments)
    assert done.returncode == 2
    assert words in done.stderr + done.stdout


def test_a_home_folder_is_meant_by_its_sign(monkeypatch):
    """The shell leaves it as it is after an option's =."""
    monkeypatch.setenv("HOME", "/home/me")
    options = ["~/photos", "b~", "--model=~/runs/a", "--output=~/x.csv"]
    values = main._parsed(encode.FLAGS, "encode", options, ())
    assert values.files == ["/home/me/photos", "b~"]
    assert (values.model, values.output) == ("/home/me/runs/a", "/home/me/x.csv")


def test_a_mistake_ends_the_process_with_code_2_and_no_traceback():
    done = command("train", "--gin_file=vae.gin", "--gin_param=train.stepz=3")
    assert done.returncode == 2
    assert "\ntf_disentangle train: " in done.stderr
    assert "Did you mean steps" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_builds_and_writes_nothing(tmp_path, here):
    done = here("train", "--gin_file=vae.gin", f"--output={tmp_path / 'x'}", "--check")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "x").exists()


def test_help_has_an_example_and_needs_no_tensorflow():
    """All in one process: the first that loads TensorFlow ends it with its name."""
    code = (
        "import sys; from tf_disentangle.cli import main\n"
        "for name in main.COMMANDS:\n"
        "    print('## ' + name)\n"
        "    if main.main([name, '--help']) or 'tensorflow' in sys.modules:\n"
        "        sys.exit(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, *helps = done.stdout.split("## ")
    assert [text.split("\n")[0] for text in helps] == [*main.COMMANDS]
    for name, text in zip(main.COMMANDS, helps, strict=True):
        assert f"bin/{name}" in text or f"tf_disentangle {name}" in text


def test_train_help_says_where_the_cache_is_and_how_to_clean_it(here):
    done = here("train", "--help")
    assert "TF_DISENTANGLE_CACHE" in done.stdout
    assert "safe to delete" in done.stdout


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_version(argument, here):
    done = here(argument)
    assert (done.returncode, done.stdout) == (0, f"tf_disentangle {__version__}\n")


@pytest.mark.parametrize(
    "name",
    [
        "train",
        "evaluate",
        "visualize",
        "compare",
        "export",
        "encode",
        "serve",
        "explore",
        "study",
        "data",
        "list",
        "doctor",
        "help",
        "completion",
    ],
)
def test_every_command_has_its_launcher(name):
    launcher = ROOT / "bin" / name
    assert os.access(launcher, os.X_OK)
    assert f"-m tf_disentangle {name} " in launcher.read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("ev", {"evaluate"}),
        ("train --gin_f", {"--gin_file="}),
        ("doctor --", {"--help"}),
        ("study st", {"status"}),
        ("study --gin_p", {"--gin_param="}),
        ("study run --", {"--help", "--run=", "--study="}),
        ("explore store:jointvae_m", {"store:jointvae_mnist"}),
        (
            "explore store : joi",
            {"jointvae_invariant_mnist", "jointvae_mnist"},
        ),  # as bash itself cuts it
        ("help your_i", {"your_images"}),
    ],
)
def test_bash_completes_commands_and_options(words, completed, here, tmp_path):
    script = here("completion").stdout
    before = words.split()
    script += (
        f"COMP_WORDS=(tf_disentangle {words}); COMP_CWORD={len(before)}\n"
        "_tf_disentangle; echo ${COMPREPLY[@]}\n"
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert set(done.stdout.split()) == completed, done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_the_launchers_of_a_checkout(here):
    script = here("completion").stdout
    script += (
        "complete -p bin/train >/dev/null && "
        "COMP_WORDS=(/x/bin/study st); COMP_CWORD=1; _tf_disentangle\n"
        "echo ${COMPREPLY[@]}\n"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["status"], done.stderr


def test_zsh_gets_what_runs_bashs_script(here):
    zsh, bash = here("completion", "zsh").stdout, here("completion", "bash").stdout
    assert zsh.endswith(bash)
    assert "bashcompinit" in zsh.removesuffix(bash)
    done = here("completion", "fish")
    assert done.returncode == 2
    assert "--shell must be one of bash, zsh; received 'fish'" in done.stderr
