"""How pages look: one style sheet, light and dark, from 360 pixels to any width."""

STYLE = """
:root { color-scheme: light dark;
  --page: #fbfbf9; --card: #ffffff; --ink: #1c1d1f; --soft: #5c6066; --line: #dfe1e4;
  --track: #e9ebee; --shade: #f2f3f5; --shadow: rgb(0 0 0 / 0.2);
  --c0: #0072b2; --c1: #c85200; --c2: #007f5c; --c3: #b0568a; --c4: #9a6a00;
  --c5: #2b86c0; }
@media screen and (prefers-color-scheme: dark) { :root {
  --page: #141517; --card: #1d1f22; --ink: #e9eaec; --soft: #a3a8b0; --line: #34373c;
  --track: #34373c; --shade: #25282c; --shadow: rgb(0 0 0 / 0.7);
  --c0: #5db0ea; --c1: #ff8f4a; --c2: #35cf9f; --c3: #e6a0c8; --c4: #efb53a;
  --c5: #9ad4f7; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header.top { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header.top { padding-top: 34px; }
h1 { font-size: 30px; line-height: 1.15; margin: 0 0 6px; letter-spacing: -0.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 44px 0 4px; letter-spacing: -0.005em; }
p { margin: 0 0 12px; max-width: 74ch; }
.lead, .note, figcaption, .unit { color: var(--soft); }
.note { font-size: 14px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 14px 0 0; }
a { color: var(--c0); text-underline-offset: 3px; }
:focus-visible { outline: 3px solid var(--c0); outline-offset: 2px; }
code, .mono { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { background: var(--shade); border-radius: 4px; padding: 1px 5px; }
pre { background: var(--shade); border-radius: 8px; padding: 12px 14px;
  overflow-x: auto; margin: 10px 0 0; }
pre code { background: none; padding: 0; }
.facts { display: grid; gap: 10px; margin: 20px 0 0;
  grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); }
.facts div { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 10px 14px; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { margin: 0; font-size: 21px; font-weight: 600;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.facts dl, dl.facts { margin-bottom: 0; }
.scroll { overflow-x: auto; }
/* A shadow at the side where more can be scrolled to. */
.scroll.table { background:
  linear-gradient(to right, var(--page) 30%, transparent) left / 36px 100% local,
  linear-gradient(to left, var(--page) 30%, transparent) right / 36px 100% local,
  linear-gradient(to right, var(--shadow), transparent) left / 12px 100% scroll,
  linear-gradient(to left, var(--shadow), transparent) right / 12px 100% scroll;
  background-repeat: no-repeat; }
table { border-collapse: collapse; width: 100%; margin: 10px 0 0; }
caption { text-align: left; color: var(--soft); font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: 13px; color: var(--soft); }
tbody th { color: var(--ink); font-size: inherit; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
td.wrap { overflow-wrap: anywhere; min-width: 130px; }
tr.faint th, tr.faint td { color: var(--soft); }
.badge { display: inline-block; margin-right: 6px; border-radius: 99px;
  padding: 0 9px; font-size: 13px; background: var(--shade);
  border: 1px solid var(--line); }
.badge.factor { color: var(--c0); border-color: var(--c0); font-weight: 600; }
.chip { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
  margin-right: 7px; vertical-align: -1px; background: currentColor; }
.bar { display: block; height: 8px; border-radius: 4px; background: var(--track);
  min-width: 90px; margin-top: 8px; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--c0); border-radius: 4px; }
.gauge { position: relative; display: block; height: 18px; min-width: 150px;
  margin-top: 3px; }
.gauge .all, .gauge .range, .gauge .interval, .gauge .dot { position: absolute;
  border-radius: 4px; }
.gauge .all { inset: 7px 0; background: var(--track); }
.gauge .range { top: 5px; height: 8px; background: var(--c0); opacity: 0.35; }
.gauge .interval { top: 8px; height: 2px; background: var(--ink); }
.gauge .dot { top: 2px; width: 14px; height: 14px; margin-left: -7px;
  border-radius: 50%; background: var(--dot, var(--c1));
  border: 2px solid var(--card); }
.strips { display: grid; grid-template-columns: minmax(150px, 230px) minmax(0, 1fr);
  gap: 8px 16px; align-items: center; margin: 14px 0 0; }
.label b { font-size: 16px; margin-right: 6px; }
.label small { color: var(--soft); font-size: 13px; }
.strips .label small { display: block; }
.side h3 { font-size: 16px; margin: 0; }
.side .who { display: none; }
.faint { opacity: 0.6; }
.strips .rule { grid-column: 1 / -1; border-top: 1px solid var(--line); margin: 4px 0; }
.strip { display: block; height: auto; max-width: 100%; border-radius: 4px;
  image-rendering: pixelated; }
.steps { display: flex; max-width: 100%; color: var(--soft); font-size: 12px;
  font-variant-numeric: tabular-nums; }
.steps span { flex: 1; text-align: center; }
.charts { display: grid; gap: 14px; margin: 14px 0 0;
  grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); }
.chart, figure { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: 10px; margin: 0; }
.chart svg { display: block; width: 100%; height: auto; }
.plots { display: grid; gap: 14px; margin: 12px 0 0; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.plots .plot { display: flex; flex-direction: column; height: 100%; min-width: 0; }
.plots .plot .chart { flex-grow: 1; }
.plots .plot .note { margin: 6px 2px 0; font-size: 12.5px; }
.plots .wide { grid-column: 1 / -1; }
.plots .wide .chart { min-width: 560px; }
h3 { font-size: 16px; margin: 22px 0 0; }
small.line { display: block; white-space: nowrap; line-height: 1.35; }
.note.after { margin-top: 12px; }
.gallery { display: grid; gap: 16px; margin: 14px 0 0; }
.gallery .wide { display: grid; gap: 16px; }
.gallery .wide figure { display: flex; flex-wrap: wrap; gap: 0 16px; }
.gallery .wide .picture { margin: 0; }
.gallery .wide figcaption { flex: 1 1 180px; }
.gallery .columns { columns: 480px; column-gap: 16px; }
.gallery .columns figure { break-inside: avoid; margin-bottom: 16px; }
@media (min-width: 1600px) { /* room for a third column */
  .gallery { margin-inline: calc((100% - min(100vw - 60px, 1740px)) / 2); } }
.picture { position: relative; isolation: isolate; margin: 0 auto; overflow: hidden;
  border-radius: 6px; }
.picture img { display: block; width: 100%; height: auto; }
figcaption { font-size: 14px; padding: 8px 2px 0; contain: inline-size; }
/* White paper becomes as dark as the card; images keep their colours. */
@media screen and (prefers-color-scheme: dark) {
  .picture { border-radius: 0; }
  .picture.plot img { filter: invert(0.886) hue-rotate(180deg); }
  .picture.grid::before, .picture.grid::after { content: ""; position: absolute;
    inset: 0; z-index: 1; clip-path: var(--paper); }
  .picture.grid::before { background: #fff; mix-blend-mode: difference; }
  .picture.grid::after { background: var(--card); mix-blend-mode: lighten; } }
figcaption b { color: var(--ink); }
.side { display: grid; gap: 10px 18px; margin: 14px 0 0; align-items: start; }
.side .rest { grid-column: 1 / -1; border-top: 1px solid var(--line);
  padding-top: 10px; margin-top: 8px; color: var(--soft); font-size: 14px; }
.side .rest h3 { color: var(--ink); display: block; }
details { margin: 12px 0 0; }
summary { cursor: pointer; font-weight: 600; }
footer { color: var(--soft); font-size: 14px; max-width: 1180px; margin: 48px auto 0;
  padding: 16px 20px 36px; border-top: 1px solid var(--line); }
@media (max-width: 640px) {
  main, header.top { padding-left: 14px; padding-right: 14px; }
  h1 { font-size: 25px; }
  .strips { grid-template-columns: minmax(0, 1fr); gap: 2px; }
  .strips .label { margin-top: 10px; }
  .strips .label small { display: inline; }
  tbody th { white-space: normal; }
  .side h3 { display: none; }
  .stacked thead { position: absolute; clip-path: inset(50%); }
  .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block;
    width: 100%; text-align: left; }
  .stacked tbody th { border: none; padding-bottom: 0; overflow-wrap: anywhere; }
  .stacked tbody td { border: none; padding: 2px 0 4px 12px; white-space: normal; }
  .stacked tbody tr { border-bottom: 1px solid var(--line); display: block;
    padding-bottom: 4px; }
  .stacked td::before { content: attr(data-column); display: block;
    color: var(--soft); font-size: 12px; }
  .side .who { display: block; font-size: 13px; }
  .side { grid-template-columns: minmax(0, 1fr) !important; }
  .facts { grid-template-columns: repeat(2, 1fr); }
}
@media (prefers-reduced-motion: reduce) { .moving { display: none; } }
@media print { body { background: #fff; } nav { display: none; }
  .chart, figure, .plot, .note, tr, pre { break-inside: avoid; }
  h2, h3, .note, summary { break-after: avoid; } .scroll { overflow: visible; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .plots { display: block; } /* A heading does not stay on one sheet with a grid. */
  .plots .plot { display: inline-flex; width: 48%; height: auto; margin: 0 1% 8px 0;
    vertical-align: top; }
  .plots .wide { width: 98%; } .plots .wide .chart { min-width: 0; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""
