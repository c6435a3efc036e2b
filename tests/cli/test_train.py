"""What `train` prints at its end."""

import pytest

from tf_disentangle.cli.train import _number


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.001, "0.00"), (0.0, "0.00"), (-0.006, "-0.01"), (1234.5, "1234.50")],
)
def test_zero_has_no_sign(value, text):
    assert _number(value) == text
