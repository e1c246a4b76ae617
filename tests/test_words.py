"""Texts of the project use the words of docs/glossary.md and none of tests/words.txt."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtualbrain.config import project_root

ROOT = project_root()
WORD_LIST = Path(__file__).with_name("words.txt")
PYTHON_FOLDERS = ("virtualbrain", "inference", "workflow", "docs")
TEXT_PATTERNS = (
    "README.md",
    "docs/*.md",
    "docs/*.rst",
    "docs/tutorials/*.rst",
    "config/**/*.md",
    "config/**/*.yaml",
    "workflow/**/*.smk",
    "workflow/**/*.yaml",
    "workflow/Snakefile",
    "virtualbrain/report/templates/**/*.html",
    "virtualbrain/report/static/**/*.js",
    "envs/*.sh",
    "Makefile",
)
ALLOW = re.compile(r"allow (?P<file>[^:]+): (?P<word>.+)")
FORBIDDEN_WORDS_TABLE = "## Words we do not use"


def rules(text: str) -> tuple[dict[re.Pattern[str], str], dict[str, re.Pattern[str]]]:
    """Return replacements by forbidden expression, and expressions that are allowed by file."""
    forbidden, allowed = {}, {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if match := ALLOW.fullmatch(line):
            allowed[match["file"]] = whole_words(match["word"])
            continue
        expression, arrow, replacement = line.partition(" -> ")
        assert arrow, line
        forbidden[whole_words(expression)] = replacement
    return forbidden, allowed


def whole_words(expression: str) -> re.Pattern[str]:
    """Compile an expression for whole words; spaces match line breaks too."""
    spaced = expression.replace(" ", r"\s+")
    return re.compile(rf"(?<![\w.\\])(?:{spaced})(?![\w(]|\.\w)", re.IGNORECASE)


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string (docstrings, f-strings) and block of comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            one_line = node.lineno == node.end_lineno  # its line breaks are escapes
            yield node.lineno, node.value.replace("\n", " ") if one_line else node.value
    comments: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("# ")
            if comments and token.start[0] == comments[-1][0] + comments[-1][1].count("\n") + 1:
                comments[-1] = (comments[-1][0], f"{comments[-1][1]}\n{text}")
            else:
                comments.append((token.start[0], text))
    yield from comments


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of every text in a file."""
    content = path.read_text("utf-8")
    if path.suffix == ".py":
        yield from python_texts(content)
    elif path.name == "glossary.md":
        yield 1, content.partition(FORBIDDEN_WORDS_TABLE)[0]
    else:
        yield 1, content


def find_words(path: Path, name: str) -> list[str]:
    """Return one line for every forbidden word of a file."""
    forbidden, allowed = rules(WORD_LIST.read_text("utf-8"))
    permitted = allowed.get(name)
    found = []
    for first, text in texts_of(path):
        for pattern, replacement in forbidden.items():
            for match in pattern.finditer(text):
                if permitted and permitted.fullmatch(match.group()):
                    continue
                line = first + text.count("\n", 0, match.start())
                words = " ".join(match.group().split())
                found.append(f"{name}:{line}: {words!r}; write: {replacement}")
    return found


def files() -> list[Path]:
    """Return every file whose texts are checked."""
    python = (path for folder in PYTHON_FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return sorted({*python, *(path for one in TEXT_PATTERNS for path in ROOT.glob(one))})


def by_folder() -> dict[str, list[Path]]:
    """Return the files to check by their folder, so that a failure names one folder."""
    found: dict[str, list[Path]] = {}
    for path in files():
        found.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path)
    return found


FILES = by_folder()


@pytest.mark.parametrize("folder", FILES)
def test_no_text_contains_a_forbidden_word(folder):
    found = [
        line
        for path in FILES[folder]
        for line in find_words(path, path.relative_to(ROOT).as_posix())
    ]
    assert not found, "\n".join(sorted(set(found)))


PLANTED = [
    ("a.py", '"""First line.\n\nThe ledger.\n"""\n', 3),
    ("a.py", 'x = 1\ny = f"{x} is told"\n', 2),
    ("a.py", "x = 1\n# a comment\n# of a virtual\n# patient\n", 3),
    ("a.py", 'raise ValueError("made " "anew")\n', 1),
    ("a.smk", 'rule x:\n    """Whole or not at all."""\n', 2),
    ("a.md", "One line.\n\nIt lies\nover the T1w.\n", 3),
    ("a.yaml", "a: 1\nb: 2  # outside its gate\n", 2),
    ("a.html", "<p>\nThe region seizes by itself.</p>\n", 2),
    ("a.js", 'const a = 1;\nconst b = "the promise";\n', 2),
]


@pytest.mark.parametrize(("name", "content", "line"), PLANTED)
def test_a_planted_word_is_found(tmp_path, name, content, line):
    path = tmp_path / name
    path.write_text(content, "utf-8")
    found = find_words(path, name)
    assert len(found) == 1
    assert found[0].startswith(f"{name}:{line}: ")


CLEAN = [
    ("a.py", "told = 1\nprint(told)\n"),
    ("a.py", 'x = "bringing an aggregate to a delegate, an amendment of a mendelian name"\n'),
    ("a.html", "<p>The first page of the report.</p>\n"),
    ("a.js", "window.tell(1); new Promise(resolve);\n"),
    ("glossary.md", f"# Glossary\n\n{FORBIDDEN_WORDS_TABLE}\n\n| ledger | manifest |\n"),
]


@pytest.mark.parametrize(("name", "content"), CLEAN)
def test_identifiers_and_similar_words_are_not_found(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, "utf-8")
    assert find_words(path, name) == []


def test_an_allowed_word_is_allowed_in_its_file_only(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('folder = "ledger"\n', "utf-8")
    assert find_words(path, "virtualbrain/io/manifest.py") == []
    assert find_words(path, "virtualbrain/io/layout.py")


def test_every_kind_of_file_is_checked():
    kinds = {path.suffix for path in files()}
    assert {".py", ".smk", ".md", ".yaml", ".html", ".js"} <= kinds
    assert "docs/glossary.md" in {path.relative_to(ROOT).as_posix() for path in files()}
