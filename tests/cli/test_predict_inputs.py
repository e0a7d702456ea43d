"""What `litmus predict` is given and cannot read: a sentence, soon, and before torch where the text alone shows it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ON_TABLE, SMALL
from PIL import Image

from litmus.cli.main import main
from litmus.record.folder import RunDir

LONG = "n" * 300


def refused(*words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *words])
    return str(ended.value.code)


@pytest.fixture
def images(trained: Callable[..., RunDir]) -> RunDir:
    return trained("model=perceptron", "trainer.max_epochs=1", small=[*SMALL, "data.limit=40"])


def test_images_that_are_none(images: RunDir, tmp_path: Path, litmus: Callable[..., tuple[str, str]]) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "digit.png")
    words = ["pipe.png", "/dev/zero", "missing.png", "/etc/passwd/x.png", "digit.png", "empty", "~nobody-here/x.png"]
    out, err = litmus("predict", str(images.path), *words, status=1)
    assert "digit.png" in out
    assert "pipe.png cannot be read (it is a pipe or a device, not a file)." in err
    assert "/dev/zero cannot be read (it is a pipe or a device, not a file)." in err
    assert "missing.png cannot be read (No such file or directory)." in err
    assert "x.png cannot be read (Not a directory)." in err
    assert "empty: there are no images in it." in err
    assert err.count("\n") == 6
    assert "File name too long" in refused(str(images.path), f"{LONG}.png")
    assert refused(str(images.path), "missing.png").endswith(
        "There is no file missing.png. This run takes images, not texts."
    )


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_files_of_texts_that_are_none(train: Callable[..., RunDir], tmp_path: Path) -> None:
    run = str(train("model=lstm", "trainer.max_epochs=1", small=[*ON_TABLE, "data.limit=90"]).path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "old.txt").write_bytes("good\n".encode("utf-16"))
    (tmp_path / "empty.txt").touch()
    for name, said in (
        ("pipe", "pipe is a pipe that nobody writes to, not a file."),
        ("/dev/zero", "/dev/zero is a device, not a file."),
        (str(tmp_path), "is a folder, not a file."),
        (LONG, "File name too long."),
        ("missing", "No such file or directory."),
        ("old.txt", "old.txt is UTF-16; --file takes UTF-8."),
        ("empty.txt", "empty.txt is empty."),
    ):
        assert refused(run, "--file", name).endswith(said)


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_a_pipe_that_somebody_writes_to_is_read(train: Callable[..., RunDir]) -> None:
    """As bash's `--file <(...)`."""
    run = str(train("model=lstm", "trainer.max_epochs=1", small=[*ON_TABLE, "data.limit=90"]).path)
    command = f"{sys.executable} -m litmus predict {run} --json --file <(echo lovely; sleep 1; echo dire)"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == ['{"text": "lovely"', '{"text": "dire"']


@pytest.mark.parametrize("verb", ["evaluate", "predict", "export", "compare", "dashboard"])
def test_a_run_whose_name_has_300_letters(verb: str) -> None:
    more = {"predict": ["x"], "export": ["--to", "onnx"]}.get(verb, [])
    with pytest.raises(SystemExit) as ended:
        main([verb, LONG, *more])
    assert "File name too long" in str(ended.value.code)
