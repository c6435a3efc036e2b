"""The kinds of pictures of a model, one function each: what is drawn in, pictures out.

`STILLS` and `ANIMATIONS` are their tables by name. A kind that does not apply, such as
categories of a model without categorical latents, gives no picture.
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
AnyPicture = Any

# What is decoded from the code of an image: of a GAN it is no reconstruction.
_SAME_CODE = "generated from\nthe same code"
_STANDARD_NORMAL, _UNIFORM = "z ~ N(0, I)", "c ~ uniform"
_NUM_STARTS, _NUM_EDITED, _NUM_WAYS = 3, 6, 5
_MOST_LATENTS, _NUM_ENCODED = 2, 600


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """What is drawn: a model at one time, on some images.

    Attributes:
        model: The model.
        data: The data set, if it is known.
        images: Images in random order [N, H, W, C], or vectors.
        codes: Theirs, [N, L].
        examples: The images that are shown [M, H, W, C], the first where traversals
            start; none where they start from the prior.
        code: Where traversals start, [L].
        values: Steps of the traversals, [S] or [L, S].
        order: The latents from top to bottom.
        unused: Those that do not move the image.
        notes: Per latent the text beside its name.
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
        """What pictures with a row for each latent have in common."""
        names = ("columns", "values", "notes", "order", "unused")
        return {name: getattr(self, name) for name in names}

    def decoder(self, count: int = 1) -> Decode:
        """Returns a decoder; of a GAN with `count` draws of noise, taken in turn."""
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


def reconstructions(subject: Subject) -> dict[str, AnyPicture]:
    """The examples, and what is decoded from their codes."""
    if not len(subject.examples):
        return {}
    is_gan = not subject.model.reconstructs
    ((label, decoded),) = decoded_examples(subject).items()
    picture = visualization.reconstructions(subject.examples, decoded, label=label)
    return {"same_codes" if is_gan else "reconstructions": picture}


def traversals(subject: Subject) -> dict[str, AnyPicture]:
    """Every latent moved, from the first example."""
    examples = {}
    if len(subject.examples):
        examples = {"original": subject.examples, **decoded_examples(subject)}
    picture = visualization.traversals(
        subject.decoder(), code=subject.code, examples=examples, **subject.rows
    )
    return {"traversals": picture}


def starts(subject: Subject) -> dict[str, AnyPicture]:
    """Every latent moved, from several images that lie far apart."""
    spread = visualization.spread(subject.codes, _NUM_STARTS)
    decode, rows = subject.decoder(), subject.rows
    rows["values"] = every_other(subject.values)
    panels = {
        f"start {number + 1}": (decode, subject.codes[index])
        for number, index in enumerate(spread)
    }
    return {"starts": visualization.traversals_side_by_side(panels, **rows)}


def samples(subject: Subject) -> dict[str, AnyPicture]:
    """Decoded samples of the prior, beside those of N(0, I)."""
    count, columns = 12, subject.columns
    prior_codes = subject.prior_codes(count)
    # Both have the same values of the categorical latents.
    normal = tf.random.stateless_normal(prior_codes.shape, subject.seed).numpy()
    is_category = np.array([c.kind == "categorical" for c in columns])
    normal[:, is_category] = prior_codes[:, is_category]
    codes = {subject.model.latents.prior.label: prior_codes}
    kinds = ((_STANDARD_NORMAL, ~is_category), (_UNIFORM, is_category))
    standard = ", ".join(name for name, present in kinds if present.any())
    codes.setdefault(standard, normal)
    decode = subject.decoder(count)
    decoded = {label: decode(z) for label, z in codes.items()}
    # A draw from a heavy-tailed prior can overflow the decoder.
    finite = {k: x[np.isfinite(x).all(axis=(1, 2, 3))] for k, x in decoded.items()}
    groups = {label: x for label, x in finite.items() if len(x)}
    return {"samples": visualization.samples(groups)}


def categories(subject: Subject) -> dict[str, AnyPicture]:
    """Samples by category, and each category while a continuous latent moves."""
    codes, pictures = subject.prior_codes(10), {}
    for latent, column in enumerate(subject.columns):
        if column.kind != "categorical":
            continue
        pictures[f"samples_{column.name}"] = visualization.samples_by_category(
            subject.decoder(10), codes, latent, subject.columns
        )
        for moving in subject.moving("continuous")[:_MOST_LATENTS]:
            name = f"{column.name}_against_{subject.columns[moving].name}"
            pictures[name] = _plane(subject, moving, latent)
    return pictures


def planes(subject: Subject) -> dict[str, AnyPicture]:
    """The two continuous latents that move the image most, against each other."""
    latents = subject.moving("continuous")[:2]
    if len(latents) < 2:
        return {}
    names = "_".join(subject.columns[d].name for d in latents)
    return {f"plane_{names}": _plane(subject, *latents)}


def hyperprior(subject: Subject) -> dict[str, AnyPicture]:
    """Covariances drawn from the hyperprior, of a model that has one."""
    matrices = subject.model.latents.prior.covariances(subject.seed)
    if not matrices:
        return {}
    across = 2 if len(matrices) in (2, 4) else 3
    return {"hyperprior": visualization.covariances(matrices, num_columns=across)}


def interpolation(subject: Subject) -> dict[str, AnyPicture]:
    """The way from one image to another, through the codes."""
    chosen = visualization.spread(subject.codes, 2 * _NUM_WAYS)
    half = len(chosen) // 2
    if not half:
        return {}
    first, last = (subject.images[x] for x in (chosen[:half], chosen[half : 2 * half]))
    picture = visualization.interpolation(
        subject.model.encode, subject.decoder(), first, last, columns=subject.columns
    )
    return {"interpolation": picture}


