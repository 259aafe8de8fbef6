"""Each cleaner on texts made by hand, and a run of several with its counts, drops and reasons."""

from __future__ import annotations

from typing import Any

import pytest

from sharpen.data.cleaners.language import identify
from sharpen.data.cleaning import Change, Cleaned, Cleaning, Gone, Outcome, clean
from sharpen.errors import PluginError, UserError


def one(cleaner: str, text: str, **options: Any) -> tuple[str | None, tuple[str, ...]]:
    """What remains of a text, and the rules that hit."""
    done = clean([text], {cleaner: options})
    hits = tuple(name.partition(".")[2] for name, n in done.counts.items() if n)
    return (done.kept[0]["text"] if done.kept else None), hits


PROSE = (
    "The library opens at nine in the morning and closes at six in the evening. Readers who want to borrow books need "
    "a card that costs five francs and is valid for one year. Books may be kept for four weeks, and it is possible to "
    "renew them twice, unless another reader has asked for them. Who returns a book late pays a small fee for each day."
)


@pytest.mark.parametrize(
    ("text", "after", "rules"),
    [
        ("Plain text.\n\nStays.", "Plain text.\n\nStays.", ()),
        ("Cafe\u0301", "Café", ("unicode",)),
        (" a\t b \r\n\r\n\r\n\r\nc ", "a b\n\nc", ("white_space",)),
        ("soft\u00adware\u200b", "software", ("invisible",)),
        ("two\u00a0words", "two words", ("white_space",)),
        ("👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم", ()),
        ("ﬁ ２", "ﬁ ２", ()),  # NFC, not NFKC: what was written stays
        ("Why?  \n\n\n    if x:\n        y  = 1", "Why?\n\n    if x:\n        y = 1", ("white_space",)),
        ("def f():\n    if x:\n\treturn", "def f():\n    if x:\n\treturn", ()),
        ("    if x:", "    if x:", ()),
        ("\n  a:\n    b", "  a:\n    b", ("white_space",)),
        ("  two  words ", "two words", ("white_space",)),
        ("- a\n  - b\n    c", "- a\n  - b\n    c", ()),
        ("So:\n```py\na  = 1\n\n\n\tb\n```\nthe  end", "So:\n```py\na  = 1\n\n\n\tb\n```\nthe end", ("white_space",)),
        ("It is $a  +  b$  and `x  y`.", "It is $a  +  b$ and `x  y`.", ("white_space",)),
        ("> ~~~\n> a  b\n> ~~~\na  b", "> ~~~\n> a  b\n> ~~~\na b", ("white_space",)),
    ],
)
def test_normalise(text: str, after: str, rules: tuple[str, ...]) -> None:
    assert one("normalise", text) == (after, rules)


def test_only_the_named_field_is_touched() -> None:
    row = {"text": " a  b ", "answer": " Cafe\u0301  x "}
    assert clean([row], ["normalise"]).kept == [{"text": "a b", "answer": " Cafe\u0301  x "}]
    assert clean([row], ["normalise"], "answer").kept == [{"text": " a  b ", "answer": "Café x"}]


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        ("CafÃ© MÃ¼nchen", "Café München"),
        ("donâ€™t say â€œnoâ€\x9d â€“ everâ€¦", "don’t say “no” – ever…"),
        ("100Â\xa0â‚¬ and 5Â°C", "100\xa0€ and 5°C"),
        ("ÃƒÂ©tÃƒÂ©", "été"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет"),
        ("Å¡koda Å¾ena", "škoda žena"),
        ("æ—¥æœ¬èªž", "日本語"),
        ("ok ðŸ˜€", "ok 😀"),
    ],
)
def test_encoding_damage_is_repaired(damaged: str, whole: str) -> None:
    assert one("encoding", damaged)[0] == whole
    assert one("encoding", whole) == (whole, ())


@pytest.mark.parametrize(
    "text",
    ["„Das Ä“ sagte er", "Spaß… und Fuß“", "déjà\u00a0» vu", "ÂME", "SÃO PAULO", "Ärger – Öl – Übel", "à «\u00a0mot»"],
)
def test_what_is_whole_is_left(text: str) -> None:
    assert one("encoding", text) == (text, ())


