"""Tells what this installation is: versions, devices, threads, data cache.

tf_disentangle doctor
"""

from __future__ import annotations

import os
import shutil

from absl import flags

from tf_disentangle.cli import startup

FLAGS = flags.FlagValues()


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    startup.import_tensorflow()
    import tensorflow as tf

    from tf_disentangle import configuration, datasets
    from tf_disentangle.training.run_folder import environment

    facts = environment()
    print(f"Python           {facts['python']} on {facts['machine']}")
    for package, version in facts["versions"].items():
        print(f"{package:24} {version or 'not installed (source checkout)'}")
    for device in tf.config.list_physical_devices():
        print(f"Device           {device.device_type} {device.name}")
    if not tf.config.list_physical_devices("GPU"):
        print("                 no GPU: pip install 'tf_disentangle[gpu]' where one is")
    threading = tf.config.threading
    print(f"Cores            {os.cpu_count()}")
    for kind, number in (
        ("within an operation", threading.get_intra_op_parallelism_threads()),
        ("between operations", threading.get_inter_op_parallelism_threads()),
    ):
        print(f"Threads          {number or 'one per core (default)'} {kind}")
    print(f"oneDNN           {os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'on (default)')}")
    cache = datasets.cache_dir()
    existing = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free / 1e9
    used = sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) / 1e9
    print(f"Data cache       {cache}: {used:.2f} GB used, {free:.0f} GB free")
    print(f"Gin files        {configuration.gin_root()}")
    return 0
