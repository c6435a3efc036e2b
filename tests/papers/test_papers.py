"""Each file in gin/papers builds what `table.py` says that the paper has."""

import pathlib
import re
import sys

import gin
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from layers import count, described
from table import PAPERS

from tf_disentangle import configuration
from tf_disentangle.datasets import SETS

FILES = {file.stem: file for file in configuration.gin_root().glob("papers/*.gin")}


def test_every_file_has_an_entry():
    assert sorted(PAPERS) == sorted(FILES)


@pytest.fixture(params=sorted(PAPERS))
def name(request):
    return request.param


@pytest.fixture
def paper(name):
    configuration.parse([str(FILES[name])])
    return PAPERS[name]


def header_of(name):
    head = FILES[name].read_text().split("\n\n")[0]
    return re.sub(r"\s*\n#\s*", " ", head)  # as one line


def test_header_names_the_paper_and_each_difference(name):
    assert "Paper:" in header_of(name)
    assert PAPERS[name].differences
    after = header_of(name).split("Differences:")
    assert len(after) == 2
    for words in PAPERS[name].differences:
        assert words in after[1]


def test_header_says_how_the_data_are_got(name):
    needed = PAPERS[name].data in SETS
    assert (f"bin/data prepare {PAPERS[name].data}" in header_of(name)) == needed
    assert "As it stands" not in header_of(name)


def test_data(paper):
    if paper.data in SETS:
        assert bound("train.data") == "@published()"
        assert gin.query_parameter("published.name") == paper.data
        assert SETS[paper.data].preprocessing.image_shape == paper.shape
    else:
        assert bound("train.data") == f"@{paper.data}()"


def bound(parameter):
    """A binding as gin writes it, such as '@DSprites()'."""
    return str(gin.query_parameter(parameter))


def test_settings(paper):
    expected = {
        "train.steps": paper.steps,
        "train.batch_size": paper.batch,
        **({"train.validation_size": 400} if paper.data == "Pinwheel" else {}),
        **paper.settings,
    }
    found = {key: gin.query_parameter(key) for key in expected}
    assert found == expected
    metrics = gin.query_parameter("train.metrics") if asked_for_metrics() else ()
    names = (re.sub("^@|_score$", "", str(metric)) for metric in metrics)
    assert tuple(names) == paper.metrics


def asked_for_metrics():
    try:
        gin.query_parameter("train.metrics")
    except ValueError:
        return False
    return True


def built(paper):
    return configuration.built("train.model")(paper.shape, 0)


def test_model(paper):
    model = built(paper)
    assert type(model.latents).__name__ == paper.latents
    assert type(model.latents.prior).__name__ == paper.prior
    assert model.objective.name == paper.objective
    if paper.likelihood:
        assert type(model.objective.likelihood).__name__ == paper.likelihood
    check(model.encoder, paper.encoder, paper.shape, paper.initializer)
    numbers = model.decoder.input_shape[1:]
    check(model.decoder, paper.decoder, numbers, paper.initializer)
    critic = getattr(model, "critic", None)
    assert (critic is None) == (paper.critic is None)
    if critic is not None:
        law = "RandomNormal" if paper.initializer == "RandomNormal" else "GlorotUniform"
        check(critic, paper.critic, critic.input_shape[1:], law)


def check(network, expected, shape, initializer):
    assert described(network) == expected
    assert network.count_params() == count(expected, shape)
    laws = {
        type(layer.kernel_initializer).__name__
        for layer in network.layers
        if hasattr(layer, "kernel_initializer")
    }
    assert laws == {initializer}


def test_optimizers(paper):
    compare(configuration.built("train.optimizer")(), paper.adam)
    if paper.critic_adam:
        optimizer = configuration.built("CriticTraining.optimizer")()
        compare(optimizer, paper.critic_adam)


def compare(optimizer, adam):
    assert type(optimizer).__name__ == "Adam"
    assert float(optimizer.learning_rate) == pytest.approx(adam.rate)
    assert (optimizer.beta_1, optimizer.beta_2) == adam.betas
    assert optimizer.epsilon == adam.epsilon
    assert optimizer.amsgrad == adam.amsgrad
    assert not (optimizer.weight_decay or optimizer.use_ema or optimizer.clipnorm)


def test_uniform_codes_of_infogan():
    for name in ("infogan_mnist", "infowgan_gp_mnist"):
        configuration.parse([str(FILES[name])])
        codes = configuration.built("build_infogan.latents").parts[0]
        assert type(codes.prior).__name__ == "UniformPrior"
        assert codes.prior.bound == 1.0


def test_infogans_recognition_network_and_critic_share_their_trunk():
    configuration.parse([str(FILES["infogan_mnist"])], ["infogan_pair.width = 16"])
    model = configuration.built("train.model")((28, 28, 1), 0)
    model.compile("adam")
    encoder, critic = model.encoder.weights, model.critic.weights
    assert len(set(map(id, encoder)) & set(map(id, critic))) == 14
    before = encoder[0].numpy()
    images = np.random.default_rng(0).integers(0, 256, (32, 28, 28, 1), np.uint8)
    terms = model.fit(images, batch_size=16, verbose=0).history
    assert all(np.isfinite(values).all() for values in terms.values())
    assert not np.array_equal(critic[0], before)


def test_words_of_layers_count_what_they_say():
    words = ["conv 3 2x2/2 same relu, no bias", "dense 5 relu", "head 2 linear"] * 1
    # 2 x 2 x 1 x 3, then 2 x 2 x 3 to 5, then two heads.
    assert count([*words, "head 4 linear"], (4, 4, 1)) == 12 + 65 + 6 * 2 + 6 * 4
