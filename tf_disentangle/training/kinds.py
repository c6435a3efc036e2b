"""The kinds of figures of a model, one function each: from inputs to figures.

`STILLS` and `ANIMATIONS` are their tables by name. A kind that does not apply, such as
categories of a model without categorical latents, gives no figure.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import visualization
from tf_disentangle.interfaces import CodeColumn, Dataset, Decode
from tf_disentangle.models import LatentModel
from tf_disentangle.visualization import Cycle

#: A uint8 array, or a chart.
AnyFigure = Any

# The label of what is decoded from an image's code: for a GAN, not a reconstruction.
_SAME_CODE = "generated from\nthe same code"
_STANDARD_NORMAL, _UNIFORM = "z ~ N(0, I)", "c ~ uniform"
_NUM_STARTS, _NUM_EDITED, _NUM_WAYS = 3, 6, 5
_MOST_LATENTS, _NUM_ENCODED = 2, 600


@dataclasses.dataclass(frozen=True, eq=False)
class FigureInputs:
    """What figures are drawn from: a model at one time, and some images.

    Attributes:
        model: The model.
        data: The data set, if it is known.
        images: Images in random order [N, H, W, C], or vectors.
        codes: The codes of these images, [N, L].
        examples: The images that are shown, [M, H, W, C]. Traversals start from the
            first; there are none if they start from the prior.
        code: Where traversals start, [L].
        values: Steps of the traversals, [S] or [L, S].
        order: The latents from top to bottom.
        unused: The latents that do not change the image.
        notes: For each latent, the text beside its name.
        seed: Seed of the samples, int32 [2].
        matrices: Scores' matrices of latents and factors [L, K] by name.
    """

    model: LatentModel
    data: Dataset | None
    images: np.ndarray
    codes: np.ndarray
    examples: np.ndarray
    code: np.ndarray
    values: np.ndarray
    order: Sequence[int]
    unused: Sequence[int]
    notes: Sequence[str]
    seed: tf.Tensor
    matrices: Mapping[str, np.ndarray]

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each latent is."""
        return self.model.latents.columns

    @property
    def rows(self) -> dict[str, Any]:
        """The options that figures with a row for each latent share."""
        names = ("columns", "values", "notes", "order", "unused")
        return {name: getattr(self, name) for name in names}

    def decoder(self, count: int = 1) -> Decode:
        """Returns a decoder; a GAN's has `count` noise vectors, used in turn."""
        return self.model.sampler(count, self.seed)

    def prior_codes(self, count: int, seed: tf.Tensor | None = None) -> np.ndarray:
        """Draws codes [count, L] from the prior, categories as whole numbers."""
        latents = self.model.latents
        z = latents.prior.sample(count, self.seed if seed is None else seed)
        return np.asarray(latents.to_codes(z))

    def moving(self, kind: str) -> list[int]:
        """Returns the latents of a kind that move the image, in their order."""
        of_kind = [d for d in self.order if self.columns[d].kind == kind]
        return [d for d in of_kind if d not in self.unused]


