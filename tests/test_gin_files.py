"""Every gin file parses, builds what it names, and tells its reader what it is."""

import re
import textwrap

import numpy as np
import pytest
from tests.datasets.published_files import make

from tf_disentangle import checks, configuration
from tf_disentangle.datasets import SETS

ROOT = configuration.gin_root()
RUNNABLE = sorted([*ROOT.glob("*.gin"), *ROOT.glob("papers/*.gin")])
ALL = sorted(ROOT.rglob("*.gin"))
# Enough for the largest batch, 1,000, beside the 2,000 held out.
FEW = "CorrelatedEllipses.num_images = 3000"


def test_there_are_gin_files():
    assert {"chyvae.gin", "vae.gin", "beta_vae.gin"} <= {f.name for f in RUNNABLE}


@pytest.mark.parametrize("file", ALL, ids=lambda f: str(f.relative_to(ROOT)))
def test_starts_with_a_comment(file):
    assert file.read_text().startswith("# ")


@pytest.mark.parametrize("file", RUNNABLE, ids=lambda f: f.stem)
def test_header_gives_paper_command_and_expectation(file):
    header = file.read_text().split("\n\n")[0]
    for word in ("Paper:", "Command:", "Expected:"):
        assert word in header
    assert f"--gin_file=gin/{file.relative_to(ROOT)}" in header


@pytest.mark.parametrize("file", RUNNABLE, ids=lambda f: f.stem)
def test_builds_and_every_binding_is_consumed(file, tmp_path):
    configuration.parse([str(file)])
    if "@CorrelatedEllipses()" in configuration.with_defaults():
        configuration.parse([str(file)], [FEW])
    experiment = configuration.build("train", output=str(tmp_path))
    for metric in experiment.metrics:
        assert re.fullmatch(r"[a-z_]+", metric.__name__)
    experiment.dry_run()
    assert configuration.unused_bindings() == []
    assert not (tmp_path / "run.json").exists(), "prepare writes nothing"


@pytest.mark.parametrize("file", sorted((ROOT / "metrics").glob("*.gin")))
def test_files_of_metrics_build_their_metrics(file, tmp_path):
    small = "CorrelatedEllipses.num_images = 2500"
    configuration.parse(["vae.gin", str(file)], [small])
    experiment = configuration.build("train", output=str(tmp_path))
    asked = re.findall(r"@(\w+)", file.read_text())
    assert [metric.__name__ for metric in experiment.metrics] == asked


SET_FILES = sorted((ROOT / "datasets").glob("*.gin"))
REAL = [f for f in SET_FILES if "@published()" in f.read_text()]
MADE = [f for f in SET_FILES if f not in REAL and f.stem != "pinwheel"]


@pytest.mark.parametrize("file", MADE, ids=lambda f: f.stem)
def test_files_of_data_sets_replace_the_set_of_a_model(file, tmp_path):
    text = file.read_text()
    named = re.search(r"^train.data = @(\w+)\(\)$", text, re.MULTILINE)[1]
    few = [FEW] if "@CorrelatedEllipses()" in text else []
    configuration.parse(["vae.gin", str(file)], few)
    experiment = configuration.build("train", output=str(tmp_path))
    assert type(experiment.dataset).__name__ == named
    assert experiment.model.image_shape == experiment.dataset.image_shape
    assert len(experiment.dataset.images()[[0, len(experiment.dataset) - 1]]) == 2


@pytest.mark.parametrize("file", REAL, ids=lambda f: f.stem)
def test_files_of_real_sets_say_what_they_are_and_how_to_get_them(
    file, tmp_path, monkeypatch
):
    for name in ("TF_DISENTANGLE_CACHE", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    row = SETS[file.stem]
    comment = file.read_text().splitlines()[0]
    (count,) = {*row.counts.values()} - {10_000}  # those of MNIST's test
    for words in (
        f"{count:,} images" if count else "your images",
        " x ".join(map(str, row.preprocessing.image_shape)),
        f"bin/data prepare {file.stem}",
    ):
        assert words in comment
    configuration.parse(["vae.gin", str(file)])
    with pytest.raises(checks.ArgumentError, match=f"data prepare {file.stem}"):
        configuration.build("train", output=str(tmp_path / "run"))


@pytest.mark.parametrize("name", ["shapes3d", "celeb_a"])
def test_files_of_real_sets_are_trained_on_once_prepared(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path))
    made = make(name, tmp_path / "downloads" / name)
    monkeypatch.setitem(SETS, name, made.row)
    few = ["train.validation_size = 4", "train.batch_size = 4"]
    configuration.parse(["vae.gin", str(ROOT / "datasets" / f"{name}.gin")], few)
    experiment = configuration.build("train", output=str(tmp_path / "run"))
    assert experiment.model.image_shape == (64, 64, 3)
    assert len(experiment.dataset) == len(made.images)


