"""The lines that a command says: answers to the output, errors and notes beside it."""

from rich.console import Console

FAULT_OF_INPUT = 2
FAULT_OF_PROGRAM = 1
out_console = Console(soft_wrap=True)
err_console = Console(stderr=True, soft_wrap=True)


def tell(line: str) -> None:
    """Print an error."""
    err_console.print(f"error: {line}", style="bold red", highlight=False, markup=False)


def warn(line: str) -> None:
    """Print something to know that stops nothing."""
    err_console.print(f"note: {line}", style="yellow", highlight=False, markup=False)


def say(line: str) -> None:
    """Print an answer."""
    out_console.print(line, highlight=False, markup=False)
