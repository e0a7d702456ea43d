"""What TensorBoard shows as text: the doctor's findings as the screen words them, and names that mean nothing."""

import html
import re
from collections.abc import Callable

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugin_util import markdown_to_safe_html

from litmus.callback import dashboard
from litmus.callback._markdown import code, escaped, table
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
# What Markdown and HTML would make something of, at the beginning of a line, within it, and over several.
NAMES = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1)) ![b](http://c/d.png)",
    "**bold** _slanted_ `code` ~~struck~~",
    "# heading",
    "1. first",
    "- item",
    "> said",
    "a | b",
    "&lt;b&gt; &copy; &#60;",
    "<http://example.com> <!-- hidden -->",
    "C:\\new\\*file*.csv",
    "[1]: http://example.com",
    "first\n\n    code\n```\nfence\n```\r# end\u2028- x\x00\x02",
    "Ünïcode 猫",
]


def texts_of(run: RunDir, tag: str) -> list[str]:
    """Each text of that name, in order, as TensorBoard is given it."""
    events = EventAccumulator(str(run.path), size_guidance={"tensors": 0}).Reload()
    tensors = events.Tensors(f"{tag}/text_summary") if f"{tag}/text_summary" in events.Tags()["tensors"] else []
    return [each.tensor_proto.string_val[0].decode() for each in tensors]


def read(page: str) -> str:
    """What a person reads of HTML, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


def tags_of(page: str) -> set[str]:
    return set(re.findall(r"</?\w+[^>]*>", page))


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_what_they_are(name: str) -> None:
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    alone = markdown_to_safe_html(escaped(name))
    assert (tags_of(alone), read(alone)) == ({"<p>", "</p>"}, shown)
    within = markdown_to_safe_html(f"**{escaped(name).strip()}**: {escaped(name)}")
    assert (tags_of(within), read(within)) == ({"<p>", "</p>", "<strong>", "</strong>"}, f"{shown}: {shown}")
    cells = markdown_to_safe_html(table(["a", "b"], [[escaped(name), "x"], ["y", escaped(name)]]))
    assert cells.count("<td>") == 4
    assert read(cells) == f"a b {shown} x y {shown}"


@pytest.mark.parametrize("name", NAMES)
def test_code_stays_what_it_is(name: str) -> None:
    page = markdown_to_safe_html(f"first\n\n{code(f'train {name}')}\n\nlast")
    assert tags_of(page) == {"<p>", "</p>", "<pre>", "</pre>", "<code>", "</code>"}
    assert page.count("<pre>") == 1
    assert read(page).split() == ["first", "train", *name.replace("\x00", "").replace("\x02", "").split(), "last"]


def test_a_finding_is_said_as_on_the_screen(train: Train, litmus: Callable[..., tuple[str, str]]) -> None:
    run = train("model=fnn", "optimizer.lr=1e-7", "trainer.max_epochs=3", "data.limit=1000")
    (text,) = texts_of(run, "findings")
    said, _ = litmus("doctor", str(run.path))
    words = " ".join(said.replace("doctor  ", " ").replace("  try  ", " ").split())
    assert read(markdown_to_safe_html(text)) == words
    assert len(run.read_result()["findings"]) > 0
    assert "None" not in words
    assert "train.py" in words or "litmus train" in words


def test_a_finding_without_a_command_names_none() -> None:
    finding = {"name": "class_imbalance", "severity": "info", "evidence": "<b>a*b*</b>: 3", "layer": None}
    result = {"findings": [{**finding, "epoch": None, "try": None}], "metrics": {}}
    text = dashboard._findings(RunDir("."), result)
    page = markdown_to_safe_html(text)
    assert read(page).startswith("Class imbalance (info): <b>a*b*</b>: 3 ")
    assert "<code>" not in page
    assert "None" not in page


def test_a_run_without_findings_says_so(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.run.result.examined", lambda run, config, result: [])
    assert texts_of(train("model=fnn"), "findings") == ["The doctor finds nothing wrong."]


def test_a_run_that_a_baseline_beats_has_nothing_else() -> None:
    metrics = {"test/acc": 0.5, "test/logistic_acc": 0.8, "test/f1": None}
    text = dashboard._findings(RunDir("."), {"findings": [], "metrics": metrics})
    assert text == "The doctor finds nothing else."


def test_the_configuration_is_code(train: Train) -> None:
    (text,) = texts_of(train("model=fnn"), "workings/config")
    assert tags_of(markdown_to_safe_html(text)) == {"<pre>", "</pre>", "<code>", "</code>"}
