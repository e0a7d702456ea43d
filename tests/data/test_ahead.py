"""What is read ahead are the same batches, and no thread outlives its iteration."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

from litmus.data._ahead import RESIDENT, Ahead, Read
from litmus.data._loader import Batching, BatchLoader, Stored
from litmus.data.image.base import to_device
from litmus.data.image.boxes import BoxLoader
from litmus.data.image.cache import Files
from litmus.data.image.photos import Selection
from litmus.spec import Images

CPU = torch.device("cpu")
PIXELS = torch.randint(0, 256, (23, 3, 16, 16), dtype=torch.uint8, generator=Generator().manual_seed(0))
BOXES = torch.rand(23, 3, 5, generator=Generator().manual_seed(1)) * 0.3 + 0.3
BOXES[..., 0] = torch.arange(3)


def noisy(inputs: Tensor, generator: Generator, batch_size: int, rows: slice) -> Tensor:
    return inputs + torch.rand(batch_size, generator=generator)[rows][:, None, None, None]


def batching(**changes: object) -> Batching:
    settings = {"batch_size": 4, "seed": 7, "shuffle": True, "epoch": lambda: 0, "rank": 0, "world_size": 1}
    return Batching(**{**settings, **changes})


def images(inputs: Stored, **changes: object) -> BatchLoader:
    return BatchLoader(inputs, torch.arange(23), noisy, batching(**changes))


def boxes(inputs: Stored, **changes: object) -> BoxLoader:
    return BoxLoader(inputs, BOXES, noisy, batching(**changes), mosaic=0.7, flip=0.5)


def ahead() -> Ahead:
    return Ahead(lambda: nullcontext(lambda rows: PIXELS.index_select(0, rows)), CPU)


def are_equal(some: list[tuple[Tensor, Tensor]], others: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(torch.equal(own, other) for pair in pairs for own, other in zip(*pair, strict=True))


Make = Callable[..., BatchLoader]
CASES: list[dict[str, object]] = [{}, {"shuffle": False}, {"rank": 1, "world_size": 2}, {"passes": 3}]


@pytest.mark.parametrize("make", [images, boxes])
@pytest.mark.parametrize("changes", CASES)
def test_batches_that_are_read_ahead_are_the_same(make: Make, changes: dict[str, object]) -> None:
    assert are_equal(list(make(ahead(), **changes)), list(make(PIXELS, **changes)))


@pytest.mark.parametrize("make", [images, boxes])
def test_a_state_in_the_middle_of_an_epoch_knows_nothing_of_what_was_read_ahead(make: Make) -> None:
    plain, other = iter(one := make(PIXELS)), iter(two := make(ahead()))
    for _ in range(3):
        next(plain), next(other)
        state, same = one.state_dict(), two.state_dict()
        assert state["position"] == same["position"]
        assert torch.equal(state["generator"], same["generator"])
    resumed = make(ahead())
    resumed.load_state_dict(two.state_dict())
    assert are_equal(list(resumed), list(plain))


@pytest.mark.parametrize("make", [images, boxes])
def test_a_batch_is_read_before_it_is_asked_for_and_once(make: Make) -> None:
    reads: list[str] = []
    both = threading.Event()

    def read(rows: Tensor) -> Tensor:
        reads.append(threading.current_thread().name)
        if len(reads) == 2:
            both.set()
        return PIXELS.index_select(0, rows)

    loader = make(Ahead(lambda: nullcontext(read), CPU))
    batches = iter(loader)
    next(batches)
    assert both.wait(60), "the second batch is read while the first one trains"
    list(batches)
    # Of boxes with mosaics, each batch reads the others in a second go.
    assert len(reads) in ({len(loader)} if make is images else range(len(loader), 2 * len(loader) + 1))
    assert all(name.startswith("ahead") for name in reads)


def num_threads() -> int:
    return sum(thread.name.startswith(("ahead", "ThreadPool")) for thread in threading.enumerate())


@pytest.fixture
def files(tmp_path: Path) -> Selection:
    paths = [tmp_path / f"{i}.png" for i in range(len(PIXELS))]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path, compress_level=0)
    read = Files(paths, Images(3, 16, 16, (), (), 16))
    return Selection(read, torch.arange(len(paths)).flip(0), None)


def test_no_thread_is_left_at_the_end_in_the_middle_or_after_an_error(files: Selection) -> None:
    before = num_threads()
    stored = to_device(files, CPU)
    assert isinstance(stored, Ahead)
    whole = list(images(stored))
    assert num_threads() == before
    assert are_equal(whole, list(images(PIXELS.flip(0))))
    batches = iter(images(stored))
    next(batches)
    assert num_threads() > before
    del batches
    assert num_threads() == before
    files.pixels.paths[3].unlink()  # type: ignore[attr-defined]  # they are files
    with pytest.raises(OSError, match="was readable before"):
        list(images(stored))
    assert num_threads() == before


def test_threads_last_for_an_iteration(files: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    original = Files.open

    @contextmanager
    def counted(self: Files) -> Iterator[Files]:
        with original(self) as threads:
            opened.append(threads.threads)
            yield threads

    monkeypatch.setattr(Files, "open", counted)
    list(images(to_device(files, CPU)))
    assert len(opened) == 1
    assert opened[0] is not None


def test_an_iteration_begun_before_another_ended_disturbs_nothing() -> None:
    loader = images(stored := ahead())
    left = iter(loader)
    next(left)
    batches = iter(images(stored))
    first = next(batches)
    left.close()  # type: ignore[attr-defined]  # a generator
    assert are_equal([first, *batches], list(images(PIXELS)))


def test_images_are_moved_to_a_gpu_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [0]
    moved: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free[0], 0))
    monkeypatch.setattr(Selection, "to", lambda _, device: moved.append(device) or PIXELS)
    selection = Selection(PIXELS, torch.arange(9), (8, 8))
    assert selection.nbytes == 9 * 3 * 8 * 8
    gpu = torch.device("cuda:1")
    free[0] = int(selection.nbytes / RESIDENT) + 1
    assert to_device(selection, gpu) is PIXELS
    assert moved == [gpu]
    free[0] = int(selection.nbytes / RESIDENT) - 8
    stored = to_device(selection, gpu)
    assert isinstance(stored, Ahead)
    assert stored.target == gpu
    assert isinstance(to_device(PIXELS, gpu), Ahead)
    assert to_device(selection, CPU) is selection
    assert to_device(PIXELS, CPU) is PIXELS


def test_all_of_a_selection_is_moved_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.data.image.photos.CHUNK_BYTES", 2 * 3 * 8 * 8)
    rows = torch.tensor([5, 1, 20, 3, 3])
    assert torch.equal(Selection(PIXELS, rows, (8, 8)).to(CPU), PIXELS[rows][:, :, 4:12, 4:12])


def test_for_nvidia_s_gpus_rows_are_pinned_and_copied_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: calls.append(device) or nullcontext())
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: calls.append("pinned") or self)
    monkeypatch.setattr(Tensor, "to", lambda self, *args, **kwargs: calls.append((args, kwargs)) or self)
    gpu = torch.device("cuda:1")
    read: Read = lambda rows: PIXELS.index_select(0, rows)  # noqa: E731
    assert torch.equal(Ahead(lambda: nullcontext(read), gpu)[2:4], PIXELS[2:4])
    assert calls == [gpu, "pinned", ((gpu,), {"non_blocking": True})]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's")
def test_on_a_gpu_batches_are_the_same() -> None:
    gpu = torch.device("cuda")
    stored = Ahead(lambda: nullcontext(lambda rows: PIXELS.index_select(0, rows)), gpu)
    loader = BoxLoader(stored, BOXES.to(gpu), lambda inputs, *_: inputs, batching(), mosaic=0.7, flip=0.5)
    plain = BoxLoader(PIXELS, BOXES, lambda inputs, *_: inputs, batching(), mosaic=0.7, flip=0.5)
    for (inputs, targets), (others, other_targets) in zip(loader, plain, strict=True):
        assert np.allclose(inputs.cpu(), others, atol=0.01)
        assert torch.allclose(targets.cpu()[:, : other_targets.shape[1]], other_targets, atol=1e-5)
