"""A short program that uses an exported ONNX file, for people to copy from; it needs no litmus."""

import re
from collections.abc import Iterator

from litmus.data.columns.formats import ISO
from litmus.data.image.strokes import FULL, INK, SAME
from litmus.inference.export.onnx_columns import spellings
from litmus.spec import Boxes, Category, Classes, Columns, Date, Images, Number, Series, Spec, Strokes, Tokens

IMAGES = '''\
"""Predicts with {file}: python example.py {word}.jpg. Needs onnxruntime and Pillow."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if len(sys.argv) < 2:
    sys.exit(__doc__)
session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
{look}for path in sys.argv[1:]:
    try:
        image = Image.open(path)
    except OSError as error:
        sys.exit(f"{path} cannot be read: {error.strerror or 'it is no image'}")
{draft}    image = ImageOps.exif_transpose(image)  # upright, as the camera was held
    if image.mode[0] in "IF":
        wide = np.asarray(image)
        if image.mode == "F" or not 0 <= wide.min() <= wide.max() < 65536:
            sys.exit(f"{path}: its pixels are numbers without a known range")
        image = Image.fromarray((wide >> 8).astype(np.uint8))  # of 16 bits the upper ones
    image = image.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
{looked}{said}'''

# What `data/image/strokes.py` looks at, and changes where it is otherwise, which no graph can.
LOOK = """\
def like_training(image):
    \"\"\"Whether strokes are bright on black, of the size and at the place of the training images'.\"\"\"
    pixels = np.asarray(image.convert("L").resize(({width}, {height}), Image.Resampling.BILINEAR)).astype(float)
    rows, columns = ((pixels >= {ink}).any(axis=axis).nonzero()[0] for axis in (1, 0))
    if np.median([*pixels[0], *pixels[-1], *pixels[:, 0], *pixels[:, -1]]) >= {ink} or pixels.max() < {full}:
        return False
    center = [pixels.sum(axis=axis) @ (np.arange(pixels.shape[1 - axis]) + 0.5) / pixels.sum() for axis in (1, 0)]
    size = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    return 0 <= {size} - size <= {same} and np.abs(center - np.array({center})).max() <= {same}


"""

LOOKED = """\
    if not like_training(image):
        said = "is unlike the training images: invert, crop and center its strokes, as litmus predict does"
        print(path, said, file=sys.stderr)
"""

DRAFT = """\
    image.draft("RGB", ({side}, {side}))  # a large JPEG is decoded at a half, a quarter or an eighth of its size
"""

CLASSES_OF_IMAGES = """\
    figures = session.run(None, {"images": np.asarray(image)[None]})[0][0]
    print(path, names[figures.argmax()], figures.max())
"""

VALUES_OF_IMAGES = """\
    figures = session.run(None, {"images": np.asarray(image)[None]})[0][0]
    print(path, dict(zip(names, figures.tolist())))
"""

BOXES = """\
    found = list(zip(*session.run(None, {"image": np.asarray(image)})))
    for box, score, label in found:
        print(path, names[label], score, box.tolist())
    if not found:
        print(f"{path}: no boxes")
"""

TEXTS = '''\
"""Predicts with {file}: python example.py "a text". Needs onnxruntime and tokenizers."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

if len(sys.argv) < 2:
    sys.exit(__doc__)
session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
metadata = session.get_modelmeta().custom_metadata_map
names, tokenizer = json.loads(metadata["names"]), Tokenizer.from_str(metadata["tokenizer"])
tokenizer.encode_special_tokens = True  # "[SEP]" in a text is a text
texts = [" ".join(text.split()) for text in sys.argv[1:]]
if not all(texts):
    sys.exit("A text is empty.")
tokens = np.array([row.ids for row in tokenizer.encode_batch(texts)], dtype=np.int64)  # truncated and padded
for text, figures in zip(texts, session.run(None, {"tokens": tokens})[0]):
    {said}
'''

