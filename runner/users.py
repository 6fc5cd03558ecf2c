"""PostgreSQL refuses to run as root, rightly. When root starts Hearthside, PostgreSQL runs as an ordinary user."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.paths import CHECKOUT
from runner.say import Trouble

NO_RIGHTS = (
    "You are root, PostgreSQL refuses to run as root, and this system does not let root become another user: "
    "run this as an ordinary user, or set DATABASE_URL to a PostgreSQL server that is already running."
)


@dataclass(frozen=True)
class OrdinaryUser:
    """Whom the database runs as."""

    uid: int
    gid: int
    name: str

    def become(self) -> None:
        """Give up root for good, in a child that has not yet become its program."""
        with suppress(PermissionError):
            # Some containers forbid changing the groups; the ones kept give PostgreSQL nothing it uses.
            os.setgroups([self.gid])
        os.setgid(self.gid)
        os.setuid(self.uid)
        os.environ["HOME"] = "/"

    def owns(self, folder: Path) -> None:
        """Make the folder this user's own."""
        try:
            os.chown(folder, self.uid, self.gid)
        except OSError as error:
            raise Trouble(NO_RIGHTS) from error

    def reaches(self, folder: Path) -> bool:
        """May this user enter every folder on the way (rights by owner, group and others; no ACLs)?"""
        for step in [folder, *folder.parents]:
            try:
                facts = step.stat()
            except OSError:
                continue
            if facts.st_uid == self.uid:
                entered = facts.st_mode & stat.S_IXUSR
            elif facts.st_gid == self.gid:
                entered = facts.st_mode & stat.S_IXGRP
            else:
                entered = facts.st_mode & stat.S_IXOTH
            if not entered:
                return False
        return True


def database_user() -> OrdinaryUser | None:
    """The user to drop to, or None when we are an ordinary user already."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            user = OrdinaryUser(entry.pw_uid, entry.pw_gid, name)
            break
    else:
        user = OrdinaryUser(65534, 65534, "65534")
    if not _works(user.become):
        raise Trouble(NO_RIGHTS)
    return user


def _works(change: Callable[[], None]) -> bool:
    """Try the change of user in a child, so that a refusal costs nothing."""
    child = os.fork()
    if child == 0:
        try:
            change()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def outside_folder() -> Path:
    """This checkout's folder under /var/tmp, for what the ordinary user must reach when the checkout itself is closed to it.

    The name can be guessed and anyone may write to /var/tmp, so a folder that is not root's own is refused, not used.
    """
    folder = Path("/var/tmp") / f"hearthside-{CHECKOUT}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    facts = folder.lstat()
    if (
        not stat.S_ISDIR(facts.st_mode)
        or facts.st_uid != os.geteuid()
        or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise Trouble(f"{folder} exists and belongs to somebody else: remove it and try again.")
    folder.chmod(0o755)
    return folder
