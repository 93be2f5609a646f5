"""How every command is declared: plain help that reads well in a pipe, with examples."""

import typer


def group(help_line: str) -> typer.Typer:
    """Return an empty group of commands."""
    return typer.Typer(help=help_line, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


def examples(*lines: str) -> str:
    """Return the part of a command's help that shows how it is used."""
    return "\b\nExamples:\n" + "\n".join(f"  ./seats {line}" for line in lines)
