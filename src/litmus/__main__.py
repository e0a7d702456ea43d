"""`python -m litmus` is the `litmus` command."""

from litmus.cli import main

if __name__ == "__main__":
    main()
