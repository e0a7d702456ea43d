"""`make guide-figures`: runs the command of every page of docs/guide/, or of some, and writes their figures."""

import importlib
import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "guide"))
import guide_runs
from PIL import Image
from rich.progress import track

ROOM = 8  # pixels between pictures
LARGEST = 150_000  # bytes of a figure


def main(names: list[str]) -> None:
    """Writes the figures.

    Args:
        names: of pages, such as `01-perceptron`; none are all.
    """
    chosen = [page for page in guide_runs.pages() if not names or page.stem in names]
    if unknown := set(names) - {page.stem for page in chosen}:
        sys.exit(f"There is no page {', '.join(sorted(unknown))} in docs/guide/.")
    for page in track(chosen, "figures"):
        name = page.stem.partition("-")[2]
        with tempfile.TemporaryDirectory() as folder:
            runs = guide_runs.run(page, Path(folder))
            rows = importlib.import_module(name.replace("-", "_")).draw(runs)
        (guide_runs.GUIDE / f"{name}.png").write_bytes(_png(_beside(rows)))


def _beside(rows: list[list[Image.Image]]) -> Image.Image:
    """Pictures in rows, on white."""
    width = max(sum(each.width + ROOM for each in row) - ROOM for row in rows)
    whole = Image.new("RGB", (width, sum(max(each.height for each in row) + ROOM for row in rows) - ROOM), "white")
    y = 0
    for row in rows:
        x = 0
        for each in row:
            whole.paste(each, (x, y))
            x += each.width + ROOM
        y += max(each.height for each in row) + ROOM
    return whole


def _png(picture: Image.Image) -> bytes:
    """A file of at most so many bytes, by as few colors as that takes."""
    content = b""
    for colors in (256, 128, 64, 32):
        file = io.BytesIO()
        picture.quantize(colors, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        content = file.getvalue()
        if len(content) <= LARGEST:
            break
    return content


if __name__ == "__main__":
    main(sys.argv[1:])