def test_lost_characters() -> None:
    done = clean(["a" * 500 + "\ufffd", "caf\ufffd is lost"], ["encoding"])
    assert done.places == [0]
    assert done.dropped == [
        Gone(1, {"text": "caf\ufffd is lost"}, "encoding.lost_characters", "1 of its 12 characters are lost (U+FFFD)")
    ]


@pytest.mark.parametrize(
    ("text", "after", "rules"),
    [
        ("a < b & c > d, see <unk> and List<int>", "a < b & c > d, see <unk> and List<int>", ()),
        ("<p>One<br/>two</p>", "\nOne\ntwo\n", ("tags",)),
        ('<a href="x">link</a> <B>bold</B>', "link bold", ("tags",)),
        ("AT&amp;T &lt;3 caf&eacute; &#8211; &amp;amp;", "AT&T <3 café – &", ("entities",)),
        ("x<!-- hidden -->y", "xy", ("comments",)),
        ("a<script type='t'>var x = '<p>';</script>b<style>p{}</style>c", "abc", ("scripts",)),
        ("[b]fat[/b] [[Paris|the city]] [[Rome]] [1]", "fat the city Rome [1]", ("forum_code", "wiki_links")),
    ],
)
def test_markup(text: str, after: str, rules: tuple[str, ...]) -> None:
    assert one("markup", text) == (after, rules)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("We use cookies to improve your experience.", "cookies"),
        ("Accept all cookies", "cookies"),
        ("Alle Cookies akzeptieren", ""),
        ("Please enable JavaScript to view this page.", "javascript"),
        ("© 2024 Acme Inc. All rights reserved.", "rights"),
        ("Privacy Policy", "policy"),
        ("Share on Facebook", "sharing"),
        ("Subscribe to our newsletter for weekly news", "sharing"),
        ("Skip to main content", "navigation"),
        ("Read more »", "navigation"),
        ("Page 3 of 12", "page_number"),
        ("Seite 4", "page_number"),
        ("Home | About | Contact | Jobs", "menu"),
        ("| 3 | 4 | 5 | 6 |", ""),
        ("Bake the cookies for ten minutes.", ""),
        ("Our privacy policy says that data are kept for a year.", ""),
        ("We search for a new home.", ""),
    ],
)
def test_boilerplate(line: str, rule: str) -> None:
    text = f"Before.\n{line}\nAfter."
    assert one("boilerplate", text) == (("Before.\nAfter.", (rule,)) if rule else (text, ()))


def test_a_text_of_boilerplate_alone_is_dropped() -> None:
    done = clean(["Skip to content\nPage 1 of 2"], ["boilerplate"])
    assert done.dropped[0].rule == "boilerplate.navigation"
    assert done.counts["boilerplate.page_number"] == 1


LONG = PROSE.split()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (PROSE, ""),
        ("Four words are few", "few_words"),
        ("word " * 100_001, "many_words"),
        (" ".join("ab"[i % 2] for i in range(60)), "word_length"),
        ("the of " + "1234 " * 60 + "word " * 10, "letters"),
        (" ".join(f"#{w}" if i % 5 == 0 else w for i, w in enumerate(LONG)), "symbols"),
        ("xqz vrt plm " * 2 + " ".join(f"zq{i}x" for i in range(60)), "stop_words"),
        ("\n".join("- " + " ".join(LONG[k : k + 5]) for k in range(0, 60, 5)), "bullets"),
        ("\n".join(" ".join(LONG[k : k + 5]) + (" ..." if k % 15 else "") for k in range(0, 60, 5))[:-4], "symbols"),
        ("\n".join(" ".join(LONG[k : k + 6]) + (" …" if k % 24 == 0 else "") for k in range(0, 60, 6)), ""),
        ("\n".join(" ".join(LONG[k : k + 5]) + (" …" if k % 15 == 0 else "") for k in range(0, 60, 5)), "ellipses"),
        (
            "\n".join(["The very same line stands here."] * 4 + ["One.", "Two of it.", "Three."]),
            "repeated_lines",
        ),
        ("\n\n".join(["A paragraph\nof two lines."] * 3 + ["Own one\nhere.", "Two\nhere."]), "repeated_lines"),
        ("buy the pills of now " * 15 + " ".join(f"w{i}ord" for i in range(20)), "repeated_words"),
        ("Here stands lorem ipsum dolor sit amet.", "placeholder"),
        ("日本語の文章はここにあります。" * 3, ""),
    ],
)
def test_quality(text: str, rule: str) -> None:
    done = clean([text], ["quality"])
    assert [g.rule for g in done.dropped] == ([f"quality.{rule}"] if rule else [])
    assert done.counts.total() == len(done.dropped)
    if rule:
        assert clean([text], {"quality": {"off": [rule]}}).counts[f"quality.{rule}"] == 0