def reconstructions(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """The examples, and what is decoded from their codes."""
    if not len(inputs.examples):
        return {}
    is_gan = not inputs.model.reconstructs
    ((label, decoded),) = decoded_examples(inputs).items()
    figure = visualization.reconstructions(inputs.examples, decoded, label=label)
    return {"same_codes" if is_gan else "reconstructions": figure}


def traversals(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Every latent moved, from the first example."""
    examples = {}
    if len(inputs.examples):
        examples = {"original": inputs.examples, **decoded_examples(inputs)}
    figure = visualization.traversals(
        inputs.decoder(), code=inputs.code, examples=examples, **inputs.rows
    )
    return {"traversals": figure}


def starts(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Every latent moved, from several images that lie far apart."""
    spread = visualization.spread(inputs.codes, _NUM_STARTS)
    decode, rows = inputs.decoder(), inputs.rows
    rows["values"] = every_other(inputs.values)
    panels = {
        f"start {number + 1}": (decode, inputs.codes[index])
        for number, index in enumerate(spread)
    }
    return {"starts": visualization.traversals_side_by_side(panels, **rows)}


def samples(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Decoded samples of the prior, beside those of N(0, I)."""
    count, columns = 12, inputs.columns
    prior_codes = inputs.prior_codes(count)
    # Both have the same values of the categorical latents.
    normal = tf.random.stateless_normal(prior_codes.shape, inputs.seed).numpy()
    is_category = np.array([c.kind == "categorical" for c in columns])
    normal[:, is_category] = prior_codes[:, is_category]
    codes = {inputs.model.latents.prior.label: prior_codes}
    kinds = ((_STANDARD_NORMAL, ~is_category), (_UNIFORM, is_category))
    standard = ", ".join(name for name, present in kinds if present.any())
    codes.setdefault(standard, normal)
    decode = inputs.decoder(count)
    decoded = {label: decode(z) for label, z in codes.items()}
    # A sample from a heavy-tailed prior can overflow the decoder.
    finite = {k: x[np.isfinite(x).all(axis=(1, 2, 3))] for k, x in decoded.items()}
    groups = {label: x for label, x in finite.items() if len(x)}
    return {"samples": visualization.samples(groups)}


def categories(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Samples by category, and each category while a continuous latent moves."""
    codes, figures = inputs.prior_codes(10), {}
    for latent, column in enumerate(inputs.columns):
        if column.kind != "categorical":
            continue
        figures[f"samples_{column.name}"] = visualization.samples_by_category(
            inputs.decoder(10), codes, latent, inputs.columns
        )
        for moving in inputs.moving("continuous")[:_MOST_LATENTS]:
            name = f"{column.name}_against_{inputs.columns[moving].name}"
            figures[name] = _plane(inputs, moving, latent)
    return figures


def planes(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """The two continuous latents that move the image most, against each other."""
    latents = inputs.moving("continuous")[:2]
    if len(latents) < 2:
        return {}
    names = "_".join(inputs.columns[d].name for d in latents)
    return {f"plane_{names}": _plane(inputs, *latents)}


def hyperprior(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Covariances drawn from the hyperprior, of a model that has one."""
    matrices = inputs.model.latents.prior.covariances(inputs.seed)
    if not matrices:
        return {}
    across = 2 if len(matrices) in (2, 4) else 3
    return {"hyperprior": visualization.covariances(matrices, num_columns=across)}


def interpolation(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """The way from one image to another, through the codes."""
    chosen = visualization.spread(inputs.codes, 2 * _NUM_WAYS)
    half = len(chosen) // 2
    if not half:
        return {}
    first, last = (inputs.images[x] for x in (chosen[:half], chosen[half : 2 * half]))
    figure = visualization.interpolation(
        inputs.model.encode, inputs.decoder(), first, last, columns=inputs.columns
    )
    return {"interpolation": figure}


def edits(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Images with one latent changed, for the latents that move them most."""
    shown = visualization.spread(inputs.codes, _NUM_EDITED)
    moving = inputs.moving("categorical")[:1] + inputs.moving("continuous")
    steps, figures = every_other(inputs.values), {}
    for latent in moving[:_MOST_LATENTS]:
        column = inputs.columns[latent]
        own = steps if steps.ndim == 1 else steps[latent]
        figures[f"edits_{column.name}"] = visualization.attribute_editing(
            inputs.model.encode,
            inputs.decoder(),
            inputs.images[shown],
            latent,
            column=column,
            values=None if column.kind == "categorical" else own.tolist(),
        )
    return figures


def posteriors(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """The codes of images against the factors of these images."""
    data = inputs.data
    if data is None or not data.factor_names:
        return {}
    rng = np.random.default_rng(int(inputs.seed[0]))
    if "missing_combinations" in data.traits:
        count = min(_NUM_ENCODED, len(data))
        indices = np.sort(rng.choice(len(data), count, replace=False))
        factors, shown = data.factors_of(indices), data.images()[indices]
    else:
        factors = data.sample_factors(_NUM_ENCODED, rng)
        shown = data.render(factors, rng)
    moving = {*inputs.moving("continuous"), *inputs.moving("categorical")}
    figure = visualization.codes_against_factors(
        inputs.model.encode(shown),
        factors,
        factor_names=data.factor_names,
        columns=inputs.columns,
        order=[d for d in inputs.order if d in moving] or inputs.order,
    )
    return {"posteriors": figure}


def matrices(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """The matrices of latents and factors that the last scores have."""
    names = inputs.data.factor_names if inputs.data is not None else ()
    return {
        name: visualization.latent_factor_matrix(
            matrix,
            factor_names=names,
            latent_names=[column.name for column in inputs.columns],
            title=name.replace("_", " "),
        )
        for name, matrix in inputs.matrices.items()
        if np.shape(matrix) == (len(inputs.columns), len(names))
    }


def data(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Images of the data, and rows in which one factor varies."""
    if inputs.data is None:
        return {}
    rng = np.random.default_rng(int(inputs.seed[0]))
    return {"data": visualization.dataset_figure(inputs.data, rng)}


def points(inputs: FigureInputs) -> dict[str, AnyFigure]:
    """Data, reconstructions, samples and codes of vectors, two numbers of each."""
    model, count = inputs.model, len(inputs.images)
    prior_seed, code_seed = tfp.random.split_seed(inputs.seed, n=2)
    to_codes = model.latents.to_codes
    prior = inputs.prior_codes(count, prior_seed)
    posterior = model.posterior(inputs.images)
    codes = np.asarray(to_codes(posterior.sample(seed=code_seed)))
    data, latents = _two_numbers(inputs.images), list(inputs.order)
    panels = {
        "data": {"": data[:0], "data": data},
        "reconstructions (colour)\nover the data": {
            "data": data,
            "reconstructions": _two_numbers(model.reconstruct(inputs.images)),
        },
        "decoded samples of the\nprior (colour) over the data": {
            "data": data,
            "samples": _two_numbers(model.sampler(count, prior_seed)(prior)),
        },
        f"codes ~ q(z|x) (colour)\nover {model.latents.prior.label}": {
            "prior": _two_numbers(prior[:, latents]),
            "codes": _two_numbers(codes[:, latents]),
        },
    }
    return {"points": visualization.scatters(panels)}


def moving_traversals(inputs: FigureInputs) -> dict[str, np.ndarray]:
    """Every latent moving at once, each in its tile."""
    frames = visualization.traversal_frames(
        inputs.decoder(), inputs.code, **inputs.rows
    )
    return {"traversals": frames}


def cycles(inputs: FigureInputs) -> dict[str, np.ndarray]:
    """The 2019 study's five cycles, from the first example."""
    numbers = [
        float(code) if column.kind == "continuous" else 0.0
        for code, column in zip(inputs.code, inputs.columns, strict=True)
    ]
    animations = {}
    for kind in get_args(Cycle):
        rows = inputs.rows
        rows["values"] = visualization.cycle(np.array(numbers), inputs.codes, kind)
        animations[f"cycle_{kind}"] = visualization.traversal_frames(
            inputs.decoder(), inputs.code, there_and_back=False, **rows
        )
    return animations


#: Figures that stand still, by the name of their kind.
STILLS: dict[str, Callable[[FigureInputs], dict[str, AnyFigure]]] = {
    "traversals": traversals,
    "reconstructions": reconstructions,
    "samples": samples,
    "categories": categories,
    "hyperprior": hyperprior,
    "starts": starts,
    "planes": planes,
    "interpolation": interpolation,
    "edits": edits,
    "posteriors": posteriors,
    "matrices": matrices,
    "data": data,
}
#: Figures that move: frames uint8 [T, height, width, 3].
ANIMATIONS: dict[str, Callable[[FigureInputs], dict[str, np.ndarray]]] = {
    "traversals": moving_traversals,
    "cycles": cycles,
}
#: Figures of data that are vectors.
OF_VECTORS = {"points": points, "posteriors": posteriors, "matrices": matrices}
#: Traversals with the weights of several checkpoints, which `Plotter.save` is given.
CHECKPOINTS = "checkpoints"
KINDS = tuple(dict.fromkeys((*STILLS, *ANIMATIONS, *OF_VECTORS, CHECKPOINTS)))


def _plane(inputs: FigureInputs, across: int, down: int) -> AnyFigure:
    return visualization.plane(
        inputs.decoder(),
        inputs.code,
        across,
        down,
        values=inputs.values,
        columns=inputs.columns,
    )


def decoded_examples(inputs: FigureInputs) -> dict[str, np.ndarray]:
    """Returns what is decoded from the examples' codes, under its label."""
    label = "reconstruction" if inputs.model.reconstructs else _SAME_CODE
    return {label: inputs.decoder()(inputs.model.encode(inputs.examples))}


def every_other(values: np.ndarray) -> np.ndarray:
    """Returns every other step, or all if there are few or the last would be lost."""
    count = values.shape[-1]
    return values[..., ::2] if count >= 5 and count % 2 else values


def _two_numbers(points: np.ndarray) -> np.ndarray:
    """Returns the first two numbers of each finite point, [N, 2]; 0 for none."""
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    flat = flat[np.isfinite(flat).all(axis=1)]
    missing = max(0, 2 - flat.shape[1])
    return np.pad(flat, [(0, 0), (0, missing)])[:, :2]
