"""Packaging of tf_disentangle.

The top-level folder gin/ holds configuration text. It must never get an
`__init__.py`: that would hide the gin-config library. The build copies it into the
package as tf_disentangle/gin_files, so that an installed `tf_disentangle train
--gin_file=chyvae.gin` finds it; and the guide's pages as tf_disentangle/guide, for
`tf_disentangle help`. Where there is an npm client the build also fetches
ONNX Runtime Web, which the explorer's page runs; else the explorer fetches it when it
is used.
"""

import importlib.util
import pathlib
import shutil

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parent


class BuildWithData(build_py):
    """Puts gin/, the guide and the explorer's runtime into the built package."""

    def run(self) -> None:
        """Builds, then adds the files."""
        super().run()
        if self.editable_mode:
            return  # an editable install reads gin/ where it is
        package = pathlib.Path(self.build_lib) / "tf_disentangle"
        shutil.copytree(ROOT / "gin", package / "gin_files", dirs_exist_ok=True)
        for page in [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/guide/*.md")]:
            target = package / "guide" / page.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(page, target)
        npm = _load(ROOT / "tf_disentangle" / "explorer" / "npm.py")
        try:
            npm.fetch(package / "explorer" / "runtime")
        except npm.RuntimeUnavailable as error:
            print(f"The wheel is built without {npm.PACKAGE}: {error}.")


def _load(path: pathlib.Path) -> object:
    """Imports one file without its package, whose requirements are not there yet."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# bin/serve; TensorFlow Serving's own messages.
SERVING = [
    "grpcio>=1.66",
    "grpcio-health-checking>=1.66",
    "prometheus-client>=0.20",
    "starlette>=0.40",
    "tensorflow-serving-api>=2.21,<2.22",
    "uvicorn>=0.30",
]
# serving.Client; nothing of TensorFlow.
CLIENT = ["grpcio>=1.66", "numpy>=2.0", "protobuf>=5", "requests>=2.31"]
# bin/export --variant=onnx|openvino|litert, and the explorer, which runs ONNX.
PORTABLE = [
    "ai-edge-litert>=2.0",
    "onnx>=1.17",
    "onnxruntime>=1.20",
    "openvino>=2025.0",
    "tf2onnx>=1.16",
]
# bin/study: the engine of many runs, their table, the live view of it.
STUDY = ["pandas>=2.2", "pyarrow>=17", "ray>=2.50", "rich>=13"]

setup(
    name="tf_disentangle",
    version="0.2.0",
    description="Disentangled representations on TensorFlow 2: learn, measure, serve",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # Tested on 3.11, 3.12 and 3.13 (docs/reproduction.md, "Not done").
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["tf_disentangle", "tf_disentangle.*"]),
    package_data={
        "tf_disentangle": ["py.typed", "explorer/page/*", "store/models/*/*"]
    },
    cmdclass={"build_py": BuildWithData},
    install_requires=[
        "absl-py>=2.1",
        "filelock>=3.12",
        "gin-config==0.5.0",
        "h5py>=3.10",  # Keras needs it too
        "importlib_resources",  # tensorflow-datasets needs it and does not say so
        "keras>=3.15,<4",
        "matplotlib>=3.9",
        "numba>=0.61",
        "numpy>=2.0",
        "opencv-python-headless>=4.10",
        "pillow>=10.1",
        "safetensors>=0.5",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "setuptools",  # TFP imports distutils, which Python 3.12 has only from here
        "tensorboard>=2.20",  # tf.summary needs it; TensorFlow 2.21 left it out
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10",
        "tensorflow-probability>=0.25,<0.26",
        "tf-keras>=2.21,<2.22",  # TFP imports it; we never do
        "threadpoolctl>=3.2",
        "tqdm>=4.66",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "serving": SERVING,
        "client": CLIENT,
        "portable": PORTABLE,
        "study": STUDY,
        "test": [
            *SERVING,
            *CLIENT,
            *PORTABLE,
            *STUDY,
            "build>=1.2",
            "codespell>=2.3",
            "huggingface_hub>=0.30",  # reads the model cards that we write
            "hypothesis>=6.100",
            "mypy>=1.13",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "pyyaml>=6",
            "ruff>=0.9",
            "wheel",
        ],
        # make docs
        "docs": [
            "furo>=2024.8",
            "myst-nb>=1.2",
            "myst-parser>=4",
            "sphinx>=8.1",
            "sphinx-copybutton>=0.5",
        ],
        # The browser itself is Debian's chromium; tests without it are skipped.
        "browser": ["playwright>=1.48", "axe-playwright-python>=0.1.8"],
    },
    entry_points={
        "console_scripts": ["tf_disentangle = tf_disentangle.cli.main:run"],
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
