"""What a verb says before it imports torch and reads its run, which takes seconds."""

from collections.abc import Iterator
from contextlib import contextmanager

from litmus.config.types import Section
from litmus.record.folder import RunDir


@contextmanager
def loading(run: RunDir | None, config: Section, as_json: bool) -> Iterator[None]:
    """In the body, torch is imported and the network is read.

    Args:
        run: that is used; None for pretrained weights.
        config: of the run.
        as_json: whether standard output is for a program; then nothing is said.
    """
    from litmus.run import header

    if run is not None and not as_json:
        header.trained(run, config)
    with header.importing_torch(is_quiet=as_json):
        yield


def say_device(device: str, as_json: bool) -> None:
    """Says where a network predicts, unless that is the CPU.

    Args:
        device: `cpu`, `cuda` or `mps`.
        as_json: whether standard output is for a program.
    """
    from litmus import console

    if device != "cpu" and not as_json:
        console.say(f"device  {device}  (--device cpu predicts on the CPU)")
