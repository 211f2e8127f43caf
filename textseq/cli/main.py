"""The group of all commands: each is imported when it is called, and every error is one sentence."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from textseq import __version__
from textseq.errors import TextseqError, is_out_of_memory, nearest

# name: what `textseq --help` says of it. The command is textseq.cli.<name>.<name>; importing it would cost time.
COMMANDS = {
    "train": "Train the model that a config describes.",
    "evaluate": "Score a run on a split of its dataset.",
    "predict": "Label texts with a run's model.",
    "generate": "Go on from a prompt with a run's language model.",
    "export": "Make a SavedModel that takes raw strings, for TensorFlow Serving.",
    "serve": "Serve an exported model on this machine, as TF Serving would.",
    "probe": "See what encoders remember: gradients, problems, gates, attention.",
    "explain": "Show which tokens of a text moved its label.",
    "compare": "Compare runs: scores, significance, costs, configs.",
    "report": "Write a page that shows a run.",
    "baseline": "Score a linear model on a config's data, for comparison.",
    "config": "Check, show or describe configs.",
    "plugins": "List, show, check and begin encoders, tokenizers and tasks.",
    "doctor": "Say what will work on this machine and what will not.",
}


class Commands(click.Group):
    """Finds commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"textseq.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggests the command most like an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = nearest(args[0], COMMANDS)
            hint = f" Did you mean '{near}'?" if near else ""
            raise click.UsageError(f"There is no command '{args[0]}'.{hint} Commands: {', '.join(COMMANDS)}.", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="textseq")
def textseq() -> None:
    """Train, compare and ship text models with Keras."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 well, 1 a run that failed, 2 wrong use, 130 or 143 ended by a signal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    try:
        code = textseq.main(arguments, prog_name="textseq", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return _say("Stopped.", 130)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KeyboardInterrupt:
        return _say("Stopped.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: no complaint at exit
        return 0
    except Exception as error:  # the last net: no user sees a traceback
        return _fail(error)
    return code if isinstance(code, int) else 0  # of a command that ended by `click.exceptions.Exit`


def _fail(error: Exception) -> int:
    if os.environ.get("TEXTSEQ_DEBUG") == "1":
        traceback.print_exc()
    if isinstance(error, TextseqError):
        return _say(str(error), error.exit_code)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _say("The disk is full. What was written before is whole; make room and try again.", 1)
    if is_out_of_memory(error):
        return _say("Memory is at its end. Lower training.batch_size, task.max_length or task.window.", 1)
    first_line = (str(error).strip().splitlines() or [""])[0][:300]
    return _say(f"{type(error).__name__}: {first_line} (TEXTSEQ_DEBUG=1 shows where.)", 1)


def _say(sentence: str, exit_code: int) -> int:
    click.echo(sentence if exit_code > 128 else f"Error: {sentence}", err=True)
    return exit_code
