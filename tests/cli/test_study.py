"""bin/study: what files and options come to, the plan that it shows, its commands."""

import json
import shlex
import subprocess
import sys
import types

import pytest

from tf_disentangle import configuration
from tf_disentangle.cli import main, study
from tf_disentangle.studies import attempts, checking, state
from tf_disentangle.studies import study as studies
from tf_disentangle.studies.plan import Plan

SWEEP = ["--gin_file=beta_vae.gin", "--sweep=beta_vae.beta=[1.0, 4.0]"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def checked(monkeypatch):
    """The check, which builds models, is told what it would build."""
    plans = []
    monkeypatch.setattr(checking, "check", plans.append)
    return plans


def arguments(*options):
    values = main._parsed(study.FLAGS, "study", options, study.POSITIONAL)
    return study.arguments(values)


def test_sweeps_of_a_method():
    asked = arguments(
        *SWEEP,
        "--gin_file=metrics/dlib.gin",
        "--sweep=train.seed=range(3)",
        "--gin_param=train.steps=30",
        "--gin_param=train.metrics=['mig']",
        "--workers=2",
        "--gpus_per_run=0.25",
        "--metrics=mig,dci",
        "--engine=processes",
    )
    assert asked == {
        "grid": {
            "method": [["beta_vae.gin", "metrics/dlib.gin"]],
            "beta_vae.beta": [1.0, 4.0],
            "train.seed": [0, 1, 2],
        },
        "bindings": {"train.steps": 30, "train.metrics": ["mig"]},
        "metrics": ["mig", "dci"],
        "engine": "processes",
        "workers": 2,
        "gpus_per_run": 0.25,
        "output": "runs/beta_vae_study",
        "name": "beta_vae_study",
    }


def test_a_study_of_a_file_and_what_options_change(here):
    (here / "mine.gin").write_text(
        "study.name = 'mine'\n"
        "study.grid = [{'method': 'vae.gin'}, {'method': 'chyvae.gin'}]\n"
        "study.seeds = 5\n"
        "study.bindings = {'train.steps': 30, 'elbo.likelihood': @Bernoulli()}\n"
        "study.threads_per_run = 2\n"
    )
    asked = arguments(
        *("--gin_file=mine.gin", "--seeds=2", "--gin_param=train.steps=4"),
        "--sweep=train.batch_size=[8, 16]",
    )
    assert asked == {
        "name": "mine",
        "output": "runs/mine",
        "seeds": 2,
        "threads_per_run": 2,
        "bindings": {"train.steps": 4, "elbo.likelihood": "@Bernoulli()"},
        "grid": [
            {"method": "vae.gin", "train.batch_size": [8, 16]},
            {"method": "chyvae.gin", "train.batch_size": [8, 16]},
        ],
    }
    assert arguments("--gin_file=mine.gin", "--output=x/y")["output"] == "x/y"


def test_check_prints_the_plan_and_writes_nothing(here, checked, capsys):
    options = [*SWEEP, "--seeds=8", "--gin_param=train.steps=100", "--check"]
    assert main.main(["study", *options]) == 0
    printed = capsys.readouterr().out
    assert "16 runs, 1,600 steps in all." in printed
    assert "seed 0, beta_vae.beta = 1.0\n" in printed and "and 6 more" in printed
    # What all runs share stands once, above them.
    assert printed.startswith("All runs have\n  train.steps = 100\n")
    assert printed.count("train.steps") == 1
    assert "once the first of them are done" in printed
    assert [len(plan.runs) for plan in checked] == [16]
    assert list(here.iterdir()) == []


def test_a_run_that_the_grid_has_twice_is_told(here, checked, capsys):
    sweep = "--sweep=beta_vae.beta=[1.0, 4.0, 1.0]"
    assert main.main(["study", SWEEP[0], sweep, "--check"]) == 0
    said = capsys.readouterr().err
    assert "2 runs;" in said
    assert "1 of the grid's 3 combinations is a run that the grid already has" in said


def test_one_run_and_minutes_are_called_so(here, checked, capsys):
    options = ["--gin_file=vae.gin", "--output=s", "--gin_param=train.steps=9"]
    assert main.main(["study", *options, "--seeds=1", "--check"]) == 0
    printed = capsys.readouterr()
    assert "1 run, 9 steps" in printed.out and "1 run; study" in printed.err
    plan = Plan.make({"method": "vae.gin"}, seeds=1, bindings={"train.steps": 9})
    (run,) = plan.write("s").runs
    (here / "s" / "runs" / run.id).mkdir(parents=True)
    (here / "s" / "runs" / run.id / "done.json").write_text('{"wall_seconds": 90}')
    assert main.main(["study", *options, "--seeds=1", "--check"]) == 0
    assert "All are done." in capsys.readouterr().out
    assert main.main(["study", *options, "--seeds=2", "--check"]) == 0
    told = "1 is done; the others take about 1.5 minutes"
    assert told in capsys.readouterr().out


def test_check_tells_the_time_left_by_what_is_done(here, checked, capsys):
    plan = Plan.make({"method": "beta_vae.gin", "beta_vae.beta": [1.0, 4.0]}, seeds=2)
    plan = plan.write("s")
    for run, seconds in zip(plan.runs, (1800, 5400), strict=False):
        plan.folder_of(run).mkdir(parents=True)
        text = json.dumps({"wall_seconds": seconds})
        (plan.folder_of(run) / "done.json").write_text(text)
    assert main.main(["study", *SWEEP, "--seeds=2", "--output=s", "--check"]) == 0
    # Two are left, of an hour each.
    assert "2 are done; the others take about 2.0 hours" in capsys.readouterr().out


def test_the_command_stands_in_study_json(here, checked, capsys):
    options = ["--sweep=train.seed=range(2)", "--metrics=mig,dci", "--output=a b"]
    options += ["--noreport", "--print=slurm"]
    assert main.main(["study", *SWEEP, *options]) == 0
    program, *words = shlex.split(Plan.read("a b").about["command"])
    assert program == "bin/study" and sorted(words) == sorted([*SWEEP, *options])
    # It is a command that makes the same study.
    before = Plan.read("a b")
    assert main.main(["study", *words]) == 0
    assert Plan.read("a b").runs == before.runs


def test_print_writes_the_plan_and_prints_a_script_that_bash_reads(
    here, checked, capsys
):
    options = ["--output=s", "--print=slurm", "--time_limit=600", "--threads_per_run=2"]
    assert main.main(["study", *SWEEP, *options]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --array=0-1" in script and "--cpus-per-task=2" in script
    done = subprocess.run(["bash", "-n"], input=script, text=True)
    assert done.returncode == 0
    assert len(Plan.read("s").runs) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--time_limit=0"], "time_limit must be greater than 0"),
        (["--engine=processes", "--address=auto"], "address must be left out"),
        (["--engine=processes", "--gpus_per_run=1", "--check"], "gpus must be left"),
        (["--print=slurm", "--time_limit=-1"], "time_limit must be greater than 0"),
    ],
)
def test_a_refused_option_leaves_no_folder(here, checked, capsys, options, words):
    assert main.main(["study", *SWEEP, "--output=s", *options]) == 2
    assert words in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--gin_file must be given"),
        (["statsu", "runs/x"], "Did you mean status"),
        (["vae.gin"], "Did you mean --gin_file=vae.gin"),
        (["--gin_file=vea.gin"], "Did you mean vae.gin"),
        ([*SWEEP, "--sweep=x"], "--sweep must be NAME=VALUES"),
        ([*SWEEP, "--sweep=steps=[1]"], "be a binding or one of method, data"),
        ([*SWEEP, "--gin_param=train.steps"], "--gin_param must be NAME=VALUE"),
        ([*SWEEP, "--seeds=[0,2]"], "received '[0,2]'. --seeds: How many"),
        ([*SWEEP, "--workers=0"], "--workers must be a whole number of at least 1"),
        ([*SWEEP, "--engine=slurm"], "--engine must be one of auto, processes, ray"),
        ([*SWEEP, "--metrics=mig", "--representations=men"], "representations must be"),
        (["run"], "STUDY must be given"),
        (["run", "."], "RUN must be given"),
        (["run", ".", "3"], "be the folder of a study"),
        (["check", "nowhere"], "There is no such folder"),
        (["status", f"{configuration.gin_root()}/studie"], "Did you mean studies"),
    ],
)
def test_mistakes_end_with_code_2_and_one_message(options, words, capsys):
    assert main.main(["study", *options]) == 2
    assert words in capsys.readouterr().err


