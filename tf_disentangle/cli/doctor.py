"""Checks this installation. A line that starts with ! says what must be done.

bin/doctor

Exit codes: 0 if everything works; 4 if something must be done.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping

from absl import flags

from tf_disentangle.cli import startup
from tf_disentangle.quiet import can_import, cpu_flags

FLAGS = flags.FlagValues()

#: Bytes that the largest prepared sets take, with some room.
_ROOM = 20e9
#: A module of each extra, and what it is for.
_EXTRAS = {
    "study": ("ray", "many runs at a time, on several machines"),
    "serving": ("tensorflow_serving", "bin/serve"),
    "portable": ("onnxruntime", "bin/explore, and export to ONNX, OpenVINO, LiteRT"),
}
#: Starts the text of a line that says what must be done.
_TO_DO = "! "

#: A label, "" where the line before goes on, and a text.
Line = tuple[str, str]


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    from tf_disentangle import configuration, datasets
    from tf_disentangle.cli import pages

    of_tensorflow = tensorflow()  # Its import turns oneDNN on.
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "TensorFlow's default")
    lines = [
        *of_tensorflow,
        *threads(os.cpu_count() or 1, os.environ.get("OMP_NUM_THREADS", "")),
        ("oneDNN", {"0": "off", "1": "on"}.get(onednn, onednn)),
        *extras({name: _is_there(module) for name, (module, _) in _EXTRAS.items()}),
        *explorer(),
        *cache(pathlib.Path(datasets.cache_dir())),
        ("Gin files", str(configuration.gin_root())),
    ]
    for label, text in lines:
        mark = _TO_DO if text.startswith(_TO_DO) else ""
        said = pages.as_typed(text.removeprefix(_TO_DO))
        print(f"{mark or '  '}{label:24}{said}")
    to_do = sum(text.startswith(_TO_DO) for _, text in lines)
    print(f"\nTo do: {to_do}, marked with !" if to_do else "\nEverything works.")
    return 4 if to_do else 0


def tensorflow() -> Iterator[Line]:
    """Yields versions, processor and GPUs, or why TensorFlow cannot be imported."""
    if not can_import(cpu_flags()):  # The import would end this process.
        yield from processor(cpu_flags(), False)
        return
    try:
        startup.import_tensorflow()
        import tensorflow as tf

        from tf_disentangle.models.precision import computes_in_bfloat16
        from tf_disentangle.training.run_folder import environment
    except ImportError as error:
        first = str(error).strip().splitlines()[0]
        yield "tensorflow", f"{_TO_DO}cannot be imported: {first}"
        yield "", "pip install .   (in a new environment with Python 3.11)"
        yield from processor(cpu_flags(), False)
        return
    facts = environment()
    yield "Python", f"{facts['python']} on {facts['machine']}"
    yield from packages(facts["versions"])
    yield from processor(cpu_flags(), computes_in_bfloat16())
    yield from gpus([gpu.name for gpu in tf.config.list_physical_devices("GPU")])


def packages(versions: Mapping[str, str | None]) -> Iterator[Line]:
    """Yields the version of each package, and what to do where one is missing."""
    for name, version in versions.items():
        own = name == "tf_disentangle"
        missing = "a source checkout" if own else f"{_TO_DO}missing: pip install ."
        yield name, version or missing


def extras(present: Mapping[str, bool]) -> Iterator[Line]:
    """Yields which extras are installed, and how to get the others.

    Args:
        present: Whether each of them is.
    """
    for name, is_there in present.items():
        _, purpose = _EXTRAS[name]
        state = "installed" if is_there else f"not installed: pip install '.[{name}]'"
        yield f"Extra {name}", f"{state} ({purpose})"


def explorer() -> Iterator[Line]:
    """Yields whether the explorer's page can hold a model."""
    from tf_disentangle.explorer import runtime

    try:
        runtime.find()
    except runtime.RuntimeMissingError as error:
        yield "Explorer", f"through a local server: {error}"
        yield "", "with npm installed, its pages need no server"
        return
    yield "Explorer", "pages without a server"


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def processor(flags: set[str] | None, has_bfloat16: bool) -> Iterator[Line]:
    """Yields what the processor can do, and what follows for a run.

    Args:
        flags: Its instruction sets as Linux names them; None where Linux is not.
        has_bfloat16: Whether this machine computes in bfloat16 without emulation.
    """
    names = {"avx": "AVX", "avx2": "AVX2", "avx512f": "AVX-512", "asimd": "NEON"}
    sets = ", ".join(name for flag, name in names.items() if flag in (flags or ()))
    if flags is None:
        sets = "its instruction sets are not known on this system"
    if not can_import(flags):
        need = "no AVX, which TensorFlow needs: use another machine"
        yield "Processor", f"{_TO_DO}{need}"
        return
    yield "Processor", sets
    yield "", "a run's last bits depend on the processor: resume it on this one"
    if has_bfloat16:
        yield "bfloat16", "build_vae.precision = 'mixed_bfloat16' is fast"
    else:
        yield "bfloat16", "emulated here: keep build_vae.precision = 'float32'"


def threads(cores: int, chosen: str) -> Iterator[Line]:
    """Yields how many threads an operation gets.

    Args:
        cores: Cores of the machine.
        chosen: The environment variable OMP_NUM_THREADS, "" where it is not set.
    """
    yield "Threads", f"{cores} cores, {chosen or 'all'} for each operation"
    if chosen.isdecimal() and int(chosen) < cores:
        yield "", "unset OMP_NUM_THREADS to give one run all cores"


def gpus(names: list[str]) -> Iterator[Line]:
    """Yields the GPUs, and what to do where none is seen."""
    for name in names:
        yield "GPU", name
    if not names:
        yield "GPU", "none: see tf_disentangle help gpu"
        yield "", "if nvidia-smi shows one: pip install '.[gpu]'"


def cache(folder: pathlib.Path) -> Iterator[Line]:
    """Yields where prepared data sets lie, what they take and whether there is room.

    Args:
        folder: The cache folder, which need not exist.
    """
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    used = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    yield "Data cache", str(folder)
    yield "", f"{used / 1e9:.2f} GB used, {free / 1e9:.0f} GB free"
    if not os.access(existing, os.W_OK):
        advice = "set TF_DISENTANGLE_CACHE to a folder that is"
        yield "", f"{_TO_DO}not writable: {advice}"
    elif free < _ROOM:
        yield "", "little room for published sets: set TF_DISENTANGLE_CACHE elsewhere"
