"""The rows that were left out of a file, in a file beside it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from producer.backfill.block import Block, Rejection
from topics.errors import UserError

SUFFIX = ".rejected.csv"
HEADER = ("line", "reason", "detail", "row")
_PART = ".part"


def beside(file: Path) -> Path:
    """Where the rows go that are left out of ``file``."""
    return file.with_name(file.name + SUFFIX)


class Rejected:
    """Writes the rejections of one file under another name, which it gives up when everything is in it.

    So a file of the final name is always whole, and of the newest run that came to its end; when nothing is rejected,
    there is none.
    """

    def __init__(self, file: Path, counts: Counter[str]) -> None:
        """``counts`` gets the number of rejections of each reason. Raises ``UserError`` when nothing can be written."""
        self.path = beside(file)
        self.count = 0
        self._counts = counts
        self._part = self.path.with_name(self.path.name + _PART)
        self._file: TextIO
        try:
            self._file = self._part.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise UserError(f"cannot write {self._part}, where rejected rows go: {error.strerror}") from error
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is not None:
            self._part.unlink()
        elif self.count:
            self._part.replace(self.path)
        else:
            self._part.unlink()
            self.path.unlink(missing_ok=True)

    def write(self, block: Block, rejections: list[Rejection]) -> None:
        """Add the rejections of a block."""
        self.count += len(rejections)
        self._counts.update(rejection.invalid.reason for rejection in rejections)
        self._writer.writerows((line, invalid.reason, str(invalid), block.found(line)) for line, invalid in rejections)
