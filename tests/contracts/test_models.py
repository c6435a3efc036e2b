"""What the model of every file in gin/ must do. A new file is picked up by itself.

The published settings in gin/papers/ are the same models with other numbers; the two
whose priors are in no other file are tested beside.
"""

import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.serving.portable import check_signatures
from tf_disentangle import configuration, load
from tf_disentangle.latents import LATENTS
from tf_disentangle.models.fitting import step_seed
from tf_disentangle.objectives import ADVERSARIAL_OBJECTIVES, OBJECTIVES
from tf_disentangle.priors import (
    PRIORS,
)

ROOT = configuration.gin_root()
FILES = [
    *sorted(ROOT.glob("*.gin")),
    ROOT / "papers" / "decomposition_pca_learned.gin",  # a prior with a weight
    ROOT / "papers" / "decomposition_student_t.gin",
]
#: Files whose model is a second of its kind, slow, and what stands for it: the file of
#: another, and what test_objectives.py, test_priors.py and test_combinations.py, beside
#: this, say of the part in which the two differ.
SECOND = {
    "annealed_vae": "pinwheel",
    "beta_tcvae": "joint_tcvae",
    "beta_vae": "pinwheel",
    "cfactor_vae": "infogan",
    "chyvae_dip": "chyvae",
    "chyvae_discrete": "joint_tcvae",
    "chyvae_inverse_gamma": "chyvae",
    "chyvae_marginal": "chyvae",
    "chyvae_mean_field": "chyvae",
    "decomposition_pca_learned": "pinwheel",
    "decomposition_student_t": "pinwheel",
    "decomposition_vae": "pinwheel",
    "dip_vae_i": "pinwheel",
    "dip_vae_ii": "pinwheel",
    "factor_vae": "infogan",  # models/test_factor_vae.py and test_keras.py have it
    "infowgan_gp": "infogan",
    "joint_vae": "joint_tcvae",
    "joint_vae_invariant": "joint_tcvae",
    "laplace_beta_tcvae": "joint_tcvae",
    "vae": "pinwheel",
}
#: Slow as well, for other tests have the like by default: test_keras.py, models/.
LONG = ("infogan", "joint_tcvae")
#: Parts of a model in no file, and why that will do.
IN_NO_FILE = {"UniformPrior": "in gin/papers/, whose data are not here; tests/papers"}

#: Variables that a step leaves as they are, and why that is right.
UNMOVED = {"infowgan_gp": ["head/bias"]}  # the critic's: only its differences count

# Narrow networks, few images, few steps: the suite stays fast.
SMALL = [
    "CorrelatedEllipses.num_images = 64",
    "Pinwheel.num_points = 64",
    "principal_shares.num_images = 64",
    "conv_encoder.width = 8",
    "conv_decoder.width = 8",
    "mlp_critic.width = 8",
    "mlp_encoder.width = 8",
    "mlp_decoder.width = 8",
    "train.batch_size = 8",
    "train.validation_size = 16",
    "train.steps = 2",
    "train.metrics = []",
    "CriticTraining.updates = 2",
    "Intervals.log = 1",
    "Intervals.evaluate = 2",
    "Intervals.save = 1",
    "Intervals.pictures = 0",
]


def text_of(file):
    """The lines of a gin file and of what it includes, without comments."""
    lines = [x for x in file.read_text().splitlines() if not x.startswith("#")]
    included = re.findall(r"^include '(.+)'", "\n".join(lines), re.MULTILINE)
    return "\n".join([*lines, *(text_of(ROOT / name) for name in included)])


def test_every_objective_latent_space_and_prior_is_in_one_of_the_files():
    found = set(re.findall(r"= @(\w+)\(\)", "\n".join(map(text_of, FILES))))
    all_of_them = {*OBJECTIVES, *ADVERSARIAL_OBJECTIVES, *LATENTS, *PRIORS}
    missing = all_of_them - found
    assert missing == set(IN_NO_FILE), "bind it in gin/NAME.gin"


