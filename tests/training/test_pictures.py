"""What stands in the figures of a model, and where."""

import dataclasses
import functools

import numpy as np
import pytest
from PIL import Image

from tests.visualization.pixels import enlarged, noise, places
from tf_disentangle import visualization
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.distributions import Normal
from tf_disentangle.latents import CategoricalLatents, GaussianLatents, JointLatents
from tf_disentangle.models import build_infogan, build_vae
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.objectives import decomposition_vae, joint_vae
from tf_disentangle.training.checkpoints import Checkpoints
from tf_disentangle.training.input_pipeline import Batches
from tf_disentangle.training.kinds import KINDS, every_other
from tf_disentangle.training.pictures import Plotter, latent_annotations, random_images

SHAPE, SCALE = (8, 8, 1), 8
IMAGES = noise(20, *SHAPE)
NETWORKS = {
    "encoder": functools.partial(mlp_encoder, width=8),
    "decoder": functools.partial(mlp_decoder, width=8),
}
KL = [0.3, 0.1, 9.0, 0.2]
VOTES = [[5, 1], [2, 2], [0, 40], [7, 0]]


class SquareData(Grid):
    """2 x 3 images of a bright pixel."""

    factor_names, factor_sizes, image_shape = ("x", "y"), (2, 3), SHAPE

    def images(self):
        return self.render(self.factors_of(range(len(self))))

    def render(self, factors, rng=None):
        images = np.zeros((len(factors), *SHAPE), np.uint8)
        images[np.arange(len(factors)), factors[:, 1], factors[:, 0]] = 255
        return images


def first_weights(network):
    return next(v for v in network.trainable_variables if len(v.shape) == 2)


@pytest.fixture(scope="module")
def model():
    """A VAE that decodes latent 3 strongly, and latent 2, of the largest KL, never."""
    model = build_vae(SHAPE, latents=GaussianLatents(4), **NETWORKS)
    first_weights(model.encoder).assign(3 * first_weights(model.encoder))
    weights = first_weights(model.decoder).numpy() * [[3], [1], [0], [9]]
    first_weights(model.decoder).assign(weights)
    return model


def tile(model, code):
    image = model.decode(np.float32([code]))[0]
    return enlarged(np.round(255 * image).astype(np.uint8), SCALE)


def rows_of(model, picture, code, latents, value=-2.0):
    """The height at which each latent stands, None where it does not."""
    heights = []
    for latent in latents:
        moved = code.copy()
        moved[latent] = value
        found = places(picture, tile(model, moved))
        heights.append(found[0][0] if found else None)
    return heights


def typical(model):
    codes = model.encode(IMAGES)
    return int(np.argmin(np.linalg.norm(codes - codes.mean(axis=0), axis=1)))


