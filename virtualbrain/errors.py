"""The one exception tree; every message says what, where, what was expected and a hint."""

from typing import Any


class VirtualBrainError(Exception):
    """A fault that the user can mend, told in one line.

    Parameters
    ----------
    what : str
        What is wrong, in a few plain words.
    where : str
        The file, and the row or key in it.
    expected : str
        What would have been right.
    hint : str
        What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", hint: str = "") -> None:
        self.what, self.where, self.expected, self.hint = what, where, expected, hint
        super().__init__(str(self))

    def at(self, where: str) -> "VirtualBrainError":
        """Return the same fault with its place, where it tells none."""
        return _again(type(self), self.what, self.where or where, self.expected, self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross between processes whole."""
        return _again, (type(self), self.what, self.where, self.expected, self.hint)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.hint:
            parts.append(self.hint)
        return " ".join("; ".join(parts).split())


def _again(kind: type[VirtualBrainError], what: str, *rest: str) -> VirtualBrainError:
    where, expected, hint = rest
    return kind(what, where=where, expected=expected, hint=hint)


class InputError(VirtualBrainError):
    """The patient's files are not as they must be."""


class ConfigError(VirtualBrainError):
    """The configuration or a prior file is not as it must be."""


class ModelError(VirtualBrainError):
    """A model was asked for what it cannot do (a step too large, shapes that differ)."""


class ToolError(VirtualBrainError):
    """An external program is missing or failed."""


class ConvergenceError(VirtualBrainError):
    """A numerical method ended without an answer."""
