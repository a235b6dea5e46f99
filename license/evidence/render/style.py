"""The style sheet of `license.evidence.render.html`: for a screen and for paper."""

from typing import Final

STYLE: Final = """
:root {
  --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --bar: #2b6cb0;
  --good: #1a7f37; --warn: #9a6700; --bad: #b42318;
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.55rem; margin: 0 0 .2rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; }
.soft { color: var(--soft); }
.verdict {
  margin: 1.2rem 0; padding: .9rem 1.1rem; border: 1px solid var(--line); border-radius: .35rem;
  border-left: .5rem solid var(--good);
}
.verdict b { font-size: 1.25rem; display: block; }
.v1 { border-left-color: var(--warn); }
.v2 { border-left-color: var(--bad); }
table { border-collapse: collapse; width: 100%; margin-top: .8rem; font-size: .88rem; }
th, td {
  text-align: left; padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
}
th { font-weight: 600; color: var(--soft); }
td:last-child, th:last-child { padding-right: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: anywhere; }
td.n, td.t, td.t code { white-space: nowrap; overflow-wrap: normal; }
code { font: .85em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.tag {
  display: inline-block; min-width: 4.4rem; text-align: center; border: 1px solid; border-radius: 1rem;
  padding: 0 .55rem; font-size: .8rem; font-weight: 600; white-space: nowrap;
}
.t0 { color: var(--good); }
.t1 { color: var(--warn); }
.t2 { color: var(--bad); }
.tn { color: var(--soft); }
.means { display: block; margin-top: .25rem; color: var(--soft); }
.wide { overflow-x: auto; }
svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--line); stroke-width: 1; }
.bar { fill: var(--bar); }
.tick { fill: var(--soft); font-size: 11px; font-family: inherit; }
.cover {
  display: flex; height: 1rem; border-radius: .2rem; overflow: hidden; border: 1px solid var(--line);
  margin: .4rem 0;
}
.up { background: #2da44e; }
.down { background: #afb8c1; }
.lost { background: #d4a72c; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .4rem 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media screen and (max-width: 44rem) {
  .wide > table, .wide > svg { min-width: 38rem; }
  .wide > table.fits { min-width: 0; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print {
  .wide { overflow: visible; }
  html, body { font-size: 11px; }
  body { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  tr, svg, .verdict, .keep { break-inside: avoid; }
  .keep { break-before: auto; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
@page { margin: 16mm; }
"""
