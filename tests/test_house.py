"""The shape of the house: which room may lean on which, and how big anything may grow. Read from the syntax tree."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sharpen

SRC = Path(sharpen.__file__).parent
FILES = sorted(SRC.rglob("*.py"))

HALL = ("nouns", "programs", "types", "errors", "parts", "store", "inputs", "config", "stemming", "support")
ROOMS = ("tasks", "models", "guards", "data", "prompts", "retrieval", "metrics", "runtime", "tuning")
ROOMS += ("techniques", "floors", "evaluation", "study")
PORCHES = ("cli", "web", "testing", "__main__")
HALL_ALONE = ("metrics", "guards")
SEAL_OPENERS = ("data", "evaluation", "study.sealing")

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MOST_PARAMETERS = 8


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    """``retrieval.index`` for src/sharpen/retrieval/index.py, ``retrieval`` for its __init__, "" for sharpen's own."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


@cache
def modules() -> frozenset[str]:
    return frozenset(module_of(p) for p in FILES)


def imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line, module within sharpen, imported name or "") of every import of sharpen, wherever it stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "sharpen":
                    yield node.lineno, alias.name.partition(".")[2], ""
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: imports are written in full"
            if (node.module or "").split(".")[0] != "sharpen":
                continue
            base = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                yield (node.lineno, inner, "") if inner in modules() else (node.lineno, base, alias.name)


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(SRC.parent)}:{line}"


def owner(path: Path) -> str:
    return room_of(module_of(path))


def allowed(own: str, other: str) -> bool:
    """Whether ``own`` may import ``other``: rooms, files of the hall, or "" for the package's own __init__."""
    if other == own or other in HALL:
        return True  # the order within the hall has a test of its own
    if own in (*HALL, *HALL_ALONE):
        return False
    if own in ("", "__main__"):
        return other == ("cli" if own else "study")
    if other in PORCHES:
        return False
    return own in PORCHES or other == "" or ROOMS.index(other) < ROOMS.index(own)


def test_every_folder_is_a_known_room() -> None:
    found = {p.relative_to(SRC).parts[0].removesuffix(".py") for p in FILES}
    assert found - {"__init__"} <= {*HALL, *ROOMS, *PORCHES}


def test_rooms_lean_on_rooms_above_them_only() -> None:
    wrong = [
        f"{place(path, line)}: {owner(path)} imports {module or 'sharpen'}"
        for path in FILES
        for line, module, _ in imports(path)
        if not allowed(owner(path), room_of(module))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_hall_is_in_order() -> None:
    """nouns imports nothing of ours, types the nouns; errors nothing; store and parts the two; config all of them."""
    order = {
        "nouns": (),
        "programs": ("nouns",),
        "types": ("nouns", "programs"),
        "errors": (),
        "store": ("types", "errors"),
        "parts": ("types", "errors"),
    }
    order |= {"inputs": (), "config": ("types", "errors", "store", "parts", "inputs")}
    wrong = [
        f"{place(SRC / f'{name}.py', line)}: imports {module}"
        for name, may in order.items()
        for line, module, _ in imports(SRC / f"{name}.py")
        if module not in may
    ]
    assert not wrong, "\n".join(wrong)


def test_the_nouns_import_the_standard_library_alone() -> None:
    for name in ("nouns", "programs", "types", "errors"):
        for node in ast.walk(tree(SRC / f"{name}.py")):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = {"sharpen.nouns", "sharpen.programs"}
            assert all(n.split(".")[0] in sys.stdlib_module_names or n in ours for n in names), (name, names)


def test_what_is_private_to_a_room_stays_there() -> None:
    """No underscore names and no underscore files of another room; a porch is held to the same."""
    wrong = [
        f"{place(path, line)}: {module} {name}"
        for path in FILES
        for line, module, name in imports(path)
        if room_of(module) != owner(path)
        and any(p.startswith("_") and not p.startswith("__") for p in (*module.split("."), name))
    ]
    assert not wrong, "\n".join(wrong)


def test_only_evaluation_opens_the_seal() -> None:
    wrong = []
    for path in FILES:
        module = module_of(path)
        if any(module == m or module.startswith(m + ".") for m in SEAL_OPENERS):
            continue
        for node in ast.walk(tree(path)):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
            name = node.name if isinstance(node, ast.alias) else name
            if name == "load_sealed":
                wrong.append(place(path, node.lineno))
    assert not wrong, "\n".join(wrong)


FORBIDDEN = {
    r"import pickle|from pickle|\bpickle\.\w+\(": "pickle",
    r"\btorch\.(load|save)\s*\(": "torch.load and torch.save are pickle",
    r"(import|from) (joblib|dill|cloudpickle|shelve|marshal)\b": "pickle under another name",
    r"allow_pickle\s*=\s*True": "pickle",
    r"weights_only\s*=\s*False": "pickle",
    r"trust_remote_code\s*[=:]\s*True|[\"']trust_remote_code[\"']\s*:\s*True": "code from a model's folder",
    r"(?<![\w.])(eval|exec)\s*\(": "code from data",
    r"yaml\.(unsafe_load|full_load|load)\s*\(": "objects from YAML",
    r"shell\s*=\s*True": "a shell",
}


@cache
def code_of(path: Path) -> str:
    """The file without docstrings, strings that stand alone, and comments: what runs."""
    stripped = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(stripped):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                b for b in body if not (isinstance(b, ast.Expr) and isinstance(b.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.unparse(stripped)


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=lambda p: FORBIDDEN[p])
def test_nothing_runs_what_it_reads(pattern: str) -> None:
    wrong = [f"{place(p, 1)}: {m[0]}" for p in FILES for m in re.finditer(pattern, code_of(p))]
    assert not wrong, "\n".join(wrong)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_stay_short() -> None:
    long = {place(p, n): n for p in FILES if (n := len(p.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE}
    assert not long


def test_functions_stay_short() -> None:
    long = [
        f"{place(path, f.lineno)}: {f.name} has {(f.end_lineno or 0) - f.lineno + 1} lines"
        for path in FILES
        for f in functions(path)
        if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_functions_take_few_parameters() -> None:
    wrong = []
    for path in FILES:
        for f in functions(path):
            names = [a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)]
            n = len(names) - (names[:1] in (["self"], ["cls"], ["ctx"]))
            if n > MOST_PARAMETERS:
                wrong.append(f"{place(path, f.lineno)}: {f.name} takes {n}")
    assert not wrong, "\n".join(wrong)


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """A property reads like a field, and a field has no docstring of its own either."""
    return any(isinstance(d, ast.Name) and "property" in d.id for d in node.decorator_list)


def public(body: list[ast.stmt], within: str = "") -> Iterator[tuple[ast.stmt, str]]:
    """Yield public functions and classes, and the public methods of public classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node, f"{within}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


# A protocol's or an override's documentation stands where the signature is declared.
DECLARED_ELSEWHERE = {"forward", "backward"}


def test_everything_public_is_explained() -> None:
    wrong = [place(p, 1) for p in FILES if not ast.get_docstring(tree(p))]
    for path in FILES:
        for node, name in public(tree(path).body):
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if not ast.get_docstring(node) and node.name not in DECLARED_ELSEWHERE and not is_property(node):
                wrong.append(f"{place(path, node.lineno)}: {name}")
    assert not wrong, "\n".join(wrong)


def test_no_machine_is_named() -> None:
    """What is committed speaks of the project alone."""
    pattern = re.compile(r"/work/|/home/\w+|/root\b|/Users/\w+")
    wrong = [place(p, 1) for p in FILES if pattern.search(p.read_text(encoding="utf-8"))]
    assert not wrong
