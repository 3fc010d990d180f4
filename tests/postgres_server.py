"""A real PostgreSQL, started by the tests in a folder of its own, as a user without rights on the machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OWNER = "owner"
PASSWORD = "right p@ss/word"
READY_S = 60.0
_PR_SET_PDEATHSIG = 1
_TABLES = ("runs", "run_tags", "run_months", "run_documents", "run_journals")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL here: `initdb` beside `postgres`."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name.zfill(4), reverse=True)
    return next((one for one in found if (one / "initdb").exists() and (one / "postgres").exists()), None)


def missing() -> str:
    """Why there is no PostgreSQL here, or nothing."""
    return "" if programs() else "needs initdb and postgres: apt-get install postgresql"


def _user() -> dict[str, Any]:
    """Who may run it: the server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL needs a user other than root, such as nobody")


def _free_port() -> int:
    """One that no program is given unasked, so that it is free again after a restart."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port


class Server:
    """One server: on a socket in its folder, where nobody is asked who he is, and on loopback, where a password is.

    `is_safe` keeps what is written through a crash; without it the disk is not waited for.
    """

    def __init__(self, is_safe: bool = False) -> None:
        found = programs()
        assert found is not None, missing()
        self._bin, self._user, self._is_safe = found, _user(), is_safe
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.tcp_port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self._shared: Any = None
        self._shared_name = ""
        try:
            if self._user:
                os.chown(self.folder, self._user["user"], self._user["group"])
            self._make()
            self.start()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user:
            os.chown(secret, self._user["user"], self._user["group"])
        base = [
            str(self._bin / "initdb"), "-D", str(self.folder / "data"), "-U", OWNER, "-E", "UTF8", "--no-sync",
            "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}", "--locale=C.UTF-8",
        ]  # fmt: skip
        letters = ["--locale-provider=icu", "--icu-locale=en-US"]  # ordered as in a dictionary, as on most servers
        for command in ([*base, *letters], base):
            done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, **self._user)
            if done.returncode == 0:
                return
            shutil.rmtree(self.folder / "data", ignore_errors=True)
        raise RuntimeError(f"initdb: {done.stderr}")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        for _ in range(5):  # another program may take the port first
            self.tcp_port = self.tcp_port or _free_port()
            settings = {
                "unix_socket_directories": str(self.folder), "listen_addresses": "127.0.0.1", "port": self.tcp_port,
                "shared_buffers": "16MB", "max_connections": 60, "fsync": "on" if self._is_safe else "off",
                "full_page_writes": "off", "synchronous_commit": "on" if self._is_safe else "off",
                "log_statement": "mod",
            }  # fmt: skip
            words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(self._bin / "postgres"), "-D", str(self.folder / "data"), *words],
                    stdout=log, stderr=log, cwd=self.folder, preexec_fn=_die_with_parent, **self._user,
                )  # fmt: skip
            if self._answers():
                return
            self.tcp_port = 0
        raise RuntimeError(f"postgres: {self.log()[-2000:]}")

    def _answers(self) -> bool:
        import psycopg

        until_s = time.monotonic() + READY_S
        while time.monotonic() < until_s:
            assert self._process is not None
            if self._process.poll() is not None:
                return False
            try:
                psycopg.connect(self.conninfo(), connect_timeout=5).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.02)
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it in order; SIGQUIT at once, as a crash would."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(READY_S)
            self._process = None

    def close(self) -> None:
        """Stop it and throw all away."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it wrote: every statement that changes something, too."""
        return (self.folder / "log").read_text(errors="replace")

    def conninfo(self, database: str = "postgres", user: str = OWNER) -> str:
        return f"host={self.folder} port={self.tcp_port} user={user} dbname={database}"

    def url(self, database: str = "postgres", user: str = OWNER) -> str:
        """Over the socket, without a password."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.tcp_port}"

    def tcp(self, database: str = "postgres", user: str = OWNER, password: str = "") -> str:
        """Over loopback."""
        told = f"{user}:{password}" if password else user
        return f"postgresql://{told}@127.0.0.1:{self.tcp_port}/{database}"

    @contextlib.contextmanager
    def connected(self, database: str = "postgres", user: str = OWNER) -> Iterator[Any]:
        """A connection that commits each statement."""
        import psycopg

        with psycopg.connect(self.conninfo(database, user), autocommit=True) as connection:
            yield connection

    def sql(self, statement: str, database: str = "postgres", user: str = OWNER) -> list[Any]:
        """What one statement answers."""
        with self.connected(database, user) as connection:
            done = connection.execute(statement)
            return list(done.fetchall()) if done.description else []

    def new(self) -> str:
        """The name of a new, empty database."""
        self._count += 1
        self.sql(f"CREATE DATABASE db{self._count}")
        return f"db{self._count}"

    def empty(self) -> str:
        """The URL of a ledger without runs, the same each time."""
        import psycopg

        from footprint import store

        if not self._shared_name:
            self._shared_name = self.new()
            store.open_ledger(self.url(self._shared_name)).close()
        if self._shared is None:
            self._shared = psycopg.connect(self.conninfo(self._shared_name), autocommit=True)
            self._shared.execute("SET lock_timeout = '60s'")
        for table in _TABLES:
            self._shared.execute(f"DELETE FROM {table}")
        return self.url(self._shared_name)


def _die_with_parent() -> None:
    """However the tests end, the server does too."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
