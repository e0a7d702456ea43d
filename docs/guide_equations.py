"""A hook of mkdocs: equations between dollar signs become MathML, which browsers draw themselves."""

import re

from latex2mathml.converter import convert

BLOCK = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
INLINE = re.compile(r"(?<![\\$`])\$([^$\n`]+?)\$(?!\$)")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page with its equations converted; code stays as it is."""
    parts = CODE.split(markdown)
    for number in range(0, len(parts), 2):
        parts[number] = BLOCK.sub(lambda found: f"\n{convert(found[1].strip(), display='block')}\n", parts[number])
        parts[number] = INLINE.sub(lambda found: convert(found[1]), parts[number])
    return "".join(parts)
