"""The report on paper, printed by an installed browser."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from virtualbrain.errors import ToolError
from virtualbrain.io.atomic import atomic_path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SETTINGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
TIMEOUT_S = 180


def find_browser() -> str:
    """Return the path of a browser that can print.

    Raises
    ------
    ToolError
        None is installed.
    """
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise ToolError(
        "no browser to print with",
        expected=f"one of {', '.join(BROWSERS)} on the PATH",
        hint="install Chromium (apt-get install chromium)",
    )


def write_pdf(report: Path | str, out: Path | str) -> Path:
    """Print a report to PDF, A4.

    Parameters
    ----------
    report : Path or str
        A report as `build_report` writes it.
    out : Path or str
        The PDF to write.

    Raises
    ------
    ToolError
        There is no browser, or it did not print.
    """
    browser = find_browser()
    with atomic_path(out) as temporary, tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            *SETTINGS,
            f"--user-data-dir={profile}",
            f"--print-to-pdf={temporary.resolve()}",
            Path(report).resolve().as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        if done.returncode or not temporary.stat().st_size:
            raise ToolError(
                f"the browser did not print (status {done.returncode})",
                where=Path(report).name,
                hint="open the report in a browser and print it there",
            )
    return Path(out)