def test_check_refuses_what_the_study_itself_would(here, checked, capsys):
    Plan.make({"method": "vae.gin"}).write("s")
    asked = ["study", "--gin_file=vae.gin", "--output=s", "--check"]
    assert main.main(asked) == 0
    assert main.main([*asked, "--gin_param=train.steps=80"]) == 2
    assert "must resume as it is" in capsys.readouterr().err
    (here / "notes").mkdir()
    (here / "notes" / "mine.txt").touch()
    asked = ["study", "--gin_file=vae.gin", "--output=notes", "--check"]
    assert main.main(asked) == 2
    assert "be a new folder or a study" in capsys.readouterr().err


def test_a_finished_study_says_so(here, checked, monkeypatch, capsys):
    monkeypatch.setattr(state, "is_done", lambda folder: True)
    ended = types.SimpleNamespace(failed={})
    monkeypatch.setattr(studies, "carry_out", lambda plan, report: ended)
    asked = ["study", "--gin_file=vae.gin", "--output=s"]
    said = "All runs are done: there is nothing to train."
    assert main.main(asked) == 0
    assert said in capsys.readouterr().err
    monkeypatch.setattr(state, "is_done", lambda folder: False)
    assert main.main(asked) == 0
    assert said not in capsys.readouterr().err


def test_help_says_what_stands_alone_and_which_options_are_numbers(capsys):
    for name, usage in (("publish", "[STUDY] [RUN ...]"), ("run", "[STUDY] [RUN]")):
        assert main.main(["study", name, "--help"]) == 0
        said = capsys.readouterr().out
        assert f"Usage: tf_disentangle study {name} {usage} [--OPTION" in said
        assert "--study\n" in said
    assert main.main(["study", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--seeds=INTEGER\n" in said and "--time_limit=NUMBER\n" in said


def test_a_run_that_would_fail_again_is_not_to_be_retried(here, capsys):
    plan = Plan.make({"method": "vae.gin"}, seeds=3).write("s")
    for run, code in zip(plan.runs, (3, 1, 1), strict=True):
        folder = plan.folder_of(run)
        folder.mkdir(parents=True)
        for _ in range(3):
            attempts.end(folder, attempts.begin(folder), "failed", code, "why")
    change = "0 would fail the same way again: change the setting"
    first, *others = plan.runs
    (line,) = study.remedies(plan, [first])
    assert change in line and "retry" not in line
    (line,) = study.remedies(plan, others)
    assert line == "Again:    bin/study retry s, then the study's command"
    assert main.main(["study", "status", "s"]) == 0
    said = capsys.readouterr().out
    assert "bin/study retry s 1 2," in said and change in said


def test_a_study_and_a_method_are_not_mixed(here, capsys):
    (here / "mine.gin").write_text("study.grid = {'method': 'vae.gin'}\n")
    options = ["--gin_file=mine.gin", "--gin_file=vae.gin"]
    assert main.main(["study", *options]) == 2
    assert "be either studies or files of one method" in capsys.readouterr().err
    (here / "mine.gin").write_text("study.gird = {'method': 'vae.gin'}\n")
    assert main.main(["study", "--gin_file=mine.gin"]) == 2
    assert "Did you mean grid" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run", "check"])
def test_help_has_an_example_and_needs_no_tensorflow(name):
    code = (
        "import sys; from tf_disentangle.cli.main import main; "
        f"code = main(['study', '{name}', '--help']); "
        "sys.exit(code or int('tensorflow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"bin/study {name} runs/sweep" in done.stdout
    assert f"Usage: tf_disentangle study {name} [STUDY]" in done.stdout
