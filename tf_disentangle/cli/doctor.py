"""Checks this installation: versions, processor, GPU, threads, data cache; what to do.

bin/doctor
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Iterator

from absl import flags

from tf_disentangle.cli import startup

FLAGS = flags.FlagValues()

#: Bytes that the largest prepared sets take, with some room.
_ROOM = 20e9

#: A label, "" where the line before goes on, and a text.
Line = tuple[str, str]


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    startup.import_tensorflow()
    import tensorflow as tf

    from tf_disentangle import configuration, datasets
    from tf_disentangle.models.precision import computes_in_bfloat16
    from tf_disentangle.training.run_folder import environment

    facts = environment()
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "as TensorFlow has it")
    devices = tf.config.list_physical_devices("GPU")
    lines = [
        ("Python", f"{facts['python']} on {facts['machine']}"),
        *packages(facts["versions"]),
        *processor(cpu_flags(), computes_in_bfloat16()),
        *threads(os.cpu_count() or 1, os.environ.get("OMP_NUM_THREADS", "")),
        ("oneDNN", {"0": "off", "1": "on"}.get(onednn, onednn)),
        *gpus([device.name for device in devices]),
        *cache(pathlib.Path(datasets.cache_dir())),
        ("Gin files", str(configuration.gin_root())),
    ]
    for label, text in lines:
        print(f"{label:24}{text}")
    return 0


def packages(versions: dict[str, str | None]) -> Iterator[Line]:
    """Yields the version of each package, and what to do where one is missing."""
    for name, version in versions.items():
        own = name == "tf_disentangle"
        missing = "a source checkout" if own else "not installed: pip install ."
        yield name, version or missing


def cpu_flags(file: str = "/proc/cpuinfo") -> set[str] | None:
    """Returns the instruction sets of the processor; None where Linux is not."""
    try:
        text = pathlib.Path(file).read_text()
    except OSError:
        return None
    line = re.search(r"^(?:flags|Features)\s*: (.*)$", text, re.MULTILINE)
    return set(line[1].split()) if line else None


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
    yield "Processor", sets or "none of AVX, AVX2, AVX-512: TensorFlow needs AVX"
    yield "", "the last bits of a run are this processor's: resume it here"
    if has_bfloat16:
        yield "bfloat16", "build_vae.precision = 'mixed_bfloat16' is quick"
    else:
        yield "bfloat16", "emulated here: keep build_vae.precision = 'float32'"


def threads(cores: int, chosen: str) -> Iterator[Line]:
    """Yields how many threads an operation gets.

    Args:
        cores: Cores of the machine.
        chosen: The environment variable OMP_NUM_THREADS, "" where it is not set.
    """
    yield "Threads", f"{cores} cores, {chosen or 'all'} for an operation"
    if chosen.isdecimal() and int(chosen) < cores:
        yield "", "unset OMP_NUM_THREADS to give one run all cores"


def gpus(names: list[str]) -> Iterator[Line]:
    """Yields the GPUs, and what to do where none is seen."""
    for name in names:
        yield "GPU", name
    if not names:
        yield "GPU", "none; if nvidia-smi shows one: pip install '.[gpu]'"


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
        yield "", "not writable: set TF_DISENTANGLE_CACHE to a folder that is"
    elif free < _ROOM:
        yield "", "little room for published sets: set TF_DISENTANGLE_CACHE elsewhere"