def test_sets_wrap_sets_that_wrap_sets(tmp_path):
    bindings = [
        "train.data = @HeldOut()",
        "HeldOut.dataset = @Noisy()",
        "HeldOut.combinations = [{'shape': 3, 'object_hue': (0, 1)}, {'scale': 7}]",
        "Noisy.dataset = @Rooms3D()",
        "Noisy.seed = 4",
    ]
    configuration.parse(["vae.gin"], bindings)
    data = configuration.build("train", output=str(tmp_path)).dataset
    assert data.dataset.seed == 4
    assert len(data.held_out) == 480_000 - 420_000 * 19 // 20
    saved = tmp_path / "config.gin"
    saved.write_text(configuration.with_defaults())
    configuration.parse([str(saved)])
    configuration.require_same_run(saved)
    again = configuration.build("train", output=str(tmp_path)).dataset
    np.testing.assert_array_equal(again.images()[:5], data.images()[:5])


def test_found_by_name_and_includes_mean_the_librarys_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    decoy = tmp_path / "datasets" / "correlated_ellipses.gin"
    decoy.parent.mkdir()
    decoy.write_text("train.steps = 'decoy'\n")
    configuration.parse(["chyvae.gin"])
    assert "decoy" not in configuration.with_defaults()


def test_a_users_file_wins_over_the_librarys_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vae.gin").write_text("train.steps = 123\n")
    configuration.parse(["vae.gin"])
    assert "train.steps = 123" in configuration.with_defaults()
    assert "GaussianLatents" not in configuration.with_defaults()


def test_includes_beside_the_including_file_are_found(tmp_path):
    (tmp_path / "common.gin").write_text("train.steps = 123\n")
    (tmp_path / "mine.gin").write_text("include 'common.gin'\n")
    configuration.parse([str(tmp_path / "mine.gin")])
    assert "train.steps = 123" in configuration.with_defaults()


def test_config_reads_again_as_the_same(tmp_path):
    configuration.parse(["chyvae.gin"], ["train.steps = 7"])
    text = configuration.with_defaults().split("# All values")[0]
    saved = tmp_path / "config.gin"
    saved.write_text(text)
    configuration.parse([str(saved)])
    assert configuration.with_defaults().split("# All values")[0] == text


@pytest.mark.parametrize(
    ("files", "bindings", "words"),
    [
        (["chyvea.gin"], [], "Did you mean chyvae.gin"),
        (["chyvae.gin"], ["beta_va.beta = 3"], "Did you mean beta_vae"),
        (["chyvae.gin"], ["train.stepz = 3"], "Did you mean steps"),
        (["chyvae.gin"], ["InverseWishartPrior.sgima0 = 3"], "Did you mean sigma0"),
        (["chyvae.gin"], ["train.optimizer = @Adma"], "Did you mean Adam"),
        (["chyvae.gin"], ["train.steps = %nope"], "must be defined, by a line nope ="),
        (["chyvae.gin"], ["train.steps = 2 * 3"], "end after one value"),
        (["chyvae.gin"], ["train.steps = \\"], "the value must be a number"),
        (["chyvae.gin"], ["(", "train.seed = 1"], "gin_param='\\('"),
    ],
)
def test_mistakes_are_named(files, bindings, words):
    with pytest.raises(ValueError, match=words):
        configuration.parse(files, bindings)


def test_a_run_goes_on_to_more_steps_but_not_as_another_run(tmp_path):
    saved = tmp_path / "config.gin"
    configuration.parse(["chyvae.gin"], ["train.steps = 100"])
    configuration.require_same_run(saved)  # not there yet
    saved.write_text(configuration.with_defaults())
    configuration.require_same_run(saved)
    allowed = [
        "train.steps = 200",
        "Intervals.save = 100",
        "Device.strategy = 'mirrored'",
    ]
    configuration.parse(["chyvae.gin"], allowed)
    configuration.require_same_run(saved)
    configuration.parse(["chyvae.gin"], ["InverseWishartPrior.nu = 13"])
    with pytest.raises(ValueError, match=r"InverseWishartPrior.nu: 200 -> 13"):
        configuration.require_same_run(saved)
    matrix = [[float(i == j) + 1e-3 * i * j for i in range(10)] for j in range(10)]
    configuration.parse(["chyvae.gin"], [f"InverseWishartPrior.sigma0 = {matrix}"])
    saved.write_text(configuration.with_defaults())
    configuration.require_same_run(saved)
    matrix[-1][-1] += 1.0
    configuration.parse(["chyvae.gin"], [f"InverseWishartPrior.sigma0 = {matrix}"])
    with pytest.raises(ValueError, match=r"sigma0: .* -> .*2.081"):
        configuration.require_same_run(saved)
    configuration.parse(["chyvae.gin"], ["Device.jit_compile = True"])
    with pytest.raises(ValueError, match=r"Device.jit_compile: not set -> True"):
        configuration.require_same_run(saved)