class TestTraversals:
    def test_start_from_the_image_nearest_to_the_mean_code(self, model):
        picture, start = Plotter(model, IMAGES).traversals(), typical(model)
        ((top, left),) = places(picture, enlarged(IMAGES[start], SCALE))
        for other in np.delete(np.arange(20), start)[:8]:
            ((y, x),) = places(picture, enlarged(IMAGES[other], SCALE))
            assert y == top and x > left
        code = model.encode(IMAGES)[start]
        (y, x), *_ = places(picture, tile(model, code))
        assert y > top and x == left, "its reconstruction is below it"

    def test_start_from_the_image_that_is_chosen(self, model):
        plotter = Plotter(model, IMAGES, examples=IMAGES[[3]])
        picture, code = plotter.traversals(per_latent=KL), model.encode(IMAGES)[3]
        z0, z1, z3 = rows_of(model, picture, code, [0, 1, 3])
        assert z3 < z0 < z1, "sorted as for all images"
        assert not places(picture, enlarged(IMAGES[typical(model)], SCALE))

    def test_rows_are_sorted_by_what_they_move_not_by_kl(self, model):
        picture = Plotter(model, IMAGES).traversals(per_latent=KL)
        code = model.encode(IMAGES)[typical(model)]
        z0, z1, z3 = rows_of(model, picture, code, [0, 1, 3])
        assert z3 < z0 < z1
        # All images of latent 2 are the reconstruction: nine in the last row.
        found = [y for y, _ in places(picture, tile(model, code))]
        assert found.count(max(found)) == 9 and max(found) > z1

    def test_a_latent_that_moves_nothing_gets_no_factor(self, model):
        plotter = Plotter(model, IMAGES)
        plain = plotter.traversals(per_latent=KL)
        of_unused = plotter.traversals(
            per_latent=KL, factor_of_latent=["", "", "x", ""]
        )
        np.testing.assert_array_equal(plain, of_unused)
        of_used = plotter.traversals(per_latent=KL, factor_of_latent=["", "", "", "x"])
        assert not np.array_equal(plain, of_used)

    def test_labels_name_factor_share_and_votes(self, model, monkeypatch):
        seen = {}

        def record(decode, **options):
            seen.update(options)
            return np.zeros((1, 1, 3), np.uint8)

        monkeypatch.setattr(visualization, "traversals", record)
        factors = ["x", "", "y", "size"]
        Plotter(model, IMAGES).traversals(
            per_latent=KL, factor_of_latent=factors, votes=VOTES
        )
        assert seen["notes"] == [
            "KL 0.30\nx 83%",
            "KL 0.10",
            "KL 9.00\nunused",
            "KL 0.20\nsize 100%",
        ]
        assert seen["unused"] == [2]

    def test_the_latents_and_values_that_are_chosen(self, model):
        values = np.array([[-1.0, 1.0]] * 2 + [[-4.0, 4.0]] * 2)
        plotter = Plotter(model, IMAGES, latents=["z1", 3], values=values)
        picture, code = plotter.traversals(), model.encode(IMAGES)[typical(model)]
        z0, z1, _ = rows_of(model, picture, code, [0, 1, 3], value=-1.0)
        (z3,) = rows_of(model, picture, code, [3], value=-4.0)
        assert z0 is None and z1 < z3


def test_saved_files_are_the_figures(model, tmp_path):
    plotter = Plotter(model, IMAGES, seed=3)
    paths = plotter.save(tmp_path, per_latent=KL)
    figures = plotter.figures(per_latent=KL)
    assert [p.name for p in paths] == [*(f"{n}.png" for n in figures), "traversals.gif"]
    for name, figure in figures.items():
        saved = np.array(Image.open(tmp_path / f"{name}.png"))
        np.testing.assert_array_equal(saved, figure)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_out_of_bounds_are_refused(model, seed):
    batches = Batches(np.arange(20), np.arange(0), 4, 0, False)
    for draw in (
        functools.partial(Plotter, model, IMAGES, seed=seed),
        functools.partial(random_images, model, IMAGES, batches, seed),
    ):
        with pytest.raises(ArgumentError, match="seed must be"):
            draw()


def test_the_seed_decides_the_samples_alone(model):
    first, second = (Plotter(model, IMAGES, seed=s).figures() for s in (0, 1))
    differ = [n for n in first if not np.array_equal(first[n], second[n])]
    assert differ == ["samples"]


def test_a_gan_has_no_reconstructions():
    networks = {**NETWORKS, "critic": functools.partial(mlp_encoder, width=8)}
    model = build_infogan(SHAPE, latents=GaussianLatents(2), num_noise=3, **networks)
    plotter = Plotter(model, IMAGES)
    figures = plotter.figures()
    assert set(figures) == {"same_codes", "traversals", "samples"}
    # One draw of noise for all, of which zero, the middle, is no likely one.
    code = model.encode(IMAGES[:1])
    at_zero = enlarged(np.round(255 * model.decode(code)[0]).astype(np.uint8), SCALE)
    assert not places(figures["same_codes"], at_zero)


