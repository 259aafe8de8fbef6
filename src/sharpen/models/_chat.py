"""The one chat template: conversations as token ids, for answering and for training alike."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sharpen.errors import UserError
from sharpen.types import Message, Rendered

DATE = datetime(2025, 1, 1)
PLAIN = (
    "{{ bos_token or '' }}{% for m in messages %}{{ (m['role'] | capitalize) + ': ' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""For models without a template (base models): ``User: …``, a blank line, ``Assistant:``."""


class Chat:
    """A tokenizer with its chat template.

    A prompt is tokenised alone and a reply alone, so the ids of a prompt are the same whether a reply follows or
    not: what is trained is what is asked. Special tokens written in a message are broken by a space
    (``<|im_end|>`` becomes ``< |im_end|>``), so text of users and documents opens and closes no turn where special
    tokens do that. Where a template marks turns by ordinary words (``[INST]``, ``User:``), text may hold them, too.
    """

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        self.tokenizer = tokenizer
        given = tokenizer.chat_template
        if isinstance(given, Mapping):  # several by name; the others are for tools and documents
            given = given.get("default") or next(iter(given.values()), None)
        self.template: str = _undated(given or PLAIN)
        self.ends = tuple(ends)
        special = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
        special |= {t for t in tokenizer.all_special_tokens if t}
        pattern = "|".join(re.escape(t) for t in sorted(special, key=len, reverse=True) if len(t) > 1)
        self._special = re.compile(pattern) if pattern else None
        self.system = self._takes_system()
        self.ends = self._with_turns_end()
        self._reply = lru_cache(maxsize=8192)(self._reply_ids)

    @property
    def digest(self) -> str:
        """Short hash of the template as used."""
        return hashlib.sha256(f"{self.template}\0{self.system}".encode()).hexdigest()[:12]

    def ids(self, text: str) -> tuple[int, ...]:
        """Tokenise text in which special tokens count."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Rendered:
        """Render a conversation; one that ends with the assistant is a prompt and its supervised reply.

        The reply ends with the end-of-turn token, which is supervised too; what a template writes after it is left out.
        """
        if not messages:
            raise UserError("a conversation without messages cannot be rendered.", do="Give at least one message.")
        last = messages[-1]
        if last.role != "assistant":
            text = self._text(messages, tools, True)
            ids = self.ids(text)
            return Rendered(text, ids, (False,) * len(ids))
        if len(messages) == 1:
            raise UserError("a conversation cannot begin with its reply.", do="Give the question before it.")
        prompt = self.render(messages[:-1], tools)
        if last.tool_calls:
            reply, ids = self._called(messages, tools, prompt.text)
        else:
            reply, ids = self._reply(last.content)
        return Rendered(prompt.text + reply, prompt.ids + ids, prompt.supervised + (True,) * len(ids))

    def prompts(self, conversations: Iterable[Sequence[Message]]) -> tuple[dict[int, tuple[int, ...]], dict[int, str]]:
        """Return prompts by position, and why the template refuses the others."""
        found: dict[int, tuple[int, ...]] = {}
        refused: dict[int, str] = {}
        for i, messages in enumerate(conversations):
            try:
                found[i] = self.render(messages).ids
            except UserError as e:
                refused[i] = str(e)
        return found, refused

    def reply(self, content: str) -> tuple[int, ...]:
        """Token ids of a reply after a prompt, without the end-of-turn token."""
        ids = self._reply(content)[1]
        return ids[:-1]

    def replies(self, contents: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Token ids of replies among which one is to be chosen.

        One that another begins with keeps its end-of-turn token: it would be likelier than the other whatever the model
        thinks, if it were not said that nothing follows it.
        """
        bare = [self.reply(c) for c in contents]
        begun = {a for a, b in pairwise(sorted(set(bare))) if b[: len(a)] == a}
        return tuple(self._reply(c)[1] if ids in begun else ids for c, ids in zip(contents, bare, strict=True))

    def decode(self, ids: Sequence[int]) -> str:
        """Turn generated ids into text without special tokens."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _reply_ids(self, content: str) -> tuple[str, tuple[int, ...]]:
        ask = [Message("user", "?")]
        prompt = self._text(ask, (), True)
        full = self._text([*ask, Message("assistant", content)], (), False)
        # a template that does not write the reply where it asked for it (reasoning markers) gets it as it is
        return self._ended(full[len(prompt) :] if full.startswith(prompt) else self._safe(content))

    def _called(self, messages: Sequence[Message], tools: Any, prompt: str) -> tuple[str, tuple[int, ...]]:
        full = self._text(messages, tools, False)
        if not full.startswith(prompt):
            raise UserError("this model's template cannot render a reply that calls tools.", do="Leave out the tools.")
        return self._ended(full[len(prompt) :])

    def _ended(self, reply: str) -> tuple[str, tuple[int, ...]]:
        """Cut after the end-of-turn token, or add it where the template has none."""
        ids = self.ids(reply)
        at = next((i for i, t in enumerate(ids) if t in self.ends), None)
        if at is not None:
            end = self.tokenizer.convert_ids_to_tokens(ids[at])
            return reply[: reply.index(end) + len(end)], ids[: at + 1]
        eos = self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else self.ends[0]
        return reply + self.tokenizer.convert_ids_to_tokens(eos), (*ids, eos)

    def _safe(self, text: str) -> str:
        """Break special tokens that stand in a message."""
        return self._special.sub(lambda m: m[0][0] + " " + m[0][1:], text) if self._special else text

    def _text(self, messages: Sequence[Message], tools: Any, ask: bool) -> str:
        if not self.system:
            messages = _merged(messages)
        turns = [_turn(m, self._safe(m.content)) for m in messages]
        return self._apply(turns, tools, ask)

    def _apply(self, turns: list[dict[str, Any]], tools: Any, ask: bool) -> str:
        try:
            text: str = self.tokenizer.apply_chat_template(
                turns,
                chat_template=self.template,
                tools=list(tools) or None,
                tokenize=False,
                add_generation_prompt=ask,
                enable_thinking=False,  # read by templates of models that can reason aloud; others ignore it
            )
        except Exception as e:  # templates refuse with errors of their own making
            do = "Let question and answer take turns, beginning with a question."
            raise UserError(f"this model's template refuses the conversation: {e}.", do=do) from None
        return text

    def _with_turns_end(self) -> tuple[int, ...]:
        """Token ids that end a reply: those given, and the one that the template writes after it.

        Base models that were never tuned to chat name another one in their settings than their template writes.
        """
        ask = [Message("user", "?")]
        try:
            prompt, full = self._text(ask, (), True), self._text([*ask, Message("assistant", "x")], (), False)
        except UserError:
            prompt = full = ""
        # What follows the reply may hold its letter, too: <|endoftext|> does.
        told = full[len(prompt) :] if full.startswith(prompt) else full[full.rfind("x") :]
        after = self.ids(told.partition("x")[2])
        special = set(self.tokenizer.all_special_ids)
        known = self.tokenizer.added_tokens_decoder
        special |= {i for i, token in known.items() if token.special}
        end = next((i for i in after if i in special), None)
        found = self.ends if end is None or end in self.ends else (*self.ends, end)
        if not found:
            do = "Name it as eos_token in tokenizer_config.json."
            raise UserError("no token of this model is known to end a reply.", do=do)
        return found

    def _takes_system(self) -> bool:
        """Whether the template writes a system message where it is given one."""
        mark = "mark of the system message"
        try:
            return mark in self._apply(
                [{"role": "system", "content": mark}, {"role": "user", "content": "?"}], (), True
            )
        except UserError:
            return False


def _undated(template: str) -> str:
    """A template that tells the model today's date, made to write the same one every day, as prompts must be."""
    if "strftime_now" not in template:
        return template
    forms = {form for _, form in re.findall(r"strftime_now\(\s*(['\"])(.*?)\1", template)}
    dates = json.dumps({form: DATE.strftime(form) for form in sorted(forms)})
    other = json.dumps(DATE.strftime("%d %B %Y"))
    macro = f"{{%- macro strftime_now(form) -%}}{{{{ ({dates}).get(form, {other}) }}}}{{%- endmacro -%}}"
    return macro + template


def _turn(message: Message, content: str) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        turn["tool_calls"] = [dict(c) for c in message.tool_calls]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Put the system text at the head of the first user message."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    first = next((i for i, m in enumerate(rest) if m.role == "user"), None)
    if not system:
        return rest
    if first is None:
        return [Message("user", system), *rest]
    rest[first] = dataclasses.replace(rest[first], content=f"{system}\n\n{rest[first].content}")
    return rest
