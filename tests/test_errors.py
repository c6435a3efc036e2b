"""docs/errors.md: what each mistake is answered, provoked through the command line.

The table is made of these cases, and each test compares one row with the file. When a
message changed on purpose:

    python tests/test_errors.py --write

A new case is one line in `CASES`.
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

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import gin  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tf_disentangle.cli.main import main  # noqa: E402

DOCUMENT = ROOT / "docs" / "errors.md"

# What a user would have beside a gin file.
MY_PARTS = '''
import gin
import keras
import numpy as np

from tf_disentangle.datasets import Dataset


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

MY_ELBO = """
import gin

@gin.register
def elbo():
    return None
"""

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
        mistake: In words; the row's name.
        command: As typed, without the bin/ before it.
        files: Contents by name, in the current folder, before the command runs.
        prepare: Called in the current folder before the command, with an ExitStack
            for what must end with it; its docstring is part of the row.
        process: Whether the command needs a process of its own.
    """

    mistake: str
    command: str
    files: dict = dataclasses.field(default_factory=dict)
    prepare: object = None
    process: bool = False


def gin_case(mistake, text, then=""):
    """A file mine.gin with `text`."""
    return Case(mistake, f"train --gin_file=mine.gin{then}", {"mine.gin": text})


def param_case(mistake, *bindings, file="vae.gin"):
    """A binding on the command line."""
    given = " ".join(f"--gin_param={shlex.quote(b)}" for b in bindings)
    return Case(mistake, f"train --gin_file={file} {given}")


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


def no_config(stack):
    """`runs/a/config.gin` was deleted"""
    pathlib.Path("runs/a/config.gin").unlink()


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
    pathlib.Path("runs/a/export/1").mkdir(parents=True)


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


def _environment(stack, **values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)

    def restore():
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

    stack.callback(restore)


AGAIN = "train --gin_file=runs/a/config.gin"
SQUARES = "import my_parts\ninclude 'vae.gin'\ntrain.data = @Squares()\n"

