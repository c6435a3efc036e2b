"""Draws a trained run, and writes a page with everything about it: RUN/index.html.

    bin/visualize runs/chyvae
    bin/visualize runs/chyvae --checkpoint=best --output=/tmp/pictures
    bin/visualize runs/chyvae --images=3,17 --latents=z0,z4 --range=-3,3 --steps=11
    bin/visualize runs/chyvae --factors=scale=0,rotation=5 --seed=1
    bin/visualize runs/chyvae --kinds=traversals --format=pdf --steps=5
    bin/visualize runs/chyvae --kinds=cycles,checkpoints --start=spread
    bin/visualize runs/joint_vae --range=quantiles --start=prior

Kinds of pictures (without --kinds, those that do not apply to a model are left out):

    traversals       one image while each latent moves, as a still picture and a GIF
    reconstructions  images, and what is decoded from their codes
    samples          draws from the prior, beside N(0, I)
    categories       samples by category; each category while a latent moves
    hyperprior       covariances drawn from the hyperprior
    starts           traversals from images that lie far apart, side by side
    planes           the two latents that move the image most, against each other
    interpolation    from one image to another
    edits            images with one latent changed
    posteriors       codes against factors, a panel for each pair
    matrices         latents and factors in the matrices of the last scores
    data             images of the data; rows in which one factor varies
    points           data, samples and codes, where the data are vectors
    cycles           the five animations of Locatello et al. (2019)
    checkpoints      traversals with the weights of each checkpoint, side by side

Rows of the traversals are sorted by how much the latent moves the image. Each shows the
latent's KL and, if it moves the image, the factor that the last score in metrics.jsonl
assigned to it, with the factor's share of the votes that the latent won. The page is
one self-contained file; with --output it is written to that folder.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import run_flags

if TYPE_CHECKING:
    from tf_disentangle import Run
    from tf_disentangle.interfaces import Dataset

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_string(
    "output", None, "Folder; by default RUN/pictures.", flag_values=FLAGS
)
flags.DEFINE_list(
    "kinds",
    None,
    "Kinds of pictures (see above); by default all but cycles and checkpoints.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "format",
    ["png", "gif"],
    "Formats: png, pdf and svg for still pictures, gif for moving ones. With --steps=5 "
    "a pdf or svg fits one column of a paper.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "start",
    "typical",
    ["typical", "spread", "prior"],
    "Which images are shown, and where traversals start. typical: random held-out "
    "images, and the most typical of them; spread: images that lie far apart; prior: a "
    "draw from the prior.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "page", True, "Write index.html, which takes a few seconds.", flag_values=FLAGS
)
flags.DEFINE_list(
    "images",
    None,
    "Indices of images in the data set; traversals start from the first. By default "
    "random held-out images, and traversals start from the most typical of them.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "factors",
    None,
    "Values of factors that the images must have, such as shape=1,scale=3; the other "
    "factors are drawn at random; traversals start from the first image.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "latents",
    None,
    "Names of the latents to traverse, from top to bottom; by default all, sorted by "
    "how much they move the image.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "range",
    "-2,2",
    "Range of the traversals: two limits such as -3,3; or quantiles, steps of equal "
    "probability under N(0, 1) from 0.05 to 0.95; or codes, which moves each latent "
    "from the 0.05 to the 0.95 quantile of its own codes.",
    flag_values=FLAGS,
)
flags.DEFINE_integer("steps", 9, "Steps of the traversals.", flag_values=FLAGS)
flags.DEFINE_integer(
    "seed",
    None,
    "Seed of the random images and of the samples; by default that of the run.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    indices, factors = parse_indices(values.images), parse_factors(values.factors)
    rule = "not be given together with --factors"
    checks.require(indices is None or factors is None, "--images", rule, values.images)
    chosen = indices is not None or factors is not None
    rule = "not be given together with --images or --factors"
    checks.require(
        not chosen or values.start == "typical", "--start", rule, values.start
    )
    limits = parse_range(values.range)
    num_steps = checks.integer(values.steps, "--steps", at_least=2)
    if values.seed is not None:
        checks.seed(values.seed, "--seed")
    run_flags.require_place(values, "output", "pictures")
    run = run_flags.load(values)
    require_data(run, values.run)
    from tf_disentangle import visualization
    from tf_disentangle.training.input_pipeline import images_at
    from tf_disentangle.training.pictures import (
        FORMATS,
        KINDS,
        num_images,
        random_images,
    )

    for kind in values.kinds or ():
        checks.one_of(kind, KINDS, "--kinds")
    for form in values.format:
        checks.one_of(form, FORMATS, "--format")
    seed = run.batches.seed if values.seed is None else values.seed
    if isinstance(limits, tuple):
        steps = np.linspace(*limits, num_steps)
    elif limits == "quantiles":
        steps = visualization.normal_quantiles(num_steps)
    else:
        images = random_images(run.model, run.data.images(), run.batches, seed)
        steps = visualization.code_quantiles(run.encode(images), num_steps)
    examples = values.start
    if indices is not None:
        rule = f"be below the number of images, {len(run.data)}"
        checks.require(max(indices) < len(run.data), "--images", rule, max(indices))
        examples = images_at(run.data.images(), np.array(indices))
    elif factors is not None:
        rng = np.random.default_rng(seed)
        examples = images_with(run.data, factors, num_images(run.model), rng)
    options = {"examples": examples, "latents": values.latents, "values": steps}
    paths = run.draw(values.output, values.kinds, values.format, seed=seed, **options)
    for path in paths:
        print(path)
    if values.page:
        from tf_disentangle import pages

        print("Writing the page", file=sys.stderr)
        page = None if values.output is None else f"{values.output}/index.html"
        print(pages.write_run_page(run, page, paths))
    return 0


def require_data(run: Run, name: str) -> None:
    """Says what to do where a published model's data are not at hand.

    Raises:
        ArgumentError: If they are not.
    """
    if not run.folder.is_published:
        return
    try:
        run.data  # noqa: B018
    except checks.ArgumentError as error:
        rule = "have its data on this machine, to draw their images"
        remedy = f"Prepare them (bin/data prepare --help), or run bin/explore {name}, "
        remedy += "which shows the model with the images that were published with it."
        text = checks.message("RUN", rule, f"{name}: {error}", remedy)
        raise checks.ArgumentError(text) from error


def parse_range(text: str) -> tuple[float, float] | str:
    """Returns the two limits that --range gives, or its word."""
    if text in ("quantiles", "codes"):
        return text
    try:
        low, high = (float(limit) for limit in text.split(","))
    except ValueError:
        low = high = 0.0
    rule = "be two numbers such as -3,3, the lower first, or quantiles, or codes"
    checks.require(-np.inf < low < high < np.inf, "--range", rule, text)
    return low, high


def parse_indices(texts: list[str] | None) -> list[int] | None:
    """Returns the indices that --images gives."""
    if texts is None:
        return None
    good = texts and all(text.strip().isdecimal() for text in texts)
    checks.require(good, "--images", "be indices such as 3,17", ",".join(texts))
    return [int(text) for text in texts]


def parse_factors(texts: list[str] | None) -> dict[str, int] | None:
    """Returns the value of each factor that --factors gives."""
    if texts is None:
        return None
    pairs = [text.partition("=") for text in texts]
    good = pairs and all(name and value.isdecimal() for name, _, value in pairs)
    rule = "be names with values such as shape=1,scale=3"
    checks.require(good, "--factors", rule, ",".join(texts))
    return {name: int(value) for name, _, value in pairs}


def images_with(
    data: Dataset, factors: Mapping[str, int], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Renders `count` images with values of some factors fixed, the others drawn."""
    complete = data.factor_names and "missing_combinations" not in data.traits
    remedy = "Pass --images with indices instead."
    rule = "be left out for a data set without an image of every combination of factors"
    checks.require(complete, "--factors", rule, ", ".join(factors), remedy)
    rows = data.sample_factors(count, rng)
    for name, value in factors.items():
        rule = f"name factors of the data set, {', '.join(data.factor_names)}"
        checks.require(name in data.factor_names, "--factors", rule, name)
        k = data.factor_names.index(name)
        rule = f"have a value of {name} in [0, {data.factor_sizes[k]})"
        checks.require(value < data.factor_sizes[k], "--factors", rule, value)
        rows[:, k] = value
    return data.render(rows, rng)
