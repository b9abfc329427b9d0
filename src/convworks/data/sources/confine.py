"""No path that data names may lead out of the data's own root: not by `..`, an absolute path, or a link."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from convworks.data.names import shown, writable

_DRIVE = re.compile(r"^[A-Za-z]:")


class Refused(Exception):
    """A path that is not followed; its text is the reason, in words."""


class Root:
    """A folder from which named files are looked up; real paths of folders are looked up once."""

    def __init__(self, path: Path) -> None:
        self.path = os.path.realpath(path)
        self._folders: dict[str, str] = {}

    def holds(self, real: str) -> bool:
        """Whether a real path is the root or lies in it."""
        return real == self.path or real.startswith(self.path.rstrip(os.sep) + os.sep)

    def find(self, name: str) -> str:
        """The POSIX path, relative to the root, of the file called `name`. Raises Refused with a reason.

        A backslash separates folders where no file carries it in its name (tables written on Windows).
        """
        relative = self._relative(name)
        folder, _, last = relative.rpartition("/")
        parent = self._folder(folder)
        if not self.holds(parent):
            raise Refused("its folder is a link that leads out of the data's folder")
        path = f"{parent}{os.sep}{last}"
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                if not self.holds(os.path.realpath(path)):
                    raise Refused("a link that leads out of the data's folder")
                status = Path(path).stat()
        except OSError as error:
            raise Refused(_missing(error)) from None
        if not stat.S_ISREG(status.st_mode):
            raise Refused("not a file")
        return relative

    def _folder(self, relative: str) -> str:
        if relative not in self._folders:
            self._folders[relative] = os.path.realpath(f"{self.path}/{relative}")
        return self._folders[relative]

    def _relative(self, name: str) -> str:
        if "\0" in name:
            raise Refused("its path holds a NUL character")
        if not writable(name):
            raise Refused("its name is not valid UTF-8; rename the file")
        if "\\" in name and not os.path.lexists(f"{self.path}/{name}"):
            name = name.replace("\\", "/")
        if name.startswith("/") or _DRIVE.match(name):
            raise Refused("an absolute path; paths are relative to the data's folder")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Refused('".." in its path; paths stay inside the data\'s folder')
        if not parts:
            raise Refused("an empty path")
        return "/".join(parts)


def _missing(error: OSError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "no such file"
        case PermissionError():
            return "no permission to read it"
        case _:
            return shown(error.strerror or "cannot be opened").lower()
