"""textseq trains, compares and ships text models: one YAML file in, a SavedModel that takes raw strings out."""

from __future__ import annotations

__version__ = "0.1.0"
