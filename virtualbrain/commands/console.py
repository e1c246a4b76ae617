"""Print results to standard output, errors and notes to standard error."""

from rich.console import Console

out_console = Console(soft_wrap=True)
err_console = Console(stderr=True, soft_wrap=True)


def report_error(line: str) -> None:
    """Print an error."""
    err_console.print(f"error: {line}", style="bold red", highlight=False, markup=False)


def warn(line: str) -> None:
    """Print a note; the command continues."""
    err_console.print(f"note: {line}", style="yellow", highlight=False, markup=False)


def say(line: str) -> None:
    """Print a line of the result."""
    out_console.print(line, highlight=False, markup=False)
