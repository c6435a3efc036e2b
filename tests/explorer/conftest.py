"""Tiny runs and their pages, which are opened as files with the network off."""

import functools
import shutil

import numpy as np
import pytest

import tf_disentangle
from tests.datasets.tiny import Tiny
from tests.explorer.view import View
from tf_disentangle import explorer, latents, models, networks, objectives
from tf_disentangle.explorer.runtime import find


@pytest.fixture(scope="session")
def runtime(own_cache):
    """ONNX Runtime Web in this run's cache, which is empty."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, which fetches ONNX Runtime Web")
    try:
        find()
    except explorer.RuntimeMissingError as error:
        pytest.skip(str(error))


MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=16),
    "decoder": functools.partial(networks.mlp_decoder, width=16),
}


class Coloured(Tiny):
    """The same squares, each channel darker than the one before."""

    image_shape = (16, 16, 3)

    def render(self, factors, rng=None):
        grey = super().render(factors)[..., :1]
        return grey // np.array([1, 2, 3], np.uint8)


def made_lively(run, rng):
    """Weights that show each latent but the last number that the decoder takes."""
    for variable in [*run.model.encoder.variables, *run.model.decoder.variables]:
        noise = rng.uniform(-0.3, 0.3, variable.shape)
        variable.assign(variable + noise.astype(np.float32))
    first = run.model.decoder.weights[0].numpy()
    first *= 5
    first[-1] = 0
    run.model.decoder.weights[0].assign(first)
    return run


def named(run):
    """Adds a score that says what the first two latents and the last stand for."""
    size = run.model.latents.num_latents
    names = ["x", "y", *[""] * (size - 3), "size"]
    votes = [[30, 10, 0], [0, 40, 0], *[[0, 0, 0]] * (size - 3), [0, 0, 9]]
    score = {"score": 0.5, "protocol": "made up", "factor_of_latent": names}
    row = {"step": run.step, "scores": {"factor_vae": score | {"votes": votes}}}
    if run.folder is None:
        run._loop.rows.append(row)
    else:
        run.folder.append(row)
    return run


def joint(num_continuous):
    return latents.JointLatents(
        latents.GaussianLatents(num_continuous), latents.CategoricalLatents([3])
    )


def build(name, shape=Coloured.image_shape):
    if name == "vae":
        return models.build_vae(shape, 0, latents=4, **MLP)
    if name == "joint_vae":
        objective = objectives.joint_vae()
        options = {"latents": joint(3), "objective": objective}
        return models.build_vae(shape, 1, **options, **MLP)
    critic = functools.partial(networks.mlp_encoder, width=4)
    options = {"latents": joint(2), "num_noise": 2, "critic": critic}
    return models.build_infogan(shape, 2, **options, **MLP)


@pytest.fixture(scope="session")
def make_run(tmp_path_factory, own_cache):
    """Returns runs by name; made once. That of the VAE has a folder."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("runs") / name if name == "vae" else None
            options = {"steps": 1, "batch_size": 8, "validation_size": 20}
            run = tf_disentangle.train(
                build(name), Coloured(), output=folder, dry_run=True, **options
            )
            if folder is not None:
                made_lively(run, np.random.default_rng(len(made)))
                run._loop.draw = lambda: None
                run = tf_disentangle.load(run.start().folder.path)
            else:
                made_lively(run, np.random.default_rng(len(made)))
            made[name] = named(run)
        return made[name]

    return make


@pytest.fixture(scope="session")
def page_of(make_run, runtime, tmp_path_factory):
    """Returns the file of the explorer of some runs; made once."""
    made = {}

    def make(*names):
        if names not in made:
            path = tmp_path_factory.mktemp("pages") / "-".join(names)
            page = explorer.explore(*map(make_run, names))
            made[names] = page.save(path.with_suffix(".html"))
        return made[names]

    return make


READY = "html[data-ready]"
USUAL = {"viewport": {"width": 1280, "height": 900}, "offline": True}


def opened(browser, path, address="", *, wait=READY, expected=(), **options):
    """Opens a file, as a view that keeps what goes wrong in its `errors`."""
    page = browser.new_context(**(USUAL | options)).new_page()
    page.set_default_timeout(120_000)  # A busy machine takes its time.
    view = View(page)

    def said(note):
        if note.type == "error" and note.text not in expected:
            view.errors.append(note.text)

    page.on("pageerror", lambda error: view.errors.append(str(error)))
    page.on("console", said)
    page.goto(f"{path.as_uri()}{address}")
    page.wait_for_selector(wait, state="attached")
    return view


@pytest.fixture
def open_page(browser):
    """Opens files for one test; at the end no page has reported an error."""
    views = []

    def open_file(*arguments, **options):
        views.append(opened(browser, *arguments, **options))
        return views[-1]

    yield open_file
    for view in views:
        view.page.context.close()
    assert not [error for view in views for error in view.errors]


@pytest.fixture(scope="session")
def shared_views():
    return {}


@pytest.fixture
def view_of(browser, page_of, shared_views):
    """Returns pages that stay open from test to test, as they were at the start."""
    used = []

    def make(*names):
        if names not in shared_views:
            view = opened(browser, page_of(*names))
            shared_views[names] = view, view.page.evaluate("explorer.store.committed")
        view, start = shared_views[names]
        view.restart(start)
        used.append(view)
        return view

    yield make
    assert not [error for view in used for error in view.errors]
