"""Encodes image files with a trained model into a table of codes, one row per file.

    bin/encode photos/ --model=runs/chyvae --output=codes.npz
    bin/encode photos/ 'more/**/*.png' --model=exports/chyvae --output=codes.parquet
    bin/encode photos/ --server=grpc://host:8500 --model_name=chyvae --output=codes.csv
    find . -name '*.jpg' | bin/encode - --model=runs/chyvae --output=codes.csv

IMAGES are files, folders (with everything below them) or patterns; - reads a list of
paths from stdin, one per line. The images are cropped and resized in the same way as
the model's training images.

--model is a run folder, or a folder that bin/export wrote. --server is the URL of
TensorFlow Serving or of bin/serve; TensorFlow is then not loaded here. The output has
the path and one column per latent. An .npz file holds codes [N, L], paths, latent_names
and column_kinds; bin/evaluate --codes reads it (add factors for metrics that need
them).

Files are read and encoded a few at a time, so their number does not matter. Finished
parts are kept in OUTPUT.parts/ until the end, and the same command resumes where it was
stopped. It refuses to resume if files were added or removed, or were changed after they
were encoded.

A file that cannot be read as an 8-bit image, or is larger than the server accepts, is
left out and named with the reason; the exit code is then 4.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import itertools
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags

from tf_disentangle import checks, files
from tf_disentangle.cli import image_models, image_paths, run_flags
from tf_disentangle.cli.encoded_parts import Part, Parts
from tf_disentangle.cli.image_models import ImageModel

POSITIONAL = ()
FLAGS = flags.FlagValues()
flags.DEFINE_list(
    "files", [], "IMAGES; without --files= separate them by spaces.", flag_values=FLAGS
)
for _name, _help in (
    ("model", "A run folder, or a folder that bin/export wrote."),
    ("server", "URL of a server, grpc://host:8500 or http://host:8501."),
    ("model_name", "The model's name on the server; without it the name is default."),
    ("version", "The version's number; by default the newest version."),
    ("card", "With --server: a model_card.json, for the names of the latents."),
    ("output", "A new file that ends with .npz, .csv or .parquet."),
):
    flags.DEFINE_string(_name, None, _help, flag_values=FLAGS)
flags.DEFINE_bool(
    "probabilities",
    False,
    "Also keep the probability of each value of categorical latents.",
    flag_values=FLAGS,
)
run_flags.define_trust(FLAGS)

# Files that are read at once; fewer where they are large.
_BLOCK = 500
_BLOCK_BYTES = 64 << 20
_LEFT_OUT = 4


def main(values: flags.FlagValues) -> int:
    """Runs the command; it returns 4 if files were left out."""
    remedy = "For example: photos/"
    checks.given(values.files, "IMAGES", remedy)
    remedy = "For example: codes.npz"
    checks.given(values.output, "--output", remedy)
    one = (values.model is None) != (values.server is None)
    given = "both" if values.model else checks.NOTHING
    checks.require(one, "--model or --server", "be given, one of the two", given)
    parts = Parts(values.output)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # As Python takes file names.
    images = image_paths.Images(values.files, sys.stdin)
    checks.require(images.count, "IMAGES", "hold images", " ".join(values.files))
    files.require_writable(pathlib.Path(values.output).parent, "--output")
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(contextlib.closing(_model_of(values)))
        with files.explaining(parts.folder, "--output"):
            lock = files.locked(parts.folder / ".lock", "--output")
            stack.enter_context(lock)
        settings = {"model": model.identity, "columns": model.layout.header()}
        parts.begin(settings, {"count": images.count, "checksum": images.checksum})
        num_left_out = _encode_all(images, parts, model)
        if said := _changes(parts, model.image_shape):
            print(said, file=sys.stderr)
        parts.join(model.layout)
    print(values.output)
    if num_left_out:
        number = "1 file was" if num_left_out == 1 else f"{num_left_out} files were"
        text = f"{number} left out; the reasons are above."
        print(f"tf_disentangle encode: {text}", file=sys.stderr)
    return _LEFT_OUT if num_left_out else 0


def _model_of(values: flags.FlagValues) -> ImageModel:
    """Returns the model that the options name."""
    if values.server:
        return image_models.of_server(
            values.server,
            values.model_name or "default",
            values.version,
            values.card,
            values.probabilities,
        )
    for name in ("model_name", "card"):
        rule = "be left out, or be given together with --server"
        checks.require(
            values[name].value is None, f"--{name}", rule, values[name].value
        )
    return image_models.of_folder(
        values.model, values.version, values.probabilities, values.trust
    )


def _encode_all(images: image_paths.Images, parts: Parts, model: ImageModel) -> int:
    """Encodes what is not in the parts yet; returns how many files are left out."""
    from tqdm import tqdm

    paths, num_left_out = iter(images), 0
    with (
        tqdm(total=images.count, unit="file", file=sys.stderr, disable=None) as bar,
        concurrent.futures.ThreadPoolExecutor(1) as reader,
    ):

        def told(part: Part) -> int:
            bar.update(len(part.paths))
            for path, reason in zip(part.paths, part.reasons, strict=True):
                if reason:
                    tqdm.write(f"{path} is left out: {reason}", file=sys.stderr)
            return sum(map(bool, part.reasons))

        for part in parts.resume(paths):
            num_left_out += told(part)
        # The next block is read while one is encoded.
        coming = reader.submit(_read_block, paths)
        while (block := coming.result())[0]:
            coming = reader.submit(_read_block, paths)
            part = _encode_block(*block, model)
            parts.append(part)
            num_left_out += told(part)
    return num_left_out


def _changes(parts: Parts, image_shape: tuple[int, int, int]) -> str:
    """Returns what is said of the images that the model saw changed; "" for none."""
    height, width, _ = image_shape
    total, counts = 0, np.zeros(2, int)
    for part in parts:
        total += len(part.encoded)
        counts += part.changed.sum(axis=0)
    done = (f"resized to {height} x {width}", "changed from colour to grey")
    said = [
        f"{count:,} {'was' if count == 1 else 'were'} {what}"
        for count, what in zip(counts, done, strict=True)
        if count
    ]
    images = "1 image" if total == 1 else f"{total:,} images"
    return f"Of {images}, {' and '.join(said)}." if said else ""


def _read_block(
    paths: Iterator[str],
) -> tuple[list[str], list[tuple[int, int]], list[bytes | str]]:
    """Reads some files: paths, stamps, and their contents or why there are none."""
    names: list[str] = []
    stamps: list[tuple[int, int]] = []
    contents: list[bytes | str] = []
    size = 0
    for path in itertools.islice(paths, _BLOCK):
        names.append(path)
        # Before the content, so that a change in between is noticed later.
        stamps.append(image_paths.stamp(path))
        try:
            contents.append(image_paths.content(path))
        except checks.ArgumentError as error:
            contents.append(str(error))
        size += len(contents[-1])
        if size > _BLOCK_BYTES:
            break
    return names, stamps, contents


def _encode_block(
    names: Sequence[str],
    stamps: Sequence[tuple[int, int]],
    contents: Sequence[bytes | str],
    model: ImageModel,
) -> Part:
    """Encodes a block of files; those that are left out get a reason."""
    reasons = [item if isinstance(item, str) else "" for item in contents]
    rows: dict[int, np.ndarray] = {}

    def encode(places: list[int]) -> None:
        """Halves what is refused until the image is found on which it lies."""
        try:
            table = model.table([contents[k] for k in places])
            rows.update(zip(places, table, strict=True))
        except image_models.RefusedError as error:
            if len(places) == 1:
                reasons[places[0]] = str(error)
                return
            middle = len(places) // 2
            encode(places[:middle])
            encode(places[middle:])

    good = [k for k, reason in enumerate(reasons) if not reason]
    if good:
        encode(good)
    changed = np.zeros((len(names), 2), bool)
    for k, content in enumerate(contents):
        if k in rows and isinstance(content, bytes):
            changed[k] = image_paths.changes(content, model.image_shape)
    width = len(model.layout.header())
    values = [rows[k] for k in sorted(rows)]
    array = np.array(values, np.float32).reshape(-1, width)
    return Part(names, stamps, reasons, changed, array)
