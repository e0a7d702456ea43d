"""Train a network: `python train.py model=cnn`. `python train.py --help` shows what there is to choose."""

from litmus.compose.command_line import train

if __name__ == "__main__":
    train()
