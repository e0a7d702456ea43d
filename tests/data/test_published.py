"""Fashion-MNIST, KMNIST and CIFAR-10: read from files of their very format, made by the tests."""

import gzip
import http.server
import io
import pickle
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from helpers import composed
from published import NUM_TEST, NUM_TRAIN, ON_CIFAR, ON_FASHION, ON_KMNIST, cifar, drawn

from litmus.config.instantiate import build
from litmus.data import cifar10, fashion_mnist, kmnist
from litmus.data.image.published import PublishedImages
from litmus.data.image.transform import random_shift
from litmus.errors import UserError
from litmus.record.folder import RunDir

KINDS = {
    "fashion_mnist": (ON_FASHION, fashion_mnist.FashionMNIST, "FashionMNIST", "FashionMNIST/raw"),
    "kmnist": (ON_KMNIST, kmnist.KMNIST, "KMNIST", "KMNIST/raw"),
    "cifar10": (ON_CIFAR, cifar10.CIFAR10, "CIFAR10", "cifar-10-batches-py"),
}
NAMES = list(KINDS)


def prepared(name: str, *overrides: str) -> PublishedImages:
    config = composed(*KINDS[name][0], *overrides)
    data: PublishedImages = build(config["data"], config["seed"])
    data.prepare_data()
    return data


