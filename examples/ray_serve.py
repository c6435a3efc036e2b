"""Exported models in many processes, or on many machines, by Ray Serve.

    pip install 'tf_disentangle[serving]' 'ray[serve]'
    python examples/ray_serve.py exports --replicas=4

Each replica answers as bin/serve does, over the same folder, and takes up new versions;
Ray balances between them. Clients ask as they ask TensorFlow Serving, by REST:
Client("http://localhost:8000", "chyvae").
"""

import argparse
import pathlib
import signal

import ray
from ray import serve
from starlette.applications import Starlette
from starlette.routing import Mount


def application(folder: str, replicas: int) -> serve.Application:
    """Returns what Ray runs: `replicas` processes over the models of a folder."""

    def build() -> Starlette:
        # In the replica, since here nothing of TensorFlow is needed.
        from tf_disentangle.serving import server
        from tf_disentangle.serving.server.monitoring import Monitoring
        from tf_disentangle.serving.server.rest_app import RestApp

        store = server.start(folder, rest_port=None, grpc_port=None).store
        options = {"num_threads": 4, "timeout_seconds": 30.0, "metrics_path": None}
        app = RestApp(store, Monitoring(), server.Limits(), **options)
        return Starlette(routes=[Mount("/", app=app)])

    @serve.deployment(num_replicas=replicas, max_ongoing_requests=16)
    @serve.ingress(build)
    class Models:
        """Ray asks for a class; `build` does all there is to do."""

    return Models.bind()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="what bin/export wrote")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    ray.init(include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    serve.run(application(str(options.folder.resolve()), options.replicas))
    print(f"Serving at http://localhost:{options.port}; Ctrl-C ends it.", flush=True)
    signal.pause()
