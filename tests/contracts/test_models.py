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

from tf_disentangle import configuration, load
from tf_disentangle.latents import LATENTS
from tf_disentangle.models.fitting import step_seed
from tf_disentangle.objectives import ADVERSARIAL_OBJECTIVES, OBJECTIVES
from tf_disentangle.priors import (
    PRIORS,
)
from tf_disentangle.serving import export

ROOT = configuration.gin_root()
FILES = [
    *sorted(ROOT.glob("*.gin")),
    ROOT / "papers" / "decomposition_pca_learned.gin",  # a prior with a weight
    ROOT / "papers" / "decomposition_student_t.gin",
]
#: Parts of a model in no file, and why that will do.
IN_NO_FILE: dict[str, str] = {}

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
    "train.metrics = []",
    "Intervals.log = 2",
    "Intervals.evaluate = 2",
    "Intervals.save = 2",
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


def prepared(file, output, steps, *bindings):
    """Returns what `bin/train` makes of the file, small."""
    parts = {"train", "Intervals", *re.findall(r"@(\w+)", text_of(file))}
    small = [binding for binding in SMALL if binding.split(".")[0] in parts]
    configuration.parse([str(file)], [*small, f"train.steps = {steps}", *bindings])
    run = configuration.build("train", output=str(output), dry_run=True)
    configuration.drop_unused()
    return run


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
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


def test_trains_resumes_exports(file, tmp_path):
    result = prepared(file, tmp_path / "a", 4).start(configuration.with_defaults())
    assert all(np.isfinite(result.terms[n]) for n in result.model.statistics.names)

    # As if killed after two steps, and gone on: the same weights, bit for bit, also
    # without another look at the held-out images, and without drawing it all again.
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "step-4")
    rest = prepared(file, tmp_path / "b", 4, "Intervals.evaluate = 0")
    rest._loop.draw = lambda: None
    resumed = rest.start(configuration.with_defaults())
    pairs = zip(weights(result.model), weights(resumed.model), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)

    # Loaded again: the same codes.
    frames = data_for(result.model, 5)
    codes = resumed.encode(frames)
    loaded = load(tmp_path / "b")
    assert loaded.step == 4
    np.testing.assert_array_equal(loaded.encode(frames), codes)

    # Saved by Keras: the same codes, and both optimisers.
    resumed.model.save(tmp_path / "m.keras")
    kept = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(kept.encode(frames), codes)
    pairs = zip(weights(kept), weights(resumed.model), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)

    # Exported and read by TensorFlow alone.
    served = tf.saved_model.load(export(loaded.model, tmp_path / "export"))
    answer = served.signatures["serving_default"](images=tf.constant(frames))
    np.testing.assert_allclose(answer["codes"], codes, rtol=1e-5, atol=1e-6)


def test_graph_equals_eager_and_a_step_moves_every_variable(file, tmp_path):
    model = prepared(file, tmp_path, 2).model
    frames = tf.constant(data_for(model, 8 * model.batches_per_step))
    seed, step = step_seed(0, tf.constant(0, tf.int64)), tf.constant(0, tf.int64)
    eager, each = model.held_out_terms(frames, seed, step)
    validate = tf.function(model.held_out_terms, autograph=False)
    graph, again = validate(frames, seed, step)
    assert each.shape == [model.latents.num_latents]
    np.testing.assert_allclose(again, each, rtol=1e-4, atol=1e-5)
    for name, value in eager.items():
        np.testing.assert_allclose(graph[name], value, rtol=1e-4, atol=1e-5)

    variables = model.trainable_variables
    before = [v.numpy() for v in variables]
    model.train_step(frames)
    after = [v.numpy() for v in variables]
    assert all(np.isfinite(new).all() for new in after)
    triples = zip(variables, before, after, strict=True)
    unmoved = [v.path for v, old, new in triples if np.array_equal(old, new)]
    assert unmoved == UNMOVED.get(file.stem, [])