def test_macros_count_by_their_values_when_a_run_goes_on(tmp_path):
    saved, mine = tmp_path / "config.gin", tmp_path / "mine.gin"
    text = "include 'chyvae.gin'\ntrain.steps = %STEPS\nSTEPS = %SHORT\nSHORT = 4\n"
    mine.write_text(f"{text}NU = 30.0\nInverseWishartPrior.nu = %NU\n")
    configuration.parse([str(mine)])
    saved.write_text(configuration.with_defaults())
    for bindings in (["SHORT = 8"], ["STEPS = 8"], ["train.steps = 8"]):
        configuration.parse([str(mine)], bindings)
        configuration.require_same_run(saved)
    # Written without macros it is the same run.
    configuration.parse(["chyvae.gin"], ["InverseWishartPrior.nu = 3e1"])
    configuration.require_same_run(saved)
    for binding in ("NU = 31.0", "InverseWishartPrior.nu = 31.0"):
        configuration.parse([str(mine)], [binding])
        with pytest.raises(ValueError, match=r"Prior.nu: 30.0 -> 31.0\n  Choose"):
            configuration.require_same_run(saved)
    # A macro inside a list, and a string that only looks like one.
    names = "train.callbacks = [@CSVLogger(), %LAST]"
    text = f"{names}\nLAST = @late/CSVLogger()\nCSVLogger.filename = '%NU'\n"
    mine.write_text(f"{text}NU = 3\n")
    configuration.parse([str(mine)])
    saved.write_text(configuration.with_defaults())
    configuration.parse([str(mine)], ["NU = 4"])
    configuration.require_same_run(saved)
    configuration.parse([str(mine)], ["LAST = @CSVLogger()"])
    with pytest.raises(ValueError, match=r"\), @late/CSVLogger\(\)\] -> \[@CSV"):
        configuration.require_same_run(saved)


def test_schedule_clipping_and_callbacks_are_bound_in_gin(tmp_path):
    configuration.parse(
        ["vae.gin"],
        [
            "CorrelatedEllipses.num_images = 2500",
            "train.optimizer = @keras.optimizers.Adam",
            "Adam.learning_rate = @CosineDecay()",
            "CosineDecay.initial_learning_rate = 0.5",
            "CosineDecay.decay_steps = 10",
            "Adam.global_clipnorm = 2.0",
            "train.callbacks = [@EarlyStopping()]",
            "EarlyStopping.monitor = 'validation/elbo'",
        ],
    )
    experiment = configuration.build("train", output=str(tmp_path))
    optimizer = experiment.model.optimizer
    assert optimizer.global_clipnorm == 2.0
    assert float(optimizer.learning_rate) == pytest.approx(0.5)
    assert experiment.extras[0].monitor == "validation/elbo"


def test_an_objective_of_its_own_from_parts(tmp_path):
    configuration.parse(
        ["vae.gin"],
        [
            "CorrelatedEllipses.num_images = 2500",
            "build_vae.objective = @Objective()",
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
        ],
    )
    objective = configuration.build("train", output=str(tmp_path)).model.objective
    assert float(objective.kl_term.capacity(2)) == pytest.approx(5.0)
    assert [p.name for p in objective.penalties] == [
        "weighted_tc",
        "covariance_penalty",
    ]
    assert objective.penalties[0].weight == 3.0


