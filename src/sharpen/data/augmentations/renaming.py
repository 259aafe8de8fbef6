"""Rename variables of Python code, the same way in question and answer: what the code does stays what it is.

Code is what stands between fences, or a text that is Python as a whole. Only names that code binds itself are renamed:
variables and parameters, never functions, classes, attributes, keywords of calls, nor a name that a string, a comment
or the text around the code mentions. Code that looks names up (``locals``, ``eval``, ...) is left alone.
"""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import random
import re
import tokenize
import warnings
from collections.abc import Iterable, Mapping

from sharpen.data.augmenting import Augmentation, Material, Variant
from sharpen.errors import UserError

FENCE = re.compile(r"(^|\n)```(?:python|py)?[ \t]*\n(.*?)\n?```", re.S | re.I)
TICKS = re.compile(r"`[^`\n]+`")
NAMES = (
    "item",
    "value",
    "entry",
    "record",
    "amount",
    "outcome",
    "piece",
    "holder",
    "count_of",
    "given",
    "found",
    "current",
)
LOOKS_UP = re.compile(r"\b(?:locals|globals|vars|eval|exec|dir|(?:get|set|has|del)attr|inspect|compile)\b")
FIXED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | {"self", "cls"}
PREFIXES = frozenset(["r", "b", "f", "u", "rb", "br", "fr", "rf"])  # before quotes they are no names
LONGEST = 50_000  # characters of a text that is looked at


def renaming(rate: float = 0.5) -> Augmentation:
    """Return the augmentation; ``rate``: the share of the names that could be renamed which are, at least one."""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        raise UserError(f"the option rate is {rate!r}.", do="Write a share above 0 and at most 1.")

    def make(material: Material) -> list[Variant]:
        made = []
        for e in material.train:
            texts = [e.question, *e.targets[:1]] if len(e.targets) == 1 else []
            before = {w for m in e.messages if m.content != e.question for w in re.findall(r"\w+", m.content)}
            names = [n for n in renameable(texts) if n not in before]  # what was said before stays what it is
            rng = material.rng(f"renaming {e.id}")
            for _ in range(material.n if names else 0):
                to = _chosen(names, texts, rng, rate)
                new = [renamed(text, to) for text in texts]
                how = "renamed " + ", ".join(f"{a} to {b}" for a, b in to.items())
                made.append(Variant(e.id, new[0], how, None if e.labels or new[1] == texts[1] else new[1]))
        return made

    return make


def renameable(texts: Iterable[str]) -> list[str]:
    """Names that the code of these texts binds and that may be others in all of them, sorted; none without code."""
    bound, fixed = set[str](), set[str](FIXED)
    for text in texts:
        if len(text) > LONGEST or LOOKS_UP.search(text):
            return []
        parts = pieces(text)
        for is_code, part in parts:
            tree = _parsed(part) if is_code else None
            if is_code and tree is None:
                return []
            if tree is not None:
                binds, keeps = _names(part, tree)
                bound |= binds
                fixed |= keeps
            else:
                fixed |= set(re.findall(r"\w+", TICKS.sub(" ", part)))
    return sorted(n for n in bound - fixed if not n.startswith("_") and n.lower() not in PREFIXES)


def renamed(text: str, to: Mapping[str, str]) -> str:
    """A text with names renamed in its code and between back-ticks; of the rest no word is touched."""
    name = re.compile(rf"\b(?:{'|'.join(map(re.escape, to))})\b")

    def change(part: str) -> str:
        return name.sub(lambda m: to[m[0]], part)

    return "".join(
        change(part) if is_code else TICKS.sub(lambda m: change(m[0]), part) for is_code, part in pieces(text)
    )


def pieces(text: str) -> list[tuple[bool, str]]:
    """Parts of a text, and whether each is code; joined they are the text."""
    found, at = list[tuple[bool, str]](), 0
    for fence in FENCE.finditer(text):
        found += [(False, text[at : fence.start(2)]), (True, fence[2])]
        at = fence.end(2)
    if not found:
        tree = _parsed(text)
        return [(tree is not None and _binds(tree), text)]
    return [*found, (False, text[at:])]


def _parsed(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes in somebody's strings
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _binds(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.Assign | ast.AugAssign | ast.FunctionDef | ast.For | ast.With) for n in ast.walk(tree))


def _names(code: str, tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names that code binds, and names that have to stay."""
    bound, fixed = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Attribute):
            fixed.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            fixed.add(node.arg)
        elif isinstance(node, ast.alias):
            fixed |= set(re.findall(r"\w+", f"{node.name} {node.asname or ''}"))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            fixed.add(node.name)
        elif isinstance(node, ast.MatchClass):
            fixed |= set(node.kwd_attrs)
        if isinstance(node, ast.ClassDef):  # attributes, which others may name
            fixed |= {n.id for s in node.body for n in ast.walk(s) if isinstance(n, ast.Name)}
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            fixed |= set(re.findall(r"\w+", ast.get_source_segment(code, node) or ""))
    return bound, fixed | _commented(code)


def _commented(code: str) -> set[str]:
    """Words of comments; every word of code that cannot be cut into tokens."""
    try:
        found = [t.string for t in tokenize.generate_tokens(io.StringIO(code).readline) if t.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError):
        found = [code]
    return {w for text in found for w in re.findall(r"\w+", text)}


def _chosen(names: list[str], texts: Iterable[str], rng: random.Random, rate: float) -> dict[str, str]:
    """Some of the names, and what each becomes: words that stand in none of the texts."""
    there = {w for text in texts for w in re.findall(r"\w+", text)} | FIXED
    n = max(1, round(rate * len(names)))
    stock = [*NAMES, *(f"{name}_{k}" for k in range(2, 2 + n) for name in NAMES)]
    free = [name for name in stock if name not in there]
    return dict(zip(sorted(rng.sample(names, n)), rng.sample(free[: max(n, len(NAMES))], n), strict=True))
