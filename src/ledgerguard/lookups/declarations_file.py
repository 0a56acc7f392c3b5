"""The declarations' file, `/etc/ledgerguard/volumes.json`: loaded once, or read again whenever it changes.

A module of its own because it is the only part that opens that file; the reader knows the document alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ledgerguard.declarations.model import DeclarationError, Declarations
from ledgerguard.declarations.reader import parse_declarations
from ledgerguard.refusal import LookupFailed


def load_declarations(file: Path) -> Declarations:
    """The declarations of a file; a file that is not there declares nothing."""
    try:
        return parse_declarations(file.read_text())
    except FileNotFoundError:
        return Declarations()
    except DeclarationError as error:
        raise DeclarationError(f"{file}: {error}") from None


@dataclass
class DeclarationsFile:
    """The declarations' file, read again when it changes. Once seen, it may not go missing."""

    file: Path
    _stamp: tuple[int, int, int] | None = None
    _declarations: Declarations = field(default_factory=Declarations)

    def read(self) -> Declarations:
        """Raises LookupFailed for a file that is not root's alone, cannot be read, or has gone."""
        try:
            status = os.stat(self.file)  # noqa: PTH116 asked at each decision, and a Path costs more
        except FileNotFoundError:
            if self._stamp is None:
                return self._declarations
            raise LookupFailed(f"{self.file} has gone") from None
        except OSError as error:
            raise LookupFailed(f"{self.file}: {error.strerror}") from None
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise LookupFailed(f"{self.file} can be written by others than root")
            try:
                self._declarations, self._stamp = load_declarations(self.file), stamp
            except (OSError, DeclarationError, ValueError) as error:
                raise LookupFailed(str(error)) from None
        return self._declarations