def test_vectors_are_points_of_the_chosen_latents(monkeypatch):
    model = build_vae(
        (1, 1, 3),
        latents=GaussianLatents(4),
        objective=decomposition_vae(1.0, 1.0, "kl", Normal(1.0)),
        **NETWORKS,
    )
    vectors = np.random.default_rng(0).normal(size=(30, 1, 1, 3)).astype(np.float32)

    def points(latents):
        seen = []
        monkeypatch.setattr(visualization, "scatters", seen.append)
        monkeypatch.setattr(visualization, "pixels", lambda picture: picture)
        Plotter(model, vectors, latents=latents).figures()
        (panels,) = seen
        return panels["data"]["data"], [*panels.values()][-1]["codes"]

    np.testing.assert_allclose(points(None)[0], vectors[:, 0, 0, :2])
    np.testing.assert_array_equal(points(None)[1], points([0, 1])[1])
    flipped = points(["z3", "z0"])[1][:, ::-1]
    np.testing.assert_array_equal(points(["z0", "z3"])[1], flipped)
    with pytest.raises(ArgumentError, match="model must have images"):
        Plotter(model, vectors).traversals()


def test_random_images_are_distinct_and_of_the_indices(model):
    images = np.arange(500, dtype=np.int64)[:, None, None, None]
    batches = Batches(np.arange(100), np.arange(100, 200), 10, 0, False)
    chosen = random_images(model, images, batches, seed=0).ravel()
    assert len(set(chosen.tolist())) == 64 and set(chosen) <= set(range(100, 200))
    # A spread of the data, not the first of them.
    assert abs(chosen[:16].mean() - 149.5) < 3 * 28.9 / 4
    none = dataclasses.replace(batches, held_out=np.arange(0))
    assert random_images(model, images, none, seed=0).max() < 100
    again = random_images(model, images, batches, seed=0).ravel()
    np.testing.assert_array_equal(chosen, again)
    assert not np.array_equal(chosen, random_images(model, images, batches, 1).ravel())


def test_annotations_are_the_last_of_each_kind():
    rows = [
        {"step": 9, "kl_per_latent": [1.0], "loss": 3.0},
        {
            "step": 9,
            "scores": {"factor_vae": {"factor_of_latent": ["x"], "votes": [[3]]}},
        },
        {"step": 9, "scores": {"mig": {"score": 0.1}}},
        {"step": 9, "kl_per_latent": [2.0]},
    ]
    expected = {
        "per_latent": [2.0],
        "factor_of_latent": ["x"],
        "votes": [[3]],
        "matrices": {"factor_vae_votes": [[3]]},
    }
    assert latent_annotations(rows) == expected
    assert latent_annotations(rows, step=9) == expected
    assert latent_annotations(rows, step=8) == {}
    assert latent_annotations([{"step": 9, "loss": 3.0}]) == {}


def test_a_latent_with_hardly_a_vote_gets_no_factor():
    score = {"factor_of_latent": ["x", "y", "y", ""]}
    votes = [[85, 6], [0, 5], [0, 4], [0, 0]]  # of 100
    rows = [{"step": 9, "scores": {"factor_vae": score | {"votes": votes}}}]
    notes = latent_annotations(rows)
    assert notes["factor_of_latent"] == ["x", "y", "", ""]
    assert notes["votes"] == votes
    rows = [{"step": 9, "scores": {"without votes": score}}]
    assert latent_annotations(rows)["factor_of_latent"] == ["x", "y", "y", ""]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latents": ["z4"]}, "latents must be names or indices of latents, z0, z1"),
        ({"latents": [4]}, "latents must be names or indices"),
        ({"latents": []}, "latents must be names or indices"),
        ({"examples": IMAGES[:0]}, "examples must hold at least one"),
    ],
)
def test_mistakes(model, options, words):
    with pytest.raises(ArgumentError, match=words):
        Plotter(model, IMAGES, **options)


@pytest.fixture(scope="module")
def drawn(model):
    plotter = Plotter(model, IMAGES, data=SquareData())
    return plotter.figures(KINDS, matrices={"mig_mutual_information": np.eye(4, 2)})


