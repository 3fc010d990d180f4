"""The app in a browser: layout and callbacks that call what the command line calls, and compute nothing."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from footprint.errors import MissingExtra

if TYPE_CHECKING:
    from footprint.app.serving import Served
    from footprint.app.settings import Settings

__all__ = ["open_app"]


def open_app(settings: Settings) -> Served:
    """The app, bound to its host and port; `Served.run` answers until it is stopped.

    Raises
    ------
    MissingExtra
        Where dash is not installed.
    InputError
        For a host or a port that cannot be had, or a token that is too short.
    """
    if importlib.util.find_spec("dash") is None:
        raise MissingExtra("dash", "app", "the app")
    from footprint.app import serving

    return serving.open_app(settings)
