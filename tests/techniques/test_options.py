"""Options of techniques: what can be written in an arm, and what is said of what cannot."""

from __future__ import annotations

import pytest

from sharpen.config import parse_sum
from sharpen.errors import UserError
from sharpen.techniques import open_technique
from sharpen.testing import tiny_bench


def opened(does: str):
    ((name, options),) = parse_sum(does)
    return open_technique(name, options)


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("few_shot(k='three')", "the option k is 'three'"),
        ("few_shot(k=0)", "Write a whole number from 1 to 1,000, or several: k=(1, 3)"),
        ("few_shot(draws=1000000000)", "the option draws is 1000000000"),
        ("nearest_shots(k=1001)", "the option k is 1001"),
        ("few_shot(k=())", "the option k is ()"),
        ("few_shot(k=(1, 'x'))", "the option k is"),
        ("few_shot(draws=(1, 2))", "the option draws"),
        ("few_shot(shots=3)", "the technique few_shot has no option shots. It has: k, draws."),
        ("nearest_shots(k=True)", "the option k is True"),
        ("nearest_shots(how='magic')", "It is one of: dense, bm25, hybrid."),
        ("retrieve(k=1.5)", "the option k is 1.5"),
        ("retrieve(how='densely')", "It is one of: auto, hybrid, dense, bm25."),
        ("retrieve(size='big')", "the option size is 'big'"),
        ("retrieve(how=bm25)", "or how='bm25' with quotes for a text."),
        ("instruct(instructions='Say {foo} {goal')", "holds {foo}, which nothing fills in."),
        ("instruct(instructions=(1, 2))", "the option instructions is (1, 2)"),
        ("reason(ask='')", "the option ask is ''"),
        ("reason(then=3)", "the option then is 3"),
        ("reason(shown='no')", "the option shown is 'no'"),
        ("reason(max_new_tokens=0)", "the option max_new_tokens is 0"),
        ("vote(n=1)", "Write a whole number from 2 to 100"),
        ("vote(temperature=0)", "the option temperature is 0"),
        ("structured(schema='{')", "the option schema: is not JSON"),
        ("structured(schema='nowhere.json')", "names a file that cannot be read: nowhere.json"),
        ('structured(schema=\'{"type": "txt"}\')', "is no JSON Schema, at type"),
        ("structured(schema=[1])", "a schema is an object"),
        ("structured(retries=-1)", "the option retries is -1"),
        ("shorten(words=(10, 20))", "the option words is (10, 20)"),
        ("avoid(words=())", "avoid has neither words nor must_not"),
        ("avoid(words=(1,))", "the option words is (1,)"),
        ("chain(kind='magic')", "It is one of: facts, draft, plan, parts."),
        ("chain(steps='facts')", "the option steps is 'facts'"),
        ("chain(steps=(('a', 'See {b}'), ('b', '?')))", "holds {b}, which no earlier step writes"),
        ("chain(steps=(('Facts!', '?'), ('question', '?')))", "the name 'question' is taken"),
        ("check_first(text='')", "the option text is ''"),
        ("history(turns=-1)", "the option turns is -1"),
        ("own_language(source='xx')", "the option source is 'xx'. It is one of: ar, cs, de"),
        ("own_language(through_english=1)", "the option through_english is 1"),
        ("lora(rank=8)", "lora has no option rank"),
        ("lora(learning_rat=1)", "Did you mean learning_rate?"),
        ("lora(r='eight')", "r is 'eight'. It must be a whole number."),
        ("lora(r=8.0)", "r is 8.0. It must be a whole number."),
        ("lora(r=True)", "r is True. It must be a whole number."),
        ("lora(r=0)", "r is 0. It must be at least 1."),
        ("lora(per_device_train_batch_size=2.5)", "per_device_train_batch_size is 2.5. It must be a whole number."),
        ("lora(max_steps='x')", "max_steps is 'x'. It must be a whole number."),
        ("lora(seed='x')", "seed is 'x'. It must be a whole number."),
        ("lora(seed=-1)", "seed is -1. It must be at least 0."),
        ("lora(learning_rate='1e-3')", "learning_rate is '1e-3'. It must be a finite number."),
        ("lora(num_train_epochs=1e999)", "num_train_epochs is inf. It must be a finite number."),
        ("lora(num_train_epochs=1001)", "num_train_epochs is 1001. It must be at most 1,000."),
        ("lora(lora_dropout=None)", "lora_dropout is None. It must be a finite number."),
        ("lora(lora_dropout=1)", "lora_dropout is 1. It must be at least 0 and below 1."),
        ("lora(bf16='no')", "bf16 is 'no'. It must be True or False."),
        ("lora(share_prefixes=1)", "share_prefixes is 1. It must be True or False."),
        ("lora(target_modules=3)", "target_modules is 3. It must be a text, or several."),
        ("lora(target_modules=('q_proj', 3))", "It must be a text, or several."),
        ("lora(target_modules=())", "It must be a text, or several."),
        ("lora(method=3)", "method is 3. It is one of: lora."),
        ("lora(lr_scheduler_type='step')", "It is one of: cosine, linear, constant."),
        ("lora(choose='best')", "the option choose is 'best'. It is one of: dev, loss, last."),
        ("lora(gold_share=2)", "the option gold_share is 2. Write a share from 0 to 1."),
    ],
)
def test_a_wrong_option_is_a_sentence_before_anything_is_built(does: str, says: str) -> None:
    with pytest.raises(UserError) as e:
        opened(does)
    assert says in str(e.value)


def test_options_of_the_right_kind_are_taken() -> None:
    for does in (
        "lora(r=8, lora_alpha=16, learning_rate=1, num_train_epochs=1.5, max_steps=-1)",
        "lora(target_modules='q_proj', bf16=False)",
        "lora(target_modules=('q_proj', 'v_proj'), lora_dropout=0)",
        "lora(target_modules=['q_proj'])",
    ):
        assert callable(opened(does))


def test_every_wrong_option_is_named_at_once() -> None:
    with pytest.raises(UserError) as e:
        opened("lora(r=8.0, seed='x', bf16='no', learning_rate=-1)")
    assert [p.what for p in e.value.problems] == [
        *("r is 8.0.", "seed is 'x'.", "bf16 is 'no'.", "learning_rate is -1."),
    ]


@pytest.mark.parametrize("does", ["few_shot(k=1, draws=1)", "few_shot(k=(1,))", "few_shot(k=[1, 1], draws=1)"])
def test_one_number_or_several(does: str) -> None:
    bench = tiny_bench()
    assert len(opened(does)(bench.first("fake:"), bench).demos) == 1


def test_one_instruction_or_several() -> None:
    bench = tiny_bench()
    notes: list[str] = []
    bench.note = lambda kind, facts: notes.append(facts.get("candidate", ""))
    opened("instruct(instructions='Say {goal}')")(bench.first("fake:"), bench)
    assert any("Say Tell visitors about our rooms." in n for n in notes)
