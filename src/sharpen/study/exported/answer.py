"""Answer as the evaluated arm did: ``python answer.py "a question" [--passage TEXT ...] [--base FOLDER]``.

Written by ``sharpen export`` beside ``parsing.py``, which reads a reply as the study did, and ``prompt.json``, which
holds the instruction, the worked examples, the templates and, where the arm chooses among classes, the classes and the
rule of choice. Needs torch and transformers, and peft for an adapter, whose base model ``--base`` names.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
from pathlib import Path
from typing import Any

from parsing import parse

HERE = Path(__file__).parent


def fill(template: str, **values: str) -> str:
    """Put values into ``{name}``, in one pass: braces within a value stay text."""
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), template)


def conversation(how: dict[str, Any], question: str, passages: list[str]) -> list[dict[str, str]]:
    """Instruction, worked examples, and the question with its passages."""
    turns = [{"role": "system", "content": how["instruction"]}] if how["instruction"] else []
    for demo in how["demos"]:
        turns.append({"role": "user", "content": ask(how, demo["question"], demo["passages"])})
        turns.append({"role": "assistant", "content": demo["answer"]})
    turns.append({"role": "user", "content": ask(how, question, passages)})
    if how["instruction"] and not how["system"]:  # the template takes no system message
        turns[1]["content"] = f"{how['instruction']}\n\n{turns[1]['content']}"
        del turns[0]
    return turns


def fenced(how: dict[str, Any], text: str) -> str:
    """A text within the prompt's tag, which it cannot end: what looks like the tag in it loses its bracket."""
    tag = how["fence"]
    if not tag:
        return text
    inside = re.sub(rf"<(?=\s*/?\s*{re.escape(tag)}\b)", "\u2039", text, flags=re.I)
    return f"<{tag}>\n{inside}\n</{tag}>"


def ask(how: dict[str, Any], question: str, passages: list[str]) -> str:
    """The text of a user's turn."""
    question = fenced(how, question)
    if not passages:
        return fill(how["template"], question=question)
    texts = [fenced(how, fill(how["passage_template"], text=p, n=str(n))) for n, p in enumerate(passages, 1)]
    return fill(how["context_template"], context="\n\n".join(texts), question=question)


def load(base: str | None) -> tuple[Any, Any]:
    """Model and tokenizer of this folder, or of an adapter and its base."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (HERE / "adapter_config.json").exists():
        return AutoModelForCausalLM.from_pretrained(HERE, dtype="float32").eval(), AutoTokenizer.from_pretrained(HERE)
    from peft import PeftModel

    base = base or json.loads((HERE / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    return PeftModel.from_pretrained(model, HERE).eval(), AutoTokenizer.from_pretrained(base)


def render(how: dict[str, Any], tokenizer: Any, turns: list[dict[str, str]], begin_reply: bool) -> str:
    """The conversation as the model reads it; special tokens within a text are broken by a space."""
    special = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special} | set(tokenizer.all_special_tokens)
    pattern = "|".join(re.escape(t) for t in sorted(special, key=len, reverse=True) if len(t) > 1) or "(?!)"
    safe = [{**t, "content": re.sub(pattern, lambda m: f"{m[0][0]} {m[0][1:]}", t["content"])} for t in turns]
    text: str = tokenizer.apply_chat_template(
        safe,
        chat_template=how["chat_template"],
        tokenize=False,
        add_generation_prompt=begin_reply,
        enable_thinking=False,
    )
    return text


def reply_ids(how: dict[str, Any], tokenizer: Any, content: str) -> list[int]:
    """A reply as the model would write it, with the token that ends it."""
    asked = [{"role": "user", "content": "?"}]
    prompt = render(how, tokenizer, asked, True)
    whole = render(how, tokenizer, [*asked, {"role": "assistant", "content": content}], False)
    text = whole[len(prompt) :] if whole.startswith(prompt) else content
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    at = next((i for i, t in enumerate(ids) if t in how["ends"]), None)
    return [*ids, tokenizer.eos_token_id] if at is None else ids[: at + 1]


def scores(how: dict[str, Any], model: Any, tokenizer: Any, prompt: Any) -> dict[str, float]:
    """Log-likelihood of each class as the reply, by the rule that was chosen on dev; the highest is the answer."""
    import torch

    with torch.no_grad():
        begun = model(prompt[:, :-1], use_cache=True).past_key_values
        found: dict[str, float] = {}
        replies = [reply_ids(how, tokenizer, choice) for choice in how["choices"]]
        for choice, (*bare, end) in zip(how["choices"], replies, strict=True):
            longer = any(len(r) > len(bare) + 1 and r[: len(bare)] == bare for r in replies)
            # Where another class goes on after this one, it is said that nothing follows.
            ids = torch.tensor([[*bare, end] if longer else bare])
            read = torch.cat([prompt[:, -1:], ids[:, :-1]], 1)
            logits = model(read, past_key_values=copy.deepcopy(begun), use_cache=True).logits[0].float()
            total = float(logits.log_softmax(-1).gather(1, ids[0][:, None]).sum())
            prior = how["priors"][len(found)] if how["priors"] else 0.0
            found[choice] = total / (ids.shape[1] if how["per_token"] else 1) - how["prior_weight"] * prior
    return found


def main() -> None:
    """Read the command line and print the answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("question")
    parser.add_argument("--passage", action="append", default=[], help="what a search found; repeatable")
    parser.add_argument("--base", help="an adapter's base model")
    args = parser.parse_args()
    how = json.loads((HERE / "prompt.json").read_text(encoding="utf-8"))
    model, tokenizer = load(args.base)
    text = render(how, tokenizer, conversation(how, args.question, args.passage), True)
    prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    if how["choices"]:
        found = scores(how, model, tokenizer, prompt)
        print(max(found, key=lambda c: found[c]))
        return
    from transformers import GenerationConfig

    # Not the settings beside the weights: some ask for penalties, and not all end where the template does.
    ends = how["ends"]
    model.generation_config = GenerationConfig(do_sample=False, eos_token_id=ends, pad_token_id=ends[0])
    made = model.generate(prompt, max_new_tokens=how["max_new_tokens"])
    reply = tokenizer.decode(made[0, prompt.shape[1] :], skip_special_tokens=True)
    print(parse(reply, how["one_line"]))


if __name__ == "__main__":
    main()
