"""`litmus serve`: it answers as `litmus predict` does, many at once, within limits; and its page can be played with."""

import csv
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browsing import BROWSER, Browser
from helpers import ON_HOUSES, ROOT
from PIL import Image, ImageDraw
from serving import EARLIER, FORM, Asking, form, loaded, serving
from validating import problems

from litmus.cli.main import main
from litmus.errors import UserError
from litmus.inference.load import load_run
from litmus.inference.serve import app, bodies, images, limits, worker
from litmus.inference.serve.activations import Activations
from litmus.inference.serve.guard import without_port
from litmus.inference.serve.rows import RowKind
from litmus.inference.serve.worker import Question, Worker
from litmus.record.folder import RunDir

Litmus = Callable[..., tuple[str, str]]
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
NUM_CONCURRENT = 200


def digit(seed: int = 0, size: int = 28) -> bytes:
    """A PNG of some strokes on black."""
    generator = np.random.default_rng(seed)
    image = Image.new("L", (size, size))
    points = [tuple(point) for point in generator.integers(size // 5, size - size // 5, (4, 2)).tolist()]
    ImageDraw.Draw(image).line(points, 255, max(2, size // 12))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def digits_server() -> Iterator[Asking]:
    with serving(RunDir(EARLIER / "fnn-mnist")) as asking:
        yield asking


@pytest.fixture(scope="module")
def texts_server() -> Iterator[Asking]:
    with serving(RunDir(EARLIER / "lstm-text_table")) as asking:
        yield asking


@pytest.fixture(scope="module")
def series_server() -> Iterator[Asking]:
    with serving(RunDir(EARLIER / "lstm-series")) as asking:
        yield asking


def plain(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def alike(found: object, wanted: object) -> bool:
    """Whether they are the same, numbers to within rounding; and have their keys in the same order."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return list(found) == list(wanted) and all(alike(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(alike, found, wanted))
    if isinstance(found, float) and isinstance(wanted, float):
        return found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    return found == wanted


# ---- The same answers as `litmus predict --json`.


@pytest.mark.parametrize("name", ["fnn-mnist", "cnn-mnist", "scratch-mnist", "yolo-mnist_boxes"])
def test_images_are_answered_as_predict_does(name: str, litmus: Litmus) -> None:
    Path("one.png").write_bytes(digit(1))
    Path("two.png").write_bytes(digit(2, 64))
    Image.new("RGB", (400, 300), (20, 200, 30)).save("three.jpg")  # which is decoded at half of its size
    files = ["one.png", "two.png", "three.jpg"]
    out, _ = litmus("predict", str(EARLIER / name), *files, "--json")
    wanted = [{key: value for key, value in own.items() if key != "drawn"} for own in plain(out)]
    with serving(RunDir(EARLIER / name)) as asking:
        status, found = asking("/api/predict", form(*((file, Path(file).read_bytes()) for file in files)), FORM)
        assert (status, alike(found["predictions"], wanted)) == (200, True), found
        status, found = asking("/api/predict", Path("one.png").read_bytes(), "image/png")
    assert status == 200
    assert alike(found["predictions"], [{**wanted[0], "image": "image"}])


@pytest.mark.parametrize("name", ["lstm-text_table", "bert-text_table"])
def test_texts_are_answered_as_predict_does(name: str, litmus: Litmus) -> None:
    texts = ["a lovely film", "dire", "of it " * 300, "zzz 字 \N{PARTY POPPER}"]
    out, _ = litmus("predict", str(EARLIER / name), *texts, "--json")
    with serving(RunDir(EARLIER / name)) as asking:
        status, found = asking("/api/predict", {"texts": texts})
        assert (status, alike(found["predictions"], plain(out))) == (200, True), found
        assert asking("/api/predict", {"texts": [" "]}) == (
            200,
            {"predictions": [{"text": " ", "note": "empty: no prediction"}]},
        )


def test_rows_are_answered_as_predict_does(litmus: Litmus) -> None:
    with (EARLIER / "houses.csv").open() as file:
        rows = list(csv.DictReader(file))[:40]
    rows[3][next(iter(rows[3]))] = "?"
    with Path("houses.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out, _ = litmus("predict", str(EARLIER / "linear-table"), "houses.csv", "--json")
    keys = ("probabilities", "label", "values", "note")
    wanted = [{key: value for key, value in own.items() if key in keys} for own in plain(out)]
    with serving(RunDir(EARLIER / "linear-table")) as asking:
        status, found = asking("/api/predict", {"rows": rows})
    assert (status, alike(found["predictions"], wanted)) == (200, True), found


def test_a_series_is_forecast_as_predict_does(series_server: Asking, litmus: Litmus) -> None:
    run = str(EARLIER / "lstm-series")
    for steps in (None, 5):
        out, _ = litmus("predict", run, "--json", *(["--steps", str(steps)] if steps else []))
        status, found = series_server("/api/predict", {"steps": steps})
        assert (status, alike(found["predictions"], plain(out))) == (200, True), found
        assert len(found["history"][0]["values"]) >= 40
    values = [50 + 40 * np.sin(i / 2) for i in range(60)]
    Path("other.csv").write_text("spots\n" + "\n".join(map(str, values)) + "\n")
    out, _ = litmus("predict", run, "other.csv", "--json")
    wanted = plain(out)
    assert alike(series_server("/api/predict", Path("other.csv").read_bytes(), "text/csv")[1]["predictions"], wanted)
    rows = [{"spots": value} for value in values]
    assert alike(series_server("/api/predict", {"rows": rows})[1]["predictions"], wanted)
    found = series_server("/api/predict", {"values": values})[1]["predictions"]
    assert [list(own.values()) for own in found] == [pytest.approx(list(own.values())) for own in wanted]


# ---- Many at once.


def test_two_hundred_at_once_are_answered_each_with_its_own() -> None:
    drawn = [digit(seed) for seed in range(NUM_CONCURRENT)]
    began = threading.Barrier(NUM_CONCURRENT)
    with serving(RunDir(EARLIER / "perceptron-mnist")) as asking:

        def ask(one: bytes) -> tuple[int, Any]:
            began.wait()
            return asking("/api/predict", one, "image/png")

        alone = [asking("/api/predict", one, "image/png") for one in drawn]
        asking.runs[0].worker.batches.clear()
        with ThreadPoolExecutor(NUM_CONCURRENT) as pool:
            together = list(pool.map(ask, drawn))
        batches = list(asking.runs[0].worker.batches)
    assert {status for status, _ in together} == {200}
    assert all(map(alike, [found for _, found in together], [found for _, found in alone]))
    others = [found for _, found in alone[1:]]
    assert not any(map(alike, others, [found for _, found in alone])), "they differ, or any answer would be right"
    assert sum(batches) == NUM_CONCURRENT
    assert max(batches) > 1


def test_a_batch_s_texts_have_the_same_answers_as_alone(texts_server: Asking) -> None:
    texts = [" ".join(["film", "superb", "awful"][: 1 + i % 3] * (1 + i % 9)) for i in range(40)]
    alone = [texts_server("/api/predict", {"texts": [text]}) for text in texts]
    with ThreadPoolExecutor(40) as pool:
        together = list(pool.map(lambda text: texts_server("/api/predict", {"texts": [text]}), texts))
    assert all(map(alike, [found for _, found in together], [found for _, found in alone]))


def numbers(questions: list[Question[int]]) -> list[dict[str, Any] | UserError]:
    return [{"sum": sum(question.items)} if sum(question.items) >= 0 else UserError("less") for question in questions]


def held(release: threading.Event) -> Callable[..., Any]:
    """As `numbers`, once it is released."""

    def predict(questions: list[Question[int]]) -> list[dict[str, Any] | UserError]:
        assert release.wait(20)
        if any(question.items[0] == 13 for question in questions):
            raise ZeroDivisionError
        return numbers(questions)

    return predict


def test_what_waits_is_answered_in_one_batch_and_one_s_mistake_is_its_own() -> None:
    release = threading.Event()
    working: Worker[int, dict[str, Any]] = Worker(held(release), 4)
    first = working.ask(Question([0], 1))
    while not working.batches:
        time.sleep(0.001)
    others = [working.ask(Question([number], 1)) for number in (1, 13, -1, 2, 3)]
    large = working.ask(Question(list(range(20, 29)), 1))
    dropped = working.ask(Question([5], 1))
    task = working.alone(lambda: "done")
    assert dropped.cancel()
    release.set()
    assert first.result(20) == {"sum": 0}
    assert [others[place].result(20) for place in (0, 3, 4)] == [{"sum": 1}, {"sum": 2}, {"sum": 3}]
    assert large.result(20) == {"sum": sum(range(20, 29))}
    with pytest.raises(ZeroDivisionError):
        others[1].result(20)
    with pytest.raises(UserError, match="less"):
        others[2].result(20)
    with pytest.raises(CancelledError):
        dropped.result(20)
    assert task.result(20) == "done"
    assert list(working.batches) == [1, 4, 1, 1]
    working.close()
    assert not any(thread is working._thread for thread in threading.enumerate())


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_WAITING", 3)
    release = threading.Event()
    working: Worker[int, dict[str, Any]] = Worker(held(release), 1)
    first = working.ask(Question([0], 1))
    while not working.batches:
        time.sleep(0.001)
    for _ in range(3):
        working.ask(Question([1], 1))
    with pytest.raises(limits.Busy):
        working.ask(Question([1], 1))
    with pytest.raises(limits.Busy):
        working.alone(lambda: None)
    release.set()
    assert first.result(20) == {"sum": 0}
    working.close()


# ---- Limits, and what cannot be used.


def refusal(answer: tuple[int, Any]) -> tuple[int, str]:
    status, content = answer
    assert list(content) == ["error"]
    assert "Traceback" not in content["error"]
    return status, content["error"]


def test_a_busy_server_says_so(digits_server: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_WAITING", 0)
    status, said = refusal(digits_server("/api/predict", digit(), "image/png"))
    assert (status, "busy" in said) == (503, True)
    monkeypatch.setattr(bodies, "MOST_HELD", 10)
    assert refusal(digits_server("/api/predict", digit(), "image/png"))[0] == 503


def test_what_takes_too_long_is_given_up(digits_server: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SECONDS", 0.2)
    release = threading.Event()
    busy = digits_server.runs[0].worker.alone(lambda: release.wait(20))
    status, said = refusal(digits_server("/api/predict", digit(), "image/png"))
    assert (status, "no answer within" in said) == (503, True)
    with socket.create_connection(("127.0.0.1", digits_server.port)) as slow:  # which never sends its body
        slow.sendall(b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert b" 503 " in slow.recv(1000)
    release.set()
    assert busy.result(20) is True
    monkeypatch.setattr(app, "SECONDS", 30.0)
    assert digits_server("/api/predict", digit(), "image/png")[0] == 200
    assert not digits_server.runs[0].worker._questions


@pytest.mark.parametrize("size", [limits.LARGEST_IMAGES + 1, 12 * 10**6])
def test_a_large_image_is_refused_in_a_sentence(size: int, digits_server: Asking) -> None:
    status, said = refusal(digits_server("/api/predict", bytes(size), "image/png"))
    assert (status, said) == (413, "The request is too large: at most 8,000,000 bytes are read.")


def test_large_json_is_refused(texts_server: Asking) -> None:
    assert refusal(texts_server("/api/predict", {"texts": ["a" * limits.LARGEST_TEXT]}))[0] == 413
    assert texts_server("/api/predict", {"texts": ["a " * 400_000]})[0] == 200


def test_many_pixels_in_a_small_file_are_refused(digits_server: Asking) -> None:
    for side in (8_000, 20_000):
        file = io.BytesIO()
        Image.new("1", (side, side)).save(file, "PNG")
        assert len(file.getvalue()) < 200_000
        status, said = refusal(digits_server("/api/predict", file.getvalue(), "image/png"))
        assert (status, "pixels" in said) == (422, True), said
    file = io.BytesIO()
    Image.new("1", (7_000, 7_000)).save(file, "PNG")
    status, said = refusal(digits_server("/api/predict", form(*[("a.png", file.getvalue())] * 3), FORM))
    assert (status, "147,000,000 pixels together" in said) == (422, True), said


def test_many_inputs_are_refused(texts_server: Asking, digits_server: Asking) -> None:
    assert "1,001 texts are too many" in refusal(texts_server("/api/predict", {"texts": ["a"] * 1001}))[1]
    many = form(*[("a.png", b"")] * 1001)
    assert "more than 1,000 images" in refusal(digits_server("/api/predict", many, FORM))[1]


WRONG_TEXTS = [
    (b"", "is empty"),
    (b"{", "The JSON cannot be read"),
    (b"[]", "should be an object"),
    (b"\xff", "not UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"texts": [NaN]}', "NaN is no number in JSON"),
    (b'{"texts": ["\\ud800"]}', "half of a character"),
    (b'{"texts": "a film"}', "takes texts"),
    (b'{"texts": [1]}', "takes texts"),
    (b'{"texts": []}', "There are no texts"),
    (b'{"text": "a film"}', "There is no key text. The keys are: texts"),
    (b'{"rows": [{}]}', "There is no key rows"),
]


@pytest.mark.parametrize(("content", "what"), WRONG_TEXTS)
def test_what_is_no_text_is_refused(content: bytes, what: str, texts_server: Asking) -> None:
    for path in ("/api/predict", "/api/explain"):
        status, said = refusal(texts_server(path, content))
        assert (status, what in said) == (422, True), said


def test_another_type_than_asked_for_is_refused(texts_server: Asking, digits_server: Asking) -> None:
    assert "Send JSON" in refusal(texts_server("/api/predict", digit(), "image/png"))[1]
    status, said = refusal(digits_server("/api/predict", {"texts": ["a film"]}))
    assert (status, "takes images, not application/json" in said) == (422, True)


WRONG_IMAGES = [
    (b"", "image/png", "The request is empty"),
    (b"no image", "image/png", "image is not an image that Pillow can read."),
    (digit()[:90], "image/png", "image is damaged"),
    (form(("/etc/passwd", b"root")), FORM, "passwd is not an image"),
    (form(("a.png", b"")), FORM, "a.png is empty."),
    (form(), FORM, "The form has no file"),
    (form(("a.png", b"abc")), "multipart/form-data", "The form cannot be read"),
    (b"--between\r\nno header\r\n\r\n", FORM, "The form cannot be read"),
    (b'--between\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc\r\n--between--\r\n', FORM, "has no file"),
]


@pytest.mark.parametrize(("content", "kind", "what"), WRONG_IMAGES)
def test_what_is_no_image_is_refused(content: bytes, kind: str, what: str, digits_server: Asking) -> None:
    for path in ("/api/predict", "/api/explain", "/api/activations"):
        status, said = refusal(digits_server(path, content, kind))
        assert (status, what in said) == (422, True), said


WRONG_SERIES = [
    ({"values": [1, 2]}, "too few"),
    ({"values": "a"}, "a list of numbers"),
    ({"values": [None] * 40}, "Value 1 of the series is no number"),
    ({"values": [1e200] * 40}, "too large"),
    ({"values": list(range(40)), "steps": 0}, "steps should be a whole number"),
    ({"steps": True}, "steps should be a whole number"),
    ({"rows": []}, "There are no rows"),
    ({"rows": [1]}, "are objects"),
]


@pytest.mark.parametrize(("content", "what"), WRONG_SERIES)
def test_what_is_no_series_is_refused(content: object, what: str, series_server: Asking) -> None:
    status, said = refusal(series_server("/api/predict", content))
    assert (status, what in said) == (422, True), said


def test_a_csv_that_is_none_is_refused_without_a_path(series_server: Asking) -> None:
    for content in (b"\x00\x01" * 400, b"a,b\n1,2\n", b"\n"):
        status, said = refusal(series_server("/api/predict", content, "text/csv"))
        assert status == 422
        assert "/" not in said.replace("and/or", "")


def test_rows_that_cannot_be_used_are_refused() -> None:
    with serving(RunDir(EARLIER / "linear-table")) as asking:
        names = [column["name"] for column in asking.get("/api/run")[1]["columns"]]
        for row, what in (
            ({}, "which the network takes"),
            (dict.fromkeys(names[1:], 1), f"has no column {names[0]}"),
            ({**dict.fromkeys(names, 1), names[0]: [1]}, "a cell is a text, a number"),
            ({**dict.fromkeys(names, 1), names[0]: 10**400}, "too large"),
        ):
            status, said = refusal(asking("/api/predict", {"rows": [row]}))
            assert (status, what in said) == (422, True), said
        odd = [dict.fromkeys(names, cell) for cell in (None, "x", True, 3.5, 10**25, "2024-01-01", "\0")]
        assert len(asking("/api/predict", {"rows": odd})[1]["predictions"]) == len(odd)


def test_other_addresses_are_answered_in_sentences(digits_server: Asking) -> None:
    assert refusal(digits_server.get("/nothing")) == (404, "There is nothing at /nothing.")
    assert refusal(digits_server.get("/api/predict"))[0] == 405
    assert refusal(digits_server.get("/report"))[0] == 404
    assert refusal(digits_server.get("/also/api/run"))[0] == 404
    assert refusal(digits_server.get("/%2e%2e/%2e%2e/etc/passwd"))[0] == 404
    assert "topk" in refusal(digits_server("/api/predict?topk=many", digit(), "image/png"))[1]


def test_a_mistake_of_litmus_itself_is_no_traceback(digits_server: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(images.ImageKind, "explain", fail)
    status, said = refusal(digits_server("/api/explain", digit(), "image/png"))
    assert (status, said) == (500, "Something in litmus failed; its terminal says what.")


# ---- Who may ask.


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(host: str, digits_server: Asking) -> None:
    assert refusal(digits_server.get("/api/run", Host=host))[0] == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
def test_this_host_is_answered(host: str, digits_server: Asking) -> None:
    assert digits_server.get("/api/run", Host=host)[0] == 200


def test_names_without_a_port() -> None:
    assert [without_port(host) for host in ("a:1", "a", "[::1]:1", "[::1]", "A.b:2")] == ["a", "a", "::1", "::1", "a.b"]


def test_pages_of_other_sites_are_refused(digits_server: Asking) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{digits_server.port + 1}"):
        assert refusal(digits_server("/api/predict", digit(), "image/png", Origin=origin))[0] == 403
    assert digits_server("/api/predict", digit(), "image/png", Origin=digits_server.address)[0] == 200


def test_any_host_is_answered_where_others_may_ask() -> None:
    with serving(RunDir(EARLIER / "perceptron-mnist"), host="0.0.0.0") as asking:
        assert asking.get("/api/run", Host="printer.lan:8000")[0] == 200


# ---- What else there is.


def test_a_run_says_what_it_takes(digits_server: Asking, series_server: Asking) -> None:
    found = digits_server.get("/api/run")[1]
    assert found["model"] == "fnn"
    assert found["input"] == "images"
    assert found["names"] == [*"0123456789"]
    assert found["drawn"]
    assert found["activations"]
    assert found["metrics"]["test/acc"] == pytest.approx(0.06)
    found = series_server.get("/api/run")[1]
    assert (found["input"], found["length"], found["horizon"]) == ("series", 22, 1)


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_a_table_s_columns_are_said_with_usual_values(trained: Callable[..., RunDir]) -> None:
    run = trained("model=fnn", "trainer.max_epochs=1", "scheduler=none", small=ON_HOUSES)
    net = load_run(run)
    known = torch.zeros(5, net.spec.input.num_numbers + len(net.spec.input.categories))
    served = loaded(run, known)
    by_name = {column["name"]: column for column in served.facts["columns"]}
    assert by_name["area"]["kind"] == "number"
    assert by_name["sold"] == {"name": "sold", "kind": "date", "format": "%Y-%m-%d", "usual": by_name["sold"]["usual"]}
    assert re.fullmatch(r"2024-\d\d-\d\d", by_name["sold"]["usual"])
    assert by_name["garden"]["values"] == ["no", "yes"]
    served.worker.close()
    with serving(run) as asking:
        usual = {column["name"]: column["usual"] for column in by_name.values()}
        (found,) = asking("/api/predict", {"rows": [usual]})[1]["predictions"]
        assert "note" not in found
        (explained,) = asking("/api/explain", {"rows": [usual]})[1]["explanations"]
        assert {part["name"] for part in explained["parts"]} == set(usual)


def test_the_most_frequent_category_is_the_usual_one() -> None:
    run = RunDir(EARLIER / "linear-table")
    net = load_run(run)
    columns = net.spec.input
    assert columns.categories
    rows = torch.zeros(9, columns.num_numbers + len(columns.categories))
    rows[:, columns.num_numbers] = torch.tensor([1, 2, 2, 2, 0, 0, 0, 0, 1])
    served = loaded(run, rows)
    assert isinstance(served.kind, RowKind)
    usual = {column["name"]: column["usual"] for column in served.facts["columns"]}
    assert usual[columns.categories[0].name] == columns.categories[0].values[1]
    served.worker.close()


@pytest.mark.parametrize("name", ["fnn-mnist", "scratch-mnist", "cnn-mnist"])
def test_activations_are_the_network_s_own(name: str) -> None:
    with serving(RunDir(EARLIER / name)) as asking:
        status, found = asking("/api/activations?topk=10", digit(3), "image/png")
        assert status == 200
        kind = asking.runs[0].kind
        assert isinstance(kind, images.ImageKind)
        assert alike(found["predictions"], asking("/api/predict?topk=10", digit(3), "image/png")[1]["predictions"])
    layers = found["layers"]
    assert [layer["name"] for layer in layers] == [*(f"layer {i + 1}" for i in range(len(layers) - 1)), "output"]
    outputs: list[torch.Tensor] = []
    for module in kind.activations.layers:
        module.register_forward_hook(lambda _, __, output: outputs.append(output[0].detach()))
    list(kind.predictor.predict([digit(3)], 1, 1, 0.0))
    for layer, output in zip(layers, outputs, strict=True):
        assert layer["units"] == len(output)
        assert (layer["low"], layer["high"]) == (pytest.approx(float(output.min())), pytest.approx(float(output.max())))
        scaled = ((output - output.min()) / (output.max() - output.min()).clamp(min=1e-9) * 255).numpy()
        tile = pixels_of(layer["png"])[: layer["height"], : layer["width"]]
        assert np.abs(tile - scaled.reshape(-1, layer["height"], layer["width"])[0]).max() <= 1
    assert layers[-1]["units"] == 10


def pixels_of(address: str) -> np.ndarray:
    import base64

    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content))).astype(float)


def test_other_networks_show_no_layers() -> None:
    with serving(RunDir(EARLIER / "perceptron-mnist")) as asking:
        assert not asking.get("/api/run")[1]["activations"]
        assert "model=fnn" in refusal(asking("/api/activations", digit(), "image/png"))[1]
    assert Activations(load_run(RunDir(EARLIER / "yolo-mnist_boxes"))).layers == []


def test_explanations(digits_server: Asking, texts_server: Asking, series_server: Asking) -> None:
    (found,) = digits_server("/api/explain?target=7", digit(1), "image/png")[1]["explanations"]
    assert found["answer"] == "7"
    assert pixels_of(found["pixels"]).shape == (28, 28)
    assert pixels_of(found["heats"]["integrated gradients"]).shape == (28, 28, 3)
    (found,) = texts_server("/api/explain", {"texts": ["a lovely film"]})[1]["explanations"]
    assert [part["name"] for part in found["parts"]] == ["a", "lovely", "film"]
    (found,) = series_server("/api/explain", {"values": [*range(40)]})[1]["explanations"]
    assert len(found["parts"]) == 22
    assert "there is no such name" in refusal(digits_server("/api/explain?target=x", digit(1), "image/png"))[1]
    assert "one input" in refusal(texts_server("/api/explain", {"texts": ["a", "b"]}))[1]


def test_without_captum_there_are_none() -> None:
    served = loaded(RunDir(EARLIER / "perceptron-mnist"), explains=False)
    assert not served.facts["explains"]
    served.worker.close()


def test_openapi_has_every_address(digits_server: Asking) -> None:
    found = digits_server.get("/openapi.json")[1]
    assert set(found["paths"]) == {"/api/run", "/api/predict", "/api/explain", "/api/activations"}
    content = found["paths"]["/api/predict"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "image/*"}
    assert {"413", "422", "503"} <= set(found["paths"]["/api/predict"]["post"]["responses"])


@pytest.mark.parametrize("name", ["fnn-mnist", "lstm-text_table", "linear-table", "lstm-series", "resnet-mnist"])
@pytest.mark.wide
def test_the_pages_are_valid_and_ask_for_nothing_elsewhere(name: str) -> None:
    with serving(RunDir(EARLIER / name)) as asking:
        for path in ("/", "/docs"):
            status, page = asking.get(path)
            assert status == 200
            assert problems(page) == []
            assert not re.search(r"<style|\son\w+=|style=|<script(?! src=\"/serve.js\")", page)
            addresses = re.findall(r"(?:src|href)=\"(.*?)\"", page)
            assert all(address.startswith("/") or address == "data:," for address in addresses), addresses
            labels = set(re.findall(r"<label for=\"(.*?)\"", page))
            assert set(re.findall(r"<(?:input|select|textarea)[^>]* id=\"(.*?)\"", page)) == labels
        for path in ("/serve.css", "/serve.js"):
            content = asking.get(path)[1].replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://|@import|url\(", content)


def test_commands_name_the_address_that_the_reader_knows(digits_server: Asking) -> None:
    assert f"curl {digits_server.address}/api/predict" in digits_server.get("/docs")[1]
    with serving(RunDir(EARLIER / "perceptron-mnist"), host="0.0.0.0") as asking:
        page = asking.get("/docs", Host="<script>")[1]
        assert "<script>" not in page


def test_every_answer_carries_the_policy(digits_server: Asking) -> None:
    import http.client

    for path in ("/", "/docs", "/api/run", "/nothing", "/openapi.json"):
        connection = http.client.HTTPConnection("127.0.0.1", digits_server.port)
        connection.request("GET", path)
        headers = connection.getresponse().headers
        connection.close()
        assert headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' data:")
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_run_s_page_is_there(tmp_path: Path) -> None:
    shutil.copytree(EARLIER / "fnn-mnist", tmp_path / "run")
    run = RunDir(tmp_path / "run")
    run.page.write_text("<!DOCTYPE html><title>its page</title>")
    with serving(run, RunDir(EARLIER / "cnn-mnist")) as asking:
        assert asking.get("/report") == (200, "<!DOCTYPE html><title>its page</title>")
        assert 'href="/report"' in asking.get("/")[1]
        assert asking.get("/also/report")[0] == 404
        assert 'href="/also/report"' not in asking.get("/")[1]
        assert asking.get("/also/api/run")[1]["model"] == "cnn"
        assert asking("/also/api/predict", digit(), "image/png")[0] == 200


# ---- The verb.


def refused(*words: str) -> str:
    """The sentence with which the verb ends."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", *words])
    return " ".join(str(ended.value.code).split())


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in refused(str(EARLIER / "fnn-mnist"), "--port", str(port))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    gone = ("fastapi", "python_multipart")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in gone else find(name, *rest))
    said = "litmus serve requires the packages fastapi, python_multipart: pip install 'litmus[serve]'."
    assert said in refused(str(EARLIER / "fnn-mnist"))


@pytest.mark.wide
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it(number: signal.Signals) -> None:
    words = ["serve", str(EARLIER / "fnn-mnist"), "--port", "0", "--host", "localhost"]
    command = [sys.executable, "-m", "litmus", *words]
    environment = {**os.environ, "COLUMNS": "200"}
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    said = ""
    while "http://" not in said:
        line = server.stdout.readline()
        assert line, server.communicate()[1]
        said += line
    address = re.search(r"http://localhost:(\d+)", said)
    assert address is not None
    assert "WARNING" not in said
    asking = Asking(int(address[1]), [])
    assert asking("/api/predict", digit(), "image/png")[0] == 200
    server.send_signal(number)
    out, err = server.communicate(timeout=20)
    assert server.returncode == 130
    assert "Traceback" not in out + err


@pytest.mark.wide
def test_other_machines_are_warned_of() -> None:
    command = [sys.executable, "-m", "litmus", "serve", str(EARLIER / "fnn-mnist"), "--port", "0", "--host", "0.0.0.0"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    said = ""
    while "Ctrl-C" not in said and (line := server.stdout.readline()):
        said += line
    server.terminate()
    server.communicate(timeout=20)
    assert "WARNING: whoever reaches port" in said


# ---- The documentation.

SERVED = {  # by the heading that the commands stand under
    "Any run": "fnn-mnist",
    "Images": "fnn-mnist",
    "Texts": "lstm-text_table",
    "Rows of a table": "linear-table",
    "Series": "lstm-series",
    "Why": "lstm-text_table",
}
DOCS = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("heading", SERVED)
def test_the_commands_of_the_documentation_are_answered(heading: str) -> None:
    text = DOCS.partition(f"### {heading}\n")[2].partition("\n#")[0]
    commands = [line for line in text.splitlines() if line.startswith("curl ")]
    assert commands
    for name in ("digit.png", "other.png"):
        Path(name).write_bytes(digit())
    Path("other.csv").write_text("spots\n" + "\n".join(str(50 + 40 * (i % 11)) for i in range(60)) + "\n")
    with serving(RunDir(EARLIER / SERVED[heading])) as asking:
        for command in commands:
            words = shlex.split(command.replace("http://127.0.0.1:8000", asking.address))
            done = subprocess.run([*words, "--silent"], capture_output=True, text=True, check=True)
            assert "error" not in json.loads(done.stdout), done.stdout


def test_the_documentation_has_all_commands_and_the_limits() -> None:
    assert set(SERVED) == set(re.findall(r"^### (.*)$", DOCS, re.MULTILINE))
    for number in (limits.LARGEST_IMAGES, limits.LARGEST_TEXT, limits.MOST_PIXELS, limits.MOST_ITEMS):
        assert f"| {number:,} " in DOCS
    assert f"| {limits.SECONDS:.0f} seconds |" in DOCS
    assert f"| {limits.MOST_WAITING:,}, or {limits.MOST_HELD // 10**6} MB of them |" in DOCS


# ---- The page, in a browser.

THREE = ((95, 80), (120, 60), (155, 60), (180, 80), (180, 105), (160, 130), (130, 138), (165, 145), (190, 170))
THREE += ((188, 200), (160, 225), (120, 225), (90, 205))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    found = Browser(tmp_path / "profile")
    yield found
    found.close()


def opened(browser: Browser, asking: Asking, width: int = 1200) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 500
    )
    browser.open(asking.address)
    browser.wait_for("document.documentElement.dataset.ready === 'true'")


def press(browser: Browser, key: str, text: str = "", code: int = 0) -> None:
    for kind in ("keyDown", "keyUp"):
        more = {"text": text} if text and kind == "keyDown" else {}
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)


def drawn(browser: Browser) -> None:
    """Draws a three with the mouse."""
    box = browser.value("document.getElementById('canvas').getBoundingClientRect().toJSON()")
    scale = box["width"] / 280
    points = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in THREE]
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1)]
    for kind, (x, y) in zip(kinds, points, strict=True):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
    x, y = points[-1]
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)


