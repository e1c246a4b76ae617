"""Write the reference of the command line from its parser."""

import argparse
import os
from collections.abc import Iterator

from markdown_text import escaped

from virtualbrain.cli import _parser

HEADER = """# Command line

`virtualbrain COMMAND --help` shows the same in a terminal. Exit codes: 0 done, 2 an error that you
can correct (one line for each problem: what, where, expected, what to do), 130 stopped.
"""


def page() -> str:
    """Return the page: every command with its usage, arguments and options."""
    os.environ["COLUMNS"] = "70"  # width of the usage
    return "\n".join([HEADER, *_commands(_parser())])


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    for name, command in subcommands(parser).items():
        yield f"## {name}\n\n{escaped(command.description or '')}\n"
        yield f"```text\n{command.format_usage().removeprefix('usage: ').rstrip()}\n```\n"
        for action in command._actions:
            if not isinstance(action, argparse._HelpAction):
                yield _definition(action)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command by its name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _definition(action: argparse.Action) -> str:
    """Return one argument as an entry of a definition list."""
    names = action.option_strings or [str(action.metavar or action.dest)]
    value = f" {action.metavar}" if action.option_strings and action.metavar else ""
    help_text = (action.help or "") % {**vars(action), "prog": "virtualbrain"}
    if action.choices and not action.metavar:
        help_text += f" (choices: {', '.join(map(str, action.choices))})"
    return f"{', '.join(f'`{name}{value}`' for name in names)}\n: {escaped(help_text) or '—'}\n"
