"""One handle for a run, whoever started it.

    run = train(model, data, steps=50_000)          a folder only if asked for
    run.encode(images); run.decode(codes); run.score("mig", "dci"); run.export("served")
    run = load("runs/x")                            the same `Run`, in another process

gin configures this very `train`.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np

from tf_disentangle import checks, explorer, models, serving, store
from tf_disentangle.datasets.cache import cache_dir
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics import Scores, evaluate, log_evidence
from tf_disentangle.models import LatentModel
from tf_disentangle.models.encoder import ModelEncoder, UntrainedEncoder
from tf_disentangle.serving import card
from tf_disentangle.training import Device, Intervals, RunFolder, description, shown
from tf_disentangle.training.checkpoints import all_saved
from tf_disentangle.training.input_pipeline import Batches, split_indices
from tf_disentangle.training.loop import Metric, TrainingLoop
from tf_disentangle.training.pictures import Plotter, latent_annotations, make_plotter
from tf_disentangle.training.preparation import (
    check_length,
    check_numbers,
    check_types,
    compiled,
)
from tf_disentangle.training.run_folder import Examples, last_terms
from tf_disentangle.training.user_callbacks import check_callbacks


def train(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
    *,
    steps: int,
    output: str | os.PathLike | None = None,
    batch_size: int = 64,
    optimizer: Callable[[], keras.optimizers.Optimizer] | None = None,
    seed: int = 0,
    validation_size: int | None = None,
    with_replacement: bool = False,
    intervals: Intervals | None = None,
    device: Device | None = None,
    metrics: Sequence[Metric] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warm_start: str | os.PathLike | None = None,
    dry_run: bool = False,
) -> Run:
    """Trains a model on a data set, scores it and draws it.

    Args:
        model: A model, or a function (image_shape, seed) -> model. A strategy of
            several devices needs the function, to build the model in its scope. A
            model that was trained before starts from the weights it has.
        data: The data set to train on.
        steps: Number of optimiser steps in all, at least 1.
        output: The run folder. A run that is already in it resumes from its last
            checkpoint. None writes nothing at all (no folder, checkpoint or picture):
            the trained model with its last weights, its rows and its scores are kept in
            memory.
        batch_size: Images per step, over all devices.
        optimizer: A function that makes the optimiser; None means Adam at 1e-4. Keras's
            optimisers carry schedules (learning_rate=) and clipping (global_clipnorm=).
        seed: Seed of the weights, the batches and all random numbers.
        validation_size: Number of images held out for the validation terms; None
            means 10 % of them, at most 2,000.
        with_replacement: Whether images are drawn with replacement, as in the study of
            Locatello et al. (2019).
        intervals: How often to log, evaluate and save.
        device: Where and how to run.
        metrics: Metrics to score with after training: names such as "mig", or functions
            (data, encoder) -> result.
        callbacks: Further Keras callbacks; their epoch is an interval of
            `intervals.log` steps.
        warm_start: Run, or published model, whose last weights to start from.
        dry_run: Whether to build and check everything and then stop: nothing is written
            and the returned run is untrained.

    Raises:
        ArgumentError: If a value is invalid, or parts do not fit each other, or the
            folder holds a run with other settings.
        ArgumentTypeError: If a value has the wrong type.
        NonFiniteError: If a loss term became NaN or infinite.
    """
    intervals = Intervals() if intervals is None else intervals
    device = Device() if device is None else device
    check_types(model, data, intervals, device, metrics)
    check_numbers(steps, seed, with_replacement)
    check_callbacks(callbacks, has_folder=output is not None)
    folder = None if output is None else RunFolder(output).check()
    split = split_indices(len(data), validation_size, seed)
    batches = Batches(*split, batch_size, seed, with_replacement)
    source = store.opener(warm_start, "warm_start")
    built = compiled(model, data, batches, optimizer, device, folder, source)
    intervals = intervals.fitted(steps, device.steps_per_execution)
    plan = (steps, intervals, device, tuple(callbacks), tuple(metrics), warm_start)
    loop = TrainingLoop(built, data, batches, folder, *plan)
    loop.check()
    run = Run(built, batches, folder, loop=loop)
    return run if dry_run else run.start()


def load(
    folder: str | os.PathLike,
    checkpoint: str = "last",
    *,
    model: LatentModel | Callable[..., LatentModel] | None = None,
    data: Dataset | None = None,
    trust: bool = False,
) -> Run:
    """Loads a trained run: its model with the weights of a checkpoint, and its data.

    Args:
        folder: The run folder; or a published model: its folder, its .zip or .tar, or
            "store:NAME" for one that comes with the library.
        checkpoint: "last", or "best" by the validation ELBO.
        model: The run's model, or the function that made it, as for training; None
            builds it from the record in run.json. Needed where a part of it is a class
            or function that cannot be imported.
        data: The run's data set, likewise; it is made when it is first used.
        trust: Whether to run Python code that a published model holds, as copies of its
            author's modules; otherwise, loading runs no code that it holds.

    Raises:
        ArgumentError: If the folder holds no run, the model must be passed, or a
            published model is not what its author wrote.
    """
    run_folder = store.folder_of(folder, trust=trust)
    built = description.model_of(run_folder, model)
    step = run_folder.restore(built, checkpoint)
    built.steps.assign(step)
    check_length(data, run_folder.describe()["training"]["num_images"])
    batches = description.batches_of(run_folder)
    built.num_examples = len(batches.training)
    return Run(built, batches, run_folder, data=data, step=step)


class Run:
    """A run: its model, its data and its operations; `train` and `load` make it.

    Args:
        model: The model.
        batches: Which images it was trained on, and which were held out.
        folder: The `RunFolder`, None for a run in memory.
        data: The data set; None makes it from the folder's record when it is used.
        step: Number of steps that the weights have seen.
        loop: What trains it; None for a run that was loaded.
    """

    def __init__(
        self,
        model: LatentModel,
        batches: Batches,
        folder: RunFolder | None = None,
        *,
        data: Dataset | None = None,
        step: int = 0,
        loop: TrainingLoop | None = None,
    ) -> None:
        self.model = model
        self.batches = batches
        self.folder = folder
        self._data = loop.data if loop is not None else data
        self._step = step
        self._loop = loop

    __repr__ = shown.run_text
    _repr_html_ = shown.run_html  # in a notebook

    def start(self, config: str = "", modules: Collection[str] = ()) -> Run:
        """Trains the run that `train(..., dry_run=True)` has built; returns itself.

        Args:
            config: Text of the configuration, for config.gin and TensorBoard.
            modules: Names of modules to copy into the run folder, beside those of the
                parts' classes.
        """
        rule = "be a run of train(..., dry_run=True)"
        checks.require(self._loop is not None, "run", rule, "a loaded run")
        self._loop.card = lambda: card.of_run(self)
        self._loop.run(config, modules)
        return self

    # ---- What it is.

    @property
    def data(self) -> Dataset:
        """The data set."""
        if self._data is None:
            self._data = description.rebuild(self.folder, "data")
            training = self.folder.describe()["training"]
            check_length(self._data, training["num_images"])
        return self._data

    @property
    def step(self) -> int:
        """Number of steps that the weights have seen."""
        return self._step if self._loop is None else self._loop.step

    @property
    def steps(self) -> int:
        """Number of steps that the run was to have in all."""
        if self._loop is not None:
            return self._loop.steps
        return self.folder.describe()["training"]["steps"]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that the run was trained with; of a loaded run, by run.json."""
        if self._loop is not None:
            return list(self._loop.metrics)
        return description.rebuild_metrics(self.folder)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The rows of the run, each with its "step": terms, validation, scores.

        Ready for `pandas.DataFrame`; those of a run folder are its metrics.jsonl.
        """
        return list(self._loop.rows) if self.folder is None else self.folder.rows()

    @property
    def terms(self) -> dict[str, float]:
        """The last loss terms, in nats per image; those of validation as val_NAME."""
        # The weights of a loaded run may be those of an earlier checkpoint.
        last = self.step if self._loop is None else self.steps
        return last_terms(row for row in self.history if row["step"] <= last)

    @property
    def scores(self) -> dict[str, Any]:
        """The results of the metrics of the training just done, by name."""
        return {} if self._loop is None else self._loop.scores

    @property
    def examples(self) -> Examples | None:
        """Images that were published with the model; None for a run of your own."""
        return None if self.folder is None else self.folder.examples()

    @property
    def signal(self) -> int | None:
        """Number of the signal that stopped the training, None if it finished."""
        return None if self._loop is None else self._loop.signal

    # ---- What it does.

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Maps images [N, H, W, C] to codes, float32 [N, L]."""
        return self.model.encode(images)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Maps codes [N, L] to images, float32 [N, H, W, C] in [0, 1]."""
        return self.model.decode(codes)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Maps images to float32 images in [0, 1], through their codes."""
        return self.model.reconstruct(images)

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Draws `n` images from the prior, float32 [n, H, W, C] in [0, 1]."""
        return self.model.sample(n, seed=seed)

    def score(
        self,
        *names: Metric,
        data: Dataset | None = None,
        seeds: Sequence[int] | None = None,
        sampled: bool = False,
        bounds: bool = False,
        **options: Any,
    ) -> Scores:
        """Scores the model's codes with metrics.

        The results are returned and not recorded; bin/evaluate adds them to the rows of
        a run folder.

        Args:
            *names: Names such as "mig", or functions; the name of one of the run's
                `metrics` keeps its options. Without any, the run's `metrics`.
            data: A data set to score on; None means the run's.
            seeds: Seeds of the metrics' samples; None means each metric's own.
            sampled: Whether codes are drawn from q(z|x) instead of its mean.
            bounds: Whether to give each score its floor and its ceiling under the same
                protocol (`metrics.bounds`).
            **options: Options of `metrics.evaluate`, such as `factors` and `progress`.

        Returns:
            By the metric's name, a score with its protocol, or why there is none.
        """
        loop, folder = self._loop, self.folder
        ours = loop.metrics if loop else description.librarys_metrics(folder)
        # For a metric that is named, a protocol that is given stands for all options.
        own = {} if options.get("protocol") else description.options_of(ours)
        chosen = [description.with_options(n, own) for n in names] or self.metrics
        rule, remedy = "name one metric or more", 'For example run.score("mig", "dci").'
        checks.require(chosen, "names", rule, (), remedy)
        if bounds:
            untrained = [
                UntrainedEncoder(self.model, seed, sampled) for seed in range(3)
            ]
            options["floor_encoders"] = untrained
            options["architecture"] = untrained[0].architecture
            options["cache"] = cache_dir()
        return evaluate(
            self.data if data is None else data,
            ModelEncoder(self.model, sampled),
            chosen,
            seeds=seeds,
            held_out=self.batches.held_out if data is None else None,
            bounds=bounds,
            **options,
        )

    def log_evidence(self, **options: Any) -> models.LogEvidence:
        """Estimates log p(x) of held-out images by importance weights, in nats.

        This is the metric that `score("log_evidence")` calls, with its errors raised.

        Args:
            **options: `num_images`, `num_samples` and `seed` of `metrics.log_evidence`.

        Raises:
            ArgumentError: If fewer than 2 images were held out, or the prior has no
                density.
        """
        encoder, held_out = ModelEncoder(self.model), self.batches.held_out
        return log_evidence(self.data, encoder, held_out=held_out, **options)

    def traversals(self, image: np.ndarray | None = None, **options: Any) -> np.ndarray:
        """Draws what each latent changes in an image, one row each: uint8 [H', W', 3].

        Args:
            image: [H, W, C]; None starts from a typical held-out image.
            **options: Options of `training.pictures.Plotter`, such as `latents`.
        """
        if image is not None:
            options["examples"] = np.asarray(image)[np.newaxis]
        if self.examples is None:
            plotter = make_plotter(self.model, self.data, self.batches, **options)
        else:  # A published model can be looked at without its data set.
            plotter = Plotter(self.model, self.examples.images, **options)
        return plotter.traversals(**latent_annotations(self.history, self.step))

    def draw(
        self,
        folder: str | os.PathLike | None = None,
        kinds: Collection[str] | None = None,
        formats: Collection[str] = ("png", "gif"),
        **options: Any,
    ) -> list[pathlib.Path]:
        """Writes pictures, which a notebook shows, and returns their paths.

        Args:
            folder: The folder to write to; None means the run folder's pictures/.
            kinds: Names in `training.pictures.KINDS`; None means all that apply.
            formats: Any of "png", "gif", "pdf", "svg".
            **options: Options of `training.pictures.Plotter`, such as `latents`.
        """
        own = self.folder if self.folder and not self.folder.is_published else None
        folder = own.pictures if folder is None and own else folder
        rule = "be given for a published model or a run in memory"
        checks.require(folder, "folder", rule, folder)
        plotter = make_plotter(self.model, self.data, self.batches, **options)
        saved = all_saved(self.folder.checkpoints) if self.folder else []
        notes = latent_annotations(self.history, self.step)
        return shown.Pictures(plotter.save(folder, kinds, formats, saved, **notes))

    def export(
        self,
        destination: str | os.PathLike | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> pathlib.Path:
        """Writes the model for a server, with its card; see `serving.export`.

        Args:
            destination: Folder of the models; None means the run folder's export/.
            name: The model's name at the server; None means the run folder's name.
            **options: `version`, `variant` and `precision` of `serving.export`.
        """
        return serving.export_run(self, destination, name, **options)

    def publish(self, path: str | os.PathLike, **options: Any) -> pathlib.Path:
        """Writes the model for others, a folder or NAME.zip: see `store.publish`."""
        return store.publish(self, path, **options)

    def explore(self, **options: Any) -> explorer.Explorer:
        """Makes a page with the model inside; Jupyter shows it. See `explorer`."""
        return explorer.explore(self, **options)
