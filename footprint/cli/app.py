"""`footprint app`."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated

import typer

from footprint.cli import output
from footprint.cli.ledger import Folder, Store
from footprint.cli.words import Data


def app(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; elsewhere a token is asked for.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(metavar="N", help="0: any that is free.")] = 8050,
    token: Annotated[
        str | None,
        typer.Option(metavar="TEXT", envvar="FOOTPRINT_TOKEN", help="Asked for; made and printed once unless given."),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
) -> None:
    """Open the app in a browser: calculator, runs, models, data.

    It loads nothing from anywhere else. Ctrl-C ends it.

    \b
    Examples:
      footprint app
      footprint app --port 0 --no-browser
      footprint app --host 0.0.0.0
    """
    from footprint.app import open_app
    from footprint.app.settings import Settings

    served = open_app(Settings(host, port, token, store, folder, data, dict(os.environ)))
    output.notes([f"the app is at {served.link if served.is_made else served.address}; Ctrl-C ends it"])
    if not no_browser and not is_elsewhere(host):
        open_browser(served.link)
    with suppress(KeyboardInterrupt):
        served.run()


def is_elsewhere(host: str) -> bool:
    """Whether other machines are meant, so that no browser is opened here."""
    from footprint.app.guard import is_loopback

    return not is_loopback(host)


def open_browser(address: str) -> None:
    """In the user's own browser, where there is one."""
    import webbrowser

    with suppress(webbrowser.Error):
        webbrowser.open(address)
