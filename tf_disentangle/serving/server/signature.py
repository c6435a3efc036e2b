"""What a signature of a served model takes and gives, and what a request may ask of it.

Everything is checked from names, types and shapes alone, before a tensor is made.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tf_disentangle.serving.server.errors import ServingError, invalid

# An input with this name holds encoded images, each a string of bytes.
IMAGE_INPUT = "image_bytes"
# Not GIF: TensorFlow unpacks all frames, but the header describes only one.
_IMAGE_FORMATS = ("PNG", "JPEG")
_TYPE_NAMES = {
    "float16": "half",
    "float32": "float",
    "float64": "double",
    "object": "string",
}


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask of the server.

    Attributes:
        body_bytes: Largest body of a request, unpacked; largest message by gRPC. Read
            from JSON, a body takes up to twenty times as much memory.
        total_body_bytes: Largest size by REST of all bodies at a time, as they came.
        rows: Largest batch.
        image_pixels: Largest width times height of an encoded image.
        request_pixels: Most pixels of a request's encoded images together.
        concurrent_requests: Requests at a time, those that wait included.
    """

    body_bytes: int = 16 * 2**20
    total_body_bytes: int = 256 * 2**20
    rows: int = 1024
    image_pixels: int = 16 * 2**20
    request_pixels: int = 32 * 2**20
    concurrent_requests: int = 1024


@dataclass(frozen=True)
class Spec:
    """One input or output: its type, object for strings, and its shape, None if free.

    `shape` itself is None where not even the number of dimensions is fixed.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    @property
    def type_name(self) -> str:
        """TensorFlow's name of the type."""
        return type_name(self.dtype.name)


def type_name(name: str) -> str:
    """Returns the name that TensorFlow's messages give a type, numpy's or its own."""
    return _TYPE_NAMES.get(name, name)


@dataclass(frozen=True)
class Signature:
    """One thing that a model can be asked to do.

    Attributes:
        inputs: What it takes, by name.
        outputs: What it gives, by name.
    """

    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]

    def check_names(self, given: Iterable[str], wanted: Sequence[str] = ()) -> None:
        """Refuses inputs that are not exactly the signature's, and unknown outputs.

        Raises:
            ServingError: In TensorFlow Serving's words.
        """
        have, need = set(given), set(self.inputs)
        if have != need:
            sent, required = (",".join(sorted(names)) for names in (have, need))
            extra, missing = (
                ",".join(sorted(names)) for names in (have - need, need - have)
            )
            raise invalid(
                f"input size does not match signature: {len(have)}!={len(need)} "
                f"len({{{sent}}}) != len({{{required}}}). Sent extra: {{{extra}}}. "
                f"Missing but required: {{{missing}}}."
            )
        for position, name in enumerate(wanted):
            if name not in self.outputs:
                known = ",".join(sorted(self.outputs))
                raise invalid(
                    f"output tensor alias not found in signature: {name} Outputs "
                    f"expected to be in the set {{{known}}}."
                )
            if name in wanted[:position]:
                raise invalid(f"duplicate output tensor alias: {name}")

    def check_tensor(
        self, name: str, dtype: str, shape: Sequence[int], limits: Limits
    ) -> None:
        """Refuses a tensor of another type or shape, and one that is too large.

        Args:
            name: The input.
            dtype: TensorFlow's name of the tensor's type.
            shape: The tensor's shape.
            limits: The server's limits.

        Raises:
            ServingError: In the words of TensorFlow's own checks.
        """
        spec = self.inputs[name]
        if dtype != spec.type_name:
            position = sorted(self.inputs).index(name)
            raise invalid(
                f"Expects arg[{position}] to be {spec.type_name} but {dtype} is "
                f"provided. It is the input {name}."
            )
        fits = spec.shape is None or (
            len(shape) == len(spec.shape)
            and all(w in (None, s) for s, w in zip(shape, spec.shape, strict=True))
        )
        if not fits or min(shape, default=0) < 0:
            sent = ",".join(map(str, shape))
            wanted = ",".join("?" if s is None else str(s) for s in spec.shape or ())
            raise invalid(
                f"Shape of tensor {name} [{sent}] is not compatible with expected "
                f"shape [{wanted}]."
            )
        if shape and shape[0] > limits.rows:
            raise invalid(
                f"{name} has {shape[0]} rows; one request may have {limits.rows}. "
                "Send several requests."
            )
        if math.prod(shape) > limits.body_bytes:
            raise invalid(f"{name} has {math.prod(shape)} values, which is too many.")


def check_images(images: Iterable[bytes], limits: Limits) -> None:
    """Refuses what is no PNG or JPEG, and images that unpack to too many pixels.

    Only their headers are read: 389 kB of PNG can hold 400 million pixels, which
    TensorFlow would unpack.

    Raises:
        ServingError: If one is refused.
    """
    total = 0
    for row, encoded in enumerate(images):
        try:
            with Image.open(io.BytesIO(encoded), formats=_IMAGE_FORMATS) as image:
                width, height = image.size
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_many_pixels(row, "far too many pixels", limits) from error
        except Exception as error:  # Pillow's readers raise many kinds
            raise invalid(
                f"Unknown image file format in row {row}: its {len(encoded)} bytes "
                "must be a whole PNG or JPEG file."
            ) from error
        if width * height > limits.image_pixels:
            raise _too_many_pixels(row, f"{width} x {height} pixels", limits)
        total += width * height
        if total > limits.request_pixels:
            raise invalid(
                f"The images up to row {row} have {total} pixels together; one request "
                f"may have {limits.request_pixels}. Send several requests."
            )


def _too_many_pixels(row: int, found: str, limits: Limits) -> ServingError:
    return invalid(
        f"The image in row {row} is too large: {found}; at most "
        f"{limits.image_pixels} pixels are taken. Make it smaller first."
    )
