"""Files that documents are written to, so that a folder of them is read as the documents that they were."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

LONGEST = 180  # characters of a folder's or file's name; file systems take 255 bytes
_NO_NAME = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]|[\ud800-\udfff]')
_MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
_TEXT = (".txt", ".text")


class Names:
    """Gives each document a file of its own below a folder, and never one outside of it."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()

    def take(self, source: str, suffixes: tuple[str, ...], suffix: str) -> str:
        """Return a relative path that is free: the source's own where it ends in one of ``suffixes``."""
        parts = [_part(p) for p in source.split("/") if p not in ("", ".", "..")] or ["document"]
        if not parts[-1].lower().endswith(suffixes):
            parts[-1] += suffix
        stem, end = parts[-1][: -len(PurePosixPath(parts[-1]).suffix)], PurePosixPath(parts[-1]).suffix
        for n in range(1, 1_000_000):
            name = stem + (f"-{n}" if n > 1 else "") + end
            folders = ["/".join(parts[:k]).casefold() for k in range(1, len(parts))]
            path = "/".join([*parts[:-1], name])
            free = path.casefold() not in self.files | self.folders
            if free and not self.files.intersection(folders):
                break
            if self.files.intersection(folders):  # a file has the name of one of its folders
                parts = ["_".join(parts[:-1]), parts[-1]]
        self.files.add(path.casefold())
        self.folders.update(folders)
        return path


def _part(name: str) -> str:
    """One name of a path, as every system takes it, and never that of a hidden file."""
    made = _NO_NAME.sub("_", name).strip(" ")
    made = "_" + made[1:] if made.startswith((".", "~$")) else made
    made = made or "_"
    if made == "__MACOSX":
        made = "_MACOSX"
    if len(made.encode()) > LONGEST:
        end = PurePosixPath(made).suffix if len(PurePosixPath(made).suffix) < 10 else ""
        short = made.encode()[: LONGEST - 30].decode("utf-8", "ignore")
        made = f"{short}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:12]}{end}"
    return made


def written(source: str, title: str, text: str) -> tuple[tuple[str, ...], str, str]:
    """Return what endings a document may keep, the one that it gets otherwise, and what its file holds.

    Plain text stays plain. All others are Markdown, with the title in front where the text itself does not say it.
    """
    stem = PurePosixPath(source).stem
    if source.lower().endswith(_TEXT) and title == stem:
        return _TEXT, ".txt", text
    plain = " ".join(title.split())
    heading = re.search(r"^#{1,6}[ \t]+(.+)$", text, re.M)
    said = heading[1].rstrip(" \t#").strip().strip("\"'").strip() if heading else ""
    bare = said == plain or (not said and plain == stem and source.lower().endswith(_MARKDOWN))
    if bare and not text.startswith("---"):
        return _MARKDOWN, ".md", text
    return _MARKDOWN, ".md", f"---\ntitle: {plain}\n---\n{text}"
