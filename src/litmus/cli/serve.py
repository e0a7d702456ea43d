"""Shows a page to play with a network, and answers programs by HTTP, until Ctrl-C."""

import argparse
import errno
import importlib.util
import socket
from contextlib import closing
from typing import TYPE_CHECKING

from litmus.cli._loading import loading, say_device
from litmus.cli._options import free_or_port
from litmus.config.fit import kinds_of_data
from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.inference.device import DEVICES, check_device, find_device
from litmus.record.folder import RunDir
from litmus.spec import Columns, Input

if TYPE_CHECKING:
    from torch import Tensor

    from litmus.inference.serve.served import Served

HOST, PORT = "127.0.0.1", 8000
PACKAGES = ("fastapi", "uvicorn", "python_multipart")
WAITING = 2048  # connections that the system keeps until the server takes them


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("--also", metavar="RUN", help="a second run, shown beside it, that takes the same input")
    where = f"the address to listen on ({HOST}, which only this machine reaches; 0.0.0.0: any)"
    parser.add_argument("--host", default=HOST, metavar="ADDRESS", help=where)
    parser.add_argument("--port", type=free_or_port, default=PORT, help=f"port ({PORT}); 0 takes a free one")
    computes = "where the network computes: auto takes a GPU if there is one (auto)"
    parser.add_argument("--device", choices=DEVICES, default="auto", help=computes)


def main(arguments: argparse.Namespace) -> int:
    """Serves until it is stopped.

    Raises:
        UserError: a package or a run is missing, two runs take different inputs, or the port is taken.
    """
    check_device(arguments.device)
    runs = [RunDir.named(name) for name in (arguments.run, arguments.also) if name is not None]
    configs = [run.read_config() for run in runs]
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        packages = f"package{'s' * (len(missing) > 1)} {', '.join(missing)}"
        raise UserError(f"litmus serve requires the {packages}: pip install 'litmus[serve]'.")
    kinds = [_kind(run, config) for run, config in zip(runs, configs, strict=True)]
    if len(set(kinds)) > 1:
        raise UserError(
            f"{runs[0].path} takes {kinds[0].noun}, and {runs[1].path} takes {kinds[1].noun}. --also takes a run with "
            "the same input."
        )

    from litmus import console

    with closing(_listening(arguments.host, arguments.port)) as listening, console.log_to(None):
        with loading(runs[0], configs[0], as_json=False):
            from litmus.inference.serve.server import serve

            device = find_device(arguments.device)
            served = [_served(run, config, kinds[0], device) for run, config in zip(runs, configs, strict=True)]
        say_device(device, as_json=False)
        port = listening.getsockname()[1]
        serve(served, listening, arguments.host, lambda: _say_ready(arguments.host, port))
    return 0


def _kind(run: RunDir, config: Section) -> type[Input]:
    """The input of a run, before torch is imported."""
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    run.check_best()
    return kinds_of_data(config["data"]["_target_"]).inputs[0]


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens: what is wrong with the address is said at once.

    Raises:
        UserError: the port is taken, or there is no such address here.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise UserError(f"--host {host}: there is no such address.") from None
    found = socket.socket(family)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(WAITING)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"Port {port} is in use. Choose another: --port {port + 1}, or --port 0 for a free one."
            ) from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"--host {host}: this machine has no such address.") from None
        raise UserError(f"Port {port} of {host} cannot be used: {error.strerror}.") from None
    return found


def _served(run: RunDir, config: Section, kind: type[Input], device: str) -> "Served":
    from litmus.inference.serve.served import serve_run

    explains = importlib.util.find_spec("captum") is not None
    return serve_run(run, config, device, _known(run, config) if kind is Columns else None, explains)


def _known(run: RunDir, config: Section) -> "Tensor | None":
    """Rows of a table's test split, as the network receives them; None where they are not there any more."""
    import torch

    from litmus import console
    from litmus.config.samples import MOST_SAMPLES
    from litmus.run.samples import test_samples

    try:
        return torch.cat(test_samples(run, config, MOST_SAMPLES).inputs)
    except UserError as error:
        console.say(f"note: explanations compare with averages, for want of the run's own rows: {error}", wrap=True)
        return None


def _say_ready(host: str, port: int) -> None:
    from litmus import console
    from litmus.inference.serve.guard import is_local

    shown = f"[{host}]" if ":" in host else host
    console.say_labeled("page", f"http://{shown}:{port}", style="bold")
    if not is_local(host):
        console.say(
            f"WARNING: whoever reaches port {port} of this machine may use the network. Nothing is encrypted, and "
            f"nobody is asked for a password; --host {HOST} is for this machine alone.",
            style="yellow",
            wrap=True,
        )
    console.say("Ctrl-C ends it", style="dim")
