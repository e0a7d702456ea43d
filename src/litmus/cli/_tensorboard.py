"""TensorBoard, in a process of its own, which answers once it has read all runs: a page that comes before is empty."""

import sys
import time
from typing import TYPE_CHECKING

from tensorboard import default, program
from werkzeug.test import Client

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

SETTLED_S = 0.5  # without another run that is read: the others have no curves yet
POLL_S = 0.05


def main() -> int:
    """Serves until it is stopped; gives the exit status. Its arguments are TensorBoard's."""
    board = program.TensorBoard(plugins=default.get_plugins(), server_class=_after_reading)
    board.configure(sys.argv)
    return int(board.main())


def _after_reading(app: "WSGIApplication", flags: object) -> program.TensorBoardServer:
    """TensorBoard's usual server, made when it has curves of all runs, or finds no more of them."""
    client = Client(app)
    waiting_since, before = time.monotonic(), (0, 0)
    while time.monotonic() - waiting_since < SETTLED_S:
        runs = client.get("/data/runs").get_json()
        read = client.get("/data/plugin/scalars/tags").get_json()  # by run
        if runs and set(read) >= set(runs):
            break
        if (len(runs), len(read)) != before:
            waiting_since, before = time.monotonic(), (len(runs), len(read))
        time.sleep(POLL_S)
    return program.create_port_scanning_werkzeug_server(app, flags)


if __name__ == "__main__":
    sys.exit(main())
