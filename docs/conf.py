"""The documentation site (make docs): README, the pages of this folder, and the API from the docstrings.

Nothing is fetched from a network, neither while it is built nor by its pages.
"""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The package beside these pages, whichever mangrove is installed; for autodoc and the processes that it starts.
sys.path.insert(0, str(ROOT / "src"))
os.environ["JAX_PLATFORMS"] = "cpu"

project = "mangrove"
author = copyright = "The mangrove developers"
release = version = version_of("mangrove")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
]
exclude_patterns = ["_templates", "_static"]
templates_path = ["_templates"]

# Anchors of headings as GitHub makes them, so that a link works in both places; a link that leads nowhere is a warning,
# and 'make docs' makes warnings errors.
myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "text"

# Every role of a docstring must lead somewhere, but for what signatures name: types of other packages, private types, and
# functions that check a value; and for fields of named tuples, which their class describes.
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"(?!mangrove\.).*"),
    ("py:class", r"mangrove\.(\w+\.)*[a-z_]\w*"),
    ("py:obj", r"typing\..*"),
    ("py:attr", r"[A-Z]\w*\.\w+"),
]

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
toc_object_entries = False

html_theme = "furo"
html_title = "mangrove"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False


def _skip_field(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples: their class describes them, 'Alias for field number 0' does not."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def _open_one_branch(app, pagename, templatename, context, doctree):
    """Let the sidebar open the branch of its page alone: that of the whole API is half of the time of a build."""
    if whole := context.get("toctree"):
        context["toctree"] = lambda **options: whole(**options | {"collapse": True})


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", _skip_field)
    # Before the theme asks for the sidebar.
    app.connect("html-page-context", _open_one_branch, priority=400)
