"""Start, adopt and stop a private PostgreSQL server in one data directory.

Root may not run PostgreSQL, so as root the programs run inside a user namespace where they see another user;
nothing on the machine is created or opened for that. Where namespaces are off, they run as ``nobody``.
The server outlives a killed application on purpose: the next start finds it and goes on with it.
"""

import contextlib
import hashlib
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from shouxin.pg.binaries import Binaries, DatabaseUnavailableError, list_binaries

OWNER = "shouxin"
SOCKET_PATH_BYTES_MAX = 90  # the kernel allows 107; the name of the socket file itself takes the rest

DURABLE: tuple[tuple[str, str], ...] = (("fsync", "on"), ("synchronous_commit", "on"))
_DYING_SECONDS_MAX = 10

THROWAWAY: tuple[tuple[str, str], ...] = (
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
)


@dataclass(frozen=True, slots=True)
class PrivateServer:
    """One data directory and the programs that serve it."""

    folder: Path
    binaries: Binaries
    settings: Sequence[tuple[str, str]] = field(default=DURABLE)

    @property
    def data(self) -> Path:
        return self.folder / "postgresql"

    @property
    def log(self) -> Path:
        return self.folder / "postgresql.log"

    @property
    def socket_folder(self) -> Path:
        """Inside the folder when the path is short enough for a Unix socket, else in a private temporary one."""
        inside = self.folder / "run"
        if len(os.fsencode(inside.resolve())) <= SOCKET_PATH_BYTES_MAX:
            return inside.resolve()
        digest = hashlib.sha256(os.fsencode(self.folder.resolve())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"shouxin-{os.getuid()}-{digest}"

    def url(self, database: str) -> str:
        """Connection URL for one database of this server."""
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self.socket_folder), safe='')}"

    def start(self) -> None:
        """Create the data directory when it is new, and start the server unless it runs already.

        Raises:
            DatabaseUnavailableError: another major version's data, or the server does not come up.
        """
        self._check_version()
        self._check_reachable()
        self._prepare_folders()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if self.is_running():
            return
        self._drop_stale_pid_file()
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "max_connections": "120",
            "timezone": "UTC",
            **dict(self.settings),
        }
        words = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        try:
            self._run("pg_ctl", "start", "-w", "-s", "-D", str(self.data), "-l", str(self.log), "-o", words)
        except subprocess.CalledProcessError as error:
            tail = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
            raise DatabaseUnavailableError(
                f"PostgreSQL did not start in {self.data}.\n{error.stderr or ''}\nLast lines of {self.log}:\n{tail}"
            ) from error

    def stop(self) -> None:
        """Stop the server and wait until its data is on disk; nothing happens when it is not running."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", str(self.data))

    def is_running(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            # "starting up" and "too many clients" come from a living server.
            return error.sqlstate is not None
        return True

    def ensure_database(self, name: str) -> None:
        """Create a database unless it is there, and check that Chinese text can be searched in it."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        with psycopg.connect(self.url(name)) as connection:
            row = connection.execute("SELECT datctype FROM pg_database WHERE datname = current_database()").fetchone()
        if row is None or row[0].upper().replace("-", "") != "C.UTF8":
            # In the plain C locale, pg_trgm finds no letters in Chinese text and every search comes back empty.
            raise DatabaseUnavailableError(
                f"{self.data} has the character type {row and row[0]}, C.UTF-8 is needed; move it away and start again."
            )

    def _check_version(self) -> None:
        marker = self.data / "PG_VERSION"
        if not marker.exists():
            return
        made_by = int(marker.read_text().strip())
        if made_by == self.binaries.major:
            return
        fitting = [found for found in list_binaries() if found.major == made_by]
        advice = (
            f"Start with SHOUXIN_PG_BIN={fitting[0].folder}"
            if fitting
            else f"Install PostgreSQL {made_by} ('apt-get install postgresql-{made_by}') and set SHOUXIN_PG_BIN"
        )
        raise DatabaseUnavailableError(
            f"The data in {self.data} was made by PostgreSQL {made_by}, but {self.binaries.folder} "
            f"({self.binaries.origin}) is {self.binaries.major}; nothing was changed. {advice}; or take a "
            f"pg_dump with the old programs and load it into a new data directory (--data)."
        )

    def _check_reachable(self) -> None:
        """As root without user namespaces the programs run as another account, which must be able to get here."""
        if _account_without_namespace() is None:
            return
        for wanted, advice in (
            (self.folder, "give a folder with --data"),
            (self.binaries.folder, "set SHOUXIN_PG_BIN"),
        ):
            for parent in [wanted.resolve(), *wanted.resolve().parents][1:]:
                if parent.exists() and not parent.stat().st_mode & 0o001:
                    raise DatabaseUnavailableError(
                        f"User namespaces are off here, so root starts PostgreSQL as 'nobody', who cannot enter "
                        f"{parent}. Either {advice} that every user can reach, such as /var/tmp/shouxin, or run "
                        f"as an ordinary user, or set DATABASE_URL."
                    )

    def _prepare_folders(self) -> None:
        for folder in (self.folder, self.data, self.socket_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = _account_without_namespace()
            if owner is not None:
                os.chown(folder, owner.pw_uid, owner.pw_gid)
            elif folder.stat().st_uid != os.getuid():
                raise DatabaseUnavailableError(f"{folder} belongs to another user; give another folder with --data.")
            folder.chmod(0o700)

    def _initialise(self) -> None:
        self._run(
            "initdb",
            *("-D", str(self.data), "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--no-instructions",),
        )

    def _drop_stale_pid_file(self) -> None:
        """After a crash the number in the pid file may belong to any other program by now, or to a dead one."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        deadline = time.monotonic() + _DYING_SECONDS_MAX
        while _is_living_server(pid) and not self.is_running() and time.monotonic() < deadline:
            time.sleep(0.05)  # it is on its way up or down
        if not _is_living_server(pid):
            pid_file.unlink(missing_ok=True)
            for left_over in self.socket_folder.glob(".s.PGSQL.*"):
                left_over.unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> None:
        account = _account_without_namespace()
        prefix = ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if _uses_namespace() else []
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
        # pg_ctl leaves the server holding its output, so a pipe would never close: write to a file instead.
        with tempfile.TemporaryFile("w+") as output:
            outcome: subprocess.CompletedProcess[Any] = subprocess.run(  # noqa: S603 - our own argument list
                [*prefix, self.binaries.program(program), *arguments],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                check=False,
            )
            output.seek(0)
            outcome.stderr = output.read()
        outcome.check_returncode()


def _is_living_server(pid: int) -> bool:
    """Whether a process is a PostgreSQL server and not just the remains of one that nobody collected."""
    try:
        name_and_state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    name, _, rest = name_and_state.partition("(")[2].rpartition(")")
    return name == "postgres" and rest.split()[0] not in {"Z", "X"}


def _account_without_namespace() -> pwd.struct_passwd | None:
    """The account to run as when we are root and user namespaces are switched off."""
    if os.getuid() != 0 or _uses_namespace():
        return None
    return pwd.getpwnam("nobody")


@cache
def _uses_namespace() -> bool:
    if os.getuid() != 0 or os.environ.get("SHOUXIN_PG_NO_NAMESPACE"):
        return False
    try:
        trial = subprocess.run(
            ["unshare", "-U", "--map-user=1000", "--map-group=1000", "true"],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return trial.returncode == 0
