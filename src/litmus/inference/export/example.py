"""A short program that uses an exported ONNX file, for people to copy from; it needs no litmus."""

from collections.abc import Iterator

from litmus.data.columns.formats import ISO
from litmus.inference.export.onnx_columns import spellings
from litmus.spec import Boxes, Category, Classes, Columns, Date, Images, Number, Series, Spec, Tokens

IMAGES = '''\
"""Predicts with {file}: python example.py {word}.jpg. Needs onnxruntime and Pillow."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
for path in sys.argv[1:]:
    image = Image.open(path)
{draft}    image = ImageOps.exif_transpose(image).convert("RGBA")  # upright, as the camera was held
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
{said}'''

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
    for box, score, label in zip(*session.run(None, {"image": np.asarray(image)})):
        print(path, names[label], score, box.tolist())
"""

TEXTS = '''\
"""Predicts with {file}: python example.py "a text". Needs onnxruntime and tokenizers."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
metadata = session.get_modelmeta().custom_metadata_map
names, tokenizer = json.loads(metadata["names"]), Tokenizer.from_str(metadata["tokenizer"])
tokenizer.encode_special_tokens = True  # "[SEP]" in a text is a text
texts = [" ".join(text.split()) for text in sys.argv[1:]]
tokens = np.array([row.ids for row in tokenizer.encode_batch(texts)], dtype=np.int64)  # truncated and padded
for text, figures in zip(texts, session.run(None, {"tokens": tokens})[0]):
    {said}
'''

SERIES = '''\
"""Predicts with {file}: python example.py series.csv. Needs onnxruntime."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

COLUMNS, LENGTH = {columns}, {length}
session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:
    rows = list(csv.DictReader(file))[-LENGTH:]
window = np.array([[float(row[name]) for name in COLUMNS] for row in rows])
print(dict(zip(names, session.run(None, {"series": window[None]})[0][0].tolist())))
'''

COLUMNS = r'''"""Predicts with {file}: python example.py table.csv. Needs onnxruntime."""

import csv
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import onnxruntime

with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:  # or another, such as cp1252
    lines = list(file)
separator = max(",;\t|", key=lines[0].count)


def number(cell):
    cell = cell.strip()
    either = separator == "," and re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", cell)  # a comma between thousands, or not
    if re.fullmatch(r"[-+]?(\d{1,3}(\.\d{3})+|\d*),\d+", cell) and not either:
        cell = cell.replace(".", "").replace(",", ".")
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def date(*forms):
    def days_since_1970(cell):
        for form in forms:
            try:
                read = datetime.strptime(cell.strip(), form)
            except ValueError:
                continue
            read = read.astimezone(timezone.utc).replace(tzinfo=None) if read.tzinfo else read
            return (read - datetime(1970, 1, 1)) / timedelta(days=1)
        return float("nan")

    return days_since_1970


COLUMNS = {columns}
session = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
rows = list(csv.DictReader(lines, delimiter=separator))
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
        text = _of_images(spec, read)
    elif isinstance(read, Tokens):
        text = TEXTS.replace("{said}", _said(spec, "text"))
    elif isinstance(read, Columns):
        kinds = "".join(f"    {name!r}: {_kind(column)},\n" for name, column in read.by_name().items())
        text = COLUMNS.replace("{columns}", f"{{\n{kinds}}}").replace("{said}", _said(spec, ""))
    else:
        text = _of_series(spec, read)
    return text.replace("{file}", file_name)


def _of_series(spec: Spec, series: Series) -> str:
    """The window is the last rows of a file, which has a column for each feature, indicators of missing values too."""
    columns = list(series.columns) or [spec.target.names[0].removesuffix("+1")]
    text = SERIES.replace("{columns}", repr(columns)).replace("{length}", str(series.length))
    if len(columns) == 1:
        return text
    note = '# As the network sees them: what is known ahead is moved up by the horizon; "NAME is missing" is 1 or 0.'
    return text.replace("COLUMNS, LENGTH", f"{note}\nCOLUMNS, LENGTH")


def _of_images(spec: Spec, images: Images) -> str:
    if isinstance(spec.target, Boxes):
        return IMAGES.replace("{draft}", "").replace("{said}", BOXES).replace("{word}", "street")
    said = CLASSES_OF_IMAGES if isinstance(spec.target, Classes) else VALUES_OF_IMAGES
    # As `decode.read` does; a letterbox is placed by the size in the file, which it would change.
    side = 2 * max(images.resized, images.height, images.width)
    text = IMAGES.replace("{draft}", DRAFT.replace("{side}", str(side)) if images.resized else "")
    if images.strokes:
        note = "# Strokes must be bright on black, in size and place as in training: litmus predict sees to that."
        text = text.replace("for path in", f"{note}\nfor path in")
    return text.replace("{said}", said).replace("{word}", "image")


def _said(spec: Spec, name: str) -> str:
    begin = f"{name}, " if name else ""
    if isinstance(spec.target, Classes):
        return f"print({begin}names[figures.argmax()], figures.max())"
    return f"print({begin}dict(zip(names, figures.tolist())))"


def _kind(column: Number | Date | Category) -> str:
    """What reads a cell of a column."""
    if isinstance(column, Date):
        return f"date({', '.join(map(repr, python_forms(column.format)))})"
    return "str.strip" if spellings(column) else "number"


def python_forms(form: str) -> Iterator[str]:
    """The formats of Python that read what polars reads by one; by any of ISO's, where a file had its own dates."""
    for each in [form] if form else ISO:
        plain = each.replace("%#z", "%z")
        for month in ("%B", "%b") if "%B" in plain else ("",):
            yield from (plain.replace("%B", month).replace("%.f", part) for part in ("", ".%f")[: 1 + ("%.f" in plain)])
