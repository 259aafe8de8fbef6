"""What is written beside exported weights: a model card, the prompt as data, and a script that answers as the arm did.

A score holds for a whole program, not for weights alone: for its prompt, its worked examples, and its way to choose.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sharpen.metrics import parsing
from sharpen.models import Local, public_name, turns
from sharpen.runtime import in_field
from sharpen.study.reading import Report
from sharpen.types import System, digest


def describe(target: Path, format: str, report: Report, arm: Mapping[str, Any], program: System, local: Local) -> None:
    """Write ``README.md`` and ``prompt.json``; where transformers or peft read the weights ``answer.py``, for Ollama a
    ``Modelfile``."""
    how = {**prompt_of(program), **turns(local)}
    (target / "prompt.json").write_text(json.dumps(how, indent=2, ensure_ascii=False), encoding="utf-8")
    (target / "README.md").write_text(_card(format, report, arm, program, local), encoding="utf-8")
    if format == "gguf":
        system = program.prompt.instruction.replace('"""', "'''")
        lines = ["FROM ./model.gguf", "PARAMETER temperature 0", f'SYSTEM """{system}"""']
        (target / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif not beyond(program):
        shutil.copyfile(Path(__file__).parent / "exported" / "answer.py", target / "answer.py")
        shutil.copyfile(str(parsing.__file__), target / "parsing.py")


def beyond(program: System) -> list[str]:
    """What a program does that ``answer.py`` does not, in words; a score holds only with all of it."""
    prompt, decoding, refusal = program.prompt, program.decoding, program.refusal
    steps = ", ".join(step.name for step in program.steps)
    what = {
        f"the {program.shots.k if program.shots else 0} nearest training examples stand before the question": (
            program.shots is not None
        ),
        f"steps are written before the answer ({steps})": bool(steps),
        "the model thinks before it answers": program.reasoning is not None,
        f"{decoding.votes} answers are drawn, and the most frequent is taken": decoding.votes > 1,
        "answers are checked against a JSON Schema and asked for anew": bool(decoding.schema),
        "answers that hold what they must not are asked for anew": bool(decoding.avoid),
        f"answers are cut at {decoding.words} words": bool(decoding.words),
        "passages that are cited are read out of the answer": prompt.cites,
        "questions and passages stand in a tag that they cannot end": bool(prompt.fence),
        "of earlier turns only some are given": prompt.history is not None,
        "some questions are not answered": refusal is not None,
    }
    return [words for words, does in what.items() if does]


def prompt_of(program: System) -> dict[str, Any]:
    """Everything of a program that is not weights or an index, as plain data."""
    prompt, decoding = program.prompt, program.decoding
    ranks = bool(decoding.choices) and not decoding.by_text
    return {
        "name": prompt.name,
        "sha256": digest(prompt),
        "instruction": prompt.instruction,
        "fence": prompt.fence,
        "template": prompt.template,
        "context_template": prompt.context_template,
        "passage_template": prompt.passage_template,
        "demos": [
            {
                "question": d.question,
                "answer": in_field(d.answer, decoding.field),
                "passages": [p.text for p in d.passages],
                **({"reasoning": d.reasoning} if d.reasoning else {}),
                **({"steps": dict(d.steps)} if d.steps else {}),
            }
            for d in program.demos
        ],
        "passages": program.retriever.k if program.retriever else 0,
        "nearest_examples": program.shots.k if program.shots else 0,
        "max_new_tokens": decoding.max_new_tokens,
        "one_line": decoding.one_line,
        "choices": list(decoding.choices) if ranks else [],
        "per_token": decoding.per_token,
        "priors": list(decoding.priors),
        "prior_weight": decoding.prior_weight,
        **_more(program),
    }


def _more(program: System) -> dict[str, Any]:
    """What else a program does, as data for whoever builds it anew; nothing of a plain one."""
    prompt, decoding = program.prompt, program.decoding
    asked = [asdict(x) if x else None for x in (program.reasoning, program.refusal)]
    found: dict[str, Any] = {"steps": [asdict(s) for s in program.steps], "reasoning": asked[0], "refusal": asked[1]}
    found |= {"fence": prompt.fence, "cites": prompt.cites}
    kept = ("schema", "field", "retries", "words", "avoid")
    found |= {name: getattr(decoding, name) for name in kept}
    found |= {"votes": decoding.votes, "temperature": decoding.temperature} if decoding.votes > 1 else {}
    made = {name: value for name, value in found.items() if value}
    return made | ({"history": prompt.history} if prompt.history is not None else {})


def _card(format: str, report: Report, arm: Mapping[str, Any], program: System, local: Local) -> str:
    base = local.origin if local.ref.startswith(("pypi:", "hf:")) else public_name(local.ref)  # no path of a folder
    known = arm["ci_low"] is not None and arm["ci_high"] is not None
    interval = f"{arm['ci_low']:.3f} to {arm['ci_high']:.3f}" if known else "not known"
    score = f"{arm['mean']:.3f}" if arm["mean"] is not None else "not tested"
    which = (
        "" if arm["name"] == report.winner else f"This is the arm {arm['name']}, which the study did not choose.\n\n"
    )
    which += f"{arm['which']}\n\n" if arm.get("which") else ""
    return f"""---
base_model: {base}
library_name: {"peft" if format == "adapter" else "transformers"}
{f"license: {local.licence}" if local.licence else ""}
model-index:
- name: {report["name"]} {arm["name"]}
  results:
  - task: {{type: {report["task"]}}}
    dataset: {{type: sealed-test, name: {report["name"]}}}
    metrics: [{{type: {report["metric"]}, value: {score}}}]
---

# {report["name"]}: {arm["name"]}

{which}{arm["name"]}: {report["metric"]} {score} (95% interval {interval}) on {report["n_test"]} sealed test questions.

The study{"" if report.winner else " (it chose no arm)"}: {report["verdict_text"]}

## How it answers

{_ways(format, program)}

Prompt {program.prompt.name}, sha256 {digest(program.prompt)}:

System: {program.prompt.instruction}
{_examples(program)}User: {program.prompt.context_template if program.retriever else program.prompt.template}
"""


def _ways(format: str, program: System) -> str:
    """What the score holds for, and what of it is not in these files."""
    said = ["The score holds for the prompt below, which `prompt.json` holds as data"]
    ranks = bool(program.decoding.choices) and not program.decoding.by_text
    if ranks:
        said[0] += (
            f", and for the way to choose: of {len(program.decoding.choices)} classes the one of the highest "
            "log-likelihood as the reply, by the rule in `prompt.json`"
        )
    said[0] += "."
    if ranks:
        said.append("Text that the model generates freely is another program, whose score nobody measured.")
    limits = [f"more than {program.decoding.words} words are cut"] if program.decoding.words else []
    limits += ["what does not keep the schema is asked for anew"] if program.decoding.schema else []
    if limits:
        said.append(f"In the study, {' and '.join(limits)}; these files do not do that.")
    if program.retriever:
        said.append(
            f"Each question came with the {program.retriever.k} best passages of the documents. The index is not in "
            "these files."
        )
    if others := beyond(program):
        said.append(
            f"It does what no script in these files does: {'; '.join(others)}. So the score cannot be had from these "
            "alone: use `sharpen ask`."
        )
    elif format == "gguf":
        more = "and Ollama cannot choose by log-likelihood" if ranks else "and worked examples go before the question"
        said.append(f"The Modelfile has the instruction only, {more}.")
    else:
        passage = ' --passage "what was found"' if program.retriever else ""
        base = " --base FOLDER" if format == "adapter" else ""
        said.append(f'`answer.py` does it all: `python answer.py{base}{passage} "a question"`.')
    return " ".join(said)


def _examples(program: System) -> str:
    """Worked examples as they stand before the question."""
    turns = (f"User: {d.question}\nAssistant: {d.answer}\n" for d in program.demos)
    return "".join(turns)
