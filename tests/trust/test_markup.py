"""Names that are markup: what a person looks at shows them, and runs nothing."""

from collections.abc import Callable
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
MARKUP = "<img src=x onerror=alert(1)>"


def test_tensorboard_s_text_is_code_whatever_a_file_is_called(train: Train, tmp_path: Path) -> None:
    """Markdown shows lines with four spaces before them as they are; TensorBoard also removes what could run."""
    lines = [f"w{i % 7} v{i % 3} {i},{'<script>alert(2)</script>' if i % 2 else '<b>no</b>'}" for i in range(100)]
    (tmp_path / f"{MARKUP}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    table = ["data=text_table", f'data.path="{MARKUP}.csv"', "data.text=text", "data.label=label", "trainer=cpu"]
    run = train("model=lstm", "trainer.max_epochs=1", "trainer.limit_batches=2", small=table)
    assert run.read_result()["status"] == "finished"
    events = EventAccumulator(str(run.path)).Reload()
    (text,) = events.Tensors("workings/config/text_summary")
    shown = text.tensor_proto.string_val[0].decode()
    assert MARKUP in shown
    assert all(line.startswith("    ") for line in shown.splitlines() if line)
