"""Where a failure is told and ends nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from footprint.errors import InputError


class Shield:
    """Around whatever must not end what it watches: a command's exit code comes back though measuring fails.

    An `InputError` passes: it is for whoever typed the word.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, InputError) or not isinstance(error, Exception):
            return False
        self._say(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        return True
