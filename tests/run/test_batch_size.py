"""`data.batch_size=auto`: the largest power of two that fits is found, said, stored, and kept on resume."""

from collections.abc import Callable

import pytest
from helpers import CONF, composed

from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import batch_size, memory

Train = Callable[..., RunDir]
MB = 10**6


@pytest.mark.parametrize("data", sorted(path.stem for path in (CONF / "data").glob("*.yaml")))
def test_every_dataset_takes_it(data: str) -> None:
    config = composed(f"data={data}", "data.batch_size=auto")
    assert not [sentence for sentence in mistakes(config) if "batch_size" in sentence]


def test_it_is_found_said_stored_and_kept(
    train: Train, resume: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 20 * MB)
    run = train("model=cnn", "data.batch_size=auto", "trainer.precision=32", "scheduler=none")
    found = run.read_config()["data"]["batch_size"]
    assert f"data.batch_size=auto: {found} fits" in capsys.readouterr().out
    assert run.read_requested()["data"]["batch_size"] == "auto"
    assert run.read_result()["steps"] == 2 * -(-400 // found)
    monkeypatch.setattr(memory, "available_memory", lambda: 1000 * MB)
    resume(run, "trainer.max_epochs=3")
    assert run.read_config()["data"]["batch_size"] == found
    wider = train("model=cnn", "data.batch_size=auto", "trainer.precision=32", folder="wider")
    assert wider.read_config()["data"]["batch_size"] == 256 > found, "the largest power of two below 400 samples"


@pytest.mark.slow
def test_two_processes_share_it(train: Train) -> None:
    run = train("model=perceptron", "data.batch_size=auto", "trainer=ddp", "trainer.accelerator=cpu")
    assert run.read_result()["status"] == "finished", run.log.read_text()
    assert run.read_config()["data"]["batch_size"] == 256, "of each 128, out of 200"


def test_texts_are_taken_to_be_as_long_as_they_may_be() -> None:
    from litmus.config.instantiate import build
    from litmus.spec import Classes, Spec, Tokens

    spec = Spec("texts", Tokens(50, 0, 100), Classes(("a", "b")))
    net = build(composed("model=lstm")["model"], spec)
    assert memory.longest_example(net, 3).shape == (3, 100)


def test_the_largest_power_of_two() -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= 100

    assert batch_size.largest_power(fits, 1000) == 64
    assert tried[-1] == 128, "and no more is tried than what failed"
    assert batch_size.largest_power(lambda size: True, 1000) == 512
    with pytest.raises(UserError, match="not even a batch of one sample fits"):
        batch_size.largest_power(lambda size: False, 1000)
