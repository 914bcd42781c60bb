"""How the site is made from the files in ``docs/``: read by Sphinx for ``tools/make_site.py``.

Source: the manuals of Sphinx, MyST and furo. Tested by ``tests/compat/test_site.py``.
"""

project = "reconix"
extensions = ["myst_parser"]
exclude_patterns = ["site", "man", "schema", "**/README.md"]
html_theme = "furo"
html_title = "reconix"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_last_updated_fmt = None
myst_heading_anchors = 4
nitpicky = True
