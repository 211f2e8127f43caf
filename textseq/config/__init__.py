"""Configs: YAML in, frozen and checked data out."""

from textseq.config.composing import load_config
from textseq.config.schema import Component, DataConfig, EmbeddingConfig, RunConfig, TrainingConfig

__all__ = ["Component", "DataConfig", "EmbeddingConfig", "RunConfig", "TrainingConfig", "load_config"]