CASES = {
    "Commands and options": [
        Case("A misspelt command", "trian --gin_file=vae.gin"),
        Case("No configuration", "train"),
        Case("A misspelt option", "train --gin_fil=vae.gin"),
        Case("An option's name left out", "train vae.gin"),
        Case(
            "A switch that is neither on nor off", "train --gin_file=vae.gin --check=x"
        ),
        Case("No run", "evaluate"),
        Case("Two runs", "evaluate runs/a runs/b"),
        Case("A misspelt choice", "visualize runs/a --checkpoint=bets"),
        Case("Traversals that do not move", "visualize runs/a --range=0,0"),
        Case("A word for a number", "export runs/a --version=three"),
        Case("An argument that a command does not take", "list models"),
        Case("An option that a command does not have", "doctor --cache=x"),
    ],
    "Data sets": [
        Case("An action that is none", "data prepar mnist"),
        Case("An unknown data set", "data prepare shapes3"),
        Case(
            "A published file cut short",
            "data prepare mpi3d_toy --source=mpi3d_toy.npz",
            {"mpi3d_toy.npz": "PK, and no more"},
        ),
        Case(
            "A file of another set",
            "data prepare mpi3d_toy --source=mpi3d_real.npz",
            {"mpi3d_real.npz": "PK, and no more"},
        ),
        Case("A set that is made from another one", "data sample Noisy"),
        Case("A source without the files", "data prepare mnist --source=runs"),
        gin_case(
            "A folder of images that is not there",
            "include 'vae.gin'\ntrain.data = @ImageFolder()\n"
            "ImageFolder.path = 'picturs'",
        ),
    ],
    "gin files: reading them": [
        Case("A file that is not there", "train --gin_file=chyvea.gin"),
        Case("A folder for a file", "train --gin_file=mine.gin", prepare=folder_gin),
        Case("A file that is not UTF-8", "train --gin_file=mine.gin", prepare=latin_1),
        gin_case("An include that is not there", "include 'vea.gin'"),
        gin_case("A file that includes itself", "include 'mine.gin'"),
        gin_case("An import that is not there", "import my_party"),
        Case(
            "An import that fails",
            "train --gin_file=mine.gin",
            {"mine.gin": "import my_broken", "my_broken.py": "x = undefined\n"},
        ),
        Case(
            "An import with a syntax error",
            "train --gin_file=mine.gin",
            {"mine.gin": "import my_unreadable", "my_unreadable.py": "def f(:\n"},
        ),
        gin_case("No value", "train.steps ="),
        gin_case("A line that is no statement", "train.steps 300"),
        gin_case("An open bracket", "train.metrics = [@factor_vae_score"),
        gin_case("No comma", "train.metrics = [@factor_vae_score @mine]"),
        gin_case("Arguments in parentheses", "build_vae.objective = @beta_vae(beta=3)"),
        gin_case("A function without its @", "build_vae.objective = beta_vae(beta=3)"),
        gin_case("Arithmetic", "train.steps = 2 * 3"),
        gin_case("A string without quotes", "Device.strategy = mirrored"),
        param_case("Quotes that the shell took", "factor_vae_score.protocol=dlib"),
        gin_case("Another language's true", "train.with_replacement = true"),
        gin_case("An include without quotes", "include vae.gin"),
        gin_case("A space in a name", "train. steps = 3"),
        gin_case("No name", "= 3"),
        gin_case("A block without indentation", "train:\nsteps = 3"),
        gin_case("Two values for one name", "train.steps = 1\ntrain.steps = 2"),
        gin_case(
            "An include below what it overwrites", "train.steps=9\ninclude 'vae.gin'"
        ),
        gin_case("A value that was left to be set", "train.seed = %gin.REQUIRED"),
    ],
    "gin files: names": [
        gin_case("A misspelt function", "include 'vae.gin'\nbeta_va.beta = 3"),
        gin_case("A misspelt parameter", "include 'vae.gin'\ntrain.stepz = 3"),
        param_case("The same on the command line", "train.stepz=3"),
        Case(
            "The same in an included file",
            "train --gin_file=mine.gin",
            {"mine.gin": "include 'b.gin'", "b.gin": "\ntrain.stepz = 3"},
        ),
        gin_case("A misspelt block", "trian:\n  steps = 3"),
        param_case("A misspelt reference", "train.optimizer=@Adma"),
        gin_case("A misspelt macro", "width = 8\nconv_encoder.width = %widht"),
        param_case("A macro that nobody defined", "train.steps=%number_of_steps"),
        gin_case(
            "A macro that refers to itself",
            "include 'vae.gin'\ntrain.seed = %a\na = %a",
        ),
        Case(
            "A name that is taken",
            "train --gin_file=mine.gin",
            {"mine.gin": "import my_elbo", "my_elbo.py": MY_ELBO},
            forgotten,
        ),
        param_case(
            "A parameter that an optimiser does not have", "Adam.learnin_rate=0.1"
        ),
    ],
    "gin files: bindings without effect": [
        param_case("For an objective that is not used", "beta_vae.beta=4"),
        gin_case(
            "For a prior that is not used",
            "include 'vae.gin'\nInverseWishartPrior.nu = 200",
        ),
        param_case(
            "For a metric that is not used",
            "train.metrics=[]",
            "factor_vae_score.seed=1",
        ),
        param_case("A parameter without its function", "steps=5000"),
        gin_case("A macro that nothing uses", "include 'vae.gin'\nbatch = 64"),
        param_case("What another option sets", "train.output='runs/b'"),
        param_case("What the library sets", "conv_encoder.seed=1"),
        param_case("In a scope that nothing enters", "small/conv_encoder.width=8"),
        Case("When a run is scored", "evaluate runs/a --gin_param=beta_vae.beta=4"),
    ],
    "Values": [
        param_case(
            "Too few degrees of freedom", "InverseWishartPrior.nu=9", file="chyvae.gin"
        ),
        param_case("A negative weight", "beta_vae.beta=-1", file="beta_vae.gin"),
        param_case("A string for a number", "beta_vae.beta='4'", file="beta_vae.gin"),
        param_case("A fraction for a count", "train.batch_size=0.5"),
        param_case("An exponent for a count", "train.steps=1e5"),
        param_case("A list for a number", "train.seed=[1, 2]"),
        param_case("None for a number", "train.steps=None"),
        param_case("None for the data", "train.data=None"),
        param_case("A negative seed", "train.seed=-1"),
        param_case("A seed of more than 31 bits", "train.seed=3000000000"),
        param_case("A string for True or False", "train.with_replacement='no'"),
        param_case("No latents", "GaussianLatents.num_latents=0"),
        param_case("No units", "conv_decoder.width=0"),
        param_case("A misspelt choice of latents", "GaussianLatents.covariance='ful'"),
        param_case("An unknown precision", "build_vae.precision='float16'"),
        param_case("A correlation of 1 and more", "CorrelatedEllipses.correlation=1.5"),
        param_case(
            "A matrix that is no covariance",
            "GaussianLatents.num_latents=2",
            "InverseWishartPrior.sigma0=[[1, 2], [2, 1]]",
            file="chyvae.gin",
        ),
        param_case(
            "A matrix of another size",
            "InverseWishartPrior.sigma0=[[1, 0], [0, 1]]",
            file="chyvae.gin",
        ),
        param_case("A negative learning rate", "Adam.learning_rate=-0.1"),
        param_case("A learning rate in words", "Adam.learning_rate='fast'"),
        param_case("A decay rate of 1", "Adam.beta_1=1.0"),
        param_case("Clipping to nothing", "Adam.global_clipnorm=0"),
        param_case("A path that is none", "CorrelatedEllipses.cache_dir=1"),
        param_case("A misspelt protocol", "factor_vae_score.protocol='dlip'"),
        param_case("A metric without votes", "factor_vae_score.num_test_votes=0"),
        param_case("No logging interval", "Intervals.log=0"),
        param_case("No checkpoint kept", "Intervals.keep=0"),
        param_case(
            "A category without a choice",
            "CategoricalLatents.sizes=[1]",
            file="joint_vae.gin",
        ),
        param_case(
            "A number for a list of sizes",
            "CategoricalLatents.sizes=10",
            file="joint_vae.gin",
        ),
        param_case(
            "A temperature of 0",
            "CategoricalLatents.temperature=0",
            file="joint_vae.gin",
        ),
        param_case(
            "A negative capacity of the categories",
            "discrete/LinearSchedule.end=-1",
            file="joint_vae.gin",
        ),
        Case("Steps that are none", "visualize runs/a --range=3"),
    ],
    "Parts": [
        gin_case(
            "A part that is missing", "train.model = @build_vae\ntrain.steps = 100"
        ),
        param_case(
            "No parentheses where a thing is needed", "build_vae.objective=@elbo"
        ),
        param_case("The same for data", "train.data=@CorrelatedEllipses"),
        param_case("The same for a schedule", "Adam.learning_rate=@CosineDecay"),
        param_case(
            "Parentheses where a function is needed",
            "train.metrics=[@factor_vae_score()]",
        ),
        param_case("The same for a model", "train.model=@build_vae()"),
        param_case(
            "A part of another kind", "build_vae.objective=@StandardNormalPrior()"
        ),
        param_case(
            "A name in quotes for a part", "build_vae.latents='GaussianLatents'"
        ),
        param_case(
            "Categorical latents where continuous ones are needed",
            "JointLatents.continuous=@CategoricalLatents()",
            file="joint_vae.gin",
        ),
        param_case(
            "A metric that takes a category for a quantity",
            "train.metrics=[@strong_downstream_score]",
            file="joint_vae.gin",
        ),
        param_case("A name in quotes for an optimiser", "train.optimizer='Adam'"),
        param_case(
            "A name in quotes for a metric", "train.metrics=['factor_vae_score']"
        ),
        param_case("A name in quotes for a likelihood", "elbo.likelihood='bernoulli'"),
        param_case("A metric without a list", "train.metrics=@factor_vae_score"),
        param_case("A number for a model", "train.model=3"),
        param_case("A number for a network", "build_vae.encoder=3"),
        param_case("A function that makes no model", "train.model=@elbo"),
        param_case("A function that makes no network", "build_vae.encoder=@elbo"),
        param_case("A function that is no metric", "train.metrics=[@elbo]"),
        param_case("A callback that is none", "train.callbacks=[@elbo()]"),
        param_case("A callback that needs a value", "train.callbacks=[@CSVLogger()]"),
    ],
    "Objectives, latents and priors": [
        param_case(
            "A negative weight of the capacity",
            "annealed_vae.gamma=-1",
            file="annealed_vae.gin",
        ),
        param_case(
            "A negative capacity", "LinearSchedule.end=-5", file="annealed_vae.gin"
        ),
        param_case(
            "A schedule of no steps", "LinearSchedule.steps=0", file="annealed_vae.gin"
        ),
        param_case(
            "A negative weight of total correlation",
            "beta_tcvae.beta=-1",
            file="beta_tcvae.gin",
        ),
        param_case(
            "A misspelt estimator",
            "beta_tcvae.estimator='stratifyed'",
            file="beta_tcvae.gin",
        ),
        param_case("A negative lambda", "dip_vae_i.lambda_od=-1", file="dip_vae_i.gin"),
        param_case(
            "A negative weight of the divergence",
            "decomposition_vae.alpha=-1",
            file="decomposition_vae.gin",
        ),
        param_case(
            "A misspelt divergence",
            "decomposition_vae.divergence='mmdd'",
            file="decomposition_vae.gin",
        ),
        param_case(
            "A share above 1", "SparsePrior.gamma=1.5", file="decomposition_vae.gin"
        ),
        param_case(
            "A Student-t without degrees of freedom",
            "GaussianLatents.prior=@StudentTProductPrior()",
            "StudentTProductPrior.df=0",
        ),
        param_case(
            "Weights of a mixture that do not sum to 1",
            "NormalMixturePrior.weights=[0.5, 0.5, 0.5, 0.5]",
            file="pinwheel.gin",
        ),
        param_case(
            "Clusters of another dimension",
            "GaussianLatents.num_latents=3",
            file="pinwheel.gin",
        ),
        param_case(
            "Three variances for ten latents",
            "GaussianLatents.prior=@NormalPrior()",
            "NormalPrior.proportions=[1.0, 2.0, 3.0]",
        ),
        param_case("No scale of the noise", "Normal.scale=0.0", file="pinwheel.gin"),
        param_case(
            "An inverse gamma of concentration 0",
            "InverseGammaPrior.concentration=0",
            file="chyvae_inverse_gamma.gin",
        ),
        param_case(
            "A misspelt family",
            "LocationScaleLatents.family='laplas'",
            file="laplace_beta_tcvae.gin",
        ),
        param_case(
            "A hyperprior for a posterior that is not normal",
            "LocationScaleLatents.prior=@InverseWishartPrior()",
            "InverseWishartPrior.nu=200",
            file="laplace_beta_tcvae.gin",
        ),
        param_case(
            "A prior of latents that emit q(Sigma given x)",
            "GaussianLatents.prior=@MeanFieldInverseWishartPrior()",
            "MeanFieldInverseWishartPrior.nu=200",
        ),
        param_case(
            "One penalty twice",
            "build_vae.objective=@Objective()",
            "Objective.name='mine'",
            "Objective.penalties=[@TotalCorrelation(), @TotalCorrelation()]",
            "TotalCorrelation.weight=1.0",
        ),
        param_case(
            "A batch of one for a total correlation",
            "train.batch_size=1",
            file="beta_tcvae.gin",
        ),
        param_case(
            "A negative weight of the critic's term",
            "factor_vae.gamma=-1",
            file="factor_vae.gin",
        ),
        param_case(
            "A critic that never learns",
            "CriticTraining.updates=0",
            file="factor_vae.gin",
        ),
        param_case(
            "A negative learning rate of the critic",
            "critic/Adam.learning_rate=-0.1",
            file="factor_vae.gin",
        ),
        param_case(
            "Two terms that need a critic",
            "build_vae.objective=@Objective()",
            "Objective.name='mine'",
            "Objective.penalties=[@a/CriticTotalCorrelation(), "
            "@b/CriticTotalCorrelation()]",
            "a/CriticTotalCorrelation.name='first'",
            "b/CriticTotalCorrelation.name='second'",
        ),
        param_case(
            "A critic's settings for an objective without",
            "mlp_critic.width=8",
        ),
        param_case(
            "A name in quotes for a critic",
            "build_vae.critic='mlp_critic'",
            file="factor_vae.gin",
        ),
        param_case(
            "Settings of a critic without parentheses",
            "build_vae.critic_training=@CriticTraining",
            file="factor_vae.gin",
        ),
        param_case(
            "A second batch that the data do not have",
            "CriticTraining.second_batch=True",
            "CorrelatedEllipses.num_images=2080",
            file="factor_vae.gin",
        ),
        param_case(
            "A second batch where each update has its own",
            "CriticTraining.second_batch=True",
            file="infogan.gin",
        ),
        param_case(
            "A negative weight of the codes' information",
            "infogan.weight=-1",
            file="infogan.gin",
        ),
        param_case(
            "An ELBO for a game",
            "build_infogan.objective=@elbo()",
            file="infogan.gin",
        ),
        param_case(
            "A game for a VAE",
            "build_vae.objective=@infogan()",
        ),
        param_case(
            "An objective that leaves a posterior untrained",
            "build_vae.objective=@beta_tcvae()",
            file="chyvae_mean_field.gin",
        ),
        param_case(
            "Variances of unequal length",
            "NormalMixturePrior.variances=[[1.0], [1.0, 2.0]]",
            file="pinwheel.gin",
        ),
        param_case(
            "A prior beyond float32",
            "InverseGammaPrior.scale=1e-60",
            file="chyvae_inverse_gamma.gin",
        ),
        param_case(
            "Networks for pictures, data of points",
            "build_vae.encoder=@conv_encoder",
            file="pinwheel.gin",
        ),
    ],
    "Scores": [
        Case("A misspelt metric", "evaluate runs/a --metrics=migg"),
        Case(
            "A protocol that no metric knows",
            "evaluate runs/a --metrics=sap --protocol=dlip",
        ),
        Case("A misspelt factor", "evaluate runs/a --metrics=mig --factors=x,scal"),
        Case("No seeds", "evaluate runs/a --metrics=mig --seeds=0"),
        Case("Neither run nor codes", "evaluate --metrics=mig"),
        Case("Both run and codes", "evaluate runs/a --codes=codes.npz"),
        Case("Codes that are not there", "evaluate --codes=codes.npz"),
        Case(
            "Codes that are text",
            "evaluate --codes=codes.npz",
            {"codes.npz": "1, 2, 3"},
        ),
        Case(
            "Codes without factors",
            "evaluate --codes=codes.npz --metrics=mig",
            prepare=codes_alone,
        ),
        Case(
            "Codes the other way round",
            "evaluate --codes=codes.npz --metrics=mig",
            prepare=codes_transposed,
        ),
        Case(
            "Codes with a NaN",
            "evaluate --codes=codes.npz --metrics=mig",
            prepare=codes_with_nan,
        ),
    ],
    "What does not fit": [
        param_case(
            "A batch larger than the data", "CorrelatedEllipses.num_images=2040"
        ),
        param_case("A layer that memory cannot hold", "conv_encoder.width=10000000000"),
        param_case("More held out than there is", "train.validation_size=200000"),
        gin_case(
            "Images that the network cannot take",
            SQUARES,
        ),
        gin_case(
            "An encoder that emits too little",
            "import my_parts\ninclude 'vae.gin'\nvae.encoder = @narrow_encoder",
        ),
        gin_case(
            "A decoder of other images",
            "import my_parts\ninclude 'vae.gin'\nvae.decoder = @small_decoder",
        ),
        gin_case(
            "A metric of factors for data without",
            SQUARES + "Squares.side = 64",
        ),
        param_case("An objective without its prior", "build_vae.objective=@chyvae()"),
        param_case("Steps that no interval divides", "train.steps=150"),
        param_case("A intervals that is no multiple", "Intervals.save=150"),
        param_case("Steps per call that do not divide", "Device.steps_per_execution=3"),
    ],
    "Devices": [
        param_case("An unknown strategy", "Device.strategy='miror'"),
        param_case("A word for the compiler", "Device.jit_compile='auto'"),
        param_case("No steps per call", "Device.steps_per_execution=0"),
    ],
    "Run folders and checkpoints": [
        Case(
            "A file for the run folder",
            "train --gin_file=vae.gin --output=taken",
            prepare=a_file,
        ),
        Case(
            "A folder of something else",
            "train --gin_file=vae.gin --output=thesis",
            prepare=a_thesis,
        ),
        Case("A folder that is no run", "evaluate thesis", prepare=a_thesis),
        Case("No such folder", "visualize runs/c"),
        Case("A damaged run.json", "export runs/a", prepare=no_run_json),
        Case("A run of another version", "export runs/a", prepare=later_schema),
        Case("A run without its configuration", "export runs/a", prepare=no_config),
        Case("A damaged configuration", "export runs/a", prepare=broken_config),
        Case("A run in use", f"{AGAIN} --output=runs/a", prepare=locked),
        Case(
            "Another configuration in a run's folder",
            f"{AGAIN} --output=runs/a --gin_param=train.seed=1",
        ),
        Case(
            "Fewer steps than are done",
            f"{AGAIN} --output=runs/a --gin_param=train.steps=2",
        ),
        Case(
            "An interval that the steps done do not fit",
            f"{AGAIN} --output=runs/a --gin_param=train.steps=9 "
            "--gin_param=Intervals.log=3 --gin_param=Intervals.save=3",
        ),
        param_case("A warm start from no run", "train.warm_start='runs/c'"),
        param_case("A warm start from a number", "train.warm_start=3"),
        Case(
            "A best checkpoint of a run without validation",
            "evaluate runs/a --checkpoint=best",
            prepare=no_best,
        ),
        Case(
            "Checkpoints that are damaged, all of them",
            f"{AGAIN} --output=runs/a --gin_param=train.steps=8",
            prepare=damaged,
        ),
        Case("Nothing to score", "evaluate runs/a"),
        Case(
            "A model other than the run's",
            "evaluate runs/a --gin_param=GaussianLatents.num_latents=5",
        ),
        Case("Pictures into a file", "visualize runs/a --output=taken", prepare=a_file),
        Case("A version that is there", "export runs/a --version=1", prepare=exported),
        Case("Version 0", "export runs/a --version=0"),
    ],
    "Disk and cache": [
        Case(
            "A cache folder that is a file",
            f"{AGAIN} --output=runs/b",
            prepare=cache_is_a_file,
        ),
        Case(
            "A disk too full for the data",
            f"{AGAIN} --output=runs/b",
            prepare=small_files_and_no_data,
        ),
        Case(
            "A disk too full for a checkpoint",
            f"{AGAIN} --output=runs/b",
            prepare=small_files_only,
            process=True,
        ),
        Case(
            "A disk too full for an export", "export runs/a", prepare=small_files_only
        ),
    ],
}


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
            pathlib.Path(name).write_text(text + "\n")
        if case.prepare is not None:
            case.prepare(stack)
        command = shlex.split(case.command)
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
    # A progress bar may stand before and after.
    found = re.search(r"tf_disentangle \w+: [^\r]*", said)
    message = found[0].split("\n\n")[0].strip() if found else said
    message = re.sub(r"tempstate\d+|SaveV2_dtypes_\d+", "...", message)
    return code, re.sub(r"([\w./]+\.gin), line \d+", _without_line(case), message)


