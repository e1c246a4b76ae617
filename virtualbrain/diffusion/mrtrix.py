"""The one door to MRtrix3: commands run, logged, and their failures told in one line."""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from virtualbrain.errors import ToolError

logger = logging.getLogger(__name__)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_INSTALL = "install MRtrix3 3.0 (apt-get install mrtrix3, or conda install -c mrtrix3 mrtrix3)"


def require_tool(name: str, hint: str = _INSTALL) -> str:
    """Return the path of a program.

    Raises
    ------
    ToolError
        It is not on the PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"the program {name} is not there", expected="it on the PATH", hint=hint)
    return path


def mrtrix_version() -> str:
    """Return the version of MRtrix3 that is installed, such as ``3.0.3``."""
    first = run("mrinfo", "-version", threads=None).splitlines()[0]
    return first.split("mrinfo")[-1].split()[0] if "mrinfo" in first else first.strip()


def run(
    command: str,
    *arguments: object,
    threads: int | None = 1,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run one MRtrix command and return what it wrote to standard output.

    Parameters
    ----------
    command : str
        Its name.
    *arguments : object
        Its arguments, turned into text.
    threads : int, optional
        Given as ``-nthreads``; zero switches threads off altogether, None leaves the option out.
    environment : mapping, optional
        Variables on top of the present environment.

    Raises
    ------
    ToolError
        The program is missing or failed; the message holds its last line, the log all of it.
    """
    line = [require_tool(command), *(str(argument) for argument in arguments)]
    if threads is not None:
        line += ["-nthreads", str(threads)]
    logger.debug("%s", " ".join(line))
    ended = subprocess.run(
        line,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "MRTRIX_LOGLEVEL": "1", **(environment or {})},
    )
    if ended.returncode:
        _raise_failure(command, ended)
    if ended.stderr.strip():
        logger.debug("%s", ended.stderr.strip())
    return ended.stdout


def _raise_failure(command: str, ended: "subprocess.CompletedProcess[str]") -> None:
    """Log all that a failed command said and raise its last line."""
    logger.error("%s\n%s", " ".join(ended.args), ended.stderr.strip())
    plain = _COLOUR.sub("", ended.stderr)
    said = [text.strip() for text in plain.splitlines() if text.strip()]
    errors = [text for text in said if "[ERROR]" in text] or said
    reason = errors[-1] if errors else "without a word"
    if ended.returncode in (-9, 137):
        reason = "it was killed, most likely for want of memory"
    raise ToolError(
        f"{command} failed ({ended.returncode}): {reason}",
        hint="the whole output is in the log of this stage",
    )


def convert(source: Path, target: Path, *options: object) -> None:
    """Write an image in another format (mrconvert), over an earlier one if need be."""
    run("mrconvert", source, target, "-force", *options)
