"""Write equations as MathML, which browsers show without a script from the network."""

import re

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx

# docutils would set the index of an accented letter below it.
_ACCENT_WITH_INDEX = re.compile(r"(\\(?:dot|tilde|hat|bar)\s*(?:\\[a-z]+|\w))(?=_)")


def mathml_of(latex: str, block: bool = False) -> str:
    """Return an equation as MathML."""
    return latex2mathml.tex2mathml(_ACCENT_WITH_INDEX.sub(r"{\1{}}", latex), as_block=block)


def _inline(writer, node: nodes.math) -> None:
    writer.body.append(mathml_of(node.astext()))
    raise nodes.SkipNode


def _block(writer, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{mathml_of(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
