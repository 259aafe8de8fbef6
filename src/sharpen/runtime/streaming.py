"""One question, with its answer shown as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sharpen.runtime.answering import answering
from sharpen.runtime.choosing import answer_in
from sharpen.runtime.drivers import carry_out_one
from sharpen.runtime.engines import Engines
from sharpen.support import CITED
from sharpen.types import Answer, Completion, Example, Generate, System

CERTAIN = 40
"""Characters that have to be there before any is shown: by then it is told whether they are a prefix (``Answer:``)."""
WRAPPED = ('"', "'", "“", "‘", "«", "„", "`", "*", "_", "#", ">", "<", "[")
"""What begins something that is taken off, or told apart from text, at its end."""


class Shown:
    """An answer as far as it has been shown, which is never taken back."""

    def __init__(self, tell: Callable[[str], None], one_line: bool, cites: bool) -> None:
        self.tell, self.one_line, self.cites = tell, one_line, cites
        self.text = ""

    def grew(self, raw: str) -> None:
        """Show what is certain of a reply that is not at its end."""
        if raw.lstrip().startswith(WRAPPED):
            return
        text = answer_in(raw, (), self.one_line)
        if self.cites:
            text = CITED.sub("", text.rpartition("[")[0] if text.count("[") > text.count("]") else text)
        certain = text[: text.rfind(" ")] if " " in text else ""
        if len(certain) >= CERTAIN and certain.startswith(self.text):
            self.tell(certain[len(self.text) :])
            self.text = certain

    def ended(self, text: str) -> None:
        """Show the rest of the answer; all of it, on a line of its own, where something else has been shown."""
        rest = text[len(self.text) :] if text.startswith(self.text) else f"\n{text}"
        if rest:
            self.tell(rest)
        self.text = text


def streamed(program: System, example: Example, engines: Engines, tell: Callable[[str], None]) -> Answer:
    """Answer one question; ``tell`` hears the answer piece by piece, in all ``Answer.text``.

    It hears it at once at the end where the engine does not stream, and where what is written is not yet the answer:
    several are drawn, one is chosen, or it has to keep a schema or a length.
    """
    d = program.decoding
    whole = bool(d.choices or d.schema or d.words or d.votes > 1)
    shown = Shown(tell, d.one_line, program.prompt.cites)
    run = answering(program, example)
    request = next(run)
    while True:
        result = _result(request, engines, None if whole else shown)
        try:
            request = run.send(result)
        except StopIteration as stop:
            answer: Answer = stop.value
            shown.ended(answer.text)
            return answer


def _result(request: Any, engines: Engines, shown: Shown | None) -> Any:
    if shown is None or not isinstance(request, Generate) or request.purpose != "answer":
        return carry_out_one(request, engines)
    model: Any = engines.model(request.model, request.adapters)
    if "stream" not in model.can:
        return carry_out_one(request, engines)
    raw = ""
    done: Completion | None = None
    for piece, completion in model.stream(request):
        raw += piece
        done = completion or done
        if done is None:
            shown.grew(raw)
    if done is None:
        raise RuntimeError(f"{request.model} ended its stream without a result")
    return done
