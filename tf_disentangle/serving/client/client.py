"""A served model as Python sees it: encode, decode, edit, traverse, sample."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from tf_disentangle import checks
from tf_disentangle.serving.client import messages, tensors
from tf_disentangle.serving.client.over_grpc import GrpcConnection
from tf_disentangle.serving.client.over_rest import RestConnection
from tf_disentangle.serving.client.tensors import Signature

_EXAMPLE = "For example grpc://localhost:8500 or http://localhost:8501."
# gRPC's own servers refuse 4 MiB and more; some room is left for what frames the rows.
_MESSAGE_BYTES = 4_000_000
_GRPC, _REST = ("grpc", "grpcs"), ("http", "https")


class Client:
    """A model behind TensorFlow Serving, or behind bin/serve; without TensorFlow.

    `client.encode` is an encoder as metrics take it. Arguments of any length are cut
    into requests of a size that servers take. Threads may share a client.

    Args:
        url: Where the server is: grpc://host:8500 or http://host:8501, and grpcs:// or
            https:// where it has a certificate. gRPC is several times quicker for
            images.
        model: The name under which the model is served.
        version: Its version, or the label of one, such as "stable"; None is the newest
            that the server has, which may change between two requests.
        timeout: Seconds after which a request fails; over REST, each attempt at it.
        retries: How often a request is repeated, at growing intervals, while the server
            cannot be reached or is overloaded; gRPC repeats at most 4 times.
        headers: HTTP headers, or gRPC metadata, such as {"authorization": "..."}.
        batch_size: Rows of one request at most; fewer where it, or its answer, would be
            larger than the 4 MB that every server takes.

    Raises:
        ArgumentError: If an argument has no meaning. No request is made yet.

    Example:
        >>> from tf_disentangle.serving import Client
        >>> client = Client("grpc://localhost:8500", model="chyvae")
        >>> client.url
        'grpc://localhost:8500'
    """

    def __init__(
        self,
        url: str,
        model: str = "default",
        *,
        version: int | str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        headers: Mapping[str, str] | None = None,
        batch_size: int = 256,
    ) -> None:
        checks.require_type(url, str, "url")
        parts = urllib.parse.urlsplit(url)
        schemes = (*_GRPC, *_REST)
        good = parts.scheme in schemes and parts.netloc
        rule = f"start with {', '.join(f'{s}://' for s in schemes)} and name a host"
        checks.require(good, "url", rule, url, _EXAMPLE)
        self.url, self.model = url.rstrip("/"), model
        self._spec = _model_spec(model, version)
        self._batch_size = checks.integer(batch_size, "batch_size", at_least=1)
        options: dict[str, Any] = {
            "timeout": checks.real(timeout, "timeout", above=0),
            "attempts": 1 + checks.integer(retries, "retries", at_least=0),
            "headers": headers or {},
        }
        self._connection: GrpcConnection | RestConnection
        self._is_rest = parts.scheme in _REST
        if self._is_rest:
            self._connection = RestConnection(self.url, **options)
        else:
            rule = "have no path after host and port"
            checks.require(parts.path in ("", "/"), "url", rule, url, _EXAMPLE)
            secure = parts.scheme == "grpcs"
            self._connection = GrpcConnection(self.url, parts.netloc, secure, **options)
        self._signatures: dict[str, Signature] | None = None

    def __repr__(self) -> str:
        """Names the model and the server."""
        return f"Client({self.url!r}, {self.model!r})"

    def __enter__(self) -> Self:
        """Returns the client, which is closed when the block ends."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections to the server."""
        self._connection.close()

    # ---- What the server has.

    def status(self) -> dict[int, str]:
        """Returns the state of each version; "AVAILABLE" is that of a usable one.

        Raises:
            ServingError: If the server does not answer, or has no such model.
        """
        return self._connection.status(self._spec, self._asking("status"))

    def metadata(self) -> dict[str, Signature]:
        """Returns what the model takes and gives, by the name of the signature.

        Raises:
            ServingError: If the server does not answer, or has no such model.
        """
        return self._connection.signatures(self._spec, self._asking("metadata"))

    # ---- What the model does.

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C], or vectors, to codes, float32 [B, L].

        Raises:
            ArgumentError: If the images have another shape.
            ArgumentTypeError: If they are of another type.
            ServingError: If the server gives no answer, or refuses the images.
        """
        return self._codes("encode", {"images": _images_array(images)})

    def encode_bytes(self, files: Sequence[bytes]) -> np.ndarray:
        """Maps the contents of PNG or JPEG files to codes, float32 [B, L].

        The server resizes them as the training images were.

        Raises:
            ArgumentTypeError: If an item is not bytes.
            ServingError: If the server gives no answer, or an item is not an image.
        """
        return self._codes("encode_bytes", {"image_bytes": _bytes_array(files)})

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Maps codes [B, L] to images, float32 [B, H, W, C] in [0, 1].

        Raises:
            ArgumentError: If the codes have another shape, or are not finite.
            ServingError: If the server gives no answer, or refuses the codes.
        """
        return self._images("decode", {"codes": _codes_array(codes)})

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Maps images, as `encode` takes them, to float32 images in [0, 1].

        Raises:
            ArgumentError: If the images have another shape.
            ArgumentTypeError: If they are of another type.
            ServingError: If the server gives no answer, or refuses the images.
        """
        inputs = {"images": _images_array(images)}
        return self._only("reconstruct", inputs, "reconstructions")

    def edit(
        self, codes: np.ndarray, latent: int | Sequence[int], value: Any
    ) -> np.ndarray:
        """Sets one latent of each code to a value and decodes.

        Args:
            codes: [B, L].
            latent: The column to change, one for all codes or one for each [B].
            value: The value to give it, one for all or one for each [B].

        Returns:
            Images, float32 [B, H, W, C] in [0, 1].

        Raises:
            ArgumentError: If the shapes do not fit each other, there is no such latent,
                or a number is not finite.
            ServingError: If the server gives no answer.
        """
        codes = _codes_array(codes)
        count, num_latents = codes.shape
        latents, values = np.asarray(latent), np.asarray(value)
        rule = "be integers"
        good = latents.dtype.kind in "iu"
        checks.require(good, "latent", rule, latent)
        for name, array in (("latent", latents), ("value", values)):
            rule = f"be one number, or {count}, one for each code"
            checks.require(array.shape in ((), (count,)), name, rule, array.shape)
        values = _finite(values, "value")
        rule = f"be in [0, {num_latents})"
        inside = np.all((latents >= 0) & (latents < num_latents))
        checks.require(inside, "latent", rule, latent)
        inputs = {
            "codes": codes,
            "latent": np.broadcast_to(latents, count).astype(np.int32),
            "value": np.broadcast_to(values, count),
        }
        return self._images("edit", inputs)

    def traverse(
        self, code: np.ndarray, latent: int, values: Sequence[float]
    ) -> np.ndarray:
        """Decodes one code with one latent at each of several values.

        Args:
            code: [L].
            latent: The column to change.
            values: [S].

        Returns:
            Images, float32 [S, H, W, C] in [0, 1].

        Raises:
            ArgumentError: If `code` is not one row, or there is no such latent.
            ServingError: If the server gives no answer.
        """
        row = np.asarray(code, np.float32)
        checks.require(row.ndim == 1, "code", "have shape [L]", row.shape)
        steps = np.asarray(values, np.float32)
        checks.require(steps.ndim == 1, "values", "have shape [S]", steps.shape)
        return self.edit(np.tile(row, (len(steps), 1)), latent, steps)

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Draws images from the prior, float32 [n, H, W, C] in [0, 1].

        Image i is the same whatever `n` is: its own seed is (seed, i).

        Raises:
            ArgumentError: If `n` is negative, or the seed no int32.
            ServingError: If the server gives no answer.
        """
        checks.integer(n, "n", at_least=0)
        checks.seed(seed)
        seeds = np.stack([np.full(n, seed), np.arange(n)], axis=1).astype(np.int32)
        return self._images("sample", {"seed": seeds})

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Calls any signature: `encode` for deviations and covariances, for example.

        Args:
            signature: Its name.
            inputs: Arrays by name, each with the batch [B, ...] first.
            outputs: Names of the outputs that are wanted; if empty, all of them.

        Returns:
            Arrays by name, the parts of all requests joined.

        Raises:
            ArgumentError: If the model has no such signature or output, or the inputs
                differ in length.
            ServingError: If the server gives no answer, or refuses the inputs.
        """
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        known = self._signature(signature)
        for name in outputs:
            checks.one_of(name, [*known.outputs], "outputs")
        counts = {array.shape[:1] for array in arrays.values()}
        rule = "be arrays with one batch [B, ...]"
        checks.require(len(counts) == 1 and () not in counts, "inputs", rule, counts)
        wanted = [*outputs] or [*known.outputs]
        parts = [
            self._connection.predict(
                self._spec_of(signature), part, outputs, known, self._asking(signature)
            )
            for part in self._requests(arrays, [known.outputs[n] for n in wanted])
        ]
        if not parts:
            return {name: known.outputs[name].empty() for name in wanted}
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    # ---- Requests.

    def _requests(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[tensors.TensorSpec]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Cuts inputs so that neither a request nor its answer is over a limit."""
        asked = sum(tensors.row_bytes(a, self._is_rest) for a in inputs.values())
        answered = sum(spec.num_bytes() for spec in outputs)
        # A float32 takes 4 bytes in a message and up to 15 characters in JSON.
        sizes = np.maximum(asked, answered * (4 if self._is_rest else 1))
        start, total = 0, 0
        for stop, size in enumerate(sizes):
            is_full = total + size > _MESSAGE_BYTES or stop - start == self._batch_size
            if is_full and stop > start:
                yield {name: array[start:stop] for name, array in inputs.items()}
                start, total = stop, 0
            total += size
        if len(sizes):
            yield {name: array[start:] for name, array in inputs.items()}

    def _codes(self, signature: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the codes of one of the encoding signatures."""
        known = self._signature(signature).outputs
        # The means are the codes where no latent is categorical.
        name = "codes" if "codes" in known else "mean"
        return self._only(signature, inputs, name)

    def _images(self, signature: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return self._only(signature, inputs, "images")

    def _only(
        self, signature: str, inputs: Mapping[str, np.ndarray], output: str
    ) -> np.ndarray:
        return self.predict(signature, inputs, (output,))[output]

    def _signature(self, name: str) -> Signature:
        """Returns a signature; the server is asked once."""
        if self._signatures is None or name not in self._signatures:
            self._signatures = self.metadata()
        checks.one_of(name, [*self._signatures], "signature")
        return self._signatures[name]

    def _spec_of(self, signature: str) -> Any:
        spec = messages.ModelSpec(signature_name=signature)
        spec.MergeFrom(self._spec)
        return spec

    def _asking(self, what: str) -> str:
        return f"{what} of model {self.model!r}"


def _model_spec(model: str, version: int | str | None) -> Any:
    """Returns which model, and which version of it, requests are for."""
    checks.require_type(model, str, "model")
    rule = "be a name without slash and colon"
    good = model and not {*"/:"} & {*model}
    checks.require(good, "model", rule, model)
    spec = messages.ModelSpec(name=model)
    if isinstance(version, str):
        rule = "be a number, or a label of letters, digits and _"
        good = version.isidentifier() or version.isalnum()
        checks.require(good and version.isascii(), "version", rule, version)
        spec.version_label = version
    elif version is not None:
        spec.version.value = checks.integer(version, "version", at_least=0)
    return spec


def _codes_array(codes: Any) -> np.ndarray:
    """Returns codes as float32 [B, L]."""
    array = _finite(codes, "codes")
    remedy = "For one code give codes[numpy.newaxis]." if array.ndim == 1 else ""
    checks.require(array.ndim == 2, "codes", "have shape [B, L]", array.shape, remedy)
    return array


def _finite(numbers: Any, name: str) -> np.ndarray:
    """Returns numbers as float32, in which they must be finite."""
    array = np.asarray(numbers)
    checks.require(array.dtype.kind in "biuf", name, "be numbers", array.dtype.name)
    with np.errstate(over="ignore"):  # What is too large is refused below.
        singles = array.astype(np.float32)
    wrong = array[~np.isfinite(singles)]
    first = wrong.flat[0] if wrong.size else None
    checks.require(not wrong.size, name, "be finite in float32", first)
    return singles


def _images_array(images: Any) -> np.ndarray:
    """Returns uint8 images [B, H, W, C] or vectors; paths and bytes are told apart."""
    array = np.asarray(images)
    if array.dtype.kind in "USO":
        remedy = "client.encode_bytes takes the contents of files, read with 'rb'."
        text = checks.message("images", "be an array of pixels", images, remedy)
        raise checks.ArgumentTypeError(text)
    return checks.images_or_vectors(array)


def _bytes_array(files: Sequence[bytes]) -> np.ndarray:
    """Returns the contents of files as objects [B]."""
    array = np.empty(len(files), object)
    for k, file in enumerate(files):
        checks.require_type(file, bytes, f"files[{k}]", "Read it with 'rb'.")
        array[k] = file
    return array
