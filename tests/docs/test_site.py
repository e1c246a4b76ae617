"""The site documents every public name, command and setting, and its tutorials have pictures."""

import inspect
import operator
import re

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import inference
import virtualbrain
from virtualbrain.cli import _parser
from virtualbrain.config import project_root

DOCS = project_root() / "docs"
PUBLIC = [f"{m.__name__}.{name}" for m in (virtualbrain, inference) for name in m.__all__]
# Errors of numpydoc that mean a gap: no summary, undocumented or unknown parameters, no type, no
# description, no result.
GAPS = {"GL08", "SS01", "PR01", "PR02", "PR04", "PR07", "RT01", "RT03", "YD01"}
# Models of a family document their own parameters and refer to Epileptor for the others.
FAMILY = {"EpileptorRestingState", "EpileptorStimulation"}
ARRAY = re.compile(r"\b(nd)?array")  # but not xarray: its dimensions have names
SHAPE = re.compile(r"\(n_\w+|one per (member and )?region")
# Members that the template of a class leaves out.
HIDDEN = {"code", "lowest_stable_x1", "packed", "uses"}


def public(name: str) -> object:
    """Return the object of a public name or of a member of a class."""
    module, _, attribute = name.partition(".")
    return operator.attrgetter(attribute)(
        {"virtualbrain": virtualbrain, "inference": inference}[module]
    )


def sections(name: str) -> NumpyDocString:
    return NumpyDocString(inspect.getdoc(public(name)))


def members() -> list[str]:
    """Return the methods and properties that the site shows."""
    return [
        f"{name}.{member}"
        for name in PUBLIC
        if inspect.isclass(public(name))
        for member, value in inspect.getmembers(public(name))
        if (inspect.isroutine(value) or isinstance(value, property))
        and not member.startswith("_")
        and member not in HIDDEN
    ]


@pytest.fixture(scope="module")
def extension():
    """The modules that write pages of the site."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "_ext"))
        import command_line
        import configuration
        import generated_pages
        import mathml

        yield {
            "cli": command_line, "settings": configuration, "pages": generated_pages,
            "math": mathml,
        }  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_documents_what_it_takes_and_returns(name):
    ignored = {"PR01"} if name.rpartition(".")[2] in FAMILY else set()
    gaps = [text for code, text in validate(name)["errors"] if code in GAPS - ignored]
    assert not gaps


@pytest.mark.parametrize("name", members())
def test_every_method_documents_what_it_takes_and_returns(name):
    assert not [text for code, text in validate(name)["errors"] if code in GAPS]


@pytest.mark.parametrize("name", [*PUBLIC, *members()])
def test_every_array_has_a_shape(name):
    """It stands with the array, or in the text above if it is that of all parameters."""
    doc = sections(name)
    above = " ".join(doc["Extended Summary"])
    described = SHAPE.search(above) or ("shapes" in above and "those of `Epileptor`" in above)
    arrays = [item for item in doc["Parameters"] + doc["Returns"] if ARRAY.search(item.type)]
    for item in arrays:
        assert described or SHAPE.search(item.type + " ".join(item.desc)), item.name


@pytest.mark.parametrize("name", [name for name in PUBLIC if ".. math::" in public(name).__doc__])
def test_every_equation_has_a_source(name):
    assert sections(name)["References"]


def test_the_template_leaves_out_what_the_tests_leave_out():
    template = (DOCS / "_templates" / "autosummary" / "class.rst").read_text("utf-8")
    assert set(re.search(r":exclude-members: (.+)", template)[1].split(", ")) == HIDDEN


def test_the_api_page_lists_exactly_the_public_names():
    listed = set()
    module = ""
    for line in (DOCS / "api.rst").read_text("utf-8").splitlines():
        if match := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.fullmatch(r"   (\w+)", line):
            listed.add(f"{module}.{match[1]}")
    assert {name for name in listed if not name.startswith("virtualbrain.errors.")} == set(PUBLIC)


def test_the_command_line_page_has_every_command_and_option(extension):
    page = extension["cli"].page()
    for name, command in extension["cli"].subcommands(_parser()).items():
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        options = [option for action in command._actions for option in action.option_strings]
        assert section
        assert all(option in section for option in options if option not in ("-h", "--help"))


def test_every_setting_has_a_description(extension):
    settings = list(extension["settings"].settings(project_root()))
    assert len(settings) > 100
    assert not [setting.name for setting in settings if not setting.description]
    by_name = {setting.name: setting for setting in settings}
    assert by_name["anatomy.working_mm"].unit == "mm"
    assert by_name["diffusion.unring"].description.startswith("Remove thermal noise")
    assert "x0_sources: {weight: 1.0}" in extension["settings"].page(project_root())
    assert by_name["seed"].description.startswith("seed of all random numbers")


def test_links_of_copied_pages_hold_at_their_new_place(extension):
    convert = extension["pages"].with_site_links
    text = "[a](docs/inputs.md#x) [b](config/README.md) [c](https://example.org/a.md) [d](#e)"
    assert convert(text, "README.md", "docs/generated/your-patient.md") == (
        "[a](../inputs.md#x) [b](settings.md) [c](https://example.org/a.md) [d](#e)"
    )


def test_every_relative_link_of_the_docs_leads_to_a_file():
    broken = []
    files = [*DOCS.glob("*.md"), *DOCS.glob("lab-notes/*.md"), *project_root().glob("*.md")]
    for path in files:
        for target in re.findall(r"\[[^\]]*\]\((?![a-z]+:|#)([^)#\s]+)", path.read_text("utf-8")):
            if not target.startswith("generated/") and not (path.parent / target).exists():
                broken.append(f"{path.name}: {target}")
    assert not broken


@pytest.mark.parametrize(
    "path", sorted((DOCS / "tutorials").glob("tutorial_*.py")), ids=lambda path: path.stem
)
def test_every_figure_of_a_tutorial_has_a_title(path):
    """The titles of a figure are its alternative text (sphinx-gallery)."""
    source = path.read_text("utf-8")
    assert source.count("plt.subplots(") == source.count("axis.set_title(") > 0


def test_the_index_of_a_derivative_is_beside_it(extension):
    mathml = extension["math"].mathml_of(r"\dot x_1 &= a \\ \dot\nu_\mu &= b", block=True)
    assert mathml.count("<mover ") == mathml.count("<msub>") == 2
    assert "munderover" not in mathml
