"""Exceptions of the project; a message has four parts: what, where, expected, hint. Exit codes."""

from typing import Any

FAULT_OF_PROGRAM = 1
FAULT_OF_INPUT = 2
"""Exit code for an error that the user can correct."""
INTERRUPTED = 130


class VirtualBrainError(Exception):
    """An error that the user can correct; its message is one line.

    Parameters
    ----------
    what : str
        What is wrong.
    where : str
        The file, and the row or key.
    expected : str
        What was expected.
    hint : str
        What to do.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", hint: str = "") -> None:
        self.what, self.where, self.expected, self.hint = what, where, expected, hint
        super().__init__(str(self))

    def at(self, where: str) -> "VirtualBrainError":
        """Return the same error with `where` set, if it was empty."""
        return _rebuild(type(self), self.what, self.where or where, self.expected, self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all parts when an error is sent between processes."""
        return _rebuild, (type(self), self.what, self.where, self.expected, self.hint)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.hint:
            parts.append(self.hint)
        return " ".join("; ".join(parts).split())


def _rebuild(kind: type[VirtualBrainError], what: str, *rest: str) -> VirtualBrainError:
    where, expected, hint = rest
    return kind(what, where=where, expected=expected, hint=hint)


class InputError(VirtualBrainError):
    """An input file is missing or invalid."""


class ConfigError(VirtualBrainError):
    """The configuration or a prior file is invalid."""


class ModelError(VirtualBrainError):
    """A model cannot do what was requested (step too large, shapes that differ)."""


class ToolError(VirtualBrainError):
    """An external program is missing or failed."""


class ConvergenceError(VirtualBrainError):
    """A numerical method did not converge."""
