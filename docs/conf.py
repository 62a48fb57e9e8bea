"""The documentation as a site: `make docs` writes it into site/, without anything from other servers."""

from importlib.metadata import version as version_of

project = "napari-webipred"
author = "The napari-webipred developers"
version = release = version_of("napari-webipred")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # The docstrings give shapes and units, which annotations do not.
autodoc_member_order = "bysource"
napoleon_google_docstring = False

html_theme = "furo"
html_title = "napari-webipred"
html_copy_source = False
html_show_sourcelink = False
