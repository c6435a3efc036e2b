"""What a run writes for TensorBoard, as `tensorboard --logdir=runs` shows it.

    runs/chyvae               training terms, pictures, text, the projector
    runs/chyvae/validation    the same terms of held-out images, and their codes
    runs/chyvae/scores        scores, beside the settings for the HParams tab

TensorBoard draws all values with the same tag in one chart, with a line for each run.
So training and validation are two runs, as with Keras's own callback, and several runs
under one folder can be compared. The HParams tab makes a column of every scalar beside
the settings, so the scores are a run of their own.

Tags begin with their role, and roles are in alphabetical order, the loss first.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle import files, visualization
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.models import LatentModel
from tf_disentangle.training.settings import flat_settings

#: The runs within a run, by their folder: the training is the run folder itself.
TRAINING, VALIDATION, SCORES = "", "validation", "scores"
#: The tag of the model card.
MODEL_CARD = "model_card"

# What a row says of each latent: the group of its tags, and what it is.
_PER_LATENT = {
    "kl_per_latent": (
        "per_latent_kl",
        "KL of q(z_i|x) to the prior's marginal p(z_i), in nats, mean over held-out "
        "images. With a full covariance these do not sum to the KL.",
    ),
    "information_per_latent": (
        "per_latent_information",
        "Lower bound of the mutual information of a latent and the images that are "
        "generated of it, in nats.",
    ),
}
# Settings that tell no run from another, and details of Keras's optimisers.
_NO_SETTINGS = {
    "amsgrad",
    "ema_momentum",
    "epsilon",
    "use_ema",
    "intervals",
    "device",
    "metrics",
    "callbacks",
    "image_shape",
    "requires",
}


class TensorBoard:
    """Writes the event files of a run.

    Files are made when there is something to write.

    Args:
        folder: The run folder; with None, for a run in memory, nothing is written.
        model: The run's model.
    """

    def __init__(self, folder: pathlib.Path | None, model: LatentModel) -> None:
        self._folder = folder
        self._columns: Sequence[CodeColumn] = model.latents.columns
        self._scheduled = model.scheduled_names
        self._names = model.row_names
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._scored: set[int] = set()

    def begin(self, step: int, description: Mapping[str, Any], config: str) -> None:
        """Describes the run; drops what a stopped process wrote after `step`.

        Args:
            step: The step of the checkpoint from which the run resumes.
            description: As run.json holds it.
            config: The gin configuration, or "".
        """
        if self._folder is None:
            return
        for part in (TRAINING, VALIDATION):
            cut(self._folder / part, step)
        kept = cut(self._folder / SCORES, step)
        self._scored = {
            at for at, tags in kept if any(tag.startswith("scores/") for tag in tags)
        }
        from tensorboard.plugins.custom_scalar import summary as custom_scalar
        from tensorboard.plugins.hparams import api as hparams

        found = settings(description)
        with self._recording(TRAINING, 0):
            # Indented by four, Markdown shows text as code.
            if config:
                tf.summary.text("configuration", textwrap.indent(config, "    "))
            else:
                rows = [f"| {name} | {value} |" for name, value in found.items()]
                table = "\n".join(["| setting | value |", "|---|---|", *rows])
                tf.summary.text("configuration", table)
            layout = custom_scalar.pb(_layout(self._names, self._scheduled))
            tf.summary.experimental.write_raw_pb(layout.SerializeToString())
        with self._recording(SCORES, 0):
            hparams.hparams(found, trial_id=_trial(self._folder))

    def write_row(self, step: int, row: Mapping[str, Any]) -> None:
        """Writes the numbers of an interval."""
        runs: dict[str, dict[str, float]] = {TRAINING: {}, VALIDATION: {}}
        for name, value in row.items():
            if name in _PER_LATENT:
                group, _ = _PER_LATENT[name]
                tags = [f"{group}/{column.name}" for column in self._columns]
                runs[VALIDATION] |= dict(zip(tags, value, strict=True))
            else:
                run = VALIDATION if name.startswith("val_") else TRAINING
                runs[run][tag_of(name, self._names, self._scheduled)] = value
        self._write_scalars(step, runs)

    def has_scores(self, step: int) -> bool:
        """Whether scores of a step were written; a killed process may not have."""
        return step in self._scored

    def write_scores(
        self, step: int, scores: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Writes the numbers of each metric's result, `score` among them."""
        self._scored.add(step)
        runs: dict[str, dict[str, float]] = {TRAINING: {}, SCORES: {}}
        for name, numbers in scores.items():
            for part, value in numbers.items():
                if not np.isfinite(value):
                    continue
                if part == "score":
                    runs[SCORES][f"scores/{name}"] = value
                else:
                    runs[TRAINING][f"scores_parts/{name}/{part}"] = value
        self._write_scalars(step, runs)

    def _write_scalars(
        self, step: int, runs: Mapping[str, Mapping[str, float]]
    ) -> None:
        texts = dict(_PER_LATENT.values())
        for run, numbers in runs.items():
            if self._folder is None or not numbers:
                continue
            with self._recording(run, step):
                for tag, value in numbers.items():
                    text = texts.get(tag.split("/")[0])
                    tf.summary.scalar(tag, value, description=text)

    def write_pictures(self, step: int, pictures: Mapping[str, Any]) -> None:
        """Writes pictures, uint8 [H, W, 3] or matplotlib figures, by name."""
        with self._recording(TRAINING, step):
            for name, picture in pictures.items():
                pixels = visualization.pixels(picture)
                tf.summary.image(f"pictures/{name}", pixels[np.newaxis])

    def write_codes(self, step: int, codes: np.ndarray) -> None:
        """Writes a histogram of each latent's codes [N, L] of held-out images."""
        text = "Codes of held-out images: the means of q(z_i|x), or categories."
        with self._recording(VALIDATION, step):
            for column, values in zip(self._columns, codes.T, strict=True):
                tag = f"per_latent_codes/{column.name}"
                tf.summary.histogram(tag, values, description=text)

    def write_over_time(self, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Writes the KL, or information, of each latent as a picture of all steps.

        Args:
            step: The last one.
            rows: The rows of the run.
        """
        for name, (group, _) in _PER_LATENT.items():
            found = {row["step"]: row[name] for row in rows if name in row}
            if found:
                picture = visualization.over_time(
                    np.array(list(found.values())),
                    steps=list(found),
                    names=[column.name for column in self._columns],
                    title=name.replace("_", " ").replace("kl", "KL") + ", in nats",
                )
                self.write_pictures(step, {group: picture})

    def write_card(self, step: int, card: str) -> None:
        """Writes the model card, Markdown."""
        with self._recording(TRAINING, step):
            tf.summary.text(MODEL_CARD, card)

    def close(self) -> None:
        """Writes what is still held, and closes the files."""
        writers, self._writers = self._writers, {}
        with contextlib.ExitStack() as stack:
            for writer in writers.values():
                stack.callback(writer.close)

    @contextlib.contextmanager
    def _recording(self, run: str, step: int) -> Iterator[None]:
        """Has `tf.summary` write to one of the runs; its files are made if need be."""
        if run not in self._writers:
            path = str(self._folder / run)
            self._writers[run] = tf.summary.create_file_writer(path)
        writer = self._writers[run]
        context = writer.as_default(step)
        context.__enter__()
        try:
            yield
        finally:
            try:
                context.__exit__(None, None, None)
            except tf.errors.OpError:
                # If the disk is full, TensorFlow keeps its writer as the default, and
                # all later summaries of the process would go to it: a closed one can be
                # left.
                with contextlib.suppress(tf.errors.OpError):
                    writer.close()
                context.__exit__(None, None, None)
                raise


def tag_of(name: str, terms: Sequence[str], scheduled: Sequence[str]) -> str:
    """Returns the tag of a number of a row: its role, then its name without val_.

    Args:
        name: In the row.
        terms: The names of the model's loss terms.
        scheduled: Which of them are values of schedules.
    """
    plain = name.removeprefix("val_")
    if plain == "loss":
        return plain
    if plain in scheduled:
        return f"schedules/{plain}"
    if plain in terms:
        return f"loss_terms/{plain}"
    if plain != name:  # What validation alone records describes the posterior.
        return f"posterior/{plain}"
    return f"{'speed' if name == 'images_per_second' else 'others'}/{plain}"


def settings(description: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Returns the settings of a run that tell it from others, as HParams takes them.

    A part's own entry is its name, or that of its class.

    Args:
        description: As run.json holds it.
    """
    found: dict[str, bool | int | float | str] = {}
    for path, value in flat_settings(description).items():
        # model and training go without saying.
        path = path.removeprefix("model.").removeprefix("training.")
        if value is None or not _NO_SETTINGS.isdisjoint(path.split(".")):
            continue
        if isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        found[path.removesuffix(".name")] = value
    return found


def cut(folder: pathlib.Path, step: int) -> set[tuple[int, tuple[str, ...]]]:
    """Drops from a folder's event files what is after `step` or will be written anew.

    What is left is written to one new file, each event once: TensorBoard treats the
    files of one folder as one run.

    Returns:
        Step and tags of each event that is left.
    """
    from tensorboard.compat.proto import event_pb2

    old = sorted(folder.glob("events.out.tfevents.*"))
    seen: set[tuple[int, tuple[str, ...]]] = set()
    if not old:
        return seen
    path = folder / f"events.out.tfevents.{int(time.time()):010d}.until.{step}"
    with (
        files.replacing(path) as temporary,
        tf.io.TFRecordWriter(str(temporary)) as writer,
    ):
        for record in _records(old):
            event = event_pb2.Event.FromString(record)
            tags = tuple(value.tag for value in event.summary.value)
            is_old = event.step <= step and (event.step, tags) not in seen
            if is_old and not set(tags) & _DESCRIPTION:
                seen.add((event.step, tags))
                writer.write(record)
    for each in old:
        if each != path:
            files.remove(each)
    return seen


# What each start and end of a run writes anew.
_DESCRIPTION = {
    "configuration",
    MODEL_CARD,
    "custom_scalars__config__",  # TensorBoard's names of layout and settings
    "_hparams_/session_start_info",
    *(f"pictures/{group}" for group, _ in _PER_LATENT.values()),
}


def _records(paths: Sequence[pathlib.Path]) -> Iterator[bytes]:
    """Yields the records of event files; a killed process leaves half of the last."""
    for path in paths:
        try:
            for record in tf.data.TFRecordDataset(str(path)):
                yield record.numpy()
        except tf.errors.DataLossError:
            continue


def _trial(folder: pathlib.Path) -> str:
    """Names a run in the HParams tab, which merges trials of one name."""
    return os.path.join(*folder.absolute().parts[-2:])


def _layout(names: Sequence[str], scheduled: Sequence[str]) -> Any:
    """Returns the charts of the Custom Scalars tab, from the loss to the scores.

    Layouts of several runs are merged: TensorBoard joins categories of the same title.
    """
    from tensorboard.plugins.custom_scalar import layout_pb2

    tags = [tag_of(name, names, scheduled) for name in names]
    categories = {"loss": {"loss": "loss"}}
    for role in ("loss_terms", "schedules"):
        own = [tag for tag in tags if tag.startswith(f"{role}/")]
        categories[role] = {tag.rpartition("/")[2]: tag for tag in own}
    categories |= {
        "latents": {"KL or information of each": "per_latent_(kl|information)/.*"},
        "posterior": {"of all latents, in nats": "posterior/.*"},
        "scores": {"scores": "scores/.*"},
    }
    return layout_pb2.Layout(
        category=[
            layout_pb2.Category(
                title=title,
                chart=[
                    layout_pb2.Chart(
                        title=name,
                        multiline=layout_pb2.MultilineChartContent(tag=[f"^{tag}$"]),
                    )
                    for name, tag in charts.items()
                ],
            )
            for title, charts in categories.items()
            if charts
        ]
    )