def _without_line(case):
    """Leaves out the lines of the library's files, which may grow."""
    own = {"runs/a/config.gin", *case.files}
    return lambda found: found[0] if found[1] in own else f"{found[1]}, line N"


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


# ---- The document.

HEAD = """\
# What mistakes are answered

A mistake in what was asked ends with exit code 2 and one message: the argument, its
rule, the value received and, where there is one, the remedy. Values are checked when
everything is built, before the first step; `bin/train --check` does that and stops. A
fault of the library ends with exit code 1 and a traceback: please report it.

This file is written by `python tests/test_errors.py --write`; `tests/test_errors.py`
provokes each of the {count} mistakes through the command line and compares. `runs/a` is
a finished run; `mine.gin` is the user's file, with / between its lines.
"""


def cell(text):
    return text.replace("|", r"\|").replace("<", "&lt;")


def row_of(case, message):
    """Returns the case's line of the table."""
    # The others have no launcher in bin/.
    launched = case.command.startswith(
        ("train", "evaluate", "visualize", "export", "data")
    )
    start = "bin/" if launched else "tf_disentangle "
    given = [f"`{start}{cell(case.command)}`"]
    given += [
        f"{name}: `{cell(' / '.join(text.strip().splitlines()))}`"
        for name, text in case.files.items()
    ]
    if case.prepare is not None and case.prepare.__doc__:
        given.append(f"({case.prepare.__doc__})")
    lines = [f"`{cell(line.strip())}`" for line in message.splitlines()]
    return f"| {case.mistake} | {'<br>'.join(given)} | {'<br>'.join(lines)} |"


