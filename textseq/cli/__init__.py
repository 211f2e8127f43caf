"""The command line: `textseq`."""

from textseq.cli.main import main

__all__ = ["main"]
