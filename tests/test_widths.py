"""In any width words, paths and numbers are whole, and what can be copied is what was meant."""

import io
import logging
import math
import re
import shlex
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from litmus import console

WIDTHS = range(40, 121, 4)
PATH = "outputs/fnn-table/2026-11-29_16-37-10-120_path-films.csv_target-price-size"
COMMAND = f"python train.py model=fnn 'model.widths=[128, 64]' data.path={PATH} data.target=[price,size] seed=7"
Shown = Callable[[], str]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shown]:
    """Makes both screens a terminal's of a width; gives what reads them."""

    def made(width: int, encoding: str = "utf-8", on_terminal: bool = True) -> Shown:
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        options = {"force_terminal": on_terminal, "color_system": None, "width": width, "soft_wrap": True}
        for name in ("out", "err"):
            monkeypatch.setattr(console, name, console.Screen(file=file, **options))
        return lambda: file.buffer.getvalue().decode(encoding)

    return made


@pytest.mark.parametrize("width", WIDTHS)
def test_text_is_broken_between_words_alone(width: int, screen: Callable[..., Shown]) -> None:
    text = f"doctor       Underfitting: train/acc is 0.6775, see {PATH}, or data.path=a/b.csv. 中文 中文 中文 中文"
    shown = screen(width)
    console.say(text, wrap=True)
    console.error(text)
    with console.log_to(None):
        logging.getLogger("litmus").warning(text)
    assert shown().split() == [*text.split(), *text.split(), "WARNING", *text.split()]
    for line in shown().splitlines():
        assert cell_len(line) <= width or PATH in line
    assert "\n             " in shown(), "what continues a labeled line stands below its text"


def test_elsewhere_text_is_a_line(screen: Callable[..., Shown]) -> None:
    shown = screen(40, on_terminal=False)
    text = "so many words that they would never fit into the forty columns of this screen"
    console.say(text, wrap=True)
    console.error(text)
    console.say_labeled("page", PATH)
    console.say_command("try", COMMAND)
    assert shown().splitlines() == [text, text, f"page         {PATH}", f"try          {COMMAND}"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_path_and_a_command_can_be_copied(width: int, screen: Callable[..., Shown]) -> None:
    shown = screen(width)
    console.say_labeled("run folder", PATH)
    console.say_command("try", COMMAND)
    path, _, rest = shown().removeprefix("run folder").strip().partition("\n")
    assert path == PATH
    assert shlex.split(rest.removeprefix("try").replace("\\\n", " ")) == shlex.split(COMMAND)
    assert all(cell_len(line) <= width or PATH in line for line in rest.splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("value", [0.12345, 123456789.12345])
def test_a_table_drops_columns_of_numbers_from_the_right(
    width: int, value: float, screen: Callable[..., Shown]
) -> None:
    names = [f"metric_{i}" for i in range(12)]
    rows = [(label, *([value] * 12)) for label in ("test", "train (running mean)", "test, logistic regression")]
    shown = screen(width)
    console.table(("", *names), rows, title="best epoch 3 of 10")
    lines = shown().splitlines()
    assert all(cell_len(line) <= width for line in lines)
    kept = [name for name in lines[1].split() if name in names]
    assert kept == names[: len(kept)]
    assert kept
    assert [int(i) for i in re.findall(r"metric_(\d+)", shown().partition("(not")[2])] == [*range(len(kept), 12)]
    assert shown().count(f"{value:.4f}") == 3 * len(kept)
    assert not re.findall(r"\d+\.\d+", shown().replace(f"{value:.4f}", ""))
    words = re.sub(r"[\d.]+ *", "", "\n".join(lines[2:]).partition("(not")[0]).split()
    assert words == ["test", "train", "(running", "mean)", "test,", "logistic", "regression"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_path_in_a_table_has_a_line_of_its_own(width: int, screen: Callable[..., Shown]) -> None:
    note = "inverted, thickened, fitted into 20 pixels, centered"
    rows = [(f"{PATH}/{i}.png", "three", 0.98765, note) for i in range(3)]
    shown = screen(width)
    console.table(("image", "label", "probability", "note"), rows)
    words = shown().split()
    assert all(f"{PATH}/{i}.png" in words for i in range(3))
    assert words.count("three") == words.count("0.9877") == 3
    assert words.count("centered") == 3
    assert all(cell_len(line) <= width or PATH in line for line in shown().splitlines())


def test_a_table_elsewhere_is_as_wide_as_it_is(screen: Callable[..., Shown]) -> None:
    shown = screen(40, on_terminal=False)
    console.table(("image", "acc", "note"), [(PATH, 0.5, "so many words that they do not fit into forty columns")])
    assert len(shown().splitlines()) == 2


def test_a_sparkline_is_as_high_as_its_values(screen: Callable[..., Shown]) -> None:
    screen(80)
    assert console.sparkline([0.0, 1, 2, 3, 4, 5, 6, 7], 40) == "▁▂▃▄▅▆▇█"
    assert console.sparkline([7.0, 0.0, math.nan, 7.0], 40) == "█▁ █"
    assert console.sparkline([0.5] * 3, 40) == "▄▄▄"
    assert console.sparkline([math.nan], 40) == " "
    assert console.sparkline([float(i // 10) for i in range(80)], 8) == "▁▂▃▄▅▆▇█"
    assert len(console.sparkline([float(i) for i in range(1003)], 40)) == 40
    screen(80, encoding="ascii")
    assert console.sparkline([0.0, 1, 2, 3, 4, 5, 6, 7], 40) == "_.:-=+*#"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_a_stream_cannot_encode_is_no_error(encoding: str, screen: Callable[..., Shown]) -> None:
    shown = screen(80, encoding=encoding)
    console.say("中文 = 5")
    console.table(("class 中", "acc"), [("文", 0.5)])
    assert "?? = 5" in shown()
    assert "0.5000" in shown()


def test_a_warning_is_shown_once_in_a_run(screen: Callable[..., Shown], tmp_path) -> None:
    shown = screen(80)
    for _ in range(2):
        with console.log_to(tmp_path / "log"):
            for epoch in range(3):
                logging.getLogger("litmus.data").warning("few samples")
                logging.getLogger("litmus.data").warning("epoch %d", epoch)
                logging.getLogger("lightning.pytorch").warning("a library's own")
                logging.getLogger("litmus.data").error("an error")
    assert shown().count("few samples") == 2, "once in each"
    assert shown().count("epoch 1") == 2
    assert shown().count("an error") == 6
    log = (tmp_path / "log").read_text()
    assert log.count("a library's own") == log.count("few samples") == 2
    assert "library" not in shown()
