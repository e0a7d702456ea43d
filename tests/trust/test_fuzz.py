"""Files and command lines that nobody would write: a sentence, or a value, but never a crash or a hang.

LITMUS_FUZZ says how many inputs in all; `make fuzz` tries 10,000.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from helpers import DIGITS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warm import Warm

from litmus.data import _table
from litmus.data._description import read_description
from litmus.data.columns.discover import as_columns, discover
from litmus.data.columns.encode import encode
from litmus.data.columns.read import read_table
from litmus.data.image import decode
from litmus.data.image.labels import read_labels
from litmus.errors import UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.spec import Images

NUM_INPUTS = int(os.environ.get("LITMUS_FUZZ", "200"))
SHARES = {
    "overrides": 0.05,
    "tables": 0.1,
    "columns": 0.1,
    "images": 0.15,
    "descriptions": 0.2,
    "runs": 0.2,
    "checkpoints": 0.1,
}


def fuzzing(kind: str) -> settings:
    unhurried = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=max(int(NUM_INPUTS * SHARES[kind]), 1),
        deadline=timedelta(seconds=20),
        suppress_health_check=unhurried,
        database=None,
        derandomize=NUM_INPUTS == 200,
    )


def refused_or_read(read: Callable[[Path], object], name: str, content: bytes) -> None:
    """Reads a file of that content, which gives a value or a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        with suppress(UserError):
            read(path)


KEYS = st.sampled_from(["model", "data", "seed", "model.widths", "model.dropout", "optimizer.lr", "resume", "trainer"])
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["null", "[", "{a:1}", "[1,2]", "1e400", "${seed}", "${", "'", "-1", "nan", "fnn", "0,1", "???"]),
)
OVERRIDES = st.lists(st.one_of(VALUES, st.builds("{}={}".format, KEYS, VALUES)), min_size=1, max_size=3)
LINES = st.lists(st.lists(st.one_of(st.text(max_size=6), st.floats().map(str)), max_size=4).map(",".join), max_size=8)
BYTES = st.one_of(st.binary(max_size=200), LINES.map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")))
IMAGES = st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b""])  # how they begin
YAML = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["train", "val", "names", "nc", "path", "kpt_shape", "model", "data"]), inner),
    ),
    max_leaves=8,
)


@pytest.mark.wide
@fuzzing("overrides")
@given(words=OVERRIDES)
def test_overrides(words: list[str], light: Warm, files: Path) -> None:
    answer = light("train", *words, "--cfg", "job", folder=files, timeout=20)
    assert answer.status in (0, 2), answer
    assert "Traceback" not in answer.err, answer.err
    assert not answer.imported


@pytest.mark.wide
@fuzzing("tables")
@given(content=BYTES, name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.parquet"]))
def test_tables(content: bytes, name: str) -> None:
    for columns in ([], ["text", "label"]):
        refused_or_read(
            lambda path, of=columns: _table.read(path, of, encoding="auto", separator="auto"), name, content
        )


@pytest.mark.wide
@fuzzing("columns")
@given(content=BYTES, name=st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl", "a.parquet", "a.xlsx"]))
def test_columns_of_tables(content: bytes, name: str) -> None:
    def discovered(path: Path) -> object:
        frame = read_table(path, (), encoding="auto", separator="auto").frame
        found = discover(frame, frame, numeric=[], categorical=[], ignored=[], scaling="quantile")
        return encode(frame, as_columns(found))

    refused_or_read(discovered, name, content)


@fuzzing("descriptions")
@given(content=st.one_of(BYTES, YAML.map(lambda value: repr(value).encode("utf-8", "surrogatepass"))))
def test_descriptions_of_labels(content: bytes) -> None:
    refused_or_read(read_description, "data.yaml", content)


@fuzzing("images")
@given(content=st.binary(max_size=200), kind=IMAGES)
def test_images_and_their_labels(content: bytes, kind: bytes) -> None:
    assert isinstance(DIGITS.input, Images)
    with suppress(decode.Broken):
        refused_or_read(lambda path: decode.read(path, DIGITS.input), "a.png", kind + content)
    refused_or_read(lambda path: read_labels(path, 2, 0), "a.txt", content)


@fuzzing("runs")
@given(content=st.one_of(BYTES, YAML.map(lambda value: repr(value).encode("utf-8", "surrogatepass"))))
def test_run_folders(content: bytes) -> None:
    refused_or_read(lambda path: RunDir(path.parent).read_config(), "config.yaml", content)
    refused_or_read(lambda path: RunDir(path.parent).read_result(), "result.json", content)
    refused_or_read(lambda path: RunDir(path.parent).read_metrics(), "metrics.csv", content)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
    torch.save({"spec": DIGITS.to_plain(), "state_dict": {"net.weight": torch.zeros(3, 3)}, "model": {}}, path)
    return path.read_bytes()


@fuzzing("checkpoints")
@given(data=st.data())
def test_checkpoints(data: st.DataObject, checkpoint: bytes) -> None:
    content = bytearray(checkpoint)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    refused_or_read(load_checkpoint, "best.ckpt", bytes(content[:end]))


@fuzzing("checkpoints")
@given(spec=YAML, model=YAML, state=YAML)
def test_entries_of_checkpoints(spec: object, model: object, state: object, tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    torch.save({"spec": spec, "model": model, "state_dict": state}, path)
    refused_or_read(load_checkpoint, "best.ckpt", path.read_bytes())
