"""Plain Markdown links that Sphinx would not know: to folders, and to HTML pages.

A link to a page, a notebook or a file is MyST's own. A folder has no page here: its
link becomes plain text, and it must exist.
"""

import pathlib
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class FolderLinks(SphinxPostTransform):
    """Puts the text of a link to a folder in the link's place."""

    default_priority = 1  # Before MyST looks for the target.

    def run(self, **_: Any) -> None:
        """Goes through the links of one page."""
        folder = pathlib.Path(self.env.doc2path(self.env.docname)).parent
        for link in [*self.document.findall(addnodes.pending_xref)]:
            target = link.get("reftarget", "")
            if link.get("refdomain") == "doc" or not target:
                continue
            if (folder / target.partition("#")[0]).is_dir() and "/" in target:
                link.replace_self(nodes.inline("", "", *link.children))


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the transform."""
    app.add_post_transform(FolderLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
