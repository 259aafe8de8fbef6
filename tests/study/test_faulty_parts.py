"""A technique, metric or task of the user's own that is faulty ends in a sentence that names it and its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from towns_data import write_towns

import sharpen
from sharpen import parts
from sharpen.config import parse_sum
from sharpen.data import Prepared, examine
from sharpen.errors import PluginError, UserError
from sharpen.metrics import Checked, bounds_of, open_metric, value_of, with_labels
from sharpen.study.setting import resolve
from sharpen.techniques import open_technique
from sharpen.types import Answer, Example, Message, Score, silent

TECHNIQUE = """
import os, sys
from dataclasses import replace
{top}

def mine({takes}):
    {first}
    def improve(program, bench):
        {body}
        return {gives}
    return {made}
"""
METRIC = """
import math, sys
import numpy as np
from sharpen.metrics import Judge
from sharpen.types import Score

class Own(Judge):
    {extra}

def mine({takes}):
    {first}
    def judge(example, answer):
        {body}
        return {gives}
    return {made}
"""
TASK = """
from dataclasses import replace
from sharpen.tasks import open_task
{top}

def mine({takes}):
    {first}
    return {made}
"""


def technique(**parts: str) -> str:
    told = {"top": "", "takes": "", "first": "pass", "body": "pass", "gives": "program", "made": "improve"}
    return TECHNIQUE.format(**{**told, **parts})


def metric(**parts: str) -> str:
    told = {"takes": "", "first": "pass", "body": "pass", "gives": "Score(1.0)", "extra": "pass"}
    return METRIC.format(**{**told, "made": "Own('mine', judge)", **parts})


def task(**parts: str) -> str:
    return TASK.format(**{"top": "", "takes": "", "first": "pass", "made": "open_task('question-answering')", **parts})


@pytest.fixture(scope="module")
def use_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all faults."""
    return write_towns(tmp_path_factory.mktemp("faulty") / "towns", documents=12)


@pytest.fixture(scope="module")
def prepared(use_case: Path) -> Prepared:
    """Its data, prepared once: that takes a process of its own."""
    setting = resolve(use_case, (), silent)
    return examine(setting.use_case.data, setting.base, setting.store.root / "data", silent)


@pytest.fixture
def study(
    use_case: Path, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Path]:
    """Run a study with a part of this kind and content; returns the run's folder."""

    monkeypatch.setattr("sharpen.data.examine", lambda *_: prepared)

    def run(kind: str, content: str) -> Path:
        use_case.with_name("mine.py").write_text(content)
        named = {"technique": "arms=[baseline, ./mine.py]", "metric": "metrics=[./mine.py]", "task": "task=./mine.py"}
        settings = [named[kind]] if kind == "technique" else [named[kind], "arms=[baseline]"]
        sharpen.run(use_case, tmp_path / "out", settings)
        return tmp_path / "out"

    return run