def edits(subject: Subject) -> dict[str, AnyPicture]:
    """Images with one latent changed, for the latents that move them most."""
    shown = visualization.spread(subject.codes, _NUM_EDITED)
    moving = subject.moving("categorical")[:1] + subject.moving("continuous")
    steps, pictures = every_other(subject.values), {}
    for latent in moving[:_MOST_LATENTS]:
        column = subject.columns[latent]
        own = steps if steps.ndim == 1 else steps[latent]
        pictures[f"edits_{column.name}"] = visualization.attribute_editing(
            subject.model.encode,
            subject.decoder(),
            subject.images[shown],
            latent,
            column=column,
            values=None if column.kind == "categorical" else own.tolist(),
        )
    return pictures


def posteriors(subject: Subject) -> dict[str, AnyPicture]:
    """The codes of images against the factors of these images."""
    data = subject.data
    if data is None or not data.factor_names:
        return {}
    rng = np.random.default_rng(int(subject.seed[0]))
    if "missing_combinations" in data.traits:
        count = min(_NUM_ENCODED, len(data))
        indices = np.sort(rng.choice(len(data), count, replace=False))
        factors, shown = data.factors_of(indices), data.images()[indices]
    else:
        factors = data.sample_factors(_NUM_ENCODED, rng)
        shown = data.render(factors, rng)
    moving = {*subject.moving("continuous"), *subject.moving("categorical")}
    picture = visualization.codes_against_factors(
        subject.model.encode(shown),
        factors,
        factor_names=data.factor_names,
        columns=subject.columns,
        order=[d for d in subject.order if d in moving] or subject.order,
    )
    return {"posteriors": picture}


def matrices(subject: Subject) -> dict[str, AnyPicture]:
    """The matrices of latents and factors that the last scores have."""
    names = subject.data.factor_names if subject.data is not None else ()
    return {
        name: visualization.latent_factor_matrix(
            matrix,
            factor_names=names,
            latent_names=[column.name for column in subject.columns],
            title=name.replace("_", " "),
        )
        for name, matrix in subject.matrices.items()
        if np.shape(matrix) == (len(subject.columns), len(names))
    }


def data(subject: Subject) -> dict[str, AnyPicture]:
    """Images of the data, and rows in which one factor varies."""
    if subject.data is None:
        return {}
    rng = np.random.default_rng(int(subject.seed[0]))
    return {"data": visualization.dataset_figure(subject.data, rng)}


def points(subject: Subject) -> dict[str, AnyPicture]:
    """Data, reconstructions, samples and codes of vectors, two numbers of each."""
    model, count = subject.model, len(subject.images)
    prior_seed, code_seed = tfp.random.split_seed(subject.seed, n=2)
    to_codes = model.latents.to_codes
    prior = subject.prior_codes(count, prior_seed)
    posterior = model.posterior(subject.images)
    codes = np.asarray(to_codes(posterior.sample(seed=code_seed)))
    data, latents = _two_numbers(subject.images), list(subject.order)
    panels = {
        "data": {"": data[:0], "data": data},
        "reconstructions (colour)\nover the data": {
            "data": data,
            "reconstructions": _two_numbers(model.reconstruct(subject.images)),
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


def moving_traversals(subject: Subject) -> dict[str, np.ndarray]:
    """Every latent moving at once, each in its tile."""
    frames = visualization.traversal_frames(
        subject.decoder(), subject.code, **subject.rows
    )
    return {"traversals": frames}


def cycles(subject: Subject) -> dict[str, np.ndarray]:
    """The 2019 study's five cycles, from the first example."""
    numbers = [
        float(code) if column.kind == "continuous" else 0.0
        for code, column in zip(subject.code, subject.columns, strict=True)
    ]
    animations = {}
    for kind in get_args(Cycle):
        rows = subject.rows
        rows["values"] = visualization.cycle(np.array(numbers), subject.codes, kind)
        animations[f"cycle_{kind}"] = visualization.traversal_frames(
            subject.decoder(), subject.code, there_and_back=False, **rows
        )
    return animations


#: Pictures that stand still, by the name of their kind.
STILLS: dict[str, Callable[[Subject], dict[str, AnyPicture]]] = {
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
#: Pictures that move: frames uint8 [T, height, width, 3].
ANIMATIONS: dict[str, Callable[[Subject], dict[str, np.ndarray]]] = {
    "traversals": moving_traversals,
    "cycles": cycles,
}
#: Of data that are vectors.
OF_VECTORS = {"points": points, "posteriors": posteriors, "matrices": matrices}
#: Traversals with the weights of several checkpoints, which `Plotter.save` is given.
CHECKPOINTS = "checkpoints"
KINDS = tuple(dict.fromkeys((*STILLS, *ANIMATIONS, *OF_VECTORS, CHECKPOINTS)))


def _plane(subject: Subject, across: int, down: int) -> AnyPicture:
    return visualization.plane(
        subject.decoder(),
        subject.code,
        across,
        down,
        values=subject.values,
        columns=subject.columns,
    )


def decoded_examples(subject: Subject) -> dict[str, np.ndarray]:
    """Returns what is decoded from the examples' codes, under its label."""
    label = "reconstruction" if subject.model.reconstructs else _SAME_CODE
    return {label: subject.decoder()(subject.model.encode(subject.examples))}


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