BARS = "document.querySelectorAll('.result .bars li').length"


@needs_browser
@pytest.mark.wide
def test_a_digit_is_drawn_and_explained(browser: Browser, digits_server: Asking) -> None:
    opened(browser, digits_server)
    drawn(browser)
    browser.wait_for(f"{BARS} === 10")
    browser.wait_for("document.getElementById('said').textContent.startsWith('The answer is ')")
    assert browser.value("document.querySelectorAll('.layers img').length") >= 2
    browser.value("document.querySelector('.why').click()")
    browser.wait_for("document.querySelectorAll('.heats img').length >= 3", 60)
    assert browser.value("[...document.querySelectorAll('.heats img')].every((each) => each.naturalWidth === 28)")
    assert browser.value("document.getElementById('problem').textContent") == ""
    browser.value("document.getElementById('clear').click()")
    browser.wait_for(f"{BARS} === 0")


@needs_browser
@pytest.mark.wide
def test_an_image_is_chosen_and_a_wrong_one_is_said(browser: Browser, digits_server: Asking, tmp_path: Path) -> None:
    opened(browser, digits_server)
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    field = browser.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    (tmp_path / "one.png").write_bytes(digit(5, 90))
    (tmp_path / "two.png").write_bytes(b"no image")
    browser.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "one.png")])
    browser.wait_for(f"{BARS} === 10")
    browser.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "two.png")])
    browser.wait_for("document.getElementById('problem').textContent.includes('is not an image')")
    assert browser.value(BARS) == 0


