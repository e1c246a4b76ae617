"""Settings of the documentation site; `make docs` builds it into build/docs, offline."""

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext"), str(HERE / "tutorials")]

from virtualbrain.pipeline.environment import use_project_caches

use_project_caches()  # before numba is imported

project = "virtualbrain"
author = "The virtualbrain developers"
project_copyright = author
version = release = metadata.version("virtualbrain")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "generated_pages",
    "mathml",
]
exclude_patterns = ["_ext", "tutorials", "**/sg_execution_times.rst", "sg_execution_times.rst"]
templates_path = ["_templates"]
nitpicky = True
default_role = "autolink"
highlight_language = "text"  # of listings that state none
# Parameters, and names that a docstring explains but that are not public.
nitpick_ignore_regex = [("py:obj", r"\w+")]
nitpick_ignore = [
    ("py:obj", name)
    for name in (
        "inference.onsets",
        "inference.priors",
        "inference.sources",
        "virtualbrain.network.normalise_weights",
        "virtualbrain.posterior.seizure_threshold",
        "virtualbrain.seeg.gain.observability",
    )
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
smartquotes = False

numpydoc_show_class_members = False
autodoc_typehints = "none"
autosummary_generate = True

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "generated/tutorials",
    "filename_pattern": r"/tutorial_\d",
    "ignore_pattern": r"small_patient\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "capture_repr": ("_repr_html_",),
}

html_theme = "pydata_sphinx_theme"
html_title = "virtualbrain"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "header_links_before_dropdown": 5,
}
html_sidebars = {"index": []}
copybutton_prompt_text = "$ "
