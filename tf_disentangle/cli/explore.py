"""Shows what each latent of a trained run does, in one HTML file with the model inside.

    bin/explore runs/chyvae                         # writes the file and opens it
    bin/explore runs/chyvae --output=chyvae.html    # writes it, to be mailed or hosted
    bin/explore runs/chyvae runs/beta_vae           # side by side, with the same image
    bin/explore runs/chyvae --server=http://localhost:8501
    bin/explore store:chyvae_ellipses               # comes with the library

The file needs no server and no network: the encoder and the decoder run in the browser
with ONNX Runtime Web, which npm fetches once into the cache. Without npm, a local
server runs the model for the page until you press Ctrl-C.

With --server the page holds no model. It sends its requests to a server with TensorFlow
Serving's REST API that accepts requests from web pages: bin/serve or
tensorflow_model_server, started with --rest_api_enable_cors_support. The server must
serve each run under its folder's name; for another name, give an address that ends in
/v1/models/NAME.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import threading
import webbrowser
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle.cli import run_flags
from tf_disentangle.explorer import address

if TYPE_CHECKING:
    from tf_disentangle.run import Run

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_list(
    "runs",
    [],
    "More runs; they may follow the first without --runs=.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "output",
    None,
    "The file to write. By default it is RUN/explorer.html, or a temporary file for a "
    "published model, and is opened too.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "server", None, "Address of a server that runs the models.", flag_values=FLAGS
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    folders = [values.run, *values.runs]
    runs = []
    served = None if values.server is None else address.parse(values.server, "--server")
    for folder in folders:
        values["run"].value = folder
        runs.append(run_flags.load(values))
    from tf_disentangle import explorer

    print("Making the page", file=sys.stderr)
    try:
        page = explorer.explore(*runs, server=values.server)
    except explorer.RuntimeMissingError as error:
        if values.output is not None:
            raise
        print(error, file=sys.stderr)
        return _over_own_server(runs)
    path = values.output or _page_of(runs)
    print(page.save(path))
    if served is not None:
        _warn_of_trouble(*served, [run.folder.name for run in runs])
    if values.output is None:
        webbrowser.open(pathlib.Path(path).absolute().as_uri())
    return 0


def _page_of(runs: list[Run]) -> pathlib.Path:
    """Returns where the page goes by itself: into the folder of the first run."""
    name = "-".join(["explorer", *(run.folder.path.name for run in runs[1:])])
    folder = runs[0].folder.path
    if runs[0].folder.is_published:  # To which nothing is added.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tf_disentangle_"))
    return folder / f"{name}.html"


def _warn_of_trouble(base: str, name: str, names: list[str]) -> None:
    """Says which models a page could not ask for now: the server may start later."""
    for own in names:
        model = name or own
        if trouble := address.trouble(base, model):
            print(f"WARNING: {trouble}", file=sys.stderr)
            note = "The page is written; it will work once that is fixed."
            print(note, file=sys.stderr)
            return


def _wait() -> None:
    """Waits for Ctrl-C."""
    threading.Event().wait()


def _over_own_server(runs: list[Run]) -> int:
    """Serves the runs from here and shows the page that asks, until Ctrl-C."""
    from tf_disentangle import explorer
    from tf_disentangle.serving import server

    print("For now a local server runs the model.", file=sys.stderr)
    # Two runs may have folders of one name.
    names = [f"run-{k}" for k, _ in enumerate(runs, start=1)]
    with tempfile.TemporaryDirectory() as folder:
        for run, name in zip(runs, names, strict=True):
            run.export(folder, name=name)
        with server.start(folder, cors=True) as started:
            address = f"http://localhost:{started.rest_port}"
            page = explorer.explore(*runs, server=address, served_as=names)
            print(page.open())
            print("Press Ctrl-C to stop it.", file=sys.stderr, flush=True)
            _wait()
    return 0
