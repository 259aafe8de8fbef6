"""Ask for JSON that keeps a schema, check it, and ask again for what does not.

Without a schema of one's own it is ``{"answer": "…"}``, for classes with the classes as its only values; the answer
that is judged is then that field, so that the form costs no score by itself. With one, the whole JSON is the answer,
and the references of the data are expected to be such JSON. How the form is told is chosen on dev: by its shape, by its
schema, and, where the program shows no examples, with a few training examples in that form, without which small models
hardly ever keep it. The metric ``valid_json`` and the report say which share of the answers keeps its schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sharpen.errors import UserError
from sharpen.techniques._options import count
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.techniques.few_shot import demonstrations, usable
from sharpen.types import System, Task, Technique

TEXTS = ("schema",)
FIELD = "answer"
MORE = 24  # tokens that the form takes beside the answer
LONG = 160  # tokens of JSON of a schema of one's own, at least


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """JSON has to be written."""
    return None if "generate" in can else "the model cannot write JSON: it only chooses"


def structured(
    schema: str | Mapping[str, Any] = "", retries: int = 1, max_new_tokens: int = 0, examples: int = 2
) -> Technique:
    """Return the technique.

    Args:
        schema: a JSON Schema, as text, as a file that holds it, or as Python literals; empty: one field, the answer.
        retries: how often an answer that does not keep it is asked for anew.
        max_new_tokens: the most tokens of the JSON; 0: the task's and 24 more, for one's own schema at least 160.
        examples: how many worked examples are tried where the program shows none; 0: none.
    """
    own = read_schema(schema) if schema else ""
    again = count("retries", retries, least=0)
    most = count("max_new_tokens", max_new_tokens, least=0, most=100_000)
    shown = count("examples", examples, least=0)

    def improve(program: System, bench: Bench) -> System:
        before = program.decoding
        form = own or plain_schema(before.choices)
        tokens = most or (max(LONG, before.max_new_tokens) if own else before.max_new_tokens + MORE)
        decoding = replace(
            before,
            schema=form,
            retries=again,
            field="" if own else FIELD,
            max_new_tokens=tokens,
            one_line=False,
            by_text=bool(before.choices),
            per_token=False,  # nothing is ranked any more
            priors=(),
            prior_weight=0.0,
        )
        said = program.prompt.instruction
        candidates = []
        for name, told in _tellings(form, not own, before.choices):
            prompt = replace(program.prompt, instruction=f"{said} {told}".strip())
            candidates.append((name, replace(program, prompt=prompt, decoding=decoding)))
        if shown and not program.demos and program.shots is None:
            candidates += _with_examples(candidates[0][1], bench, shown)
        made = bench.best(candidates, "structured")
        answers = bench.answer(made, bench.dev, "valid on dev")
        bench.note("valid on dev", {"valid": sum(a.valid is True for a in answers), "n": len(answers)})
        return made

    return improve


def _with_examples(program: System, bench: Bench, n: int) -> list[tuple[str, System]]:
    """The program with worked examples, where train has some that can be shown."""
    try:
        pool = usable(bench)
    except NotAvailable:
        return []
    chosen = bench.rng("structured").sample(pool, min(n, len(pool)))
    demos = tuple(demonstrations(program, chosen, bench))
    return [(f"shown by {len(demos)} examples", replace(program, demos=demos))]


def plain_schema(choices: tuple[str, ...] = ()) -> str:
    """The schema of an answer alone; of a class, with the classes as its values."""
    value: dict[str, Any] = {"type": "string"}
    if choices:
        value["enum"] = list(choices)
    made = {"type": "object", "properties": {FIELD: value}, "required": [FIELD], "additionalProperties": False}
    return json.dumps(made, ensure_ascii=False)


def _tellings(schema: str, plain: bool, choices: tuple[str, ...]) -> list[tuple[str, str]]:
    """How the form may be told: by its schema, and where it is ours by its shape."""
    by_schema = f"Reply with JSON only, which keeps this JSON Schema: {schema}"
    if not plain:
        return [("schema", by_schema)]
    among = f", where the answer is one of: {', '.join(choices)}" if choices else ""
    return [("shape", f'Reply with JSON only, like {{"{FIELD}": "..."}}{among}.'), ("schema", by_schema)]


def read_schema(given: Any) -> str:
    """Read a JSON Schema from text, a file or literals, and return it as one line of JSON.

    Raises:
        UserError: it is not JSON, no file, or no schema.
    """
    do = 'Write schema=\'{"type": "object", …}\', or the name of a file that holds it.'
    where = "the option schema"
    if isinstance(given, str) and not given.lstrip().startswith(("{", "true", "false")):
        where = given
        try:
            given = Path(given).read_text(encoding="utf-8")
        except (OSError, ValueError) as e:
            raise UserError(f"the option schema names a file that cannot be read: {given}.", do=do) from e
    try:
        read = json.loads(given) if isinstance(given, str) else given
        text = json.dumps(read, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError) as e:
        raise UserError(f"is not JSON: {e}.", where, do) from None
    if not isinstance(read, Mapping):
        raise UserError("is no JSON Schema: a schema is an object.", where, do)
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(read).check_schema(read)
    except SchemaError as e:
        place = "/".join(map(str, e.absolute_path))
        raise UserError(f"is no JSON Schema{f', at {place}' if place else ''}: {e.message}.", where, do) from None
    return text
