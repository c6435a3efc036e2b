"""The library's gin files: each says what it is, and builds without a spare binding.

How files are read, and what is wrong with them, is in tests/configuration.
"""

import functools
import inspect
import re
import textwrap

import numpy as np
import pytest

from tests.datasets.published.published_files import make
from tf_disentangle import checks, configuration, metrics
from tf_disentangle.datasets import SETS
from tf_disentangle.studies import checking
from tf_disentangle.studies.plan import Plan
from tf_disentangle.studies.study import study

ROOT = configuration.gin_root()
RUNNABLE = sorted([*ROOT.glob("*.gin"), *ROOT.glob("papers/*.gin")])
STUDY_FILES = sorted(ROOT.glob("studies/*.gin"))
SET_FILES = sorted((ROOT / "datasets").glob("*.gin"))
PUBLISHED = [f for f in SET_FILES if "@published()" in f.read_text()]
MADE = [f for f in SET_FILES if f not in PUBLISHED]
# Enough for the largest batch, 1,000, beside the 2,000 held out.
FEW = "CorrelatedEllipses.num_images = 3000"


def prepared(files, bindings, output):
    """Returns the run that files and bindings describe: built, not trained."""
    configuration.parse([str(file) for file in files], bindings)
    return configuration.build("train", output=str(output), dry_run=True)


def test_every_file_starts_with_what_it_is():
    files = sorted(ROOT.rglob("*.gin"))
    assert {"chyvae.gin", "vae.gin", "beta_vae.gin"} <= {f.name for f in RUNNABLE}
    assert [f for f in files if not f.read_text().startswith("# ")] == []
    for file in RUNNABLE + STUDY_FILES:
        header = file.read_text().split("\n\n")[0]
        for words in (
            *("Paper:", "Command:", "Expected:"),
            f"--gin_file=gin/{file.relative_to(ROOT)}",
        ):
            assert words in header, f"{file}: {words}"


@pytest.mark.parametrize("file", RUNNABLE, ids=lambda f: f.stem)
def test_builds_and_every_binding_is_used(file, tmp_path, monkeypatch):
    configuration.parse([str(file)])
    text = configuration.with_defaults()
    few = [FEW] if "@CorrelatedEllipses()" in text else []
    if published := re.search("^published.name = '(.*)'$", text, re.MULTILINE):
        monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path))
        kind = published[1].removeprefix("fashion_")  # MNIST's files by their format
        folder = tmp_path / "downloads" / published[1]
        made = make(kind, folder / kind if kind == "faces3d" else folder)
        monkeypatch.setitem(SETS, published[1], made.row)
        few = ["train.validation_size = 2", "train.batch_size = 2"]
    prepared([file], few, tmp_path / "run")
    assert configuration.unused_bindings() == []
    assert not (tmp_path / "run").exists(), "building writes nothing"


def test_files_of_metrics_name_theirs():
    for file in (ROOT / "metrics").glob("*.gin"):
        configuration.parse(["vae.gin", str(file)])
        calls = metrics.calls_of(configuration.built("train.metrics"))
        asked = re.search(r"train.metrics = \[(.*?)\]", file.read_text(), re.DOTALL)[1]
        assert [call.name for call in calls] == re.findall(r"'(\w+)'", asked), file