MINE = """
import gin
import tensorflow as tf
import tensorflow_probability as tfp
from tf_disentangle.priors import (Prior,)

@gin.register
class WideNormal(Prior):
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
    mine = tmp_path / "mine.gin"
    mine.write_text(
        "import my_module\n"
        "include 'vae.gin'\n"
        "GaussianLatents.prior = @WideNormal()\n"
        "WideNormal.scale = 3.0\n"
        "train.metrics = [@answer]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    configuration.parse([str(mine)], ["CorrelatedEllipses.num_images = 2500"])
    experiment = configuration.build("train", output=str(tmp_path / "run"))
    assert experiment.model.latents.prior.scale == 3.0
    assert experiment.metrics[0](None, None) == 42
    # What config.gin will hold reads again, the import included.
    saved = tmp_path / "config.gin"
    saved.write_text(configuration.with_defaults())
    configuration.parse([str(saved)])
    again = configuration.build("train", output=str(tmp_path / "run"))
    assert again.model.latents.prior.scale == 3.0


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        ("Adam.learnin_rate = 0.1", "Did you mean learning_rate"),
        ("Adam.learning_rate = @CosineDecay", "with its parentheses"),
        ("Adam.learning_rate = -1.0", "learning_rate must be at least 0.0"),
        ("Adam.learning_rate = -1", "Received instead: learning_rate=-1"),
        ("build_vae.objective = @elbo", "with its parentheses"),
        ("build_vae.latents = 'x'", "latents must be Latents"),
        ("InverseWishartPrior.sigma0 = 'I'", "sigma0 must be a symmetric"),
    ],
)
def test_values_that_do_not_fit_are_the_users_mistakes(binding, words, tmp_path):
    small = "CorrelatedEllipses.num_images = 2500"
    configuration.parse(["chyvae.gin"], [small, binding])
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        configuration.build("train", output=str(tmp_path))


def test_missing_value_of_an_inner_function_names_that_function(tmp_path):
    configuration.parse(["vae.gin"], ["train.callbacks = [@CSVLogger()]"])
    with pytest.raises(ValueError, match="CSVLogger needs a value for 'filename'"):
        configuration.build("train", output=str(tmp_path))


def test_missing_value_is_named(tmp_path):
    configuration.parse([], ["train.model = @build_vae", "train.steps = 3"])
    with pytest.raises(ValueError, match=r"train needs a value for .*dataset"):
        configuration.build("train", output=str(tmp_path))


def used_up(text, tmp_path, *bindings, name="mine.gin"):
    """Parses and builds a file of this text; returns what `drop_unused` does."""
    file = tmp_path / name
    file.write_text(text)
    configuration.parse([str(file)], [FEW, *bindings])
    configuration.build("train", output=str(tmp_path / "run")).dry_run()
    return configuration.drop_unused()


UNUSED = {
    "objective": "beta_vae.beta = 4",
    "prior": "InverseWishartPrior.nu = 200",
    "given by the caller": "conv_encoder.seed = 3",
    "scope": "other/conv_encoder.width = 8",
    "macro": "steps = 300",
    "only of another that is not used": "factor = 2.0\nbeta_vae.beta = %factor",
    "keras": "keras.optimizers.SGD.momentum = 0.9",
}


@pytest.mark.parametrize("binding", UNUSED.values(), ids=UNUSED)
def test_a_binding_without_effect_is_an_error_that_names_it_and_its_line(
    binding, tmp_path
):
    name = re.escape(
        binding.splitlines()[0].split(" =")[0].removeprefix("keras.optimizers.")
    )
    with pytest.raises(checks.ArgumentError, match=name + r".*\(.*mine.gin, line 2"):
        used_up(f"include 'vae.gin'\n{binding}\n", tmp_path)
    for line in binding.splitlines():  # and so on the command line
        if "%" not in line:
            with pytest.raises(checks.ArgumentError, match=r"gin_param=.*" + name):
                used_up("include 'vae.gin'\n", tmp_path, line)


def test_bindings_that_are_used_are_no_error(tmp_path):
    text = """
