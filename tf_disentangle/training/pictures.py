"""The figures of a model: reconstructions, traversals, samples, hyperprior, points."""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import visualization
from tf_disentangle.checks import known_options, require
from tf_disentangle.interfaces import Dataset, Decode, ImageArray
from tf_disentangle.models import LatentModel
from tf_disentangle.training.input_pipeline import Batches, images_at

# Of the images that a plotter has, so many are drawn as pairs, and so many are where
# traversals start that measure how much a latent moves the image.
_NUM_PAIRS, _NUM_MEASURED = 16, 16
# What is decoded from the code of an image: of a GAN it is no reconstruction.
_SAME_CODE = "generated from\nthe same code"
_STANDARD_NORMAL, _UNIFORM = "z ~ N(0, I)", "c ~ uniform"


def num_images(model: LatentModel) -> int:
    """Returns how many images, or vectors, a `Plotter` uses at most."""
    return 1000 if model.is_vector else 64


def random_images(
    model: LatentModel, images: ImageArray, batches: Batches, seed: int = 0
) -> np.ndarray:
    """Draws the images of a `Plotter` at random, without replacement.

    Args:
        model: The model that will be drawn.
        images: All images of a data set.
        batches: Which of them are held out; of none, training images are drawn.
        seed: Seed of the draw.
    """
    indices = batches.held_out if len(batches.held_out) else batches.training
    order = np.random.default_rng(seed).permutation(indices)
    return images_at(images, order[: num_images(model)])


