"""What holds for every page: one file, whole, that asks for nothing."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path

from validating import problems

LARGEST = 1_500_000  # bytes
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# fmt: off
ELEMENTS = VOID | {
    "html", "head", "title", "style", "body", "main", "header", "nav", "section", "h1", "h2",
    "h3", "p", "a", "b", "span", "div", "figure", "figcaption", "ul", "li", "table", "fieldset", "legend", "label",
    "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "code", "strong", "svg",
    "g", "polyline", "polygon", "rect", "path", "text", "image", "line", "circle", "defs", "use", "clippath", "tspan",
}
# fmt: on


class _Checker(HTMLParser):
    """Notes what is wrong with a page: elements that are not closed, unknown ones, identifiers that occur twice."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []  # of what should be somewhere on the page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ELEMENTS:
            self.wrong.append(f"<{tag}> at {self.getpos()}")
        if len(given) < len(attrs):
            self.wrong.append(f"an attribute twice at {self.getpos()}")
        if any(name.startswith("on") for name in given):
            self.wrong.append(f"a handler at {self.getpos()}")
        if tag == "p" and "p" in self.open:
            self.wrong.append(f"<p> in <p> at {self.getpos()}")
        if tag == "img" and not given.get("alt"):
            self.wrong.append(f"an image without a text at {self.getpos()}")
        self.ids += [given["id"] or ""] if "id" in given else []
        for name in ("href", "xlink:href", "aria-labelledby", "aria-describedby", "clip-path", "fill"):
            self.addresses += re.findall(r"^(?:#|url\(#)(.*?)\)?$", given.get(name) or "")
            self.addresses += (given.get(name) or "").split() if name.startswith("aria") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def check_page(path: Path, links: str = "^$") -> str:
    """Checks a page, and gives the text that it shows.

    Args:
        path: of the page.
        links: a pattern of addresses that it may have besides those of its own parts.
    """
    content = path.read_bytes()
    assert len(content) < LARGEST, f"{path} has {len(content):,} bytes"
    text = content.decode()
    checker = _Checker()
    checker.feed(text)
    checker.close()
    found = problems(text)
    assert found == [], "\n".join(found)
    assert checker.wrong == []
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert set(checker.addresses) <= set(checker.ids)
    assert text.lower().lstrip().startswith("<!doctype html>")
    assert "<script" not in text
    assert "default-src 'none'" in text
    others = re.findall(r"(?:src|href)=\"(?!#|data:)(.*?)\"", text)
    assert [each for each in others if not re.search(links, each)] == [], "only fragments and data"
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    visible = re.sub(r"<(style|title)>.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", visible)).split())
