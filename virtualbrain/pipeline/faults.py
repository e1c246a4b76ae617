"""Faults that a user can correct: of the input, the configuration, the disk or the memory."""

import errno
import os
from concurrent.futures import BrokenExecutor
from pathlib import Path

from virtualbrain.errors import ToolError, VirtualBrainError

ERROR_MARK = "ERROR: "
"""Mark of a stage's error line, in its log and on its standard error."""

RESUME = "start the same command again to continue"

_MACHINE_FAULTS = {
    errno.ENOSPC: ("the disk is full", f"free some space, then {RESUME}"),
    errno.EDQUOT: ("the disk quota is used up", f"free some space, then {RESUME}"),
    errno.EROFS: ("the folder is read-only", f"make it writable, then {RESUME}"),
    errno.EACCES: ("permission denied", f"correct the permissions, then {RESUME}"),
    errno.EPERM: ("permission denied", f"correct the permissions, then {RESUME}"),
    errno.EIO: ("the disk failed to read or write", f"check the disk, then {RESUME}"),
    errno.ESTALE: ("the network folder is not available", f"mount it again, then {RESUME}"),
    errno.EMFILE: ("too many open files", f"raise ulimit -n, then {RESUME}"),
    errno.ENOMEM: ("not enough memory", f"free some memory or use fewer cores, then {RESUME}"),
}


def user_fault(error: BaseException) -> VirtualBrainError | None:
    """Return the error for the user if a user can correct its cause.

    Parameters
    ----------
    error : BaseException
        Any exception.

    Returns
    -------
    VirtualBrainError or None
        The error itself, or one that names the fault of the disk, the memory or a worker
        process. None for a fault of the program.
    """
    if isinstance(error, VirtualBrainError):
        return error
    if isinstance(error, MemoryError):
        what, hint = _MACHINE_FAULTS[errno.ENOMEM]
        return ToolError(what, hint=hint)
    if isinstance(error, BrokenExecutor):
        return ToolError("a worker process was killed (out of memory?)", hint=RESUME)
    if isinstance(error, OSError) and error.errno in _MACHINE_FAULTS:
        what, hint = _MACHINE_FAULTS[error.errno]
        name = Path(os.fsdecode(error.filename)).name if error.filename else ""
        return ToolError(what, where=name, hint=hint)
    return None
