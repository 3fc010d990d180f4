"""How pages look: on a screen of any width, light and dark, with the keyboard, and in print."""

from __future__ import annotations

PAGE = """
:root { color-scheme: light dark; --ink: #1f2328; --quiet: #57606a; --paper: #fff; --line: #d0d7de; --tint: #f6f8fa;
  --link: #0b5cad; --mark: #e69f00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --quiet: #b3b0ab; --paper: #16191d; --line: #3a3f45;
  --tint: #1f2429; --link: #79b8f3; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI",
  "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
header, nav, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; overflow-wrap: anywhere; unicode-bidi: isolate; }
h1 { font-size: 1.6rem; margin: 1rem 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { margin: .3rem 0; overflow-wrap: anywhere; } li { margin: .2rem 0; overflow-wrap: anywhere; }
a { color: var(--link); } a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -200vw; } .skip:focus { position: static; display: inline-block; padding: .5rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet, caption, figcaption .assumed { color: var(--quiet); }
.mark { background: var(--mark); color: #000; border-radius: .3rem; padding: .1rem .4rem; font-size: .8rem;
  font-weight: 600; vertical-align: middle; white-space: nowrap; }
.answer { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem;
  margin: 1rem 0 .5rem; }
.answer div { border: 1px solid var(--line); background: var(--tint); border-radius: .5rem; padding: .5rem .7rem; }
.answer dt { color: var(--quiet); font-size: .85rem; } .answer dd { margin: 0; }
.answer b { display: block; font-size: 1.25rem; line-height: 1.25; overflow-wrap: anywhere; }
.answer .interval { display: block; font-variant-numeric: tabular-nums; }
.answer .quiet { display: block; font-size: .8rem; overflow-wrap: anywhere; }
.loud { border-left: 4px solid var(--mark); padding: .3rem .8rem; background: var(--tint); margin: .8rem 0; }
nav ul { list-style: none; padding: 0; margin: .6rem 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem;
  font-size: .9rem; }
nav li { margin: 0; } nav a { display: inline-block; padding: .2rem 0; }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: .2rem 0; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; unicode-bidi: isolate;
  font-variant-numeric: tabular-nums; }
thead th { border-bottom: 2px solid var(--line); } tbody tr { border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; } td, th { overflow-wrap: break-word; }
.long { overflow-wrap: anywhere; min-width: 14rem; }
.number { text-align: right; } td.number { white-space: nowrap; }
figure { margin: 1rem 0 1.6rem; } figcaption { margin-bottom: .3rem; } figcaption p { font-size: .9rem; }
figure > .assumed { font-size: .8rem; color: var(--quiet); }
.chart { width: 100%; min-height: 8rem; }
summary { cursor: pointer; padding: .3rem 0; color: var(--link); }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem; overflow-x: auto;
  font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
blockquote { margin: .6rem 0; padding: .2rem 0 .2rem 1rem; border-left: 4px solid var(--line); }
.steps { list-style: none; padding: 0; } .steps li { border-bottom: 1px solid var(--line); padding: .4rem 0; }
.steps code { display: block; font: .82rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.steps .numbers { color: var(--quiet); } .steps small { color: var(--quiet); }
.copy { font: inherit; font-size: .85rem; padding: .3rem .8rem; border-radius: .4rem; border: 1px solid var(--line);
  background: var(--tint); color: var(--ink); cursor: pointer; }
svg.hours { display: block; height: 4rem; fill: #0072b2; }
footer { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: .8rem; padding-bottom: 2rem;
  font-size: .85rem; }
@media (max-width: 56rem) { th, td { padding-right: .6rem; } }
@media (max-width: 40rem) {
  h1 { font-size: 1.3rem; } .answer { grid-template-columns: 1fr 1fr; gap: .4rem; } .answer b { font-size: 1.05rem; }
  .answer div { padding: .35rem .5rem; } .answer .interval { font-size: .9rem; }
  nav a { padding: .35rem 0; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@page { size: A4; margin: 14mm; }
@media print {
  :root { color-scheme: light; --ink: #000; --quiet: #444; --paper: #fff; --line: #bbb; --tint: #fff; --link: #000; }
  body { font-size: 10.5pt; } header, nav, main, footer { max-width: none; padding: 0; }
  nav, .skip, .copy, .screen { display: none; }
  .answer { grid-template-columns: repeat(3, 1fr); }
  .answer div, .chart, figcaption, h2, h3, tr, .steps li, blockquote { break-inside: avoid; }
  h2, h3, caption, thead, summary, figcaption { break-after: avoid; } thead { display: table-header-group; }
  table { font-size: 8.5pt; } .long { min-width: 0; }
  .scroll { overflow: visible; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  th, td { white-space: normal; padding-right: .5rem; } a { text-decoration: none; }
  details::details-content { content-visibility: visible; }
  section { break-before: auto; }
}
"""

FRAGMENT = """
.footprint { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
.footprint h1 { font-size: 1.5rem; margin: 0 0 .2rem; } .footprint h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.footprint table { border-collapse: collapse; width: 100%; }
.footprint caption { text-align: left; opacity: .75; padding: .2rem 0; }
.footprint th { text-align: left; font-weight: 600; border-bottom: 2px solid #8888; }
.footprint th, .footprint td { padding: .25rem .8rem .25rem 0; vertical-align: top; overflow-wrap: anywhere; }
@media (min-width: 48rem) { .footprint th, .footprint td:not(:last-child) { white-space: nowrap; } }
.footprint tbody tr { border-bottom: 1px solid #8883; } .footprint .number { text-align: right; }
.footprint td { font-variant-numeric: tabular-nums; } .footprint .quiet { opacity: .75; }
.footprint .answer { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; padding: 0; }
.footprint .answer div { flex: 1 1 10rem; border: 1px solid #8886; border-radius: .4rem; padding: .6rem .8rem; }
.footprint .answer dt { opacity: .75; } .footprint .answer dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
.footprint .mark { background: #e69f00; color: #000; border-radius: .3rem; padding: 0 .4rem; font-size: .85rem; }
.footprint .bar { position: relative; height: 1em; min-width: 14rem; background: linear-gradient(#8886 0 0) 50% / 1px; }
.footprint .bar { background-repeat: no-repeat; }
.footprint .bar i { position: absolute; top: .1em; height: .8em; background: #0072b2; }
"""
"""Of what a notebook shows, inside a page of its own look."""
