"""Models that encode image files: of a server, of a run, of an exported folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks, files, store
from tf_disentangle.cli import pages, startup
from tf_disentangle.cli.encoded_parts import Layout
from tf_disentangle.serving import folders

_SIGNATURE, _OF_ARRAYS = "encode_bytes", "encode"
_PROBABILITIES = "probabilities_"
_BAD_INPUT = "INVALID_ARGUMENT"


class RefusedError(Exception):
    """One of the files at least is no image that the model takes."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImageModel:
    """A model that encodes image files, wherever it runs.

    Attributes:
        encode: From contents of files to arrays by the outputs' names, [n, ...]; it
            raises `RefusedError`.
        layout: The columns of its table.
        image_shape: (H, W, C) of the images that it makes of them.
        identity: What tells it from any other model.
        close: Ends the connection to it, where there is one.
    """

    encode: Callable[[Sequence[bytes]], Mapping[str, np.ndarray]]
    layout: Layout
    image_shape: tuple[int, int, int]
    identity: Mapping[str, Any]
    close: Callable[[], None] = lambda: None

    def table(self, contents: Sequence[Any]) -> np.ndarray:
        """Returns codes and probabilities of files, [n, columns]."""
        outputs = self.encode(contents)
        codes = outputs["codes" if "codes" in outputs else "mean"]
        kept = [outputs[_PROBABILITIES + name] for name in self.layout.probabilities]
        return np.concatenate([codes, *kept], axis=1)


def of_server(
    url: str, name: str, version: str | None, card: str | None, probabilities: bool
) -> ImageModel:
    """Returns the model of a server; its version is settled now, and stays.

    Args:
        url: Of the server.
        name: Under which it has the model.
        version: A number; None is the newest.
        card: Path of a model_card.json, for the names of the latents.
        probabilities: Whether to keep them.

    Raises:
        ArgumentError: If the server does not answer, or has no such model, or if the
            version is a label.
    """
    from tf_disentangle.serving import Client, ServingError, TooLargeError

    latents = None if card is None else _latents_of(pathlib.Path(card))
    number = None if version is None else _number(version)
    try:
        with _naming_options():  # No request is made yet.
            client = Client(url, name, version=number)
        with Client(url, name) as of_all:
            usable = _usable_versions(of_all)
        if number is None:
            client.close()
            number = max(usable)
            client = Client(url, name, version=number)
        signatures = _signatures(client, usable, number)
    except ServingError as error:
        text = checks.message("--server", "answer", url, str(error))
        raise checks.ArgumentError(text) from error
    known = signatures.get(_SIGNATURE)
    _require_bytes(known, url)
    shape = tuple(signatures[_OF_ARRAYS].inputs["images"].shape[1:])
    sizes = _sizes(known.outputs)
    layout = _layout(sizes, latents, probabilities)
    wanted = ["codes" if "codes" in sizes else "mean"]
    wanted += [_PROBABILITIES + name for name in layout.probabilities]

    def encode(contents: Sequence[bytes]) -> Mapping[str, np.ndarray]:
        array = np.empty(len(contents), object)
        array[:] = contents
        try:
            return client.predict(_SIGNATURE, {"image_bytes": array}, wanted)
        except TooLargeError as error:
            rule = "be no larger than the server takes"
            serve = pages.as_typed("bin/serve")
            remedy = f"{serve} takes larger ones with --max_body_bytes."
            text = checks.message("the file", rule, error.reason, remedy)
            raise RefusedError(text) from error
        except ServingError as error:
            # Of the others that a request can be refused for, none lies in the images.
            if error.code == _BAD_INPUT:
                raise RefusedError(error.reason) from error
            remedy = f"{error} The same command resumes where this one stopped."
            text = checks.message("--server", "answer", url, remedy)
            raise checks.ArgumentError(text) from error

    identity = {"server": client.url, "name": name, "version": number}
    return ImageModel(encode, layout, shape, identity, client.close)


