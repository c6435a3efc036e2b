"""The directive `{commands}`: a section for each command, with what --help prints."""

import importlib

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tf_disentangle.cli import main
from tf_disentangle.cli.study import SUBCOMMANDS


class Commands(SphinxDirective):
    """Describes all commands, those on a study after `study`."""

    def run(self) -> list[nodes.Node]:
        """Returns the sections."""
        sections: list[nodes.Node] = []
        for name, purpose in main.COMMANDS.items():
            sections.append(_section(name, f"{purpose[0].upper()}{purpose[1:]}."))
            if name == "study":
                sections += [_section(f"study {again}") for again in SUBCOMMANDS]
        return sections


def _section(name: str, purpose: str = "") -> nodes.section:
    command = importlib.import_module(f"tf_disentangle.cli.{name.replace(' ', '_')}")
    parts = (
        main._usage(command, name),
        command.__doc__.rstrip(),
        main._described(command.FLAGS),
    )
    section = nodes.section(ids=[name.replace(" ", "-")], names=[name])
    section += nodes.title("", name)
    if purpose:
        section += nodes.paragraph("", purpose)
    section += nodes.literal_block("", "\n\n".join(parts), language="text")
    return section


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
