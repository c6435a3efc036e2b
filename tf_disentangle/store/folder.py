"""A published model in place of a run folder: all that `Run` asks of one."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_disentangle import checks
from tf_disentangle.store import reading, weights
from tf_disentangle.store.places import NAME, PRECISIONS, RECORD
from tf_disentangle.store.reading import WEIGHTS
from tf_disentangle.training.run_folder import Examples, RunFolder

FORMAT = 1
# The file of the weights leaves out a critic.
_MOST_OF_CRITIC = 10**7
_MOST_IMAGES = 2 * 10**7
_LABELS = "labels"


class PublishedFolder(RunFolder):
    """The record, rows, weights and examples of a published model, for reading.

    Args:
        path: Its folder or archive; everything is read and checked here.
        trust: Whether to import the copies of its author's modules.

    Raises:
        ArgumentError: If it is not what its author wrote, or it needs trust.
    """

    is_published = True

    def __init__(self, path: pathlib.Path, trust: bool = False) -> None:
        super().__init__(path)
        self.description = self.path / RECORD
        self.trusted = bool(trust)
        self._blobs = reading.read(self.path)
        self._check_format()
        # Of two bytes each, at least.
        self.most_weights = len(self._blobs[WEIGHTS]) // 2 + _MOST_OF_CRITIC
        if trust and self.path.is_file():
            rule = "be a folder, if its code is to be trusted"
            remedy = "Unpack it, look at its modules/, and load the folder."
            checks.require(not self._has_modules(), "model", rule, str(path), remedy)

    @property
    def name(self) -> str:
        """What its author called it."""
        return str(self.describe()["name"])

    @property
    def precision(self) -> str:
        """The precision of its stored weights; they are float32 once it is loaded."""
        return str(self.describe()["precision"])

    def _check_format(self) -> None:
        try:
            record = self.describe()
        except RecursionError:
            record = {}
        rule, received = f"have format {FORMAT}", record.get("format")
        remedy = "It was published by another version of tf_disentangle."
        argument = f"{RECORD} of {self}"
        checks.require(received == FORMAT, argument, rule, received, remedy)
        self._check_schema()
        training = record.get("training")
        known = isinstance(training, Mapping) and all(
            type(training.get(key)) is int and 0 <= training[key] < 2**53
            for key in ("num_images", "validation_size", "seed", "batch_size", "steps")
        )
        known = known and type(record.get("step")) is int and record["step"] >= 0
        rule = "give the step, and the training's num_images, validation_size, ..."
        checks.require(known, argument, rule, training)
        name, rule = record.get("name"), "be a valid name of a file"
        fits = isinstance(name, str) and bool(NAME.fullmatch(name))
        checks.require(fits, f"name in {argument}", rule, name)
        one_of, precision = " or ".join(PRECISIONS), record.get("precision")
        fits = precision in PRECISIONS
        checks.require(fits, f"precision in {argument}", f"be {one_of}", precision)
        # The split is a permutation of so many indices.
        rule, number = f"be at most {_MOST_IMAGES:,} images", training["num_images"]
        checks.require(
            number <= _MOST_IMAGES, f"num_images in {argument}", rule, number
        )

    def scores(self) -> dict[str, dict[str, Any]]:
        """Returns the scores of scores.json by the name of the metric, if any."""
        try:
            content = json.loads(self._blobs.get(reading.SCORES, b"{}"))
        except (ValueError, RecursionError):
            content = None
        fits = isinstance(content, dict) and all(
            NAME.fullmatch(name)
            and isinstance(each, dict)
            and isinstance(each.get("score"), int | float | None)
            for name, each in content.items()
        )
        argument, rule = f"{reading.SCORES} of {self}", "map names to scores"
        checks.require(fits, argument, rule, content)
        return content

    def _has_modules(self) -> bool:
        return bool(self.describe().get("modules"))

    def _read(self, path: pathlib.Path) -> bytes | None:
        return self._blobs.get(path.name)

    def restore(self, model: Any, checkpoint: str = "last") -> int:
        """Gives a model the published weights, as float32; returns their step.

        Args:
            model: A model of the same parts as the published one's.
            checkpoint: "last": it has no other.

        Raises:
            ArgumentError: If they are not the model's weights.
        """
        rule = "be 'last', the only weights of a published model"
        checks.require(checkpoint == "last", "checkpoint", rule, checkpoint)
        argument = f"{WEIGHTS} of {self}"
        weights.assign(model, weights.read(self._blobs[WEIGHTS], argument))
        return int(self.describe()["step"])

    def examples(self) -> Examples | None:
        """Returns the images that were published with the model, if any."""
        content = self._blobs.get(reading.EXAMPLES)
        if content is None:
            return None
        argument = f"{reading.EXAMPLES} of {self}"
        images = weights.read(content, argument).get("images")
        shape = list(self.describe()["training"]["image_shape"])
        fits = images is not None and images.ndim == 4 and len(images) > 0
        fits = fits and list(images.shape[1:]) == shape
        received = None if images is None else images.shape
        checks.require(fits, argument, f"hold images of {shape}", received)
        size = int.from_bytes(content[:8], "little")
        about = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        try:
            labels = tuple(str(label) for label in json.loads(about[_LABELS]))
        except (KeyError, TypeError, ValueError):
            labels = ()
        if len(labels) != len(images):
            labels = tuple(f"Image {i}" for i in range(len(images)))
        return Examples(images, labels)

    def require_present(self) -> None:
        """Refuses to write: the files are what was published."""
        rule = "be the folder of a run: nothing is added to a published model"
        remedy = f"A new run can start from its weights: warm_start={str(self)!r}."
        checks.require(False, "run", rule, str(self), remedy)

    def cut(self, step: int) -> None:
        """As `require_present`."""
        del step
        self.require_present()


def write_examples(examples: Examples) -> bytes:
    """Returns examples as a safetensors file, the form that `PublishedFolder` reads."""
    about = {_LABELS: json.dumps(list(examples.labels), ensure_ascii=False)}
    return weights.write({"images": examples.images}, about)
