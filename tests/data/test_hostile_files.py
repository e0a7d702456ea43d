"""Files that are none, or not what they seem: each is one sentence, and nothing waits for ever."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from helpers import ON_PHOTOS, composed
from PIL import Image

from litmus.config.instantiate import build
from litmus.data import _parquet, _table
from litmus.data._description import read_description
from litmus.data.image import decode
from litmus.data.image.labels import read_labels
from litmus.errors import UserError
from litmus.fetch import local
from litmus.spec import Images

LONG = "n" * 300


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    """Paths that name no ordinary file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    return {
        "pipe": tmp_path / "pipe",
        "folder": tmp_path / "folder",
        "device": Path("/dev/zero"),
        "missing": tmp_path / "missing",
        "below": Path("/etc/passwd/file"),
        "long": tmp_path / LONG,
        "nul": Path("a\0b"),
        "nobody": local.expand("~nobody-of-that-name/file"),
    }


ODD = ["pipe", "folder", "device", "missing", "below", "long", "nul", "nobody"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_that_is_no_file(name: str, suffix: str, odd: dict[str, Path], tmp_path: Path) -> None:
    path = odd[name]
    if name in ("pipe", "folder"):
        path = path.rename(tmp_path / f"{name}{suffix}")
    for read in (_table.read, _table.check):
        with pytest.raises(UserError, match=r"no file|cannot be read|not a file"):
            read(path, ["a"], encoding="auto", separator="auto")


@pytest.mark.parametrize("name", ODD)
def test_an_image_a_label_and_a_description_that_are_no_file(name: str, odd: dict[str, Path]) -> None:
    if name != "nul":  # which no command line can hold
        with pytest.raises(decode.Broken, match="cannot be read"):
            decode.read(odd[name], Images(3, 8, 8, (), ()))
    if name not in ("missing", "nobody", "nul"):
        assert "cannot be read" in read_labels(odd[name], 2, 0).mistakes[1]
    with pytest.raises(UserError, match=r"cannot be read|is not a YAML file"):
        read_description(odd[name])


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read all
    with pytest.raises(UserError, match=r"a.csv cannot be read: Permission denied."):
        _table.check(tmp_path / "a.csv", ["a"], encoding="auto", separator="auto")
    with pytest.raises(UserError, match="Permission denied"):
        local.check_folder(tmp_path)


TABLE = "review,stars\ncaf\u00e9,4\n"


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (TABLE.encode("utf-16-le"), "auto", "Set data.encoding=utf-16-le"),
        (TABLE.encode("utf-16-be"), "auto", "Set data.encoding=utf-16-be"),
        (TABLE.encode(), "utf-16", "cannot be decoded as utf-16"),
        (TABLE.encode("utf-16")[:-1], "auto", "cannot be decoded as utf-16"),
        ("caf\u00e9,stars\na,1\n".encode("cp1252"), "auto", "data.encoding=cp1252"),
        (TABLE.encode(), "zip", "data.encoding=zip is unknown"),
        (TABLE.encode(), "rot13", "data.encoding=rot13 is unknown"),
        (TABLE.encode(), "undefined", "data.encoding=undefined is unknown"),
        (TABLE.encode(), "a\0b", "is unknown"),
        (b"PK\x03\x04 and more", "auto", "is an Excel workbook or a ZIP archive"),
        (b"\x1f\x8b and more", "auto", "is compressed. Unpack it"),
        (b"PAR1 and more", "auto", "Its name should end in .parquet"),
        (b"\0\0\0\0\0", "auto", "is not text"),
        (b"", "auto", "is empty"),
    ],
)
def test_what_is_no_text_is_said(content: bytes, encoding: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_bytes(content)
    for read in (_table.read, _table.check):
        with pytest.raises(UserError, match=said):
            read(path, ["review"], encoding=encoding, separator="auto")


def test_utf_32_is_read_by_its_mark(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_bytes(TABLE.encode("utf-32"))
    found = _table.read(tmp_path / "reviews.csv", ["stars"], encoding="auto", separator="auto")
    assert found.rows == [(2, {"stars": "4"})]


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    polars = pytest.importorskip("polars")
    path = tmp_path / "a.parquet"
    polars.DataFrame({"review": ["good", "bad"] * 50, "stars": [5, 1] * 50}).write_parquet(path)
    return path


@pytest.mark.parametrize("seed", range(12))
def test_damaged_parquet_is_a_sentence(seed: int, parquet: Path) -> None:
    content, generator = bytearray(parquet.read_bytes()), random.Random(seed)
    for _ in range(8):
        content[generator.randrange(4, len(content))] = generator.randrange(256)
    parquet.write_bytes(content[: generator.randrange(len(content))] if seed % 3 == 0 else content)
    with suppress(UserError):  # some damage is none
        _table.read(parquet, ["review", "stars"], encoding="auto", separator="auto")


@pytest.mark.parametrize("ending", ["raise BaseException('a panic')", "import os; os.abort()"])
def test_a_reader_that_dies_takes_no_one_with_it(
    ending: str, parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As polars does over some damage: it raises a PanicException, which is no Exception, or aborts."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "polars.py").write_text(f"def read_parquet_schema(path):\n    {ending}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    with pytest.raises(UserError, match=r"a.parquet is not a Parquet file, or is damaged.$"):
        _table.check(parquet, ["review"], encoding="auto", separator="auto")


@pytest.mark.wide
def test_a_parquet_file_that_unpacks_to_too_many_rows(parquet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    polars.DataFrame({"review": polars.repeat("a", 101_000_000, eager=True)}).write_parquet(parquet)
    assert parquet.stat().st_size < 1_000_000
    with pytest.raises(UserError, match=r"101,000,000 rows, of which 100,000,000 can be read"):
        _parquet.read_cells(parquet, ["review"])


def test_parquet_s_cells_are_those_of_polars(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    from datetime import date

    columns = {
        "text": ["a", None],
        "x": [0.1, float("nan")],
        "f": [0.1, 2.5],
        "on": [True, None],
        "day": [date(2026, 1, 2)] * 2,
    }
    frame = polars.DataFrame(columns).with_columns(polars.col("f").cast(polars.Float32), many=polars.lit([[1], [2]]))
    frame.write_parquet(tmp_path / "a.parquet")
    found = _parquet.read_cells(tmp_path / "a.parquet", [])
    assert found["text"] == ["a", None]
    assert found["x"][0] == 0.1
    assert found["x"][1] != found["x"][1]
    assert found["f"] == frame["f"].to_list()
    assert found["on"] == [True, None]
    assert found["day"] == ["2026-01-02"] * 2
    assert _parquet.read_columns(tmp_path / "a.parquet") == frame.columns


@pytest.mark.parametrize(
    "content",
    [
        "train: [[a]]\nnames: [x]",
        "train: {a: b}\nnames: [x]",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntrain: .\nnames: [*c, *c]",
        "train: .\nnc: 1000000000",
        "train: .\nnames: {[1]: a}",
        "train: .\nnames: {a: 1, 2: b}",
        "train: 2026-99-99\nnames: [x]",
        f"train: {'[' * 5000}",
        "train: !!python/object/apply:os.system ['touch trace']\nnames: [x]",
        f"train: .\nnames: [x]\nkpt_shape: [{'9' * 5000}, 3]",
    ],
)
def test_a_hostile_description_is_a_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(content)
    with pytest.raises(UserError):
        read_description(tmp_path / "data.yaml")
    assert not (tmp_path / "trace").exists()


def test_a_table_of_images_with_a_name_of_300_letters(tmp_path: Path) -> None:
    lines = [f"{i}.png,{'ab'[i % 2]}" for i in range(20)]
    for i in range(20):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines, f"{LONG}.png,a"]) + "\n")
    data = build(composed(*ON_PHOTOS, "data.path=list.csv")["data"], 0)
    data.prepare_data()
    assert len(data.listed["train"]) == 20


def test_names_that_are_not_utf_8(train: Callable, litmus: Callable, tmp_path: Path) -> None:
    for number, name in enumerate((b"caf\xe9", b"th\xe9")):
        folder = tmp_path / "photos" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for i in range(20):
            Image.new("RGB", (8, 8), (200 * number, i, 0)).save(folder / f"{i}.png")
    broken = tmp_path / "photos" / os.fsdecode(b"caf\xe9") / os.fsdecode(b"broken\xff.png")
    broken.write_bytes(b"no image")
    few = ["data.path=photos", "data.size=8", "trainer=cpu", "trainer.max_epochs=1"]
    run = train("model=fnn", "data=image_folder", *few, small=[])
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert run.read_metrics()
    assert r"broken\udcff.png" in run.log.read_text()
    litmus("evaluate", str(run.path))
    out, _ = litmus("predict", str(run.path), str(broken.with_name("1.png")), "--json")
    assert r"caf\xe9" in out.replace("\\\\", "\\")
