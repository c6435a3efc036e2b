"""TensorFlow's faster kernels for a CPU are on, whatever the processor."""

import os
import platform
import subprocess
import sys

import pytest

ASK = "import os, tf_disentangle; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="of x86 alone"
)
@pytest.mark.parametrize("chosen", [None, "0"])
def test_they_are_on_unless_the_user_says_otherwise(chosen):
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    if chosen is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = chosen
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True
    )
    assert asked.stdout.strip() == (chosen or "1")