def latent_annotations(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns what `Plotter.figures` takes from the rows of metrics.jsonl of one step.

    These are the number that validation gives each latent, and the factors and votes
    of the last score that assigns factors to latents, as far as there are any.
    """
    notes: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            if name.endswith("_per_latent"):
                notes["per_latent"] = value
        for result in row.get("scores", {}).values():
            if "factor_of_latent" in result:
                notes["factor_of_latent"] = result["factor_of_latent"]
                notes["votes"] = result.get("votes", ())
    return notes


class Plotter:
    """Draws a model: images and traversals, or points where the data are vectors.

    Args:
        model: The model; a figure shows the weights that it has at that time.
        images: Images of the data in random order, uint8 [N, H, W, C], or vectors,
            float32 [N, 1, 1, C]; the first `num_images(model)` are used. Their codes
            tell which values each latent takes.
        examples: The images to show, uint8 [M, H, W, C]; traversals start from the
            first. None shows the first of `images`, and traversals start from the most
            typical one, whose continuous code is nearest to the mean code.
        latents: Names or indices of the latents to traverse, from top to bottom; None
            is all of them, sorted by how much they move the image over the range of
            their own codes, the largest first. Of vectors, the two latents to plot;
            None is the first two.
        values: Steps of the traversals [S], or [L, S] where each latent has its own;
            None is nine steps from -2 to 2.
        seed: Seed of the samples.

    Raises:
        ArgumentError: If there is no image or no such latent.
    """

    def __init__(
        self,
        model: LatentModel,
        images: np.ndarray,
        *,
        examples: np.ndarray | None = None,
        latents: Sequence[str | int] | None = None,
        values: Sequence[float] | np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        self._model = model
        self._images = np.array(images[: num_images(model)])
        self._examples = None if examples is None else np.array(examples)
        for name, array in (("images", images), ("examples", examples)):
            require(array is None or len(array), name, "hold at least one", array)
        self._is_gan = not model.reconstructs
        self._columns = model.latents.columns
        self._latents = None if latents is None else self._indices(latents)
        self._values = np.linspace(-2, 2, 9) if values is None else np.asarray(values)
        self._seed = tf.constant([seed, 0], tf.int32)

    def figures(self, **annotations: Any) -> dict[str, np.ndarray]:
        """Returns figures by name, uint8 [H, W, 3].

        A latent carries the name of a factor only if it moves the image.

        Args:
            **annotations: As `annotations` returns them; each may be left out.
                `per_latent` [L] is the KL of each latent's marginal, or its
                information; `factor_of_latent` [L] the factor that a score assigned to
                it, or ""; `votes` [L, K] the votes that it won for each factor.
        """
        if self._model.is_vector:
            return {"points": self._points()}
        return self._figures(self._rows(**annotations))

    def save(self, folder: str | os.PathLike, **annotations: Any) -> list[pathlib.Path]:
        """Writes the figures as PNG, and the traversals of images as GIF too.

        Args:
            folder: Where to; it is made if need be.
            **annotations: As `figures` takes them.

        Returns:
            The paths of the files.
        """
        folder = pathlib.Path(folder)
        if self._model.is_vector:
            path = folder / "points.png"
            visualization.save_png(self._points(), path)
            return [path]
        rows, paths = self._rows(**annotations), []
        for name, figure in self._figures(rows).items():
            paths.append(folder / f"{name}.png")
            visualization.save_png(figure, paths[-1])
        paths.append(folder / "traversals.gif")
        still = {name: part for name, part in rows.items() if name != "examples"}
        frames = visualization.traversal_frames(self._decoder(1), **still)
        visualization.save_gif(frames, paths[-1])
        return paths

    def traversals(self, **annotations: Any) -> np.ndarray:
        """Returns the figure of the traversals alone; see `figures`."""
        rule, shape = "have images, not vectors", self._model.image_shape
        require(not self._model.is_vector, "model", rule, shape)
        return visualization.traversals(self._decoder(1), **self._rows(**annotations))

    # ---- Images.

    def _figures(self, rows: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the figures, given `_rows`."""
        name = "same_codes" if self._is_gan else "reconstructions"
        (_, images), (label, decoded) = rows["examples"].items()
        figures = {
            name: visualization.reconstructions(images, decoded, label=label),
            "traversals": visualization.traversals(self._decoder(1), **rows),
            "samples": visualization.samples(self._samples(12)),
        }
        codes = self._prior_codes(10)
        for latent, column in enumerate(self._columns):
            if column.kind == "categorical":
                figures[f"samples_{column.name}"] = visualization.samples_by_category(
                    self._decoder(10), codes, latent, self._columns
                )
        matrices = self._model.latents.prior.covariances(self._seed)
        if matrices:
            figures["hyperprior"] = visualization.covariances(matrices, num_columns=2)
        return figures

    def _rows(
        self,
        per_latent: Sequence[float] = (),
        factor_of_latent: Sequence[str] = (),
        votes: Sequence[Sequence[int]] = (),
    ) -> dict[str, Any]:
        """Returns start, order and labels of the traversals, and examples above."""
        decode, codes = self._decoder(1), self._model.encode(self._images)
        examples = self._examples
        if examples is None:
            examples = self._typical_first(codes)
        examples = examples[:_NUM_PAIRS]
        example_codes = self._model.encode(examples)
        label = _SAME_CODE if self._is_gan else "reconstruction"
        # Over the codes that occur: on a fixed range the decoder answers to a latent
        # that the encoder never uses, too.
        movement = visualization.movement(
            decode,
            codes[:_NUM_MEASURED],
            visualization.occurring_values(codes, self._columns),
        )
        moves = visualization.moves_image(movement)
        name = {"kl": "KL", "information": "information"}[self._model.per_latent]
        notes = []
        for latent in range(len(self._columns)):
            lines = [f"{name} {per_latent[latent]:.2f}"] if len(per_latent) else []
            if not moves[latent]:
                lines.append("unused")
            elif len(factor_of_latent) and factor_of_latent[latent]:
                total = sum(votes[latent]) if len(votes) else 0
                share = max(votes[latent]) / total if total else 0
                of_votes = f" {share:.0%} of {total} votes" if total else ""
                lines.append(factor_of_latent[latent] + of_votes)
            notes.append("\n".join(lines))
        order = self._latents
        return {
            "code": example_codes[0],
            "examples": {"original": examples, label: decode(example_codes)},
            "columns": self._columns,
            "values": self._values,
            "notes": notes,
            "order": np.argsort(-movement, kind="stable") if order is None else order,
            "unused": np.flatnonzero(~moves),
        }

    def _typical_first(self, codes: np.ndarray) -> np.ndarray:
        """Returns the images, first that whose code is nearest to the mean code."""
        is_number = [column.kind == "continuous" for column in self._columns]
        numbers = codes[:, is_number]
        start = np.argmin(((numbers - numbers.mean(axis=0)) ** 2).sum(axis=1))
        others = np.delete(np.arange(len(codes)), start)
        return self._images[np.r_[start, others]]

    def _indices(self, latents: Sequence[str | int]) -> list[int]:
        names = [column.name for column in self._columns]
        rule = f"be names or indices of latents, {', '.join(names)}"
        indices = [names.index(d) if d in names else d for d in latents]
        numbers = [d for d in indices if isinstance(d, int | np.integer)]
        valid = numbers == indices and set(numbers) <= set(range(len(names)))
        require(indices and valid, "latents", rule, latents)
        return numbers

    def _decoder(self, count: int) -> Decode:
        """Returns a decoder; of a GAN with `count` draws of noise, taken in turn."""
        return self._model.sampler(count, self._seed)

    def _samples(self, count: int) -> dict[str, np.ndarray]:
        """Returns decoded samples of the prior, beside those of N(0, I)."""
        prior_codes = self._prior_codes(count)
        # Both have the same values of the categorical latents.
        normal = tf.random.stateless_normal(prior_codes.shape, self._seed).numpy()
        is_category = np.array([c.kind == "categorical" for c in self._columns])
        normal[:, is_category] = prior_codes[:, is_category]
        codes = {self._model.latents.prior.label: prior_codes}
        kinds = ((_STANDARD_NORMAL, ~is_category), (_UNIFORM, is_category))
        standard = ", ".join(name for name, present in kinds if present.any())
        codes.setdefault(standard, normal)
        decode = self._decoder(count)
        images = {label: decode(z) for label, z in codes.items()}
        # A draw from a heavy-tailed prior can overflow the decoder.
        finite = {k: x[np.isfinite(x).all(axis=(1, 2, 3))] for k, x in images.items()}
        return {label: x for label, x in finite.items() if len(x)}

    def _prior_codes(self, count: int) -> np.ndarray:
        """Draws codes [count, L] from the prior, categories as whole numbers."""
        latents = self._model.latents
        return np.asarray(latents.to_codes(latents.prior.sample(count, self._seed)))

    # ---- Vectors.

    def _points(self) -> np.ndarray:
        """Pictures data, reconstructions, samples and codes, two numbers of each."""
        model, count = self._model, len(self._images)
        prior_seed, code_seed = tfp.random.split_seed(self._seed, n=2)
        to_codes = model.latents.to_codes
        prior = np.asarray(to_codes(model.latents.prior.sample(count, prior_seed)))
        posterior = model.posterior(self._images)
        codes = np.asarray(to_codes(posterior.sample(seed=code_seed)))
        data = _plane(self._images)
        latents = self._latents or range(len(self._columns))
        panels = {
            "data": {"": data[:0], "data": data},
            "reconstructions (dark)\nover the data": {
                "data": data,
                "reconstructions": _plane(model.reconstruct(self._images)),
            },
            "decoded samples of the\nprior (dark) over the data": {
                "data": data,
                "samples": _plane(model.sampler(count, prior_seed)(prior)),
            },
            f"codes ~ q(z|x) (dark)\nover {model.latents.prior.label}": {
                "prior": _plane(prior[:, latents]),
                "codes": _plane(codes[:, latents]),
            },
        }
        return visualization.scatters(panels)


def _plane(points: np.ndarray) -> np.ndarray:
    """Returns the first two numbers of each finite point, [N, 2]; 0 for none."""
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    flat = flat[np.isfinite(flat).all(axis=1)]
    missing = max(0, 2 - flat.shape[1])
    return np.pad(flat, [(0, 0), (0, missing)])[:, :2]


def make_plotter(
    model: LatentModel,
    data: Dataset,
    batches: Batches,
    seed: int | None = None,
    **options: Any,
) -> Plotter:
    """Returns what draws a model on random held-out images, or else training images.

    The seed is that of the images and samples, None that of the run; the options are of
    `Plotter`.
    """
    known_options(Plotter, options)
    seed = batches.seed if seed is None else seed
    images = random_images(model, data.images(), batches, seed)
    return Plotter(model, images, seed=seed, **options)
