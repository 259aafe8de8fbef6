"""The commonest words of twelve languages, as they stand in any text of them."""

from __future__ import annotations

from functools import cache

WORDS = {
    "en": "the of and to in is that it for was on are as with be at this by have from or not but they you which can "
    "an their were has will would what when there been if more who its do does how your our his her he she we my me",
    "de": "der die das und in zu den ist nicht von mit sich des auf für im dem ein eine es an werden aus er hat dass "
    "sie nach bei um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man ich "
    "wird kann wir ihr mir auch",
    "fr": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont avec ou son "
    "aux été cette mais ont comme nous vous leur ses être fait elle deux même ces tout sans peut je mon votre sa lui "
    "avez très où",
    "es": "de la que el en y los se del las por un para con no una su al lo como más pero sus le ya este sí porque "
    "esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra "
    "ser es son fue está",
    "it": "di e il la che in a per un del non con sono le si da una come più i della al anche nel dei alla ma lo gli "
    "ha delle ed se questo dal o ai degli nella mi essere suo era ci cui tra sua hanno molto perché quando è della",
    "pt": "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua ou "
    "quando muito nos já eu também só pelo pela até isso ela entre depois sem mesmo aos seus quem nas me esse eles "
    "você são foi está ser tem",
    "nl": "de van een het en in is dat op te zijn met voor niet aan er om ook als dan maar bij of door over uit naar "
    "heeft hebben ze was wordt nog worden deze wel geen meer kan u hij zo tot je werd die veel moet onze wij ik mijn "
    "hoe wat kunnen",
    "pl": "w i na z się do nie że jest o to jak po od za przez co dla tym są a przy ale czy tego ich lub oraz może "
    "był być tylko już które który jego jej które także ze pod gdy przed może mnie można będzie który bardzo nas",
    "sv": "och i att det som en på är av för med den till inte har de ett om var vi kan från men så han under när jag "
    "sig eller efter ut upp då skulle hade detta vara alla här mycket sin nu mot där över man ska även också min er",
    "da": "og i at det er en til på som af for med den ikke de har der et var vi kan fra men så han om sig eller efter "
    "ud op da skulle havde dette være alle her meget sin nu mod hvor over man skal også blev jeg min hvad du bliver",
    "tr": "ve bir bu da de için ile olarak çok daha olan gibi en kadar ne ama sonra her ya var o mi değil ki olduğu "
    "tarafından ise veya şey şu göre nasıl ben sen biz onun bana bunu mı diye yok oldu hiç kendi iki ancak",
    "fi": "ja on ei se että hän oli ovat mutta myös kun niin kuin sen joka tai jos mitä minä ole olla vain ollut sitä "
    "mukaan nyt voi vielä kanssa ne jo tämä tämän jonka siitä olisi hänen sekä itse sinä me he miten missä jotka",
}


@cache
def stop_words(language: str) -> frozenset[str]:
    """The words of one language, or with "any" those of all."""
    if language == "any":
        return frozenset(w for words in WORDS.values() for w in words.split())
    return frozenset(WORDS.get(language, "").split())