@needs_browser
@pytest.mark.wide
def test_two_runs_stand_side_by_side(browser: Browser) -> None:
    with serving(RunDir(EARLIER / "cnn-mnist"), RunDir(EARLIER / "perceptron-mnist")) as asking:
        opened(browser, asking)
        drawn(browser)
        browser.wait_for(f"{BARS} === 20")
        tops = "[...document.querySelectorAll('.run')].map((each) => each.getBoundingClientRect().top)"
        first, second = browser.value(tops)
        assert first == second
        opened(browser, asking, 390)
        first, second = browser.value(tops)
        assert first < second


@needs_browser
@pytest.mark.wide
def test_a_pen_is_moved_by_keys(browser: Browser, digits_server: Asking) -> None:
    opened(browser, digits_server)
    browser.value("document.getElementById('canvas').focus()")
    press(browser, " ", " ", 32)
    for _ in range(5):
        press(browser, "ArrowDown", code=40)
    browser.wait_for(f"{BARS} === 10")
    press(browser, " ", " ", 32)
    ink = "document.getElementById('canvas').getContext('2d').getImageData(0, 0, 280, 280).data.reduce((a, b) => a + b)"
    before = browser.value(ink)
    press(browser, "ArrowRight", code=39)
    assert browser.value(ink) == before, "the pen is up"
    press(browser, " ", " ", 32)
    press(browser, "ArrowRight", code=39)
    assert browser.value(ink) > before


