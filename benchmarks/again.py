"""Not built yet."""

import argparse

from rich.console import Console

from benchmarks.results import Result

HELP = "not built yet"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    raise NotImplementedError
