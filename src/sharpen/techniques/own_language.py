"""Ask in the language of the questions, or for answers in another one; which way is chosen on dev.

Ways, of which dev chooses: the language is told in English; it is told in the language itself; the question is first
put into English, and answered in its language from both (Shi et al. 2023, "Language models are multilingual
chain-of-thought reasoners"; Huang et al. 2023, "Not all languages are created equal in LLMs"). Worked examples whose
questions are in another language give their places to training examples in this one. The language is that of most
training questions (told by fastText's model), where none is named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sharpen.data.cleaners.language import UNKNOWN, identify
from sharpen.errors import UserError
from sharpen.techniques.bench import Bench, NotAvailable
from sharpen.techniques.chain import free, with_notes
from sharpen.techniques.few_shot import demonstrations, usable
from sharpen.types import Demo, Step, System, Task, Technique

# The language's English name, and "Answer in it." as it is said in it.
LANGUAGES = {
    "ar": ("Arabic", "أجب باللغة العربية."),
    "cs": ("Czech", "Odpověz česky."),
    "de": ("German", "Antworte auf Deutsch."),
    "el": ("Greek", "Απάντησε στα ελληνικά."),
    "en": ("English", "Answer in English."),
    "es": ("Spanish", "Responde en español."),
    "fr": ("French", "Réponds en français."),
    "hi": ("Hindi", "हिंदी में उत्तर दें।"),
    "it": ("Italian", "Rispondi in italiano."),
    "ja": ("Japanese", "日本語で答えてください。"),
    "ko": ("Korean", "한국어로 답하세요."),
    "nl": ("Dutch", "Antwoord in het Nederlands."),
    "pl": ("Polish", "Odpowiedz po polsku."),
    "pt": ("Portuguese", "Responda em português."),
    "ro": ("Romanian", "Răspunde în română."),
    "ru": ("Russian", "Отвечай на русском языке."),
    "sv": ("Swedish", "Svara på svenska."),
    "th": ("Thai", "ตอบเป็นภาษาไทย"),
    "tr": ("Turkish", "Türkçe cevap ver."),
    "uk": ("Ukrainian", "Відповідай українською."),
    "vi": ("Vietnamese", "Trả lời bằng tiếng Việt."),
    "zh": ("Chinese", "请用中文回答。"),
}
ENGLISH = "Translate into English. Write the translation only.\n\n{question}"
MIXED = "Answer in the language of the question."
SHARE = 0.8  # of the questions whose language is known, from which all count as being in one


def applies(program: System, task: Task, can: frozenset[str]) -> str | None:
    """A language is told in a prompt, and matters where something is written."""
    if "generate" not in can:
        return "the model writes nothing: it only chooses"
    return None


def own_language(source: str = "", target: str = "", through_english: bool = True) -> Technique:
    """Return the technique.

    Args:
        source: the language of the questions, as two letters; empty: as it is found.
        target: the language of the answers; empty: that of the questions.
        through_english: whether the way through English is tried, too: a call more an answer.
    """
    for option, given in (("source", source), ("target", target)):
        if given not in ("", *LANGUAGES):
            raise UserError(f"the option {option} is {given!r}.", do=f"It is one of: {', '.join(LANGUAGES)}.")
    if type(through_english) is not bool:
        raise UserError(f"the option through_english is {through_english!r}.", do="Write: through_english=False")

    def improve(program: System, bench: Bench) -> System:
        asked, share = (source, 1.0) if source else spoken(bench)
        wanted = target or asked
        if asked == wanted == "en":
            raise NotAvailable("questions, answers and instructions are all in English.", do="Leave own_language out.")
        bench.note("language", {"questions": asked or "several", "share": round(share, 3), "answers": wanted or "same"})
        program = replace(program, demos=_of_language(program, asked, bench))
        if not asked and not wanted:
            return _telling(program, MIXED)
        said = _sentence(asked, wanted)
        candidates = [("told in English", _telling(program, said)), ("told in it", _telling(program, native(wanted)))]
        if through_english and asked != "en":
            step = Step(free("in_english", program), ENGLISH, max_new_tokens=bench.max_new_tokens + 96)
            through = with_notes(_telling(program, said), (step,), bench)
            candidates.append(("through English", through))
        return bench.best(candidates, "own_language")

    return improve


def _sentence(asked: str, wanted: str) -> str:
    """What languages there are, in English."""
    question = f"The question is in {LANGUAGES[asked][0]}. " if asked in LANGUAGES else ""
    return f"{question}Answer in {LANGUAGES[wanted][0]}." if wanted in LANGUAGES else MIXED


def native(code: str) -> str:
    """ "Answer in it.", as it is said in a language; English where it is not known here."""
    return LANGUAGES[code][1] if code in LANGUAGES else MIXED


def spoken(bench: Bench) -> tuple[str, float]:
    """The language of the training questions and its share; "" where they are in several."""
    found = Counter(code for e in bench.train if (code := identify(e.question)[0]) != UNKNOWN)
    if not found:
        return "", 0.0
    code, n = found.most_common(1)[0]
    share = n / found.total()
    return (code, share) if share >= SHARE else ("", share)


def _telling(program: System, told: str) -> System:
    prompt = replace(program.prompt, instruction=f"{program.prompt.instruction} {told}".strip())
    return replace(program, prompt=prompt)


def _of_language(program: System, code: str, bench: Bench) -> tuple[Demo, ...]:
    """The worked examples in one language: others give their places to training examples in it."""
    kept = [d for d in program.demos if not code or identify(d.question)[0] in (code, UNKNOWN)]
    missing = len(program.demos) - len(kept)
    if not missing:
        return program.demos
    shown = {d.example_id for d in kept}
    pool = [e for e in usable(bench) if e.id not in shown and identify(e.question)[0] == code]
    bench.rng("own_language").shuffle(pool)
    return (*kept, *demonstrations(program, pool[:missing], bench))