TECHNIQUES = {
    "its factory raises": (technique(first="1 / 0"), "ZeroDivisionError"),
    "its factory needs an argument": (technique(takes="k"), "missing 1 required positional argument: 'k'"),
    "its factory makes nothing": (technique(made="None"), "its factory made None"),
    "its factory leaves": (technique(first="sys.exit(0)"), "SystemExit: 0"),
    "leaves at import": (technique(top="sys.exit(3)"), "SystemExit: 3"),
    "leaves while it improves": (technique(body="raise SystemExit(0)"), "SystemExit: 0"),
    "raises what is no Exception": (technique(body="raise BaseException('no')"), "BaseException: no"),
    "raises OSError": (technique(body="open('/none/of/this')"), "FileNotFoundError"),
    "applies() raises": (technique(top="def applies(p, t, c): raise KeyError('k')"), "KeyError: 'k'"),
    "applies() takes nothing": (technique(top="def applies(): pass"), "applies() takes 0 positional arguments"),
    "applies() says False": (technique(top="def applies(p, t, c): return False"), "applies() said False"),
    "gives None": (technique(gives="None"), "the program is of the type NoneType, and should be a System"),
    "gives a text": (technique(gives="'x'"), "the program is of the type str"),
    "no prompt": (technique(gives="replace(program, prompt=None)"), "the program.prompt is of the type NoneType"),
    "no instruction": (
        technique(gives="replace(program, prompt=replace(program.prompt, instruction=5))"),
        "the program.prompt.instruction is of the type int, and should be a str",
    ),
    "an instruction that is no text": (
        technique(gives="replace(program, prompt=replace(program.prompt, instruction='\\ud800'))"),
        "surrogates not allowed",
    ),
    "demos that are none": (technique(gives="replace(program, demos=('x',))"), "the program.demos[0] is of the type"),
    "decoding that is no number": (
        technique(
            gives="replace(program, decoding=replace(program.decoding, temperature=math.nan))", top="import math"
        ),
        "not JSON compliant",
    ),
    "weights that are nowhere": (technique(gives="replace(program, adapters=('adapter:x',))"), "'adapter:x'"),
    "notes an object": (technique(body="bench.note('x', {'a': object()})"), "bench.note('x') cannot be written down"),
    "notes no facts": (technique(body="bench.note('x', None)"), "bench.note('x') cannot be written down"),
    "notes itself": (technique(body="a = []; a.append(a); bench.note('x', {'a': a})"), "Circular reference"),
    "notes seconds in words": (technique(body="bench.note('x', {'seconds': 'abc'})"), "seconds is 'abc'"),
    "notes endless seconds": (technique(body="bench.note('x', {'seconds': float('inf')})"), "not JSON compliant"),
    "notes too many seconds": (technique(body="bench.note('x', {'seconds': 1e300})"), "seconds is 1e+300"),
    "notes what is no number": (technique(body="bench.note('x', {'a': [float('nan')]})"), "not JSON compliant"),
    "NEEDS a list": (technique(top="NEEDS = [1, 2]"), "NEEDS is [1, 2]"),
    "NEEDS no extra": (technique(top="NEEDS = {'a': 1}"), "NEEDS is {'a': 1}"),
    "NEEDS no package": (technique(top="NEEDS = {1: 2}"), "NEEDS is {1: 2}"),
    "NEEDS what is not written out": (technique(top="NEEDS = dict(a=b)"), "malformed node"),
}
METRICS = {
    "its factory raises": (metric(first="1 / 0"), "ZeroDivisionError"),
    "its factory makes nothing": (metric(made="None"), "its factory made None, which is no metric"),
    "its factory needs an argument": (metric(takes="k"), "missing 1 required positional argument: 'k'"),
    "its factory leaves": (metric(first="sys.exit(0)"), "SystemExit: 0"),
    "no name": (metric(made="Own(None, judge)"), "its name is None"),
    "no direction": (metric(made="Own('mine', judge, None)"), "higher_is_better is None"),
    "bounds None": (metric(made="Own('mine', judge, bounds=None)"), "NoneType"),
    "bounds in words": (metric(made="Own('mine', judge, bounds='ab')"), "one of the bounds is 'a'"),
    "bounds turned round": (metric(made="Own('mine', judge, bounds=(1, 0))"), "bounds are (1, 0)"),
    "judge raises": (metric(body="{}['k']"), "KeyError: 'k'"),
    "judge leaves": (metric(body="sys.exit(0)"), "SystemExit: 0"),
    "judge gives None": (metric(gives="None"), "is of the type NoneType, and should be a Score"),
    "judge gives a number": (metric(gives="1.0"), "is of the type float, and should be a Score"),
    "a score in words": (metric(gives="Score('x')"), "is 'x', and should be a number"),
    "a score that is no number": (metric(gives="Score(math.nan)"), "is nan: give a finite number, or None"),
    "an endless score": (metric(gives="Score(-np.inf)"), "is -inf: give a finite number"),
    "stats in words": (metric(gives="Score(1.0, stats=('x',))"), "a number in the stats of"),
    "score gives None": (metric(extra="def score(self, e, a): return None"), "score() gave a NoneType"),
    "too few scores": (metric(extra="def score(self, e, a): return [Score(1.0)]"), "score() gave 1 scores for"),
    "score takes too little": (metric(extra="def score(self, e): return []"), "takes 2 positional arguments"),
    "aggregate raises": (metric(extra="def aggregate(self, s, w=None): 1 / 0"), "ZeroDivisionError"),
    "aggregate without weights": (metric(extra="def aggregate(self, s): return 1"), "takes 2 positional arguments"),
    "aggregate gives None": (metric(extra="def aggregate(self, s, w=None): pass"), "the aggregate is None"),
    "aggregate gives words": (metric(extra="def aggregate(self, s, w=None): return '1'"), "the aggregate is '1'"),
    "aggregate gives no number": (
        metric(extra="def aggregate(self, s, w=None): return math.nan"),
        "the aggregate of judged scores is nan",
    ),
    "aggregate_stats raises": (
        metric(made="Own('mine', judge, aggregate_stats=lambda s: 1 / 0)", gives="Score(1.0, stats=(1.0,))"),
        "ZeroDivisionError",
    ),
    "aggregate_stats gives one number": (
        metric(made="Own('mine', judge, aggregate_stats=lambda s: 1.0)", gives="Score(1.0, stats=(1.0, 2.0))"),
        "aggregate_stats made the shape ()",
    ),
    "aggregate_stats is none": (metric(made="Own('mine', judge, aggregate_stats=3)"), "aggregate_stats is 3"),
}
TASKS = {
    "its factory raises": (task(first="1 / 0"), "ZeroDivisionError"),
    "its factory leaves": (task(first="raise SystemExit"), "SystemExit"),
    "its factory needs an argument": (task(takes="k"), "missing 1 required positional argument: 'k'"),
    "leaves at import": (task(top="raise SystemExit(3)"), "SystemExit: 3"),
    "gives None": (task(made="None"), "the task is of the type NoneType, and should be a Task"),
    "gives a mapping": (task(made="{'name': 'x'}"), "the task is of the type dict"),
    "metrics in words": (
        task(made="replace(open_task('question-answering'), metrics='exact_match')"),
        "the task.metrics is of the type str, and should be a tuple",
    ),
    "no instructions": (task(made="replace(open_task('chat'), instructions=())"), "the task has no instructions"),
}
FAULTS = [
    pytest.param(kind, content, says, id=f"{kind}: {fault}")
    for kind, faults in {"technique": TECHNIQUES, "metric": METRICS, "task": TASKS}.items()
    for fault, (content, says) in faults.items()
]