def test_repeated_words_are_those_of_the_full_count() -> None:
    """The shortcut that spares counting n-grams never changes what is found."""
    import random
    from collections import Counter

    draw = random.Random(0)
    for n in range(300):
        words = [draw.choice(["alpha", "be", "gammagamma", "d", "the", "of"][: 2 + n % 5]) for _ in range(60)]
        words += [f"unique{k}" for k in range(draw.randrange(200))]
        draw.shuffle(words)
        text, slow = " ".join(words), False
        for k, most in ((2, 0.20), (3, 0.18), (4, 0.16)):
            gram, count = Counter(zip(*(words[i:] for i in range(k)), strict=False)).most_common(1)[0]
            slow |= count > 1 and count * sum(map(len, gram)) / len(text) > most
        off = ["word_length", "stop_words", "letters"]
        assert bool(clean([text], {"quality": {"off": off}}).dropped) == slow


def test_lengths() -> None:
    texts = [PROSE[: 60 + i] for i in range(100)] + ["a", "word " * 5_000]
    done = clean(texts, ["lengths"])
    assert [(g.at, g.rule) for g in done.dropped] == [(100, "lengths.outlier_short"), (101, "lengths.outlier_long")]
    assert done.dropped[1].reason.startswith("5000 words, and others have ")
    assert one("lengths", "a b c d", most=3) == (None, ("too_long",))
    assert not clean(["one two three"] * 50 + ["a b c d e"], ["lengths"]).dropped
    assert not clean(["a", "word " * 500], ["lengths"]).dropped, "of a few texts none is an outlier"


def test_missing_values() -> None:
    rows = [{"text": "x", "city": "Bern", "age": 30}, {"text": "y", "city": " N/A ", "age": None}]
    rows += [{"text": "z", "city": "Bern", "age": 50}, {"text": "", "city": "Chur", "age": 40}, {"city": "Bern"}]
    fields = {"text": "drop", "city": "mode", "age": "median", "country": {"value": "CH"}}
    done = clean(rows, {"missing": {"fields": fields}})
    assert done.kept[0] == {"text": "x", "city": "Bern", "age": 30, "country": "CH", "imputed": ["country"]}
    assert done.kept[1] == {
        "text": "y", "city": "Bern", "age": 40, "country": "CH", "imputed": ["city", "age", "country"],
    }  # fmt: skip
    assert [(g.at, g.rule, g.reason) for g in done.dropped] == [
        (3, "missing.dropped.text", "text has no value"),
        (4, "missing.dropped.text", "text has no value"),
    ]
    assert done.counts == {"missing.dropped.text": 2, "missing.imputed.city": 1, "missing.imputed.age": 1} | {
        "missing.imputed.country": 3
    }
    assert clean(rows[:1] + rows[2:3], {"missing": {"fields": {"age": "mean", "x": "mode"}}}).dropped[0].reason == (
        "x has no value, and no other row has one"
    )
    with pytest.raises(UserError, match="cannot fill age by 'guess'"):
        clean(rows, {"missing": {"fields": {"age": "guess"}}})


SAID = {
    "en": "The parcel was sent back because nobody was at home when it came.",
    "de": "Das Paket wurde zurückgeschickt, weil niemand zu Hause war, als es kam.",
    "fr": "Le colis a été renvoyé parce que personne n'était à la maison quand il est arrivé.",
    "es": "El paquete fue devuelto porque no había nadie en casa cuando llegó.",
    "it": "Il pacco è stato rispedito perché non c'era nessuno in casa quando è arrivato.",
    "pt": "O pacote foi devolvido porque não havia ninguém em casa quando ele chegou.",
    "nl": "Het pakket is teruggestuurd omdat er niemand thuis was toen het aankwam.",
    "pl": "Paczka została odesłana, ponieważ nikogo nie było w domu, kiedy przyszła.",
    "sv": "Paketet skickades tillbaka eftersom ingen var hemma när det kom.",
    "da": "Pakken blev sendt tilbage, fordi der ikke var nogen hjemme, da den kom.",
    "tr": "Paket geri gönderildi çünkü geldiğinde evde hiç kimse yoktu ve bu çok kötü bir şey.",
    "fi": "Paketti lähetettiin takaisin, koska kukaan ei ollut kotona kun se tuli.",
    "ru": "Посылку отправили назад, потому что дома никого не было.",
    "el": "Το δέμα στάλθηκε πίσω γιατί δεν ήταν κανείς στο σπίτι.",
    "ar": "أعيد الطرد لأنه لم يكن أحد في المنزل.",
    "zh": "包裹被退回了，因为家里没有人。",
    "ja": "家に誰もいなかったので荷物は返送されました。",
    "ko": "집에 아무도 없어서 소포가 반송되었습니다.",
}