def prepared(file, output, *bindings):
    """Returns the run of a file, small and not started, and its configuration."""
    parts = {"train", "Intervals", *re.findall(r"@(\w+)", text_of(file))}
    small = [binding for binding in SMALL if binding.split(".")[0] in parts]
    configuration.parse([str(file)], [*small, *bindings])
    run = configuration.build("train", output=str(output), dry_run=True)
    configuration.drop_unused()
    return run, configuration.with_defaults()


def trained(file, output, *bindings):
    """Returns what `bin/train` makes of the file, small, eagerly, without pictures."""
    run, config = prepared(file, output, *bindings)
    run.model.run_eagerly = True  # the graph is compared with that below
    run._loop.draw = lambda: None
    # Of the latents alone, and traced for each model: tests/objectives has them.
    run.model.diagnostics = lambda images, seed: {}
    return run.start(config)


def cases():
    """Returns the files, of each kind one that is not slow."""
    stems = {file.stem for file in FILES}
    assert {*SECOND, *SECOND.values()} <= stems and not {*SECOND} & {*SECOND.values()}
    slow = {*SECOND, *LONG}
    return [
        pytest.param(f, id=f.stem, marks=pytest.mark.slow if f.stem in slow else ())
        for f in FILES
    ]


@pytest.fixture(params=cases())
def file(request):
    return request.param


def data_for(model, count):
    """Random images, or vectors, that the model takes."""
    rng, shape = np.random.default_rng(0), (count, *model.image_shape)
    if model.is_vector:
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def weights(model):
    held = [model, *model.optimizers.values()]
    return [v.numpy() for part in held for v in part.variables]


def same_weights(a, b):
    pairs = zip(weights(a), weights(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_trains_resumes_is_saved_and_served(file, tmp_path):
    result = trained(file, tmp_path / "a")
    model = result.model
    assert all(np.isfinite(result.terms[n]) for n in model.statistics.names)

    # As if killed after one step, and gone on: the same weights, bit for bit, also
    # without another look at the held-out images.
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "step-2")
    resumed = trained(file, tmp_path / "b", "Intervals.evaluate = 0")
    assert same_weights(model, resumed.model)

    # Loaded again: the same codes.
    frames = data_for(model, 16)
    codes = model.encode(frames)
    loaded = load(tmp_path / "b")
    assert loaded.step == 2
    np.testing.assert_array_equal(loaded.encode(frames), codes)

    # What is served: the model's own answers, in operations that every runtime has.
    check_signatures(loaded.model, frames, codes)

    # The graph of validation computes what is computed eagerly.
    seed, step = step_seed(0, tf.constant(0, tf.int64)), model.steps_done
    eager, each = model.held_out_terms(tf.constant(frames), seed, step)
    graph, again = model._held_out(frames, seed, step)
    assert each.shape == [model.latents.num_latents]
    np.testing.assert_allclose(again, each, rtol=1e-4, atol=1e-5)
    for name, value in eager.items():
        np.testing.assert_allclose(graph[name], value, rtol=1e-4, atol=1e-5)

    # Saved by Keras: the same weights, and both optimisers.
    resumed.model.save(tmp_path / "m.keras")
    kept = keras.saving.load_model(tmp_path / "m.keras")
    assert same_weights(kept, resumed.model)

    # A step in a graph moves every variable, to where an eager one does.
    frames = tf.constant(data_for(model, 4 * model.batches_per_step))
    before = [v.numpy() for v in kept.trainable_variables]
    tf.function(kept.train_step, autograph=False)(frames)
    model.statistics.reset_state()
    expected = model.train_step(frames)
    for name, value in kept.get_metrics_result().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)
    after = [v.numpy() for v in kept.trainable_variables]
    assert all(np.isfinite(new).all() for new in after)
    triples = zip(kept.trainable_variables, before, after, strict=True)
    unmoved = [v.path for v, old, new in triples if np.array_equal(old, new)]
    assert unmoved == UNMOVED.get(file.stem, [])