# Cells of a file as numbers, as `columns.read.with_points` has them, and what separates them.
READING = r"""
if len(sys.argv) != 2:
    sys.exit(__doc__)
try:
    data = Path(sys.argv[1]).read_bytes()
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
except OSError as error:
    sys.exit(f"{sys.argv[1]} cannot be read: {error.strerror}")
except UnicodeDecodeError:
    text = data.decode("cp1252", errors="replace")  # as most files are that are not UTF-8
separator = max(",;\t|", key=text.partition("\n")[0].count)
rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
header, rows = [name.strip() for name in rows[0]] if rows else [], [row for row in rows[1:] if row]
copies = [header[: i + 1].count(name) for i, name in enumerate(header)]
header = [name if copy == 1 else f"{name}_{copy}" for name, copy in zip(header, copies)]
if absent := [name for name in {wanted} if header.count(name) != 1]:
    sys.exit(f"{sys.argv[1]} has not exactly one column of each of these names: {absent}")
if any(len(row) != len(header) for row in rows):
    sys.exit(f"{sys.argv[1]} has rows that are longer or shorter than the header")
rows = [dict(zip(header, row)) for row in rows]


def number(cell, points=False):  # points: whether 1.500 is 1500, where no commas separate cells
    cell = cell.strip()
    point = points and separator != "," and re.fullmatch(r"[-+]?[1-9]\d{0,2}\.\d{3}", cell)
    thousand = separator == "," and re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", cell)
    if thousand or re.fullmatch(r"[-+]?\d{1,3}((,\d{3})+\.\d*|(,\d{3}){2,})", cell):
        cell = cell.replace(",", "")
    elif point or re.fullmatch(r"[-+]?((\d{1,3}(\.\d{3})+|\d*),\d+|\d{1,3}(\.\d{3}){2,})", cell):
        cell = cell.replace(".", "").replace(",", ".")
    written = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", cell, re.ASCII)
    value = float(cell) if written else np.nan
    return value if np.isfinite(value) else np.nan
"""

SERIES = '''\
"""Forecasts with {file}: python example.py series.csv. Needs onnxruntime.

It does not look at dates: each step is a row, the oldest first, and a step without values is a row, too.
"""

import csv
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime

COLUMNS, GROUP = {columns}, {group}
THOUSANDS = {thousands}  # columns in which 1.500 is 1500
LENGTH, AHEAD = {length}, {ahead}  # rows before the forecast, and rows of what is known ahead

{reading}


session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
series, short = {}, True
for row in rows:
    values = [number(row[name], name in THOUSANDS) for name in COLUMNS]
    series.setdefault(row[GROUP] if GROUP else COLUMNS[0], []).append(values)
for name, rows in series.items():
    values = np.array(rows)
    end = np.flatnonzero(~np.isnan(values[:, 0])).max(initial=-1) + 1  # the first row to forecast
    if end < LENGTH or end + AHEAD > len(values):
        print(name, f"too short: it takes {LENGTH} rows before the forecast and {AHEAD} after", file=sys.stderr)
        continue
    start = end - LENGTH
    before = [[np.nan, *own[~np.isnan(own)]][-1] for own in values[:start].T]  # stands in for what is missing
    window = np.stack([before, *values[start : end + AHEAD]])
    figures = session.run(None, {"series": window[None]})[0][0]
    print(name, dict(zip(names, figures.tolist())))
    short = False
sys.exit(short)
'''

DATETIME = "from datetime import datetime, timedelta, timezone\n"
DATES = """

def days_since_1970(cell, *forms):
    for form in forms:
        try:
            read = datetime.strptime(cell.strip(), form)
        except ValueError:
            continue
        read = read.astimezone(timezone.utc).replace(tzinfo=None) if read.tzinfo else read
        return (read - datetime(1970, 1, 1)) / timedelta(days=1)
    return np.nan

"""

COLUMNS = r'''"""Predicts with {file}: python example.py table.csv. Needs onnxruntime."""

import csv
import io
import json
import re
import sys
{datetime}from pathlib import Path

import numpy as np
import onnxruntime

{reading}{dates}


COLUMNS = {columns}
session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
types = {"tensor(string)": object, "tensor(double)": np.float64}
inputs = {
    each.name: np.array([COLUMNS[each.name](row[each.name]) for row in rows], dtype=types[each.type])
    for each in session.get_inputs()
}
for figures in session.run(None, inputs)[0]:
    {said}
'''


