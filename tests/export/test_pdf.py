"""The report is printed by Chromium where there is one, else one line says how to print."""

import shutil

import pytest
from pypdf import PdfReader

from virtualbrain.errors import InputError, ToolError
from virtualbrain.export.pdf import BROWSERS, write_pdf

PAGE = """<!doctype html><html><head><title>Report</title><style>
@page { size: A4 } @media screen { p { display: none } } h1 { break-after: page }
</style></head><body><h1>Patient sub-01</h1><p>Only in print</p>
<img src="http://example.invalid/x.png"></body></html>"""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="Chromium is not installed")
def test_the_pdf_has_the_print_pages(make_out, tmp_path):
    made = make_out()
    made.layout.report.write_text(PAGE)
    write_pdf(made.patient(), tmp_path)
    pages = PdfReader(tmp_path / "sub-01_report.pdf").pages
    assert [page.extract_text().strip() for page in pages] == ["Patient sub-01", "Only in print"]
    width, height = (float(side) for side in pages[0].mediabox[2:])
    assert (width, height) == pytest.approx((595, 842), abs=1)
    assert {path.name for path in tmp_path.glob("*.pdf")} == {"sub-01_report.pdf"}


def test_without_chromium_one_line_says_how_to_print(make_out, tmp_path, monkeypatch):
    made = make_out()
    made.layout.report.write_text(PAGE)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ToolError, match=r"open sub-01.html in any browser and print it"):
        write_pdf(made.patient(), tmp_path)


def test_a_browser_that_fails_leaves_no_file(make_out, tmp_path, monkeypatch):
    made = make_out()
    made.layout.report.write_text(PAGE)
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")
    with pytest.raises(ToolError, match="could not print"):
        write_pdf(made.patient(), tmp_path)
    assert not list(tmp_path.rglob("*.pdf"))


def test_without_a_report_nothing_is_printed(make_out, tmp_path):
    with pytest.raises(InputError, match="there is no report"):
        write_pdf(make_out().patient(), tmp_path)
