"""Kinds of jobs: what each names exists, and its defaults fit each other."""

from __future__ import annotations

import pytest

from sharpen import parts
from sharpen.config import parse_sum
from sharpen.errors import UserError
from sharpen.floors import open_floor
from sharpen.metrics import open_metric
from sharpen.tasks import open_task
from sharpen.techniques import open_technique

NAMES = sorted(parts.all_parts("task"))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_task_names_exists(name: str) -> None:
    task = open_task(name)
    assert task.name.replace("-", "_") == name
    assert [open_metric(m).name for m in task.metrics] == list(task.metrics)
    assert task.floors
    assert all(callable(open_floor(f)) for f in task.floors)
    for arms in (task.arms, task.arms_with_documents):
        assert not arms or arms[0] == "baseline"
        assert len(set(arms)) == len(arms)
        for does in arms:
            assert all(callable(open_technique(n, options)) for n, options in parse_sum(does))


@pytest.mark.parametrize("name", NAMES)
def test_the_templates_hold_what_is_filled_in(name: str) -> None:
    task = open_task(name)
    assert "{question}" in task.template
    assert task.context_template.index("{context}") < task.context_template.index("{question}"), "passages come first"
    assert any("{goal}" in i for i in task.instructions)
    assert len(set(task.instructions)) == len(task.instructions)
    assert 0 < task.max_new_tokens <= 512


def test_documents_are_used_by_default_where_there_are_some() -> None:
    for name in NAMES:
        arms = open_task(name).arms_with_documents
        assert not arms or any("retrieve" in a for a in arms)


def test_only_classes_are_chosen_among() -> None:
    assert [n for n in NAMES if open_task(n).chooses] == ["classification"]


def test_a_task_that_chooses_has_an_instruction_that_names_the_classes() -> None:
    """For models that write their answer; the goal of the use case stays in it."""
    for task in map(open_task, NAMES):
        named = [i for i in task.instructions if "{labels}" in i]
        assert bool(named) is task.chooses
        assert all("{goal}" in i for i in named)


def test_a_task_that_is_not_there() -> None:
    with pytest.raises(UserError, match="Did you mean question-answering"):
        open_task("question-answring")
