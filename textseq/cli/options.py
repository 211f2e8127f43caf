"""Options that several commands share, and what they do before anything heavy is imported."""

from __future__ import annotations

import atexit
import gc
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from textseq.errors import UsageError, problem
from textseq.training.memory import keep_freed_memory
from textseq.training.processor import use_wide_vectors

BACKENDS = ("tensorflow", "jax")
# Where they are installed, Keras and TensorFlow import these: for keras.wrappers and keras.visualization, and to turn
# JAX's functions into TensorFlow Lite. That takes a third of the start, and no command uses it.
_NEEDLESS = {"tensorflow": ("jax", "matplotlib", "sklearn"), "jax": ("matplotlib", "sklearn")}

set_option = click.option(
    "--set", "overrides", multiple=True, metavar="A.B=VALUE", help="Change a setting of the config; repeatable."
)
plugin_option = click.option(
    "--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file or folder with components; repeatable."
)
backend_option = click.option(
    "--backend", type=click.Choice(BACKENDS), help="Keras's backend. Default: $KERAS_BACKEND, else tensorflow."
)


def begin(plugins: Sequence[str] = (), backend: str | None = None) -> None:
    """Chooses Keras's backend, which it does at import, and imports the plugins that the user named.

    Raises:
        UsageError: The backend is none that textseq runs on, or is not installed.
    """
    chosen = backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    if chosen not in BACKENDS:
        way_out = f"Take one of {', '.join(BACKENDS)}, or unset it"
        raise UsageError(problem("KERAS_BACKEND", "is no backend of textseq", received=chosen, way_out=way_out))
    if importlib.util.find_spec(chosen) is None:
        way_out = f"Install it: pip install 'textseq[{chosen}]'" if chosen == "jax" else f"Install {chosen}"
        raise UsageError(problem("--backend", "is not installed", received=chosen, way_out=way_out))
    os.environ["KERAS_BACKEND"] = chosen
    if "keras" not in sys.modules:
        if chosen == "jax":  # whose threads keep the arenas that they begin with, and which reads its flags once
            keep_freed_memory(chosen)
            use_wide_vectors()
        with light_start(chosen):
            import keras  # noqa: F401
    warnings.filterwarnings("ignore", module="keras|tensorflow|jax")
    for plugin in plugins:
        from textseq.plugins import load_plugin

        load_plugin(plugin)


def note(sentence: str) -> None:
    """Tells the user something on stderr, where it spoils no output."""
    click.echo(f"Note: {sentence}", err=True)


def say(line: str) -> None:
    """Tells the user how far things are, on stderr."""
    click.echo(line, err=True)


def silence(line: str) -> None:
    """Says nothing."""


@contextmanager
def light_start(backend: str) -> Iterator[None]:
    """Lets the backend and Keras be imported in silence, and no more of what they bring than commands need."""
    with no_chatter(), no_search_for_garbage(), as_if_absent(*_NEEDLESS[backend]):
        yield


@contextmanager
def no_chatter() -> Iterator[None]:
    """Holds back what TensorFlow's C++ writes to stderr while it is imported, unless debugging."""
    if os.environ.get("TEXTSEQ_DEBUG") == "1":
        yield
        return
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def no_search_for_garbage() -> Iterator[None]:
    """Spares what is imported the search for garbage, now, later and at exit: a third of TensorFlow's start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.freeze)


@contextmanager
def as_if_absent(*modules: str) -> Iterator[None]:
    """Lets imports of modules fail, but of those that are imported already; afterwards they can be imported."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None lets an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