@pytest.mark.parametrize("code", SAID)
def test_language(code: str) -> None:
    assert identify(SAID[code])[0] == code


@pytest.mark.parametrize("asked", ["I want to get a refund.", "Why did I get declined during a transfer?"])
def test_a_short_question_is_english_though_other_languages_have_its_words(asked: str) -> None:
    assert identify(asked)[0] == "en"


@pytest.mark.parametrize("text", ["", "\ud800 \udfff a b c d", "a\nb\0c\nd e f g", "\u200b" * 99, "1 2 3 4 5 6"])
def test_whatever_is_no_language_is_answered(text: str) -> None:
    code, share = identify(text)
    assert (code == "unknown") == (share == 0.0)


def test_other_languages_go_and_unsure_ones_stay() -> None:
    texts = [SAID["en"], SAID["de"], "OK", "12345 67890 !!! ???", "Xqz vrtpl mnbv kkl"]
    done = clean(texts, {"language": {"keep": ["en"]}})
    assert done.places == [0, 2, 3, 4]
    assert done.dropped[0].reason == "it is de, and en is kept"
    assert done.said["language"] == {0: "en", 1: "de", 2: "unknown", 3: "unknown", 4: "unknown"}


THINGS = ("coat", "shoes", "lamp", "book", "chair", "table", "radio", "watch", "ring", "bag", "hat", "scarf")
SHOP = [f"You may return the {x} within thirty days, and the shop pays the postage for the parcel." for x in THINGS]
SPAM = [f"WIN {x} NOW!!! click click casino bonus free free $$$ jackpot" for x in ("cash", "gold", "cars", "trips")] * 6


def test_a_classifier_keeps_what_is_like_the_good() -> None:
    pytest.importorskip("sklearn")
    fresh = [
        "You may return the clock within thirty days, and the shop pays the postage.",
        "casino jackpot click free bonus",
    ]
    done = clean([*fresh, *SPAM], {"classifier": {"good": SHOP}})
    assert done.places == [0]
    assert done.scores["classifier"][0] > 0.75
    assert done.scores["classifier"][1] < 0.2
    assert clean(fresh + SPAM, {"classifier": {"good": SHOP, "least": 0}}).places == list(range(26))
    with pytest.raises(UserError, match="0 good texts are too few"):
        clean(fresh, ["classifier"])


def test_outliers_are_far_from_their_nearest() -> None:
    things, ways = ("parcel", "letter", "invoice", "refund", "order"), ("not arrive", "come late", "cost so much")
    usual = [f"Why did my {t} {w} last {d}?" for t in things for w in ways for d in ("week", "month", "Monday", "year")]
    planted = ["Lorem ipsum dolor sit amet", "zxcv 88120 qwer", "Der Zug fährt um neun Uhr ab.", ""]
    done = clean([*usual, *planted], ["outliers"])
    assert [g.at for g in done.dropped] == [60, 61, 62, 63]
    assert done.dropped[0].reason.startswith("its nearest are ")
    scores = done.scores["outliers"]
    assert len(scores) == 64
    assert max(scores[i] for i in range(60)) < min(scores[i] for i in range(60, 64))
    assert not clean([*usual, *planted], {"outliers": {"far": 200}}).dropped  # only scores
    assert not clean(usual[:9] + planted, ["outliers"]).dropped  # too few to say what is usual


def test_the_distance_is_the_one_of_sklearn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    texts = [f"{PROSE[i * 3 : i * 3 + 60]} {i}" for i in range(40)]
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(texts)
    away, _ = NearestNeighbors(n_neighbors=4, metric="cosine").fit(rows).kneighbors(rows)
    scores = clean(texts, {"outliers": {"neighbours": 3, "far": 50}}).scores["outliers"]
    assert [scores[i] for i in range(40)] == pytest.approx(away[:, 1:].mean(axis=1).tolist(), abs=2e-3)


