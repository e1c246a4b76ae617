"""Print the report to a PDF file with headless Chromium."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from virtualbrain.errors import InputError, ToolError
from virtualbrain.export.patient import ExportPatient
from virtualbrain.io.atomic import atomic_path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_TIMEOUT_S = 300
_QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no request can leave the machine
    "--virtual-time-budget=30000",
)


def write_pdf(patient: ExportPatient, folder: Path) -> tuple[str, ...]:
    """Print the report to a PDF file.

    Parameters
    ----------
    patient : ExportPatient
        The patient; no image is needed.
    folder : Path
        Folder of the file.

    Returns
    -------
    tuple of str
        Empty.

    Raises
    ------
    InputError
        There is no report.
    ToolError
        There is no Chromium, or it failed.
    """
    report = patient.layout.report.absolute()
    if not report.is_file():
        raise InputError(
            "there is no report",
            where=report.name,
            expected="a finished run",
            hint="run the pipeline until the report",
        )
    browser = find_browser(report.name)
    with (
        tempfile.TemporaryDirectory() as profile,
        atomic_path(folder / patient.name("report.pdf")) as temporary,
    ):
        _print(browser, report, temporary, Path(profile))
    return ()


def find_browser(report: str) -> str:
    """Return the path of a Chromium.

    Parameters
    ----------
    report : str
        File name of the report, for the message.

    Raises
    ------
    ToolError
        There is none.
    """
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise ToolError(
        "no Chromium found",
        where="--format pdf",
        expected=" or ".join(BROWSERS),
        hint=f"open {report} in any browser and print it to a PDF file, or install Chromium",
    )


def _print(browser: str, report: Path, target: Path, profile: Path) -> None:
    """Run Chromium and check that it wrote a PDF file."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [browser, *_QUIET, *as_root, f"--user-data-dir={profile}"]
    try:
        subprocess.run(
            [*command, f"--print-to-pdf={target}", report.as_uri()],
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise _failed(report) from None
    if not target.read_bytes().startswith(b"%PDF"):
        raise _failed(report)


def _failed(report: Path) -> ToolError:
    return ToolError(
        "Chromium could not print the report",
        where=report.name,
        expected="a PDF file",
        hint="open the report in any browser and print it to a PDF file",
    )