@pytest.mark.parametrize(("kind", "content", "says"), FAULTS)
def test_a_faulty_part_is_named_with_its_file_before_the_test_is_opened(
    study: Callable[[str, str], Path], use_case: Path, tmp_path: Path, kind: str, content: str, says: str
) -> None:
    with pytest.raises(PluginError) as e:
        study(kind, content)
    assert str(e.value).startswith(f"{kind} mine (from {use_case.with_name('mine.py').resolve()}) failed with ")
    assert says in str(e.value)
    events = tmp_path / "out" / "events.jsonl"
    assert not events.exists() or "test opened" not in events.read_text()


@pytest.mark.parametrize("kind", ["technique", "metric", "task"])
def test_an_interruption_goes_through(study: Callable[[str, str], Path], kind: str) -> None:
    made = {"technique": technique(body="raise KeyboardInterrupt"), "metric": metric(body="raise KeyboardInterrupt")}
    with pytest.raises(KeyboardInterrupt):
        study(kind, made.get(kind, task(first="raise KeyboardInterrupt")))


@pytest.mark.parametrize("content", [technique(body="raise SystemExit(0)"), technique(top="sys.exit(3)")])
def test_the_command_ends_with_status_two(use_case: Path, tmp_path: Path, content: str) -> None:
    use_case.with_name("mine.py").write_text(content)
    command = [sys.executable, "-m", "sharpen", "run", str(use_case), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--set", "arms=[baseline, ./mine.py]"], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 2
    assert f"sharpen: technique mine (from {use_case.with_name('mine.py').resolve()}) failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_whole_parts_of_ones_own_are_taken(study: Callable[[str, str], Path]) -> None:
    """Lists for tuples, numbers of numpy, and notes of whatever shape are no faults."""
    notes = [{"values": 5, "round": "x"}, {"values": [1], "candidate": [2]}, {"notes": 3, "seconds": None}]
    body = "; ".join(f"bench.note({kind!r}, {n!r})" for kind in ("tried", "chose", "trained") for n in notes)
    out = study("technique", technique(body=body, gives="replace(program, demos=[])"))
    assert (out / "report.html").exists()


def test_a_technique_that_embeds_says_so(study: Callable[[str, str], Path]) -> None:
    """Otherwise the embedding model was not fetched beforehand, and is no part of what the study is."""
    silent_one = technique(body="bench.engines.embed(['a'])")
    with pytest.raises(UserError, match=r"none of this study says so.*EMBEDS = True"):
        study("technique", silent_one)
    open_one = technique(top="EMBEDS = True", body="bench.engines.embed(['a'])")
    assert (study("technique", open_one) / "report.html").exists()


def test_numbers_of_numpy_are_taken_as_numbers(study: Callable[[str, str], Path]) -> None:
    own = "def aggregate(self, s, w=None): return np.float64(np.average([x.value for x in s], weights=w))"
    out = study("metric", metric(gives="Score(np.float32(example.id < 'q3'), stats=np.ones(1))", extra=own))
    report = json.loads((out / "report.json").read_text())
    assert report["metric"] == "mine"
    assert 0 <= report["arms"][0]["mean"] <= 1


@pytest.mark.parametrize("value", ["b'x'", "1+2j", "...", "[b'x']", "{1, 'a'}", "0x" + "f" * 4000])
def test_an_option_that_nothing_can_write_down_is_refused(value: str) -> None:
    with pytest.raises(UserError, match=r"^the option a of "):
        parse_sum(f"./mine.py(a={value})")


def test_such_an_option_is_the_users_mistake(use_case: Path, tmp_path: Path) -> None:
    use_case.with_name("mine.py").write_text(technique(takes="a"))
    with pytest.raises(UserError) as e:
        sharpen.run(use_case, tmp_path / "out", ['arms=[baseline, "./mine.py(a=...)"]'])
    assert str(e.value).startswith("arms: ./mine.py(a=...): the option a of './mine.py(a=...)' is nothing that JSON")


def test_our_own_bugs_are_not_blamed_on_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sharpen.metrics.accuracy.accuracy", broken)
    monkeypatch.setattr("sharpen.techniques.instruct.instruct", broken)
    with pytest.raises(ZeroDivisionError):
        open_metric("accuracy")
    with pytest.raises(ZeroDivisionError):
        open_technique("instruct", {})


def test_a_copy_of_our_metric_is_told_the_classes_and_counts_as_ours_does(tmp_path: Path) -> None:
    source = parts.find("metric", "macro_f1").path
    assert source is not None
    (tmp_path / "mine.py").write_text(source.read_text().replace("def macro_f1(", "def mine("))
    own, ours = (with_labels(open_metric(n, tmp_path), ("a", "b", "c")) for n in ("mine.py", "macro_f1"))
    assert isinstance(own, Checked)
    assert own.labels == ("a", "b", "c")
    assert with_labels(own, ("d",)) is own
    assert (own.name, own.higher_is_better, bounds_of(own)) == ("macro_f1", True, (0.0, 1.0))
    examples = [Example(str(i), (Message("user", "?"),), labels=(c,)) for i, c in enumerate("aabbcc")]
    answers = [Answer(t) for t in "abbbxc"]
    assert own.score(examples, answers) == ours.score(examples, answers)
    assert value_of(own, own.score(examples, answers)) == value_of(ours, ours.score(examples, answers))


def test_a_metric_without_bounds_has_none(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class mine:\n    name, higher_is_better = 'mine', True\n"
        "    def score(self, examples, answers): return []\n"
        "    def aggregate(self, scores, weights=None): return float('nan')\n"
    )
    own = open_metric("mine.py", tmp_path)
    assert not hasattr(own, "bounds")
    assert own.aggregate_stats is None
    assert value_of(own, [Score(None)]) is None
