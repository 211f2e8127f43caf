"""Reads a type annotation into the kind of values that a setting takes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from textseq.config.kinds import AnyOf, Bounds, Choice, Kind, ListOf, MappingOf, Null, Number, Text, TrueOrFalse


@dataclass(frozen=True)
class Names:
    """How to read an annotation.

    Attributes:
        bounds: The range of the numbers in it.
        known: Kinds by a name that is no plain type, such as "EncoderSpec".
    """

    bounds: Bounds = field(default_factory=Bounds)
    known: Mapping[str, Kind] = field(default_factory=dict)


def parse(annotation: str, names: Names = Names()) -> Kind:
    """Returns the kind that a type annotation stands for; what it does not know takes any value."""
    if not annotation:
        return Kind()
    return _kind(ast.parse(annotation, mode="eval").body, names)


def _kind(node: ast.expr, names: Names) -> Kind:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], names)
    if isinstance(node, ast.Subscript):
        return _generic(_name(node.value), node.slice, names)
    if isinstance(node, ast.Constant):
        return parse(node.value, names) if isinstance(node.value, str) else Null() if node.value is None else Kind()
    return _simple(_name(node), names)


def _simple(name: str, names: Names) -> Kind:
    plain: dict[str, Kind] = {
        "str": Text(),
        "bool": TrueOrFalse(),
        "int": Number(True, names.bounds),
        "float": Number(False, names.bounds),
        "list": ListOf(Kind()),
        "dict": MappingOf(Text(), Kind()),
    }
    return names.known.get(name) or plain.get(name) or Kind()


def _generic(name: str, inner: ast.expr, names: Names) -> Kind:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        return Choice(tuple(ast.literal_eval(part) for part in parts))
    if name in ("Optional", "Union"):
        none: list[ast.expr] = [ast.Constant(None)] if name == "Optional" else []
        return _union([*parts, *none], names)
    if name in ("list", "List", "Sequence", "tuple", "Tuple"):
        return ListOf(_kind(parts[0], names), frozen=name in ("tuple", "Tuple"))
    if name in ("dict", "Dict", "Mapping") and len(parts) == 2:
        return MappingOf(_kind(parts[0], names), _kind(parts[1], names))
    return _kind(parts[0], names) if name == "Annotated" else Kind()


def _union(nodes: Sequence[ast.expr], names: Names) -> Kind:
    kinds: list[Kind] = []
    for node in nodes:
        kind = _kind(node, names)
        kinds += kind.kinds if isinstance(kind, AnyOf) else [kind]
    return AnyOf(tuple(kinds))


def _name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]
