"""Writes a run's network for other programs: ONNX, OpenVINO, torch.export, Hugging Face or Ultralytics."""

import argparse
from pathlib import Path

from litmus.cli._loading import loading
from litmus.cli._options import one_of
from litmus.errors import UserError, WrongArguments
from litmus.inference.export.write import EXAMPLE, FORMATS, left_to_users, write
from litmus.record.folder import RunDir


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, such as outputs/latest")
    parser.add_argument(
        "--to", type=one_of(sorted(FORMATS)), metavar="FORMAT", help=f"the format: {', '.join(sorted(FORMATS))}"
    )
    parser.add_argument("--out", metavar="PATH", help="the file or folder to write (in RUN/export)")
    parser.add_argument("--raw", action="store_true", help="the bare network, without preprocessing and postprocessing")


def main(arguments: argparse.Namespace) -> int:
    """Writes the file or folder, checks that its outputs are the network's, and prints where it is.

    Raises:
        UserError: the run has no checkpoint, the network cannot be exported to this format, or the path exists.
    """
    if arguments.run is None or arguments.to is None:
        raise WrongArguments("Name a run folder and a format: litmus export outputs/latest --to onnx.")
    run = RunDir.named(arguments.run)
    config = run.read_config()
    run.check_best()
    path = Path(arguments.out) if arguments.out else run.path / "export" / FORMATS[arguments.to].file_name
    if path.exists():
        raise UserError(f"{path} exists already. Remove it, or choose another path with --out.")

    from litmus import console

    with console.log_to(None):
        try:
            with loading(run, config, as_json=False):
                from litmus.inference.load import load_run

                net = load_run(run)
            difference = write(net, arguments.to, path, raw=arguments.raw)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}.") from None
    console.say(f"{path}  (its outputs differ from the network's by {difference:.1e} at most)")
    for sentence in left_to_users(net.spec) if FORMATS[arguments.to].whole and not arguments.raw else ():
        console.say(sentence, style="yellow", wrap=True)
    if arguments.to == "onnx" and not arguments.raw:
        console.say(f"{path.with_name(EXAMPLE)}  (a program that uses it, to copy from)")
    return 0
