"""The frame of a page and the script in it: pictures that fit the screen, its colours and the paper; copying."""

from __future__ import annotations

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
{style}
</head>
<body>
{body}
{data}
{scripts}
</body>
</html>
"""

SCRIPT = r"""(function () {
  "use strict";
  var PAPER = 680, LOWER = 0.68, STACKED = 0.92, NARROW = 640, LONG = 34,
    COLOR = /"(#[0-9A-Fa-f]{6}|rgba\([0-9.,]+\))"/g;
  var dark = window.matchMedia("(prefers-color-scheme: dark)"), told = {}, closed = [], onPaper = false;

  function each(selector, act) { Array.prototype.forEach.call(document.querySelectorAll(selector), act); }

  function colored(text) {
    var colors = document.getElementById("dark");
    if (onPaper || !dark.matches || !colors) { return text; }
    var map = JSON.parse(colors.textContent);
    return text.replace(COLOR, function (all, color) { return '"' + (map[color] || color) + '"'; });
  }

  function folded(text) {  // a long title in two lines
    var middle = text.length / 2, places = [], at = -1;
    while ((at = text.indexOf(" ", at + 1)) !== -1) { places.push(at); }
    if (text.length < LONG || !places.length) { return text; }
    places.sort(function (a, b) { return Math.abs(a - middle) - Math.abs(b - middle); });
    return text.slice(0, places[0]) + "<br>" + text.slice(places[0] + 1);
  }

  function fit(axis) {
    axis.automargin = true;
    if (axis.title && axis.title.text) { axis.title.text = folded(axis.title.text); }
  }

  function draw(name) {
    var place = document.getElementById(name), figure = JSON.parse(colored(told[name]));
    var width = onPaper ? PAPER : place.clientWidth, height = Number(place.dataset.height);
    var isNarrow = width < NARROW, layout = isNarrow ? figure.narrow : figure.layout;
    if (!width) { return; }
    if (onPaper) { height *= layout.yaxis2 ? STACKED : LOWER; }
    Object.keys(layout).forEach(function (key) { if (/^yaxis/.test(key)) { fit(layout[key]); } });
    layout.autosize = false;
    layout.width = width;
    layout.dragmode = false;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    if (isNarrow) {
      height = layout.height || height;
      if (!figure.layout.legend || figure.layout.legend.orientation !== "h") { height += 60; }  // it stands below
    }
    layout.height = height;
    place.style.height = height + "px";
    window.Plotly.react(place, figure.data, layout, { displayModeBar: false, scrollZoom: false, doubleClick: false,
      showTips: false });
  }

  function redraw() { if (window.Plotly) { Object.keys(told).forEach(draw); } }

  function mend() {  // only what scrolls needs the keyboard
    each(".scroll", function (box) {
      if (box.scrollWidth > box.clientWidth + 1) { box.tabIndex = 0; } else { box.removeAttribute("tabindex"); }
    });
  }

  each("script.figure", function (one) { told[one.dataset.of] = one.textContent; });
  redraw();
  mend();
  var waiting = 0;
  window.addEventListener("resize", function () {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(function () { redraw(); mend(); }, 150);
  });
  dark.addEventListener("change", redraw);
  each("details", function (one) { one.addEventListener("toggle", mend); });
  window.addEventListener("beforeprint", function () {
    onPaper = true;
    each("details:not([open])", function (one) { closed.push(one); one.open = true; });
    redraw();
  });
  window.addEventListener("afterprint", function () {
    onPaper = false;
    closed.splice(0).forEach(function (one) { one.open = false; });
    redraw();
  });
  each("[data-copy]", function (block) {
    var button = document.createElement("button"), label = "Copy " + block.dataset.copy;
    button.type = "button";
    button.className = "copy";
    button.textContent = label;
    button.addEventListener("click", function () {
      var range = document.createRange(), chosen = window.getSelection(), done = false;
      range.selectNodeContents(block);
      chosen.removeAllRanges();
      chosen.addRange(range);
      try { done = document.execCommand("copy"); } catch (error) { done = false; }
      button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      window.setTimeout(function () { button.textContent = label; }, 2000);
    });
    block.insertAdjacentElement("afterend", button);
  });
})();
"""
