"""The pictures of a run: which images and latents, and the notes on each latent.

`kinds.py` says which kinds of pictures there are, and how each is drawn.
"""

import os
import pathlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tf_disentangle import checks, visualization
from tf_disentangle.checks import known_options, require
from tf_disentangle.interfaces import Dataset, ImageArray
from tf_disentangle.metrics.results import MATRICES
from tf_disentangle.models import LatentModel
from tf_disentangle.training.checkpoints import restore_weights, step_of
from tf_disentangle.training.input_pipeline import Batches, images_at
from tf_disentangle.training.kinds import (
    ANIMATIONS,
    CHECKPOINTS,
    KINDS,
    OF_VECTORS,
    STILLS,
    AnyFigure,
    FigureInputs,
    every_other,
)

#: Where traversals start: from the image nearest to the mean code, from images that lie
#: far apart, or from a sample of the prior.
Start = Literal["typical", "spread", "prior"]
#: What is drawn while a run trains, and at its end.
OF_TRAINING = (
    "reconstructions",
    "traversals",
    "samples",
    "categories",
    "hyperprior",
    "points",
)
#: What is drawn on demand.
ON_DEMAND = tuple(kind for kind in KINDS if kind not in ("cycles", CHECKPOINTS))
FORMATS = ("png", "gif", "pdf", "svg")

