"""Train a network: `python train.py model=cnn`. `python train.py --help` shows what there is to choose."""

from litmus.__main__ import train

if __name__ == "__main__":
    train()
