"""The report's HTML: its look, light and dark, on a telephone and on paper, and its tables."""

from collections.abc import Collection, Sequence
from html import escape

STYLE = """
:root { --ink: #1b1f24; --soft: #5b6570; --line: #dfe3e8; --paper: #ffffff; --panel: #f6f8fa; --accent: #0072b2;
  --best: #e6f2fa; --warm: #b34b00; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa5b1; --line: #30363d; --paper: #12161b;
  --panel: #1a2027; --accent: #56b4e9; --best: #14304280; --warm: #ffa657; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 2.2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .6rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .5rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; } p.lead { font-size: 1.08rem; max-width: 70ch; overflow-wrap: anywhere; }
.soft, figcaption, .legend { color: var(--soft); font-size: .88rem; max-width: 85ch; }
a { color: var(--accent); } code, pre, .key { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { font-size: .9em; overflow-wrap: anywhere; }
nav { margin: .8rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .92rem; }
ul.notes { margin: 1.2rem 0 0; padding: .7rem 1rem .7rem 2rem; background: var(--panel);
  border-left: 3px solid var(--warm); border-radius: 0 6px 6px 0; font-size: .92rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .9rem 0 .5rem; }
table { border-collapse: collapse; font-size: .9rem; min-width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .42rem .55rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: .8rem; white-space: nowrap; vertical-align: bottom;
  border-bottom: 2px solid var(--line); }
td.n, th.n { text-align: right; white-space: nowrap; } th.n:first-child { width: 2.5rem; }
td.seeds { min-width: 7rem; }
td.key { font-size: .84rem; max-width: 30rem; overflow-wrap: break-word; } td.short { white-space: nowrap; }
td.verdict { white-space: nowrap; } td.range { padding: .45rem .3rem .1rem; }
td.range svg { display: block; width: 120px; height: 18px; }
tr.best td { background: var(--best); font-weight: 600; } tr.same td.verdict { color: var(--accent); font-weight: 600; }
tr.better td.verdict { color: var(--warm); font-weight: 600; }
tr.worse td.verdict, tr.unknown td.verdict { color: var(--soft); }
figure { margin: 1.5rem 0; } figure > div { overflow-x: auto; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { margin-top: .45rem; }
figure svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif !important; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: .75rem .9rem; margin: .5rem 0 1rem; font-size: .78rem; line-height: 1.45; overflow-x: auto;
  white-space: pre; }
summary { cursor: pointer; color: var(--accent); } details { margin: .6rem 0; }
.error { color: var(--warm); overflow-wrap: anywhere; }
@media (max-width: 620px) { main { padding: 1.3rem .9rem 3rem; } h1 { font-size: 1.35rem; }
  table.cards, .cards tbody { display: block; } .cards thead { display: none; }
  .cards tr { display: block; padding: .5rem .2rem; border-bottom: 1px solid var(--line); }
  .cards td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .12rem .4rem;
    max-width: none; text-align: right; }
  .cards td::before { content: attr(data-label); color: var(--soft); font: .8rem system-ui, sans-serif; }
  .cards td:empty { display: none; } td.range { justify-content: flex-end; }
  th, td { padding: .4rem .5rem; } }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --panel: #f4f4f4; --accent: #004f7c;
  --best: #eef5fa; --warm: #7a3300; color-scheme: light; } main { max-width: none; padding: 0; } nav { display: none; }
  figure, tr, pre { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll, figure > div { overflow: visible; }
  body { font-size: 10pt; } figure svg { min-width: 0; } pre { white-space: pre-wrap; } }
"""


def cell(text: str, kind: str = "", label: str = "") -> str:
    """A cell of a table; texts are escaped.

    Args:
        text: what stands in it.
        kind: `n` for numbers, `key` for settings, `verdict`, `seeds`, or nothing.
        label: its heading, to stand beside it where the page is too narrow for a table.
    """
    named = f' data-label="{escape(label)}"' if label else ""
    return f'<td class="{kind}"{named}>{escape(text)}</td>' if kind else f"<td{named}>{escape(text)}</td>"


def table(head: Sequence[str], rows: Sequence[str], right: Collection[int] = (), look: str = "wide") -> str:
    """A table that scrolls by itself where the page is narrow.

    Args:
        head: texts of the headings.
        rows: whole `<tr>` elements.
        right: numbers of the columns that are aligned to the right.
        look: `cards` where each row becomes a card on a telephone.
    """
    kinds = [' class="n"' if i in right else "" for i in range(len(head))]
    heads = "".join(f"<th{kind}>{escape(text)}</th>" for text, kind in zip(head, kinds, strict=True))
    body = "\n".join(rows)
    whole = f"<thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody>"
    return f'<div class="scroll"><table class="{look}">{whole}</table></div>'


def row(*cells: str, kind: str = "") -> str:
    """A row of cells."""
    return f'<tr class="{kind}">{"".join(cells)}</tr>' if kind else f"<tr>{''.join(cells)}</tr>"


def more(total: int, most: int) -> str:
    """A line that says how many were left out, if any were."""
    return f'<p class="soft">And {total - most} more.</p>' if total > most else ""
