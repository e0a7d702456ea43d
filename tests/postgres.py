"""A server of PostgreSQL for one test, where its programs are installed."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "postgres"  # the programs refuse to run as root


@dataclass(frozen=True)
class Server:
    """A server that runs, and the URL of its database."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/postgres?host={self.folder}&port={self.port}"


@contextmanager
def serving() -> Iterator[Server]:
    """In the body, a server answers on a socket. Skips the test where there is none."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(found).parent for found in [shutil.which("initdb")] if found
    ]
    if not programs:
        pytest.skip("PostgreSQL is not installed")
    owner = USER if os.getuid() == 0 else None
    if owner is not None:
        try:
            pwd.getpwnam(owner)
        except KeyError:
            pytest.skip(f"there is no user {USER}, and PostgreSQL does not run as root")
    place = Path("/tmp") / f"litmus-postgres-{os.getpid()}"  # a socket's path has at most 107 characters
    place.mkdir(mode=0o755)
    try:
        if owner is not None:
            shutil.chown(place, owner)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])

        def run(name: str, *words: str) -> None:
            command = [str(programs[-1] / name), *words]
            subprocess.run(command, user=owner, cwd=place, check=True, stdout=subprocess.DEVNULL)

        run("initdb", "--pgdata", str(place / "data"), "--username", USER, "--auth", "trust", "--no-sync")
        options = f"-p {port} -c listen_addresses='' -c unix_socket_directories={place} -c fsync=off"
        run("pg_ctl", "start", "--wait", "--pgdata", str(place / "data"), "--log", str(place / "log"), "-o", options)
        try:
            yield Server(port, place)
        finally:
            run("pg_ctl", "stop", "--pgdata", str(place / "data"), "--mode", "immediate")
    finally:
        shutil.rmtree(place)
