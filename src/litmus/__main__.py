"""The `litmus` command, and `python -m litmus`: training, and what one does with run folders."""

import sys


def main() -> None:
    """Runs `litmus VERB ...`; exits with the verb's status."""
    if sys.argv[1:2] == ["train"]:
        from litmus.compose.command_line import train

        del sys.argv[1]
        train()
        return
    from litmus.cli.main import main as verbs

    verbs()


if __name__ == "__main__":
    main()
