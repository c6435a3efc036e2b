"""The page as one file: its text, its scripts, the runtime and the models inside."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import html
import json
import pathlib
import string
import tempfile
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_disentangle import checks, files, summary
from tf_disentangle.explorer import address, contents, npm, runtime
from tf_disentangle.serving import variants

if TYPE_CHECKING:
    import os

    from tf_disentangle.run import Run

_PAGE = pathlib.Path(__file__).parent / "page"
# So that the page of a model of 64 x 64 images has at most 8 MB. What this changes in
# codes is 0.1% of their spread; in images it can be more than one of 256 levels.
_PRECISIONS = {"encode": "float16", "decode": "float32"}
# Base 85 without the characters that mean something in HTML.
_PLAIN = bytes.maketrans(b"&<>", b",./")
# Nothing is loaded from anywhere: a browser enforces what the page promises.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline'; img-src data: blob:; connect-src {connect}"
)


@dataclasses.dataclass(frozen=True)
class Explorer:
    """A page that shows what each latent does.

    Jupyter shows it in a cell; `save` writes it, `open` shows it in the browser.

    Attributes:
        page: The whole page, HTML.
    """

    page: str = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        """Says how large the page is, and how to see it where there is no notebook."""
        size = f"{len(self.page.encode()) / 1e6:.1f} MB"
        return f"<Explorer, {size}: open() shows it in a browser, save(path) writes it>"

    def save(self, path: str | os.PathLike) -> pathlib.Path:
        """Writes the page completely or not at all; returns the path."""
        files.write_text(path, self.page)
        return pathlib.Path(path)

    def open(self) -> pathlib.Path:
        """Shows the page in the browser, from a temporary file; returns its path."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tf_disentangle_"))
        path = self.save(folder / "explorer.html")
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        """Returns the page in a frame, for a notebook."""
        return (
            f'<iframe srcdoc="{html.escape(self.page)}" title="Latent explorer" '
            'allow="clipboard-write" '
            'style="width: 100%; height: 60rem; border: 0"></iframe>'
        )


def explore(
    *runs: Run, server: str | None = None, served_as: Sequence[str] = ()
) -> Explorer:
    """Makes the explorer of one or more runs: a file that holds the models.

    It needs no server and no network: encoder and decoder run in the page. Several
    runs are shown side by side, each with the same image.

    Args:
        *runs: Trained runs on images of one shape.
        server: Where to run the models instead: the address of a server that speaks
            TensorFlow Serving's REST and answers other pages (CORS), such as
            "http://localhost:8501"; for a single run, it may end in /v1/models/NAME.
            The page then holds no models.
        served_as: The names under which the server has the runs; by default their own.

    Raises:
        ArgumentError: If a run has vectors, the image shapes differ, a server has two
            runs under one name, or the packages that write ONNX are missing.
        RuntimeMissingError: If ONNX Runtime Web is missing; it is an ArgumentError.
    """
    contents.require_pictures(runs)
    base, names = _served(runs, server, served_as)
    blobs = _models_and_runtime(runs) if server is None else {}
    images, shelf = contents.shelf_of(runs[0])
    described = [contents.describe(run, images) for run in runs]
    for key, (run, matches) in enumerate(
        zip(described, contents.matches_between(described), strict=True)
    ):
        run |= {"key": key, "matches": matches, "served_as": names[key]}
    blobs["shelf"] = gzip.compress(images.tobytes(), mtime=0)
    known = {"runs": described, "shelf": shelf, "server": base}
    return Explorer(_html(known, blobs))


def _served(
    runs: Sequence[Run], server: str | None, served_as: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Returns the address of the server, and under which name it has each run."""
    names = [*served_as] or [summary.name_of(run) for run in runs]
    rule = f"be a name for each of the {len(runs)} runs"
    checks.require(len(names) == len(runs), "served_as", rule, names)
    if server is None:
        checks.require(
            not served_as, "served_as", "be given together with a server", names
        )
        return None, names
    base, name = address.parse(server)
    if name:
        rule = "name no model for several runs or together with served_as"
        checks.require(len(runs) == 1 and not served_as, "server", rule, server)
        return base, [name]
    rule = "have different names on the server"
    remedy = "Set them with explore(..., served_as=...), or rename a run's folder."
    checks.require(len({*names}) == len(names), "runs", rule, names, remedy)
    return base, names


def _models_and_runtime(runs: Sequence[Run]) -> dict[str, bytes]:
    """Returns what runs in the page, gzipped, by the id that the scripts ask for."""
    found = runtime.find()
    blobs = {"runtime": found[npm.SCRIPT], "wasm": found[npm.WASM]}
    for key, run in enumerate(runs):
        for name, model in variants.onnx_models(run.model, _PRECISIONS).items():
            blobs[f"{name}-{key}"] = gzip.compress(model, mtime=0)
    return blobs


def _html(known: dict[str, Any], blobs: dict[str, bytes]) -> str:
    """Returns the page with everything in its place."""
    kind = "data:text/javascript;base64"
    scripts = {
        f"explorer/{path.stem}": f"{kind},{_base64(path.read_bytes())}"
        for path in sorted(_PAGE.glob("*.js"))
    }
    tag = '<script type="application/octet-stream" id="blob-{}">{}</script>'
    carried = [tag.format(name, _base85(blob)) for name, blob in blobs.items()]
    title = ", ".join(run["name"] for run in known["runs"])
    template = string.Template((_PAGE / "index.html").read_text(encoding="utf-8"))
    return template.substitute(
        policy=html.escape(_POLICY.format(connect=_connect(known["server"]))),
        title=html.escape(title),
        style=(_PAGE / "style.css").read_text(encoding="utf-8"),
        imports=_json({"imports": scripts}),
        contents=_json(known),
        blobs="\n".join(carried),
    )


def _connect(server: str | None) -> str:
    """Returns what the page may ask; a path without a slash at its end is no folder."""
    return "'none'" if server is None else f"{server}/"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _base85(content: bytes) -> str:
    """Returns bytes as the page reads them: a sixteenth shorter than in base 64."""
    return base64.b85encode(content).translate(_PLAIN).decode("ascii")


def _json(value: Any) -> str:
    """Returns JSON that may stand inside a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")