@contextlib.contextmanager
def _naming_options() -> Iterator[None]:
    """Names the command's options in errors about the client's arguments."""
    try:
        yield
    except checks.ArgumentError as error:
        argument, _, rest = str(error).partition(" ")
        options = {"url": "--server", "model": "--model_name", "version": "--version"}
        text = f"{options.get(argument, argument)} {rest}"
        raise checks.ArgumentError(text) from error


def _usable_versions(client: Any) -> list[int]:
    """Returns the versions of a client's model that the server can use."""
    from tf_disentangle.serving import ModelNotFoundError

    rule = f"name a model of {client.url}"
    remedy = "That is the name of its folder, or its name in models.config."
    try:
        states = client.status()
    except ModelNotFoundError as error:
        remedy = f"The server says: {error.reason.rstrip('.')}. {remedy}"
        text = checks.message("--model_name", rule, client.model, remedy)
        raise checks.ArgumentError(text) from error
    usable = [version for version, state in states.items() if state == "AVAILABLE"]
    rule += " that can be used now"
    checks.require(usable, "--model_name", rule, f"{client.model}, {states}")
    return usable


def _signatures(client: Any, usable: Sequence[int], version: int | str) -> Any:
    """Returns the signatures of a version, or closes the client and tells why not."""
    from tf_disentangle.serving import ModelNotFoundError, ServingError

    try:
        return client.metadata()
    except ServingError as error:
        client.close()
        if not isinstance(error, ModelNotFoundError):
            raise
        known = ", ".join(map(str, sorted(usable)))
        rule = f"be a version of {client.model} ({known})"
        text = checks.message("--version", rule, version)
        raise checks.ArgumentError(text) from error


def of_folder(
    folder: str | os.PathLike,
    version: str | None,
    probabilities: bool,
    trust: bool = False,
) -> ImageModel:
    """Returns the model of a run folder, or of what `bin/export` wrote.

    Args:
        folder: A run folder, or a published model; or a model's folder of versions,
            one of them, or the folder of one such model.
        version: A number; None is the newest.
        probabilities: Whether to keep them.
        trust: Whether to run Python code that a published model holds.

    Raises:
        ArgumentError: If the folder holds neither.
    """
    path = pathlib.Path(folder)
    if store.is_published(folder) or (path / "run.json").exists():
        checks.require(version is None, "--version", "be left out for a run", version)
        return _of_run(folder, probabilities, trust)
    return _of_export(_version_below(path, version), probabilities)


def _of_run(folder: str | os.PathLike, probabilities: bool, trust: bool) -> ImageModel:
    """The model of a run as it is, with the images resized as those of its data."""
    print(f"Loading {folder}", file=sys.stderr)
    startup.import_tensorflow()
    import tf_disentangle

    run = tf_disentangle.load(folder, trust=trust)
    from tf_disentangle.serving.exporting import resizing_of

    function: Any = run.model.signatures(resizing_of(run)).get(_SIGNATURE)
    _require_bytes(function, str(folder))
    outputs = function.get_concrete_function().structured_outputs
    columns = [(column.name, column.kind) for column in run.model.latents.columns]
    identity = {"run": str(run.folder.path.absolute()), "step": run.step}
    layout = _layout(_sizes(outputs), columns, probabilities)
    return ImageModel(_calling(function), layout, run.model.image_shape, identity)


def _of_export(path: pathlib.Path, probabilities: bool) -> ImageModel:
    """The model of a SavedModel."""
    print(f"Loading {path}", file=sys.stderr)
    startup.import_tensorflow()
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures.get(_SIGNATURE)
    _require_bytes(function, str(path))
    card = path / "model_card.json"
    latents = _latents_of(card) if card.exists() else None
    stored = [path / "saved_model.pb", *sorted(path.glob("variables/variables.data*"))]
    identity = {"checksums": [files.checksum(file) for file in stored]}
    layout = _layout(_sizes(function.structured_outputs), latents, probabilities)
    _, inputs = loaded.signatures[_OF_ARRAYS].structured_input_signature
    shape = tuple(inputs["images"].shape[1:])

    def call(image_bytes: Any) -> Any:
        # By the module that was loaded, which a signature alone does not keep.
        return loaded.signatures[_SIGNATURE](image_bytes=image_bytes)

    return ImageModel(_calling(call), layout, shape, identity)


