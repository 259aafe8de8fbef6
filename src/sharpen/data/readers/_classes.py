"""Classes of tables that Hugging Face's ``datasets`` wrote: rows hold their numbers, the schema their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

UNLABELLED = -1
"""What ``datasets`` writes where a row has no class."""


def named_classes(metadata: Mapping[bytes, bytes] | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what puts the names of classes into rows in the place of their numbers.

    Args:
        metadata: of an Arrow schema, where ``datasets`` keeps its features as JSON. Anything else there is passed over.
    """
    names = {column: found for column, feature in _features(metadata).items() if (found := _names(feature))}
    if not names:
        return lambda row: row

    def named(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, **{c: _put(row[c], said) for c, said in names.items() if c in row}}

    return named


def _features(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    try:
        return dict(json.loads((metadata or {})[b"huggingface"])["info"]["features"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}


def _names(feature: Any) -> list[str]:
    """The names of a class or of a list of classes; none of any other feature."""
    if isinstance(feature, list):  # as older versions write a list
        feature = {"feature": feature[0]} if len(feature) == 1 else {}
    if not isinstance(feature, dict):
        return []
    if "feature" in feature:
        feature = feature["feature"] if isinstance(feature["feature"], dict) else {}
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    return names if isinstance(names, list) and all(isinstance(n, str) for n in names) else []


def _put(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_put(v, names) for v in value]
    if not isinstance(value, int):
        return value
    if value == UNLABELLED:
        return None
    return names[value] if 0 <= value < len(names) else value