@pytest.mark.parametrize("name", NAMES)
def test_servers_names_and_hashes_are_torchvision_s(name: str) -> None:
    _, own, theirs, _ = KINDS[name]
    given = getattr(torchvision.datasets, theirs)
    if name == "cifar10":
        assert (given.url, f"md5:{given.tgz_md5}") == (cifar10.URL, cifar10.URL_CHECKSUM)
        assert given.base_folder + "/" == cifar10.INSIDE
        files = [*given.train_list, *given.test_list]
    else:
        assert list({"fashion_mnist": fashion_mnist, "kmnist": kmnist}[name].MIRRORS) == given.mirrors
        assert own.class_names == tuple(given.classes)
        files = given.resources
    assert own.checksums == {file: f"md5:{md5}" for file, md5 in files}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_read_and_split(name: str, tmp_path: Path) -> None:
    data = prepared(name)
    assert data.source == "disk"
    assert data.sizes == {"train": NUM_TRAIN - 60, "val": 60, "test": NUM_TEST}
    assert data.spec.target.names == KINDS[name][1].class_names
    shape = (3, 32, 32) if name == "cifar10" else (1, 28, 28)
    seed = NAMES.index(name)
    images, labels = drawn(NUM_TRAIN + NUM_TEST, shape[1:] if shape[0] == 1 else shape, seed)
    pixels, targets = data.splits["test"]
    assert torch.equal(pixels, torch.tensor(images[NUM_TRAIN:]).reshape(-1, *shape)), "the official test set, as it is"
    assert torch.equal(targets, torch.tensor(labels[NUM_TRAIN:]).long())
    assert (data.spec.input.channels, data.spec.input.height, data.spec.input.width) == shape
    assert all(len(digest) == 64 for digest in data.sha256.values())
    assert data.counts("val").tolist() == [6] * 10


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_as_torchvision_leaves_it_is_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "theirs" / KINDS[name][3]
    folder.parent.mkdir(parents=True)
    (tmp_path / "data" / name).rename(folder)
    assert prepared(name, "data.dir=theirs", "data.source=disk").folder == folder.relative_to(tmp_path)
    theirs = getattr(torchvision.datasets, KINDS[name][2])
    if name == "cifar10":  # its own reader agrees
        test = np.array(pickle.loads((folder / "test_batch").read_bytes(), encoding="latin1")["data"])
        assert torch.equal(prepared(name, "data.dir=theirs").splits["test"][0].flatten(1), torch.tensor(test))
        return
    for path in folder.iterdir():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    read = theirs(tmp_path / "theirs", train=False)
    assert torch.equal(prepared(name, "data.dir=theirs").splits["test"][0].squeeze(1), read.data)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served")))
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/"
    made.shutdown()
    made.server_close()


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NAMES)
def test_missing_files_are_downloaded_and_checked(
    name: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, served = tmp_path / "data" / name, tmp_path / "served"
    if name == "cifar10":
        with tarfile.open(served / "cifar.tar.gz", "w:gz") as archive:
            archive.add(folder, "cifar-10-batches-py")
        monkeypatch.setattr(cifar10, "URL", f"{server}cifar.tar.gz")
        with pytest.raises(UserError, match=r"the md5 of http.*cifar.tar.gz is wrong"):
            prepared(name, "data.dir=new")
        monkeypatch.setattr(cifar10, "URL_CHECKSUM", "")
    else:
        for path in folder.iterdir():
            (served / path.name).write_bytes(path.read_bytes())
        monkeypatch.setattr({"fashion_mnist": fashion_mnist, "kmnist": kmnist}[name], "MIRRORS", (server,))
    data = prepared(name, "data.dir=new")
    assert data.source == "official"
    assert sorted(path.name for path in (tmp_path / "new" / name).iterdir()) == sorted(data.checksums)
    assert torch.equal(data.splits["test"][0], prepared(name).splits["test"][0])
    with pytest.raises(UserError, match=rf"data={name} has no images: .*lacks .* No other source was allowed"):
        prepared(name, "data.dir=none", "data.source=disk")


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_not_read(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = tmp_path / "data" / name / next(iter(KINDS[name][1].checksums))
    first.write_bytes(first.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match=rf"lacks {first.name}"):
        prepared(name, "data.source=disk")
    assert f"{first.name} is damaged (its md5 is wrong) and was renamed to {first.name}.damaged-" in caplog.text


@pytest.mark.parametrize("name", NAMES)
def test_without_network_one_sentence_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = "http://127.0.0.1:9/"
    for module in (fashion_mnist, kmnist):
        monkeypatch.setattr(module, "MIRRORS", (closed,))
    monkeypatch.setattr(cifar10, "URL", f"{closed}cifar.tar.gz")
    with pytest.raises(
        UserError, match=rf"data={name} has no images: data/{name} lacks .*downloading {closed}.*data.dir"
    ):
        prepared(name, "data.dir=data")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"cos\nsystem\n(S'touch executed'\ntR.", "it would call os.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "it would call builtins.eval"),
        (b"", "Ran out of input"),
        (b"}.", "'data'"),
        (cifar(np.zeros((2, 3072), np.uint8), np.zeros(3, np.uint8)), "shape"),
        (cifar(np.zeros((2, 3072), np.uint8), np.zeros(2, np.uint8))[:-900], "truncated|exhausted|Ran out"),
    ],
    ids=["system", "eval", "empty", "nothing", "labels", "cut"],
)
def test_a_pickle_calls_nothing(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(UserError, match=rf"data_batch_1 is no file of CIFAR-10: .*({said})"):
        cifar10.read_batch(tmp_path / "data_batch_1")
    assert not (tmp_path / "executed").exists()


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_s_jobs_share_what_was_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.fetch.once.kept", kept := {})
    config = composed(*KINDS[name][0])
    build(config["data"], 0).preload()
    assert len(kept) == 3 * len(KINDS[name][1].checksums), "of each file both hashes, and what it holds"
    monkeypatch.setattr(io, "open", None)
    prepared(name)


@pytest.mark.parametrize(
    ("name", "words", "flip", "moves"),
    [
        ("cifar10", ["data.augment=light"], 0.5, True),
        ("cifar10", ["data.augment=light", "data.flip=0"], 0.0, True),
        ("fashion_mnist", ["data.augment=light"], 0.5, True),
        ("kmnist", ["data.augment=light"], 0.0, True),
        ("fashion_mnist", [], 0.0, False),
    ],
)
def test_what_is_usual_for_the_images(name: str, words: list[str], flip: float, moves: bool) -> None:
    data: PublishedImages = build(composed(f"data={name}", *words)["data"], 0)
    assert data.chosen == {"flip": flip}
    assert (data.augmentation is not None) == moves


def test_a_shift_is_of_whole_pixels_and_at_most_an_eighth() -> None:
    image = torch.arange(3 * 16 * 24.0).reshape(1, 3, 16, 24) + 1
    batch = image.repeat(400, 1, 1, 1)
    got = random_shift(batch, torch.Generator().manual_seed(0), 400, slice(None), (16, 24))
    seen = set()
    for each in got:
        rows, columns = each[0].nonzero().min(dim=0).values.tolist()
        bottom, right = each[0].nonzero().max(dim=0).values.tolist()
        shift = rows - (15 - bottom), columns - (23 - right)
        seen.add(shift)
        moved = torch.roll(image[0], shift, dims=(1, 2))
        inside = slice(rows, bottom + 1), slice(columns, right + 1)
        assert torch.equal(each[:, inside[0], inside[1]], moved[:, inside[0], inside[1]])
    assert seen == {(y, x) for y in range(-2, 3) for x in range(-3, 4)}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", NAMES)
def test_classes_are_shown_by_their_names(name: str, train: Callable[..., RunDir]) -> None:
    run = train("model=linear", "trainer.max_epochs=1", small=KINDS[name][0])
    metrics = run.read_result()["metrics"]
    assert {f"test/recall_{each}" for each in KINDS[name][1].class_names} <= set(metrics)
