"""Charts as files: a page that needs no network and fits any screen, JSON, or an image."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from footprint.errors import InputError, MissingExtra
from footprint.report.charts.narrow import both
from footprint.report.charts.style import DARK, THEMES, bare, escaped, themed
from footprint.report.wording import plain

IMAGES = (".png", ".svg", ".pdf", ".jpg", ".webp")
AUTO = "auto"
"""Of a page: as the reader's screen is set; an image is light unless it is asked to be dark."""

_CONFIG = {"displaylogo": False, "displayModeBar": "hover", "responsive": True}
_WIDTH, _HEIGHT = 1200, 800
_PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>
:root {{ color-scheme: light; --ink: #222; --grey: #555; --paper: #fff; }}
:root[data-theme=dark] {{ color-scheme: dark; --ink: #e8e6e3; --grey: #b3b0ab; --paper: #16191d; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.4 system-ui, sans-serif; }}
figure {{ margin: 0; padding: .8rem; }}
h1 {{ font-size: 1.3rem; line-height: 1.25; margin: 0 0 .2rem; overflow-wrap: anywhere; }}
p {{ margin: 0; color: var(--grey); overflow-wrap: anywhere; }} figcaption p {{ font-size: .85rem; }}
#chart {{ height: max({height}px, calc(100vh - 11rem)); width: 100%; }}
</style>
</head>
<body>
<main><figure aria-labelledby="finding">
<h1 id="finding">{finding}</h1>
<p id="detail">{detail}</p>
<div id="chart"></div>
<figcaption><p id="assumed">{assumed}</p></figcaption>
</figure></main>
<script type="application/json" id="figure">{figure}</script>
<script>{plotly}</script>
<script>
(function () {{
  var told = document.getElementById("figure").textContent, dark = {dark};
  var root = document.documentElement, asked = root.dataset.theme;
  var screen = window.matchMedia("(prefers-color-scheme: dark)");
  function draw() {{
    var theme = asked === "auto" ? (screen.matches ? "dark" : "light") : asked;
    root.dataset.theme = theme;
    var text = theme === "dark" ? told.replace(/"(#[0-9A-Fa-f]{{6}}|rgba\\([0-9.,]+\\))"/g, function (all, color) {{
      return '"' + (dark[color] || color) + '"';
    }}) : told;
    var figure = JSON.parse(text), isNarrow = window.innerWidth < 640, config = {config};
    var layout = isNarrow ? figure.narrow : figure.layout;
    if (isNarrow) {{
      config.displayModeBar = false;
      if (layout.height) {{ document.getElementById("chart").style.height = layout.height + "px"; }}
    }}
    Plotly.react("chart", figure.data, layout, config);
  }}
  draw();
  screen.addEventListener("change", draw);
}})();
</script>
</body>
</html>
"""


def write(figure: go.Figure, path: Path, theme: str = "") -> None:
    """A chart as one .html file that needs no network, as .json, or as an image.

    Parameters
    ----------
    theme : light, dark, or nothing: a page then follows the reader's screen, the rest is light

    Raises
    ------
    InputError
        When the extension names no known kind of file.
    UnknownName
        For another theme.
    MissingExtra
        When an image is asked for and kaleido is not installed.
    """
    suffix = path.suffix.lower()
    drawn = themed(figure, theme or THEMES[0])
    if suffix in (".html", ".htm"):
        path.write_text(page(figure, theme), encoding="utf-8")
    elif suffix == ".json":
        path.write_text(drawn.to_json(), encoding="utf-8")
    elif suffix in IMAGES:
        if importlib.util.find_spec("kaleido") is None:
            raise MissingExtra("kaleido", "images", f"writing a chart as {suffix}")
        drawn.write_image(path, width=figure.layout.width or _WIDTH, height=figure.layout.height or _HEIGHT)
    else:
        known = " ".join((".html", ".json", *IMAGES))
        raise InputError("chart", str(path), "names no known kind of chart file", f"end it in one of {known}")


def page(figure: go.Figure, theme: str = "") -> str:
    """A document with one chart; finding and assumptions are text, so that they wrap and are read aloud."""
    meta = figure.layout.meta or {"finding": figure.layout.title.text or "", "detail": "", "assumed": ""}
    drawn = bare(figure)
    height = int(drawn.layout.height or 0) or 420
    return _PAGE.format(
        title=meta["finding"] or "footprint",
        finding=meta["finding"],
        detail=meta["detail"],
        assumed=escaped(plain(meta["assumed"])),
        height=height,
        theme=theme or AUTO,
        figure=both(drawn).replace("<", "\\u003c"),
        plotly=get_plotlyjs(),
        dark=json.dumps(DARK),
        config=json.dumps(_CONFIG),
    )