include 'vae.gin'
wide = 16
half/conv_encoder.width = %wide
build_vae.encoder = @half/conv_encoder
train.metrics = [@factor_vae_score, @other/factor_vae_score]
factor_vae_score.num_test_votes = 30
other/factor_vae_score.protocol = 'dlib'
train.optimizer = @keras.optimizers.Adam
keras.optimizers.Adam.learning_rate = @rate/singleton()
rate/singleton.constructor = @CosineDecay
CosineDecay.initial_learning_rate = 0.5
CosineDecay.decay_steps = 10
train.callbacks = [@LambdaCallback()]
LambdaCallback.on_epoch_end = @CSVLogger
CSVLogger.filename = 'called later, if at all'
"""
    # The inner scope wins, so that of vae.gin is the one without effect.
    assert [d.split()[0] for d in used_up(text, tmp_path)] == ["conv_encoder.width"]


def test_defaults_of_a_replaced_part_are_dropped_and_named(tmp_path):
    dropped = used_up(
        "include 'chyvae.gin'\n"
        "build_vae.objective = @elbo()\n"
        "GaussianLatents.prior = @StandardNormalPrior()\n",
        tmp_path,
    )
    (nu,) = dropped
    assert re.fullmatch(r"InverseWishartPrior.nu \(chyvae.gin, line \d+\)", nu)
    config = configuration.with_defaults()
    assert "InverseWishartPrior" not in config
    # So what is written has no binding without effect, whoever reads it.
    assert used_up(config, tmp_path, name="config.gin") == []


def test_in_a_runs_configuration_a_line_for_nothing_is_an_error_too(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    text = "include 'vae.gin'\nvae.objective = @beta_vae()\nbeta_vae.beta = 4.0\n"
    replacing = "build_vae.objective = @elbo()"
    dropped = used_up(text, tmp_path, replacing, name="config.gin")
    assert dropped == [f"beta_vae.beta ({tmp_path}/config.gin, line 3)"]
    for line in ("InverseWishartPrior.nu = 200", "other/beta_vae.beta = 3", "a = 1"):
        with pytest.raises(checks.ArgumentError, match=re.escape(line)):
            used_up(f"{text}{line}\n", tmp_path, replacing, name="config.gin")
    # Evaluation gives values of its own to what the run binds.
    text = "include 'vae.gin'\nconv_encoder.seed = 3\n"
    assert len(used_up(text, tmp_path, name="config.gin")) == 1
    (tmp_path / "run.json").unlink()
    with pytest.raises(checks.ArgumentError, match=r"conv_encoder\.seed = 3"):
        used_up(text, tmp_path, name="config.gin")


def test_a_users_file_beside_the_librarys_is_a_users_file(tmp_path, monkeypatch):
    monkeypatch.setattr(configuration.origins, "gin_root", lambda: tmp_path)
    unused = "InverseWishartPrior.nu = 200\n"
    with pytest.raises(checks.ArgumentError, match=r"InverseWishartPrior\.nu = 200"):
        used_up(f"include 'vae.gin'\n{unused}", tmp_path)
    # As one of a set that others include, it is like the library's.
    (tmp_path / "part.gin").write_text(unused)
    text = "include 'vae.gin'\ninclude 'part.gin'\n"
    assert used_up(text, tmp_path) == ["InverseWishartPrior.nu (part.gin, line 1)"]


def test_what_a_file_replaces_it_must_not_bind_itself(tmp_path):
    first = tmp_path / "first.gin"
    first.write_text("include 'vae.gin'\nvae.objective = @beta_vae()\n")
    text = f"include '{first}'\nbeta_vae.beta = 4.0\nvae.objective = @elbo()\n"
    with pytest.raises(checks.ArgumentError, match=r"beta_vae\.beta = 4.0"):
        used_up(text, tmp_path)
    # Neither may a file that is read later.
    (tmp_path / "second.gin").write_text("build_vae.objective = @elbo()\n")
    text = f"include '{first}'\ninclude 'second.gin'\nbeta_vae.beta = 4.0\n"
    with pytest.raises(checks.ArgumentError, match=r"beta_vae\.beta = 4.0"):
        used_up(text, tmp_path)


def test_a_macro_whose_reference_was_replaced_is_dropped_and_named(tmp_path):
    text = "include 'vae.gin'\nSHORT = 4\nSTEPS = %SHORT\ntrain.steps = %STEPS\n"
    dropped = used_up(text, tmp_path, "train.steps = 8")
    assert dropped == [f"SHORT, STEPS ({tmp_path}/mine.gin, lines 2, 3)"]
    assert "STEPS" not in configuration.with_defaults()
    with pytest.raises(checks.ArgumentError, match="there is no %LONG anywhere"):
        used_up(f"{text}LONG = 9\n", tmp_path, "train.steps = 8")
    with pytest.raises(checks.ArgumentError, match="there is no %STEPS anywhere"):
        used_up(text, tmp_path, "STEPS = 6", "train.steps = 8")


def test_what_is_dropped_is_told_in_one_line_for_each_file(tmp_path):
    dropped = used_up("include 'vae.gin'\n", tmp_path, "train.metrics = []")
    (line,) = dropped
    assert re.fullmatch(
        r"factor_vae_score.protocol, factor_vae_score.seed "
        r"\(metrics/factor_vae_chyvae.gin, lines 3, 4\)",
        line,
    )


def test_macros_of_functions_that_are_called_later_wait_for_them(tmp_path):
    bindings = ["STEPS = 3", "mig_score.seed = %STEPS"]
    configuration.parse(["vae.gin"], [FEW, *bindings])
    configuration.build("train", output=str(tmp_path / "run")).dry_run()
    unused = configuration.unused_bindings()
    assert [key.scope for key in unused if not key.selector.endswith("score")] == [
        "STEPS"
    ]
    assert configuration.unused_bindings(["mig_score"]) == []


LAZY = """
import gin
from tf_disentangle.metrics import METRICS

