"""Write the pages of the site that come from elsewhere into docs/generated.

The command line comes from its parser, the configuration from schema and defaults. Texts outside
docs/ (README.md, CONTRIBUTING.md, ...) are copied, with links that fit their new place.
"""

import os
import re
from pathlib import Path, PurePosixPath

import command_line
import configuration
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
DOCS = PurePosixPath("docs")
# Page of the site by the file that a link of the repository means.
PAGES = {
    "README.md": "docs/generated/your-patient.md",
    "config/README.md": "docs/generated/settings.md",
    "CONTRIBUTING.md": "docs/generated/contributing.md",
    "CHANGELOG.md": "docs/generated/changelog.md",
}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def with_site_links(text: str, origin: str, place: str) -> str:
    """Return a Markdown text of the file `origin`, with links that hold on the page `place`."""

    def at_place(match: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(origin).parent / match[1])
        return os.path.relpath(PAGES.get(target, target), PurePosixPath(place).parent)

    return LINK.sub(at_place, text)


def pages() -> dict[str, str]:
    """Return the text of every generated page by its name in docs/generated."""
    copied = {
        PurePosixPath(place).name: with_site_links(
            (ROOT / origin).read_text("utf-8"), origin, place
        )
        for origin, place in PAGES.items()
    }
    whole = copied["your-patient.md"]
    _, _, section = whole.partition("## Your own patient\n")
    section, _, _ = section.partition("\n## New priors")
    copied["your-patient.md"] = f"# Run your own patient\n{section}"
    return copied | {
        "command-line.md": command_line.page(),
        "configuration.md": configuration.page(ROOT),
    }


def write_pages(app: Sphinx) -> None:
    """Write the pages that changed."""
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        path = folder / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def correct_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Let links that leave docs/ lead to the page of the site."""
    path = Path(app.env.doc2path(page))
    if path.suffix == ".md" and "generated" not in path.parts:
        name = (DOCS / path.relative_to(app.srcdir)).as_posix()
        source[0] = with_site_links(source[0], name, name)
    if page == "lab-notes/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n20*\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the generator."""
    app.connect("builder-inited", write_pages, priority=100)
    app.connect("source-read", correct_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