# How many images are drawn as pairs; in how many a latent's movement is measured.
_NUM_PAIRS, _NUM_MEASURED = 16, 16
_LEAST_VOTES = 0.05  # of all votes: with fewer, a latent gets no factor


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
        batches: Which of them are held out; if none are, training images are drawn.
        seed: Random seed.
    """
    indices = batches.held_out if len(batches.held_out) else batches.training
    order = np.random.default_rng(checks.seed(seed)).permutation(indices)
    return images_at(images, order[: num_images(model)])


def latent_annotations(
    rows: Iterable[Mapping[str, Any]], step: int | None = None
) -> dict[str, Any]:
    """Returns the arguments of `Plotter.figures` from the rows of metrics.jsonl.

    These are the number that validation gives each latent, the factors and votes of the
    last score that assigns factors to latents, and every score's matrices of latents
    and factors, as far as there are any. A latent that won less than 5% of all votes
    gets no factor: with only a handful, all may easily be for one factor.

    Args:
        rows: The rows of a run.
        step: The step of the weights; rows of other steps are left out. None keeps all.
    """
    notes: dict[str, Any] = {}
    for row in rows:
        if step is not None and row["step"] != step:
            continue
        for name, value in row.items():
            if name.endswith("_per_latent"):
                notes["per_latent"] = value
        for metric, result in row.get("scores", {}).items():
            if "factor_of_latent" in result:
                votes = result.get("votes", ())
                factors = _with_enough_votes(result["factor_of_latent"], votes)
                notes |= {"factor_of_latent": factors, "votes": votes}
            fields = {f"{metric}_{name}": result.get(name) for name in MATRICES}
            found = {name: m for name, m in fields.items() if m is not None}
            notes.setdefault("matrices", {}).update(found)
    return notes


def _with_enough_votes(
    factors: Sequence[str], votes: Sequence[Sequence[int]]
) -> list[str]:
    """Returns the factors of latents, "" for those that won hardly a vote."""
    least = _LEAST_VOTES * sum(map(sum, votes))
    if not len(votes):
        return list(factors)
    pairs = zip(factors, votes, strict=True)
    return [factor if sum(own) >= least else "" for factor, own in pairs]


class Plotter:
    """Draws a model: images and traversals, or points where the data are vectors.

    Args:
        model: The model; each figure shows the weights that it has at that time.
        images: Images of the data in random order, uint8 [N, H, W, C], or vectors,
            float32 [N, 1, 1, C]; the first `num_images(model)` are used. Their codes
            tell which values each latent takes.
        examples: The images to show, uint8 [M, H, W, C]; traversals start from the
            first. Or a word: "typical", the default, shows the first of `images`, and
            traversals start from the one whose continuous code is nearest to the mean
            code; "spread" shows those whose codes lie far apart; "prior" starts
            traversals from a sample of the prior, and shows none.
        latents: Names or indices of the latents to traverse, from top to bottom; None
            means all, sorted by how much they move the image over the range of
            their own codes, the largest first. For vectors, the two latents to plot;
            None means the first two.
        values: Steps of the traversals [S], or [L, S] where each latent has its own;
            None means nine steps from -2 to 2.
        seed: Seed of the samples.
        data: The data set, for pictures of its factors; None draws none of these.

    Raises:
        ArgumentError: If there is no image or no such latent.
    """

    def __init__(
        self,
        model: LatentModel,
        images: np.ndarray,
        *,
        examples: np.ndarray | Start | None = None,
        latents: Sequence[str | int] | None = None,
        values: Sequence[float] | np.ndarray | None = None,
        seed: int = 0,
        data: Dataset | None = None,
    ) -> None:
        self._model = model
        self._images = np.array(images[: num_images(model)])
        self._examples: np.ndarray | str = "typical"
        if isinstance(examples, str):
            rule = "be images, or one of typical, spread, prior"
            known = examples in ("typical", "spread", "prior")
            require(known, "examples", rule, examples)
            self._examples = examples
        elif examples is not None:
            self._examples = np.array(examples)
        for name, array in (("images", images), ("examples", self._examples)):
            require(len(array), name, "hold at least one", array)
        self._columns = model.latents.columns
        self._latents = None if latents is None else self._indices(latents)
        self._values = np.linspace(-2, 2, 9) if values is None else np.asarray(values)
        self._seed = tf.constant([checks.seed(seed), 0], tf.int32)
        self._data = data

    def inputs(
        self,
        per_latent: Sequence[float] = (),
        factor_of_latent: Sequence[str] = (),
        votes: Sequence[Sequence[int]] = (),
        matrices: Mapping[str, Any] | None = None,
    ) -> FigureInputs:
        """Returns what is drawn, with the start, order and labels of the latents.

        The arguments are those of `figures`.
        """
        model, codes = self._model, self._model.encode(self._images)
        decode = model.sampler(1, self._seed)
        if model.is_vector:
            moves, order = np.ones(len(self._columns), bool), np.arange(codes.shape[1])
        else:
            # Over the codes that occur: on a fixed range, the decoder also responds to
            # a latent that the encoder never uses.
            movement = visualization.movement(
                decode,
                codes[:_NUM_MEASURED],
                visualization.occurring_values(codes, self._columns),
            )
            moves = visualization.moves_image(movement)
            order = np.argsort(-movement, kind="stable")
        examples = self._chosen(codes)[:_NUM_PAIRS]
        if len(examples):
            code = model.encode(examples[:1])[0]
        else:
            prior = model.latents.prior.sample(1, self._seed)
            code = np.asarray(model.latents.to_codes(prior))[0]
        name = {"kl": "KL", "information": "information"}[model.per_latent]
        notes = []
        for latent in range(len(self._columns)):
            lines = [f"{name} {per_latent[latent]:.2f}"] if len(per_latent) else []
            if not moves[latent]:
                lines.append("unused")
            elif len(factor_of_latent) and factor_of_latent[latent]:
                own = votes[latent] if len(votes) else ()
                lines.append(factor_of_latent[latent] + _share(own))
            notes.append("\n".join(lines))
        return FigureInputs(
            model=model,
            data=self._data,
            images=self._images,
            codes=codes,
            examples=examples,
            code=code,
            values=self._values,
            order=order.tolist() if self._latents is None else self._latents,
            unused=np.flatnonzero(~moves).tolist(),
            notes=notes,
            seed=self._seed,
            matrices=matrices or {},
        )

    def figures(
        self, kinds: Collection[str] = OF_TRAINING, **annotations: Any
    ) -> dict[str, np.ndarray]:
        """Returns figures by name, uint8 [H, W, 3].

        A latent carries the name of a factor only if it moves the image.

        Args:
            kinds: Names of `KINDS`.
            **annotations: As `latent_annotations` returns them; each may be left out.
                `per_latent` [L] is the KL of each latent's marginal, or its
                information; `factor_of_latent` [L] the factor that a score assigned to
                it, or ""; `votes` [L, K] the votes that it won for each factor;
                `matrices` those of scores, [L, K] by name.
        """
        drawn = self._stills(self.inputs(**annotations), kinds)
        return {
            name: visualization.pixels(picture)
            for pictures in drawn.values()
            for name, picture in pictures.items()
        }

    def save(
        self,
        folder: str | os.PathLike,
        kinds: Collection[str] | None = OF_TRAINING,
        formats: Collection[str] = ("png", "gif"),
        checkpoints: Sequence[pathlib.Path] = (),
        **annotations: Any,
    ) -> list[pathlib.Path]:
        """Writes the figures, those that move as GIF.

        Args:
            folder: The folder to write to; it is made if necessary.
            kinds: Names of `KINDS`; None means `ON_DEMAND`. Of that and of the default,
                only those that apply are drawn; of any other choice, each must apply.
            formats: Any of "png", "pdf" and "svg", for figures that stand still, and
                "gif", for those that move.
            checkpoints: Those for the kind "checkpoints", which it labels by step.
            **annotations: As `figures` takes them.

        Returns:
            The paths of the files.

        Raises:
            ArgumentError: If there is no such kind or format, or one does not apply.
        """
        for form in formats:
            checks.one_of(form, FORMATS, "formats")
        folder, paths = pathlib.Path(folder), []
        must_apply = kinds not in (None, OF_TRAINING)
        kinds = ON_DEMAND if kinds is None else kinds
        inputs = self.inputs(**annotations)
        still_forms = [form for form in FORMATS if form in formats and form != "gif"]
        stills = self._stills(inputs, kinds)
        if CHECKPOINTS in kinds and checkpoints and not self._model.is_vector:
            picture = self.checkpoints(checkpoints, **annotations)
            stills[CHECKPOINTS] = {CHECKPOINTS: picture}
        moving = {}
        if "gif" in formats and not self._model.is_vector:
            drawn = (kind for kind in ANIMATIONS if kind in kinds)
            moving = {kind: ANIMATIONS[kind](inputs) for kind in drawn}
        if must_apply:
            has = {kind: still_forms and stills.get(kind) for kind in kinds}
            missing = [kind for kind in kinds if not has[kind] and not moving.get(kind)]
            rule = f"be kinds that this model has in {', '.join(formats)}"
            remedy = "Without kinds, all that apply are drawn."
            require(not missing, "kinds", rule, ", ".join(missing), remedy)
        for pictures in stills.values():
            for name, picture in pictures.items():
                for form in still_forms:
                    paths.append(folder / f"{name}.{form}")
                    visualization.save(picture, paths[-1])
        for animations in moving.values():
            for name, frames in animations.items():
                paths.append(folder / f"{name}.gif")
                visualization.save_gif(frames, paths[-1])
        return paths

    def traversals(self, **annotations: Any) -> np.ndarray:
        """Returns the figure of the traversals alone; see `figures`."""
        rule, shape = "have images, not vectors", self._model.image_shape
        require(not self._model.is_vector, "model", rule, shape)
        (picture,) = STILLS["traversals"](self.inputs(**annotations)).values()
        return picture

    def checkpoints(
        self, paths: Sequence[pathlib.Path], **annotations: Any
    ) -> np.ndarray:
        """Returns traversals from one image through several checkpoints' weights.

        The model gets its own weights back afterwards.

        Args:
            paths: The checkpoints.
            **annotations: As `figures` takes them.
        """
        inputs = self.inputs(**annotations)
        model, own = self._model, self._model.get_weights()
        image = self._chosen(inputs.codes)[:1]
        image = image if len(image) else self._images[:1]

        def decode_with(path: pathlib.Path) -> tuple[Any, np.ndarray]:
            def decode(codes: np.ndarray) -> np.ndarray:
                restore_weights(model, path)
                return inputs.decoder()(codes)

            restore_weights(model, path)
            return decode, model.encode(image)[0]

        try:
            panels = {f"step {step_of(path)}": decode_with(path) for path in paths}
            rows = inputs.rows
            rows["values"] = every_other(rows["values"])
            return visualization.traversals_side_by_side(panels, **rows)
        finally:
            model.set_weights(own)

    def _stills(
        self, inputs: FigureInputs, kinds: Collection[str]
    ) -> dict[str, dict[str, AnyFigure]]:
        """Returns the pictures of each kind by name; none where it does not apply."""
        for kind in kinds:
            checks.one_of(kind, KINDS, "kinds")
        table = OF_VECTORS if self._model.is_vector else STILLS
        return {kind: table[kind](inputs) for kind in table if kind in kinds}

    def _chosen(self, codes: np.ndarray) -> np.ndarray:
        """Returns the images to show, the first where traversals start."""
        if not isinstance(self._examples, str):
            return self._examples
        if self._examples == "prior":
            return self._images[:0]
        is_number = [column.kind == "continuous" for column in self._columns]
        numbers = codes[:, is_number] if any(is_number) else codes
        if self._examples == "spread":
            return self._images[visualization.spread(numbers, _NUM_PAIRS)]
        start = visualization.typical(numbers)
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


def _share(votes: Sequence[int]) -> str:
    """Returns the share of a latent's votes that its factor won, as text."""
    total = sum(votes)
    return f" {max(votes) / total:.0%}" if total else ""


def make_plotter(
    model: LatentModel,
    data: Dataset,
    batches: Batches,
    seed: int | None = None,
    **options: Any,
) -> Plotter:
    """Returns a `Plotter` of random held-out images, or else of training images.

    The seed is for the images and samples, None meaning the run's; the options are
    those of `Plotter`.
    """
    known_options(Plotter, options)
    seed = batches.seed if seed is None else seed
    images = random_images(model, data.images(), batches, seed)
    return Plotter(model, images, seed=seed, data=data, **options)
