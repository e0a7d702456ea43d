"""The `litmus` command, which is also `python -m litmus`: `litmus train`, and the verbs of `litmus.cli`."""

import sys


def main() -> None:
    """Runs `litmus VERB ...`, and exits with its status."""
    if sys.argv[1:2] == ["train"]:
        from litmus.compose.command_line import train

        del sys.argv[1]
        train()
        return
    from litmus.cli import main as cli

    cli.main()


if __name__ == "__main__":
    main()