def all_cases():
    return [case for cases in CASES.values() for case in cases]


@pytest.mark.parametrize("case", all_cases(), ids=lambda c: c.mistake.replace(" ", "_"))
def test_message(case, template):
    code, message = message_of(case, template)
    assert code == 2, message
    assert "Traceback" not in message and " at 0x" not in message
    assert re.match(r"tf_disentangle \w+: ", message)
    expected = DOCUMENT.read_text(encoding="utf-8").splitlines()
    row = row_of(case, message)
    assert row in expected, f"{row}\nis not in docs/errors.md: see the top of this file"


def test_the_document_has_these_rows_and_no_others():
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = [
        line for line in lines if line.startswith("| ") and "tf_disentangle" in line
    ]
    names = [row.split(" | ")[0][2:] for row in rows]
    assert names == [case.mistake for case in all_cases()]
    assert len(set(names)) == len(names) >= 50


def write():
    """Writes the document anew."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TF_DISENTANGLE_CACHE"] = f"{folder}/cache"
        template = train_template(folder)
        text = HEAD.format(count=len(all_cases()))
        for title, cases in CASES.items():
            text += f"\n## {title}\n\n| mistake | command | message |\n|---|---|---|\n"
            for case in cases:
                code, message = message_of(case, template)
                print(f"[{code}] {case.mistake}\n  {message}\n", flush=True)
                text += row_of(case, message) + "\n"
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        sys.exit(__doc__)
