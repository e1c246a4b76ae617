"""Run MRtrix3 commands, log them and report failures in one line."""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from virtualbrain.errors import ToolError, VirtualBrainError

logger = logging.getLogger(__name__)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_INSTALL = "install MRtrix3 3.0 (apt-get install mrtrix3, or conda install -c mrtrix3 mrtrix3)"
PROGRAMS = ("mrconvert", "dwi2fod", "tckgen", "tcksift2", "tck2connectome")
"""The programs that every connectome from diffusion MRI needs."""


def require_tool(name: str, hint: str = _INSTALL) -> str:
    """Return the path of a program.

    Raises
    ------
    ToolError
        The program is not on the PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolError(
            f"the program {name} is not installed",
            where="PATH",
            expected=f"{name} in a folder of the PATH",
            hint=hint,
        )
    return path


def check_programs() -> list[VirtualBrainError]:
    """Return one problem if MRtrix3, or one of its programs, is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if not missing:
        return []
    return [
        ToolError(
            "MRtrix3 is not installed, which the connectome needs",
            where="PATH",
            expected="the programs " + ", ".join(missing),
            hint=f"{_INSTALL}, or add a ready connectome",
        )
    ]


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
        Name of the command.
    *arguments : object
        Arguments, converted to text.
    threads : int, optional
        Value of ``-nthreads``; 0 switches multi-threading off, None omits the option.
    environment : mapping, optional
        Additional environment variables.

    Raises
    ------
    ToolError
        The program is missing or failed. The message has its last error line; the log has its
        complete output.
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
    """Log the output of a failed command and raise an error with its last error line."""
    logger.error("%s\n%s", " ".join(ended.args), ended.stderr.strip())
    plain = _COLOUR.sub("", ended.stderr)
    lines = [text.strip() for text in plain.splitlines() if text.strip()]
    errors = [text for text in lines if "[ERROR]" in text] or lines
    reason, hint = errors[-1] if errors else "no error message", "read the log of this stage"
    if ended.returncode in (-9, 137):
        reason = "it was killed, probably because memory ran out"
        hint = "run it on a machine with more memory, or with fewer streamlines"
    raise ToolError(
        f"{command} failed with exit status {ended.returncode}: {reason}",
        where="MRtrix3",
        hint=hint,
    )


def convert(source: Path, target: Path, *options: object) -> None:
    """Convert an image with mrconvert; overwrites an existing file."""
    run("mrconvert", source, target, "-force", *options)
