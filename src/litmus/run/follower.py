"""What the other processes do of those that torchrun or srun has started; see `litmus.run.launched`."""

import faulthandler
import os
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from litmus.config.launch import Launch
from litmus.errors import EXIT_STATUS, UserError
from litmus.record.folder import RunDir
from litmus.record.signals import stopping_signals
from litmus.run.channel import Channel
from litmus.run.process import import_all

FAILED = EXIT_STATUS["failed"]
TRY_S = 5  # that an address of rank 0 is tried


def silence() -> None:
    """Sends what this process prints to nowhere."""
    _print_to(os.open(os.devnull, os.O_WRONLY))


def follow(launch: Launch) -> NoReturn:
    """Trains as one of the other processes of a run, prints nothing, and ends as rank 0 does."""
    silence()
    try:
        status = _follow(launch)
    except BaseException:
        traceback.print_exc()
        status = FAILED
    sys.stderr.flush()
    # As in `litmus.run.worker`: nothing is left to do, and Python's own exit might crash.
    os._exit(status)


def _follow(launch: Launch) -> int:
    for number in (signal.SIGINT, *stopping_signals()):
        signal.signal(number, signal.SIG_DFL)  # at once, also within torch: nothing has begun
    import_all(("litmus.run.worker", "litmus.run.train"))
    from lightning.pytorch.utilities import rank_zero_only

    from litmus.run.worker import train_rank

    rank_zero_only.rank = launch.rank  # type: ignore[attr-defined]  # where Lightning keeps it
    channel = _channel_to_leader(launch)

    def pass_on(number: int, _: FrameType | None) -> None:
        channel.send({"signal": number})  # rank 0 decides, or the others would wait for this one

    for number in (signal.SIGINT, *stopping_signals()):
        signal.signal(number, pass_on)
    while "run" not in (message := channel.receive() or {"end": FAILED}):
        if "end" in message:
            return _wait_for_end(channel, message["end"])
    run = RunDir(message["run"])
    try:
        _print_to(os.open(run.rank_log(launch.rank), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
    except OSError as error:
        channel.send({"error": f"cannot use the run folder {run.path} ({error.strerror}): machines share it"})
        return FAILED
    faulthandler.enable()
    ending = threading.Thread(target=_end_with_leader, args=[channel], daemon=True)
    ending.start()
    try:
        train_rank(run, lambda: channel.send({"state": "ready"}))
    except Exception as error:
        print(error, file=sys.stderr) if isinstance(error, UserError) else traceback.print_exc()
        channel.send({"error": f"failed with {type(error).__name__}"})  # unless rank 0 is about to end
    else:
        channel.send({"state": "done"})
    ending.join()
    return FAILED


def _channel_to_leader(launch: Launch) -> Channel:
    """Connects to rank 0, wherever it is."""
    from litmus.run.launched import meeting_place

    port, token, *addresses = meeting_place(launch).get("leader").decode().split()
    for address in addresses:
        with suppress(OSError):
            channel = Channel(socket.create_connection((address, int(port)), TRY_S))
            channel.send({"token": token, "rank": launch.rank, "host": socket.gethostname()})
            return channel
    raise UserError(f"Rank 0 cannot be reached at port {port} of {', '.join(addresses)}.")


def _end_with_leader(channel: Channel) -> None:
    message = channel.receive() or {"end": FAILED}
    status = _wait_for_end(channel, message.get("end", FAILED))
    sys.stderr.flush()
    os._exit(status)


def _wait_for_end(channel: Channel, status: int) -> int:
    """Waits for the end of rank 0, whose exit status a launcher takes for that of all if it comes first."""
    while channel.receive() is not None:
        pass
    return status


def _print_to(descriptor: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