@needs_browser
@pytest.mark.wide
def test_the_text_page_is_used_by_keys_alone(browser: Browser, texts_server: Asking) -> None:
    opened(browser, texts_server)
    focused = "document.activeElement.id || document.activeElement.className"

    def tab_to(name: str) -> None:
        for _ in range(12):
            if browser.value(focused) == name:
                return
            press(browser, "Tab", code=9)
        pytest.fail(f"{name} is not reached by the tab key")

    tab_to("text")
    browser.call("Input.insertText", text="a lovely film")
    tab_to("predict")
    press(browser, "Enter", "\r", 13)
    browser.wait_for(f"{BARS} === 3")
    tab_to("why")
    press(browser, "Enter", "\r", 13)
    browser.wait_for("document.querySelectorAll('.words span').length === 3", 60)
    outline = browser.value("getComputedStyle(document.getElementById('text'), ':focus-visible').outlineStyle")
    assert outline is not None


@needs_browser
@pytest.mark.wide
@pytest.mark.parametrize("name", ["fnn-mnist", "lstm-text_table", "linear-table", "lstm-series"])
def test_a_telephone_shows_all_of_a_page(name: str, browser: Browser) -> None:
    with serving(RunDir(EARLIER / name)) as asking:
        opened(browser, asking, 390)
        if name == "fnn-mnist":
            drawn(browser)
        if name == "lstm-text_table":
            browser.value("document.getElementById('text').value = 'a lovely film ' + 'long'.repeat(99)")
            browser.value("document.getElementById('predict').click()")
        browser.wait_for("document.querySelector('.result').children.length > 0")
        browser.value("document.querySelector('.why').click()")
        browser.wait_for("document.querySelector('.why-result').children.length > 0", 60)
        assert browser.value("document.documentElement.scrollWidth") <= 390
        small = "[...document.querySelectorAll('button, input, select, textarea')].filter((each) =>"
        assert browser.value(f"{small} each.getBoundingClientRect().height < 40).map((each) => each.id)") == []


CONTRAST = """
(() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll('main *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.disabled || element.closest('svg')) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) low.push(`${element.tagName} ${element.className} ${contrast.toFixed(2)}`);
  }
  return low;
})()
"""


@needs_browser
@pytest.mark.wide
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(scheme: str, browser: Browser, texts_server: Asking) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    opened(browser, texts_server)
    browser.value("document.getElementById('predict').click()")
    browser.wait_for("document.getElementById('problem').textContent !== ''")
    assert browser.value(CONTRAST) == []
    browser.value("document.getElementById('text').value = 'a lovely film'")
    browser.value("document.getElementById('predict').click()")
    browser.wait_for(f"{BARS} === 3")
    browser.value("document.querySelector('.why').click()")
    browser.wait_for("document.querySelectorAll('.words span').length === 3", 60)
    assert browser.value(CONTRAST) == []
