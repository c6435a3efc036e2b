"""Sphinx's settings: `make docs` builds build/docs from README.md, docs and examples.

The source folder is the root of the repository, so that a relative link from one page
to another, to a notebook or to a gin file is the same here and on GitHub.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "extensions")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tf_disentangle  # noqa: E402

project = "tf_disentangle"
author = "The tf_disentangle authors"
copyright = f"{author}, Apache-2.0"  # The name is Sphinx's.
release = version = tf_disentangle.__version__

root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**.md",
    "examples/*.ipynb",
    "examples/*.md",
]
# What is read through other pages.
exclude_patterns = [".venv", "build", "docs/reproduction/*"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "commands",
    "plain_links",
    "public_names",
]

# Pages. Headings have the anchors that GitHub gives them.
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # Notebooks show the outputs that they were stored with.
nb_merge_streams = True
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
highlight_language = "text"
smartquotes_action = "D"  # Dashes; quotation marks stay: "mig" is a name.

# API pages. Args stand in the docstrings of classes, types in the signatures.
add_module_names = False
autodoc_class_signature = "mixed"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
default_role = "code"
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
pygments_dark_style = "one-dark"
html_title = f"tf_disentangle {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_extra_path = ["redirect"]
html_copy_source = False
html_show_sphinx = False
# For `make links`, the only one that needs a network.
linkcheck_anchors = False
linkcheck_ignore = [r"http://localhost"]
