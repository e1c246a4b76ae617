"""Imports follow the layers of the packages: lower layers never import higher ones."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import pytest

from virtualbrain.config import project_root

ROOT = project_root()

LAYERS = (
    {"errors", "lazy_names"},
    {"config", "network", "quality_limits"},
    {"connectome", "rigid_registration"},
    {"io"},
    {"models"},
    {"anatomy", "diffusion", "seeg"},
    {"posterior", "stimulation"},
    {"surgery"},
    {"cortex"},
    {"synthetic", "report", "privacy"},
    {"cohort", "export", "pipeline"},
    {"inference"},
    {"commands"},
    {"cli"},
)
"""Packages and modules of virtualbrain, and inference, from the lowest layer to the highest."""

INFERENCE_MAY_IMPORT = {
    "errors", "lazy_names", "config", "network", "quality_limits", "connectome", "io", "models",
    "anatomy", "seeg", "posterior",
}  # fmt: skip
"""The fit itself must not depend on virtual surgery or synthetic patients."""

VALIDATION_MAY_IMPORT = INFERENCE_MAY_IMPORT | {"surgery", "synthetic"}
"""`inference.validate*` compares fits with synthetic patients."""

SHARED_BY_SCRIPTS = {"config", "errors", "connectome", "io", "pipeline", "posterior"}
"""Packages that every workflow script may import besides the package of its stage."""


def is_shared(module: str) -> bool:
    """Return whether a module has no function of a stage: shared packages, settings, readers."""
    reads_the_fit = module == "inference.posterior"
    return package_of(module) in SHARED_BY_SCRIPTS or module.endswith(".settings") or reads_the_fit


@dataclass(frozen=True)
class Import:
    """One import statement."""

    file: str
    line: int
    source: str
    target: str
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.source} imports {self.module}"


def package_of(module: str) -> str:
    """Return the layer's unit of a module: its package or module below virtualbrain."""
    first, _, rest = module.partition(".")
    return first if first == "inference" or not rest else rest.split(".")[0]


def module_name(path: Path) -> str:
    """Return a file's dotted name."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import in a file, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module == "virtualbrain":
                yield from ((node.lineno, f"virtualbrain.{name.name}") for name in node.names)
            else:
                yield node.lineno, node.module


def imports_of(path: Path, source: str) -> list[Import]:
    """Return a file's imports of this project's packages."""
    found = []
    for line, module in imported_modules(ast.parse(path.read_text("utf-8"))):
        if module.split(".")[0] in ("virtualbrain", "inference"):
            target = package_of(module)
            if target != source:
                found.append(Import(str(path.relative_to(ROOT)), line, source, target, module))
    return found


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    files = [path for name in ("virtualbrain", "inference") for path in (ROOT / name).rglob("*.py")]
    return [
        one
        for path in sorted(files)
        if path != ROOT / "virtualbrain" / "__init__.py"  # names of all layers, imported on use
        for one in imports_of(path, package_of(module_name(path)))
    ]


def lines(found: list[Import]) -> str:
    return "\n".join(map(str, found))


def test_every_package_has_a_layer(imports):
    known = set().union(*LAYERS)
    assert {one.source for one in imports} | {one.target for one in imports} <= known


def test_no_package_imports_a_higher_layer(imports):
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    upward = [one for one in imports if layer[one.source] < layer[one.target]]
    assert not upward, lines(upward)


def test_packages_have_no_cycle(imports):
    graph = nx.DiGraph((one.source, one.target) for one in imports)
    cycles = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    within = [one for one in imports for group in cycles if {one.source, one.target} <= group]
    assert not cycles, lines(within)


def test_modules_have_no_cycle():
    files = [path for name in ("virtualbrain", "inference") for path in (ROOT / name).rglob("*.py")]
    names = {module_name(path) for path in files}
    graph = nx.DiGraph()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in names:
                targets = {f"{node.module}.{name.name}" for name in node.names} & names
                graph.add_edges_from((module_name(path), t) for t in targets or {node.module})
    cycles = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    assert not cycles, cycles


def test_only_commands_import_inference(imports):
    users = [one for one in imports if one.target == "inference"]
    wrong = [one for one in users if one.source not in ("commands", "cli")]
    assert not wrong, lines(wrong)


def test_inference_imports_neither_surgery_nor_synthetic_patients(imports):
    wrong = [
        one
        for one in imports
        if one.source == "inference"
        and one.target
        not in (
            VALIDATION_MAY_IMPORT
            if Path(one.file).name.startswith("validate")
            else INFERENCE_MAY_IMPORT
        )
    ]
    assert not wrong, lines(wrong)


def test_io_imports_only_lower_layers(imports):
    targets = {one.target for one in imports if one.source == "io"}
    assert targets <= {"errors", "config", "network", "connectome"}


@pytest.mark.parametrize(
    "script", sorted((ROOT / "workflow" / "scripts").glob("*.py")), ids=lambda path: path.stem
)
def test_a_script_imports_the_package_of_one_stage(script):
    found = [one for one in imports_of(script, "workflow") if not is_shared(one.module)]
    assert len({one.target for one in found}) <= 1, lines(found)


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("virtualbrain.surgery.run", "scipy.signal"),
        ("inference.posterior", "scipy.signal"),
        ("virtualbrain.report.build", "scipy.signal"),
        ("virtualbrain.cohort.report", "scipy"),
        ("virtualbrain.io.results", "nibabel"),
    ],
)
def test_a_stage_starts_without_a_library_that_is_slow_to_import_and_not_needed(module, library):
    code = f"import sys, {module}; print({library!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=ROOT)  # fmt: skip
    assert done.stdout.strip() == "False"
