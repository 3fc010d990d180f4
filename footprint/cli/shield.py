"""Where a failure is told and ends nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from footprint.errors import FootprintError


class Shield:
    """Around whatever must not end what it watches: a command's exit code comes back though measuring fails.

    Parameters
    ----------
    say : is told of a failure
    lets : errors that pass, such as those that are for whoever typed a word
    """

    def __init__(self, say: Callable[[str], None], lets: tuple[type[Exception], ...] = ()) -> None:
        self._say, self._lets = say, lets

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, self._lets) or not isinstance(error, Exception):
            return False
        told = str(error) if isinstance(error, FootprintError) else f"{type(error).__name__}: {error}"
        self._say(told.removesuffix(": "))
        return True