@gin.configurable
def threshold(value=1):
    return value

@gin.register
def late(value=1):
    return value

@gin.register
def own_score(dataset, encode):
    METRICS["factor_vae"].on_data(dataset, encode)  # ends the dry run here
    return threshold(), late()
"""


def test_a_function_that_python_calls_later_may_have_bindings(tmp_path, monkeypatch):
    (tmp_path / "my_lazy_module.py").write_text(LAZY)
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        "import my_lazy_module\n"
        "include 'vae.gin'\n"
        "train.metrics = [@own_score]\n"
        "threshold.value = 2\n"
    )
    dropped = used_up(text, tmp_path)
    assert all(item.startswith("factor_vae_score.") for item in dropped)
    # @gin.register gives its values through references only, and there is none.
    with pytest.raises(checks.ArgumentError, match=r"late.value = 2 \(.*line 5"):
        used_up(f"{text}late.value = 2\n", tmp_path)


def test_a_later_file_wins_but_a_setting_is_never_lost_unseen(tmp_path):
    (tmp_path / "first.gin").write_text("train.steps = 1\n")
    (tmp_path / "second.gin").write_text("train.steps = 2\n")
    files = [str(tmp_path / "first.gin"), str(tmp_path / "second.gin")]
    configuration.parse([*files, files[1]], ["train.seed = 4", "train.seed = 4"])
    assert "train.steps = 2" in configuration.with_defaults()
    assert "train.seed = 4" in configuration.with_defaults()
    (tmp_path / "second.gin").write_text("train.steps = 2\ninclude 'first.gin'\n")
    with pytest.raises(
        ValueError, match=r"second.gin, line 1: .*Put the include first"
    ):
        configuration.parse(files[1:])
    (tmp_path / "second.gin").write_text("train.steps = 2\n\ntrain.steps = 2\n")
    with pytest.raises(ValueError, match=r"second.gin, line 1: .*gin, line 3. Remove"):
        configuration.parse(files[1:])


def test_files_are_utf_8_whatever_the_locale_is(tmp_path):
    file = tmp_path / "mine.gin"
    file.write_bytes("\ufeff# Grüße\ntrain.steps = 3\n".encode())
    configuration.parse([str(file)])
    assert "train.steps = 3" in configuration.with_defaults()


def test_gins_dynamic_registration_works_too(tmp_path):
    (tmp_path / "mine.gin").write_text(
        "from __gin__ import dynamic_registration\n"
        "from tf_disentangle import training\n"
        "include 'vae.gin'\n"
        "training.prepare.seed = 7\n"
    )
    configuration.parse([str(tmp_path / "mine.gin")], [FEW])
    experiment = configuration.build("train", output=str(tmp_path / "run"))
    assert experiment.batches.seed == 7
    assert configuration.unused_bindings() == []
    (tmp_path / "mine.gin").write_text(
        "from __gin__ import dynamic_registration\nnobody.steps = 3\n"
    )
    with pytest.raises(checks.ArgumentError, match="line 2: 'nobody' was not provided"):
        configuration.parse([str(tmp_path / "mine.gin")])


def test_a_critics_penalty_is_added_to_chyvae_from_gin_alone(tmp_path):
    """The example of docs/free_combination.md."""
    document = (ROOT.parent / "docs" / "free_combination.md").read_text()
    example = re.search(r"    include 'chyvae.gin'\n(?:    .+\n)+", document)[0]
    (tmp_path / "mine.gin").write_text(textwrap.dedent(example))
    narrow = ["mlp_critic.width = 8", "train.metrics = []"]
    configuration.parse([str(tmp_path / "mine.gin")], [FEW, *narrow])
    model = configuration.build("train", output=str(tmp_path / "run")).model
    assert model.critic.count_params() < 500
    names = ("kl_gaussian", "kl_covariance", "weighted_critic_tc", "critic_loss")
    assert model.statistics.names[-4:] == names
