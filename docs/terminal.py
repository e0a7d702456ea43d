"""The animated picture of README.md: a training in a terminal, as it was, drawn from what the command wrote."""

import io
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pyte
from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char
from transcripts import ROOT, environment, words

COMMAND = "python train.py model=fnn trainer.max_epochs=5"
COLUMNS, LINES = 96, 30
FRAME_S, END_S = 0.25, 4.0  # between pictures, and how long the last one stays
SIZE = 13  # of letters in pixels
PAPER, INK = "#1b1f24", "#dfe3e8"
COLORS = {
    "default": INK,
    "red": "#ff7b72",
    "green": "#7ee787",
    "yellow": "#e3b341",
    "brown": "#e3b341",  # pyte's name for a dark yellow
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
}


def write(folder: Path) -> None:
    """Runs the command in a folder that `transcripts.prepare` has filled, and writes docs/terminal.gif."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    shown = {**environment(folder, COLUMNS), "TERM": "xterm-256color", "LINES": str(LINES), "PYTHONUNBUFFERED": "1"}
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    stream.feed(f"$ {COMMAND}\r\n".encode())
    process = subprocess.Popen(
        [sys.executable, *words(COMMAND)[1:]], cwd=folder, env=shown, stdout=slave, stderr=slave, stdin=slave
    )
    os.close(slave)
    pictures = [drawn(screen)]
    next_at = time.monotonic() + FRAME_S
    while process.poll() is None or select.select([master], [], [], 0)[0]:
        if select.select([master], [], [], max(0.0, next_at - time.monotonic()))[0]:
            try:
                stream.feed(os.read(master, 65536))
            except OSError:  # of Linux, where the other end was closed
                break
        if time.monotonic() >= next_at:
            pictures.append(drawn(screen))
            next_at += FRAME_S
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, COMMAND)
    (ROOT / "docs" / "terminal.gif").write_bytes(animated([*pictures, drawn(screen)]))


def drawn(screen: pyte.Screen) -> Image.Image:
    """What the terminal shows."""
    font = ImageFont.truetype(_monospaced(), SIZE)
    width, height = font.getlength("M"), SIZE * 1.3
    picture = Image.new("RGB", (round(width * COLUMNS) + 16, round(height * LINES) + 16), PAPER)
    pen = ImageDraw.Draw(picture)
    for row in range(LINES):
        for column, char in screen.buffer[row].items():
            if char.data.strip():
                pen.text((8 + column * width, 8 + row * height), char.data, _color(char), font)
    return picture


def _color(char: Char) -> str:
    color = char.fg if char.fg.startswith("#") else COLORS.get(char.fg.removeprefix("bright"), "")
    return color or (f"#{char.fg}" if len(char.fg) == 6 else INK)


def _monospaced() -> str:
    """DejaVu Sans Mono, which comes with matplotlib."""
    import matplotlib

    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf"))


def animated(pictures: list[Image.Image]) -> bytes:
    """A GIF, in which pictures that are the same are one that stays longer."""
    frames: list[Image.Image] = []
    times: list[int] = []
    for picture in pictures:
        if frames and frames[-1].tobytes() == picture.tobytes():
            times[-1] += round(1000 * FRAME_S)
        else:
            frames.append(picture)
            times.append(round(1000 * FRAME_S))
    times[-1] = round(1000 * END_S)
    colors = frames[-1].quantize(16, Image.Quantize.MEDIANCUT)
    reduced = [frame.quantize(palette=colors, dither=Image.Dither.NONE) for frame in frames]
    content = io.BytesIO()
    reduced[0].save(content, "GIF", save_all=True, append_images=reduced[1:], duration=times, loop=0, optimize=True)
    return content.getvalue()