def program(spec: Spec, file_name: str) -> str:
    """The program's text.

    Args:
        spec: of the network.
        file_name: of the ONNX file beside it.
    """
    read = spec.input
    if isinstance(read, Images):
        return _of_images(spec, read, file_name)
    if isinstance(read, Tokens):
        return _filled(TEXTS, said=_said(spec, "text"), file=file_name)
    return _of_columns(spec, read, file_name) if isinstance(read, Columns) else _of_series(spec, read, file_name)


def _filled(template: str, **facts: str) -> str:
    """A template with its places filled; what is filled in is left as it is, whatever the names of columns are."""
    return re.sub(rf"\{{({'|'.join(facts)})\}}", lambda place: facts[place[1]], template)


def _of_columns(spec: Spec, read: Columns, file_name: str) -> str:
    kinds = "".join(f"    {name!r}: {_kind(column)},\n" for name, column in read.by_name().items())
    return _filled(
        COLUMNS,
        columns=f"{{\n{kinds}}}",
        said=_said(spec, ""),
        reading=_filled(READING.strip(), wanted=repr(list(read.by_name()))),
        dates="\n\n\n" + DATES.strip() if read.dates else "",
        datetime=DATETIME if read.dates else "",
        file=file_name,
    )


def _of_series(spec: Spec, series: Series, file_name: str) -> str:
    columns = list(series.raw) if series.columns else [spec.target.names[0].removesuffix("+1")]
    return _filled(
        SERIES,
        columns=repr(columns),
        group=repr(series.group or None),
        thousands=repr(list(series.thousands)),
        length=str(series.length),
        ahead=str(len(spec.target.names) if series.known else 0),
        reading=_filled(READING.strip(), wanted="[*COLUMNS, *([GROUP] if GROUP else [])]"),
        file=file_name,
    )


def _of_images(spec: Spec, images: Images, file_name: str) -> str:
    if isinstance(spec.target, Boxes):
        return _filled(IMAGES, draft="", said=BOXES, word="street", look="", looked="", file=file_name)
    # As `decode.read` does; a letterbox is placed by the size in the file, which it would change.
    side = 2 * max(images.resized, images.height, images.width)
    return _filled(
        IMAGES,
        draft=_filled(DRAFT, side=str(side)) if images.resized else "",
        said=CLASSES_OF_IMAGES if isinstance(spec.target, Classes) else VALUES_OF_IMAGES,
        word="image",
        look=_look(images.strokes) if images.strokes else "",
        looked=LOOKED if images.strokes else "",
        file=file_name,
    )


def _look(strokes: Strokes) -> str:
    facts = {"ink": INK, "full": FULL, "same": SAME, "center": strokes.center}
    facts |= {"height": strokes.height, "width": strokes.width, "size": strokes.size}
    return "\n" + _filled(LOOK, **{name: repr(fact) for name, fact in facts.items()})


def _said(spec: Spec, name: str) -> str:
    begin = f"{name}, " if name else ""
    if isinstance(spec.target, Classes):
        return f"print({begin}names[figures.argmax()], figures.max())"
    return f"print({begin}dict(zip(names, figures.tolist())))"


def _kind(column: Number | Date | Category) -> str:
    """What reads a cell of a column."""
    if isinstance(column, Date):
        return f"lambda cell: days_since_1970(cell, {', '.join(map(repr, python_forms(column.format)))})"
    if spellings(column):
        return "str.strip"
    return "lambda cell: number(cell, points=True)" if isinstance(column, Number) and column.thousands else "number"


def python_forms(form: str) -> Iterator[str]:
    """The formats of Python that read what polars reads by one; by any of ISO's, where a file had its own dates."""
    for each in [form] if form else ISO:
        plain = each.replace("%#z", "%z")
        for month in ("%B", "%b") if "%B" in plain else ("",):
            yield from (plain.replace("%B", month).replace("%.f", part) for part in ("", ".%f")[: 1 + ("%.f" in plain)])