class TestKinds:
    """What each kind draws is tested with `visualization`; here, of what."""

    def test_names(self, drawn):
        assert set(drawn) == {
            "traversals",
            "reconstructions",
            "samples",
            "starts",
            "plane_z3_z0",
            "interpolation",
            "edits_z3",
            "edits_z0",
            "posteriors",
            "mig_mutual_information",
            "data",
        }
        assert all(x.dtype == np.uint8 and x.ndim == 3 for x in drawn.values())

    def test_the_plane_is_of_the_two_that_move_most(self, model, drawn):
        code = model.encode(IMAGES)[typical(model)]
        code[3], code[0] = 2.0, -2.0
        assert places(drawn["plane_z3_z0"], tile(model, code))

    def test_categories(self):
        space = JointLatents(GaussianLatents(2), CategoricalLatents([3]))
        model = build_vae(SHAPE, latents=space, objective=joint_vae(), **NETWORKS)
        figures = Plotter(model, IMAGES).figures(["categories"])
        assert "samples_c0" in figures
        assert all(n == "samples_c0" or n.startswith("c0_against_z") for n in figures)


@pytest.mark.parametrize("start", ["spread", "prior"])
def test_starts_that_are_named(model, start):
    inputs = Plotter(model, IMAGES, examples=start).inputs()
    if start == "prior":
        assert not len(inputs.examples)
        prior = model.latents.prior.sample(1, [0, 0])
        np.testing.assert_array_equal(inputs.code, np.asarray(prior)[0])
        pictures = Plotter(model, IMAGES, examples=start).figures()
        assert "reconstructions" not in pictures and "traversals" in pictures
    else:
        chosen = visualization.spread(model.encode(IMAGES), 16)
        np.testing.assert_array_equal(inputs.examples, IMAGES[chosen])


def test_formats(model, tmp_path):
    plotter = Plotter(model, IMAGES)
    paths = plotter.save(tmp_path, ["planes", "cycles"], ["pdf", "svg", "gif"])
    suffixes = [path.suffix for path in paths]
    assert suffixes == [".pdf", ".svg", *[".gif"] * 5]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in paths
    )


@pytest.mark.parametrize(
    ("steps", "kept"),
    [(9, [0, 2, 4, 6, 8]), (5, [0, 2, 4]), (8, [*range(8)]), (3, [0, 1, 2])],
)
def test_every_other_step_keeps_both_ends(steps, kept):
    values = np.stack([np.arange(steps), 10 + np.arange(steps)])
    np.testing.assert_array_equal(every_other(values[0]), kept)
    np.testing.assert_array_equal(every_other(values), values[:, kept])


def test_checkpoints_are_drawn_with_their_weights_and_leave_the_model_its_own(
    model, tmp_path
):
    own, kept = model.get_weights(), Checkpoints(model, tmp_path, keep=2)
    paths = [kept.save(1)]
    model.set_weights([0.5 * weight for weight in own])
    paths.append(kept.save(2))
    halved = model.decode(model.encode(IMAGES[:1]))
    model.set_weights(own)
    picture = Plotter(model, IMAGES, examples=IMAGES[:1], values=[-2.0, 0.0, 2.0])
    picture = picture.checkpoints(paths)
    for before, after in zip(own, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    texts = [text.text for text in picture.texts]
    assert texts[:2] == ["step 1", "step 2"]
    # The latent that is never decoded shows the two reconstructions.
    both = (model.decode(model.encode(IMAGES[:1])), halved)
    found = [
        places(picture, enlarged(np.round(255 * x[0]).astype(np.uint8), SCALE))
        for x in both
    ]
    assert all(found) and max(x for _, x in found[0]) < min(x for _, x in found[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ["plane"]}, "kinds must be one of .*Did you mean planes"),
        ({"formats": ["jpg"]}, "formats must be one of 'png', 'gif', 'pdf', 'svg'"),
        ({"kinds": ["planes", "categories"]}, "in png, gif; received 'categories'"),
        ({"kinds": ["cycles"], "formats": ["png"]}, "in png; received 'cycles'"),
    ],
)
def test_kinds_and_formats_that_there_are_not(model, tmp_path, options, words):
    with pytest.raises(ArgumentError, match=words):
        Plotter(model, IMAGES).save(tmp_path, **options)
    assert not list(tmp_path.iterdir())
