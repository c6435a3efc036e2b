"""Shows the help of a command, or a page of the guide.

bin/help                       the commands, and the pages of the guide
bin/help train                 the same as bin/train --help
bin/help your_images           the page on your own images
"""

from __future__ import annotations

import pydoc
import sys

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import pages

FLAGS = flags.FlagValues()
POSITIONAL = ("topic",)
flags.DEFINE_string(
    "topic", None, "A command or a page of the guide; may be given without --topic=.",
    flag_values=FLAGS,
)  # fmt: skip


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    from tf_disentangle.cli import main as commands

    topic, found = values.topic, pages.pages()
    if topic is None:
        print(commands.overview())
        print("\nThe guide; show a page with tf_disentangle help PAGE")
        for name, file in found.items():
            print(f"  {name:32} {pages.title(file)}")
        return 0
    if topic in commands.COMMANDS:
        return commands.main([topic, "--help"])
    remedy = checks.suggestion(topic, [*commands.COMMANDS, *found])
    remedy = remedy or "tf_disentangle help shows them."
    rule = "be a command or a page of the guide"
    checks.require(topic in found, "TOPIC", rule, topic, remedy)
    text = found[topic].read_text(encoding="utf-8")
    if sys.stdout.isatty():
        pydoc.pager(text)
    else:
        print(text, end="")
    return 0