def test_files_of_data_sets_replace_the_set_of_a_model():
    for file in MADE:
        name = re.search(r"(?m)^train.data = @(\w+)\(\)$", file.read_text())[1]
        few = [FEW] if name == "CorrelatedEllipses" else []
        configuration.parse(["vae.gin", str(file)], few)
        data = configuration.built("train.data")
        assert type(data).__name__ == name
        assert len(data.images()[[0, len(data) - 1]]) == 2


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    for name in ("TF_DISENTANGLE_CACHE", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def test_files_of_published_sets_say_what_they_are_and_how_to_get_them(empty_cache):
    for file in PUBLISHED:
        row = SETS[file.stem]
        comment = " ".join(re.findall("^# (.*)$", file.read_text(), re.MULTILINE))
        (count,) = {*row.counts.values()} - {10_000}  # those of MNIST's test
        for words in (
            f"{count:,} images" if count else "your images",
            " x ".join(map(str, row.preprocessing.image_shape)),
            f"bin/data prepare {file.stem}",
        ):
            assert words in comment, file
        configuration.parse(["vae.gin", str(file)])
        with pytest.raises(checks.ArgumentError, match=f"data prepare {file.stem}"):
            configuration.built("train.data")


@pytest.mark.parametrize("name", ["shapes3d", "celeb_a"])
def test_a_published_set_is_trained_on_once_prepared(name, empty_cache, monkeypatch):
    made = make(name, empty_cache / "downloads" / name)
    monkeypatch.setitem(SETS, name, made.row)
    few = ["train.validation_size = 4", "train.batch_size = 4", "train.metrics = []"]
    files = ["vae.gin", ROOT / "datasets" / f"{name}.gin"]
    model = prepared(files, few, empty_cache / "run").model
    assert model.image_shape == (64, 64, 3)
    assert len(configuration.built("train.data")) == len(made.images)


def test_sets_wrap_sets_that_wrap_sets(tmp_path):
    bindings = [
        "train.data = @HeldOut()",
        "HeldOut.dataset = @Noisy()",
        "HeldOut.combinations = [{'shape': 3, 'object_hue': (0, 1)}, {'scale': 7}]",
        "Noisy.dataset = @Rooms3D()",
        "Noisy.seed = 4",
    ]
    configuration.parse(["vae.gin"], bindings)
    data = configuration.built("train.data")
    assert data.dataset.seed == 4
    assert len(data.held_out) == 480_000 - 420_000 * 19 // 20
    (tmp_path / "config.gin").write_text(configuration.with_defaults())
    configuration.parse([str(tmp_path / "config.gin")])
    again = configuration.built("train.data")
    np.testing.assert_array_equal(again.images()[:5], data.images()[:5])


def test_schedules_clipping_and_callbacks_are_bound_in_gin(tmp_path):
    bindings = [
        "Adam.learning_rate = @CosineDecay()",
        "CosineDecay.initial_learning_rate = 0.5",
        "CosineDecay.decay_steps = 10",
        "Adam.global_clipnorm = 2.0",
        "train.callbacks = [@TerminateOnNaN()]",
    ]
    optimizer = prepared(["vae.gin"], [FEW, *bindings], tmp_path).model.optimizer
    assert optimizer.global_clipnorm == 2.0
    assert float(optimizer.learning_rate) == pytest.approx(0.5)


def test_an_objective_of_its_own_from_parts():
    bindings = [
        "Objective.name = 'mine'",
        "Objective.kl_term = @CapacityKL()",
        "CapacityKL.gamma = 20.0",
        "CapacityKL.capacity = @CosineSchedule()",
        "CosineSchedule.start = 1.0",
        "CosineSchedule.end = 9.0",
        "CosineSchedule.steps = 4",
        "Objective.penalties = [@TotalCorrelation(), @CovariancePenalty()]",
        "TotalCorrelation.weight = 3.0",
        "CovariancePenalty.lambda_od = 1.0",
        "CovariancePenalty.lambda_d = 2.0",
        "Objective.likelihood = @Normal()",
        "Normal.scale = 0.5",
    ]
    configuration.parse([], bindings)
    objective = configuration.build("Objective")
    assert configuration.unused_bindings() == []
    assert float(objective.kl_term.capacity(2)) == pytest.approx(5.0)
    assert objective.penalties[0].weight == 3.0
    assert objective.penalties[1].lambda_d == 2.0
    assert objective.likelihood.scale == 0.5


MINE = """
import gin
import tensorflow as tf
import tensorflow_probability as tfp
from tf_disentangle import priors

@gin.register
class WideNormal(priors.Prior):
    'p(z) = N(0, s^2 I).'
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
    def distribution(self):
        zeros = tf.zeros(self.num_latents)
        return tfp.distributions.MultivariateNormalDiag(zeros, self.scale + zeros)
    def marginals(self):
        return tfp.distributions.Normal(tf.zeros(self.num_latents), self.scale)

@gin.register
def answer(dataset, encode):
    return 42
"""


def test_a_users_own_prior_and_metric_from_outside(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(MINE)
    (tmp_path / "mine.gin").write_text(
        "import my_module\n"
        "include 'vae.gin'\n"
        "GaussianLatents.prior = @WideNormal()\n"
        "WideNormal.scale = 3.0\n"
        "train.metrics = ['answer']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = prepared([tmp_path / "mine.gin"], [FEW], tmp_path / "run")
    assert run.model.latents.prior.scale == 3.0
    assert run.metrics[0](None, None) == 42
    # What config.gin will hold reads again, the import included.
    (tmp_path / "config.gin").write_text(configuration.with_defaults())
    again = prepared([tmp_path / "config.gin"], [], tmp_path / "run")
    assert again.model.latents.prior.scale == 3.0


def test_a_critics_penalty_is_added_to_chyvae_from_gin_alone(tmp_path):
    """The example of docs/free_combination.md."""
    document = (ROOT.parent / "docs" / "free_combination.md").read_text()
    example = re.search(r"    include 'chyvae.gin'\n(?:    .+\n)+", document)[0]
    (tmp_path / "mine.gin").write_text(textwrap.dedent(example))
    narrow = ["mlp_critic.width = 8", "train.metrics = []"]
    model = prepared([tmp_path / "mine.gin"], [FEW, *narrow], tmp_path / "run").model
    assert model.critic.count_params() < 500
    assert "critic_loss" in model.statistics.names


# Study: how many runs it has.
STUDIES = {
    "cfactor_vae": 9,
    "cfactor_vae_small": 9,
    "cfactor_vae_tenth": 9,
    "chyvae": 260,
    "chyvae_dsprites": 6,
    "chyvae_figure_3": 9,
    "chyvae_small": 18,
    "chyvae_strengths": 5,
    "decomposition": 70,
    "decomposition_priors_small": 24,
    "decomposition_priors_tenth": 24,
    "decomposition_small": 24,
    "decomposition_sparse": 30,
    "decomposition_sparse_small": 24,
    "factor_vae": 100,
    "factor_vae_small": 12,
    "infogan_mnist": 10,
    "joint_vae": 30,
    "joint_vae_mnist": 10,
    "joint_vae_small": 9,
    "locatello_2019": 12_600,
    "locatello_2019_small": 54,
}


@functools.cache
def plan_of(file):
    known = inspect.signature(study).parameters
    asked = configuration.arguments(str(file), "study", known)
    return Plan.make(**asked)


@pytest.mark.parametrize("name", STUDIES)
def test_studies_have_their_runs(name):
    plan = plan_of(ROOT / "studies" / f"{name}.gin")
    assert plan.about["name"] == name
    assert len(plan.runs) == STUDIES[name]
    for metric in plan.about["metrics"] or ():
        assert metric in metrics.METRICS


def test_every_study_is_in_the_table():
    assert {file.stem for file in ROOT.glob("studies/*.gin")} == set(STUDIES)


def test_index_of_the_2019_study_is_its_model_num():
    """1800 for each data set, 50 for each setting, 1 for each seed."""
    runs = plan_of(ROOT / "studies/locatello_2019.gin").runs
    first, last = runs[0], runs[12_599]
    assert (first.data, first.method, first.strength) == ("dsprites", "beta-VAE", 1.0)
    assert (last.data, last.method, last.strength) == ("shapes3d", "AnnealedVAE", 100.0)
    run = runs[1800 * 4 + 50 * 20 + 7]
    assert (run.data, run.method) == ("smallnorb", "DIP-VAE-II")
    assert (run.strength, run.seed) == (5.0, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STUDIES if name.endswith("_small")])
def test_small_studies_can_be_built(name):
    checking.check(plan_of(ROOT / "studies" / f"{name}.gin"))
