"""What bin/publish and bin/study publish share: what goes into a published model."""

from __future__ import annotations

from typing import Any

from absl import flags

from tf_disentangle.store import places


def define(values: flags.FlagValues) -> None:
    """Defines the options."""
    flags.DEFINE_enum(
        "precision",
        "float32",
        list(places.PRECISIONS),
        "Precision of the weights. float16 halves their size; what that changes is "
        "measured, and every recorded score is computed again.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "license",
        None,
        "The licence, such as apache-2.0 or cc-by-4.0; by default none is named.",
        flag_values=values,
    )
    for name, text in (
        ("explorer", "Add explorer.html, a page with the model inside; 6 to 8 MB."),
        ("onnx", "Add encode.onnx and decode.onnx."),
        ("rescore", "With float16, compute the recorded scores again."),
    ):
        flags.DEFINE_bool(name, True, text, flag_values=values)
    flags.DEFINE_integer(
        "examples",
        60,
        "How many images of the data to add, so that the model can be explored without "
        "the data; 0 if the images may not be passed on.",
        flag_values=values,
    )


def check(values: flags.FlagValues) -> None:
    """Refuses what cannot be published, before TensorFlow takes its time."""
    places.check_license(values.license, "--license")


def options(values: flags.FlagValues) -> dict[str, Any]:
    """Returns the options of `store.publish`."""
    names = ("precision", "license", "explorer", "onnx", "rescore", "examples")
    return {name: values[name].value for name in names}
