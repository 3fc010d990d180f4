"""Classes of ours whose other base a framework brings: made when they are first asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from footprint.errors import MissingExtra

__all__ = ["made_late"]


def made_late(name: str, hooks: type, base: Callable[[], Any], extra: str = "") -> Callable[[str], Any]:
    """A module's `__getattr__`, which knows one name: a class of the hooks and of the framework's base.

    Parameters
    ----------
    name : of the class
    hooks : what it does, in the module that this is for
    base : imports the framework
    extra : the package that brings the framework, and the extra of ours that installs it; empty for one that we require
    """

    @functools.cache
    def kind() -> Any:
        try:
            other = base()
        except ImportError as error:
            if not extra:
                raise
            raise MissingExtra(extra, extra, name) from error
        made = type(name, (hooks, other), {"__doc__": hooks.__doc__})
        made.__module__ = hooks.__module__
        return made

    def get(asked: str) -> Any:
        if asked == name:
            return kind()
        raise AttributeError(f"module {hooks.__module__!r} has no attribute {asked!r}")

    return get
