"""Writes a run's best network for other programs: ONNX, torch.export, a Hugging Face folder, or Ultralytics' .pt."""

import argparse
from pathlib import Path

from litmus.errors import UserError
from litmus.record.folder import RunDir

NAMES = {"onnx": "model.onnx", "torch": "model.pt2", "huggingface": "huggingface", "ultralytics": "model.pt"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("--to", required=True, choices=sorted(NAMES), help="what to write")
    parser.add_argument("--out", metavar="PATH", help="where; the run's folder export/ otherwise")


def main(arguments: argparse.Namespace) -> int:
    """Writes the file or folder, checks that it answers as the network does, and says where it is.

    Raises:
        UserError: the run has no weights, the network cannot be written so, or something lies there already.
    """
    run = RunDir(arguments.run)
    run.read_config()
    path = Path(arguments.out) if arguments.out else run.path / "export" / NAMES[arguments.to]
    if path.exists():
        raise UserError(f"{path} is there already: remove it, or name another with --out.")

    from litmus import console
    from litmus.inference import export
    from litmus.inference.load import load_run

    with console.log_to(None):
        try:
            difference = export.write(load_run(run), arguments.to, path)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}.") from None
    console.say(f"{path}  (its answers differ from the network's by {difference:.1e} at most)")
    return 0