def _sizes(outputs: Mapping[str, Any]) -> dict[str, int]:
    """Returns the length of the last axis of each output, by its name."""
    return {name: spec.shape[-1] for name, spec in outputs.items()}


def _calling(function: Any) -> Callable[[Sequence[bytes]], Mapping[str, np.ndarray]]:
    """Returns the `encode` of an `ImageModel` whose function runs in this process."""
    import tensorflow as tf

    def encode(contents: Sequence[bytes]) -> Mapping[str, np.ndarray]:
        try:
            tensors = function(tf.constant(contents, tf.string))
        except tf.errors.InvalidArgumentError as error:
            raise RefusedError(error.message.split("\n")[0]) from error
        return {name: tensor.numpy() for name, tensor in tensors.items()}

    return encode


def _layout(
    sizes: Mapping[str, int],
    latents: Sequence[tuple[str, str]] | None,
    probabilities: bool,
) -> Layout:
    """Returns the columns of the table.

    Args:
        sizes: Length of the last axis of each output.
        latents: Name and kind of each latent; None names them z0, z1, ...
        probabilities: Whether to keep them.
    """
    has_categories = "codes" in sizes
    count = sizes["codes" if has_categories else "mean"]
    if latents is None:
        kinds = None if has_categories else ["continuous"] * count
        names = [f"z{k}" for k in range(count)]
    else:
        rule = f"be of a model of {count} latents"
        checks.require(len(latents) == count, "--card", rule, len(latents))
        names, kinds = ([*column] for column in zip(*latents, strict=True))
    start = len(_PROBABILITIES)
    kept = {
        n[start:]: size for n, size in sizes.items() if n.startswith(_PROBABILITIES)
    }
    if probabilities:
        rule = "be left out for a model without categorical latents"
        checks.require(kept, "--probabilities", rule, True)
    return Layout(names, kinds, dict(sorted(kept.items())) if probabilities else {})


def _latents_of(card: pathlib.Path) -> list[tuple[str, str]]:
    """Returns name and kind of each latent that a model card tells."""
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
        return [(latent["name"], latent["kind"]) for latent in content["latents"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule = "be a model_card.json that bin/export wrote"
        text = checks.message("--card", rule, f"{card}: {error}")
        raise checks.ArgumentError(text) from error


def _version_below(folder: pathlib.Path, version: str | None) -> pathlib.Path:
    """Returns the folder of a version: this one, the newest, or that of a number."""
    if (folder / "saved_model.pb").exists():
        checks.require(version is None, "--version", "be left out here", version)
        return folder
    numbers = folders.saved_models(folder)
    if not numbers:
        models = folders.models_below(folder)
        rule = "be a run folder, or the folder of one model that bin/export wrote"
        names = ", ".join(str(path) for path in models) or f"{folder}, which is neither"
        remedy = "" if models else folders.for_another_runtime(folder)
        checks.require(len(models) == 1, "--model", rule, names, remedy)
        return _version_below(models[0], version)
    if version is None:
        return numbers[max(numbers)]
    rule = f"be one of {', '.join(map(str, sorted(numbers)))}"
    there = version.isdecimal() and int(version) in numbers
    checks.require(there, "--version", rule, version)
    return numbers[int(version)]


def _number(version: str) -> int:
    """Returns the number of a server's version."""
    remedy = "A label may move to another version while files are encoded."
    checks.require(version.isdecimal(), "--version", "be a number", version, remedy)
    return int(version)


def _require_bytes(function: object, where: str) -> None:
    rule = f"have the signature {_SIGNATURE}, for grey or RGB images"
    remedy = "Export it again, or encode arrays: run.encode, Client.encode."
    checks.require(function is not None, where, rule, "none of that name", remedy)