def test_relevance_to_the_task() -> None:
    texts = ["Returning a parcel costs no postage.", "The volcano erupted at dawn above glaciers.", "", *SHOP[:3]]
    texts += [f"Planet {i} was seen by {i} astronomers." for i in range(9)]
    done = clean(texts, {"relevance": {"about": SHOP, "least": 0.2}})
    assert done.places == [0, 3, 4, 5]
    assert {g.rule for g in done.dropped} == {"relevance.off_topic"}
    scores = done.scores["relevance"]
    assert scores[1] < 0.2 < scores[0] < scores[3]
    with pytest.raises(UserError, match="does not know what the task is about"):
        clean(texts, ["relevance"])


def test_several_in_order_with_what_they_did() -> None:
    rows = ["  &lt;b&gt;" + PROSE + "&lt;/b&gt; ", "too few", "CafÃ© " + PROSE, PROSE]
    done = clean(rows, ["encoding", "markup", "normalise", "quality"])
    assert [r["text"] for r in done.kept] == [PROSE, "Café " + PROSE, PROSE]
    assert done.places == [0, 2, 3]
    assert done.dropped == [Gone(1, {"text": "too few"}, "quality.few_words", "2 words, and 5 are asked for")]
    hits = {name: n for name, n in done.counts.items() if n}
    assert hits == {"encoding.mojibake": 1, "markup.entities": 1, "markup.tags": 1} | {
        "normalise.white_space": 1, "quality.few_words": 1,
    }  # fmt: skip
    assert done.counts["quality.placeholder"] == 0
    (shown,) = done.changes["encoding.mojibake"]
    assert shown == Change(2, shown.before, shown.after)
    assert shown.before.startswith("CafÃ©")
    assert shown.after.startswith("Café")


def test_learning_sees_what_the_cleaners_before_left() -> None:
    """The lorem ipsum texts are long; were they not dropped first, the short ones would be the outliers."""
    texts = ["lorem ipsum " * 2_000] * 60 + [PROSE] * 40
    assert clean(texts, ["quality", "lengths"]).places == list(range(60, 100))
    assert clean(texts, ["lengths"]).places == list(range(60))


def test_batches_make_no_difference() -> None:
    texts = [f"{PROSE[i % 50 :]} {i}" if i % 7 else "x" for i in range(2_500)]
    whole = clean(texts, ["normalise", "quality"])
    cleaning, into = Cleaning(["normalise", "quality"]), Cleaned()
    for at in range(0, len(texts), 64):
        cleaning.batch([{"text": t} for t in texts[at : at + 64]], at, into)
    assert (into.places, into.kept, into.dropped, into.counts) == (
        whole.places,
        whole.kept,
        whole.dropped,
        whole.counts,
    )
    assert len(whole.dropped) == 358


def test_mistakes_are_said() -> None:
    with pytest.raises(UserError, match="there is no cleaner called 'qualty'. Did you mean quality"):
        clean(["x"], ["qualty"])
    with pytest.raises(UserError, match="cleaner quality: .*unexpected keyword argument 'leest'.*parts show quality"):
        clean(["x"], {"quality": {"leest": 3}})
    with pytest.raises(UserError, match="no stop words of 'xx' are known"):
        clean(["x"], {"quality": {"language": "xx"}})


def test_rows_without_the_text_pass_and_a_cleaner_of_ones_own_works() -> None:
    from sharpen.data.cleaning import TextCleaner

    def shouted(texts: Any) -> list[Outcome]:
        return [Outcome(t.lower(), ("loud",) if t != t.lower() else ()) for t in texts]

    rows = [{"text": "ABC"}, {"text": None}, {"other": 1}, {"text": "abc"}]
    done = clean(rows, {"shouting": TextCleaner(("loud",), shouted)})
    assert done.kept == [{"text": "abc"}, {"text": None}, {"other": 1}, {"text": "abc"}]
    assert done.counts == {"shouting.loud": 1}


def test_a_cleaner_that_returns_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharpen.data.cleaners.normalise.normalise", lambda: 3)
    with pytest.raises(PluginError, match="cleaner normalise"):
        clean(["x"], ["normalise"])
