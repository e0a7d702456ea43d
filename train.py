"""Train a network: `python train.py model=cnn`. `python train.py --help` shows what there is to choose."""

import time

import hydra
from omegaconf import DictConfig

from litmus.entry import command_line


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(config: DictConfig) -> str:
    """One job; returns its status."""
    started = time.perf_counter()
    from litmus.run import run_job  # imports torch, which a person who asks for help need not wait for

    return run_job(config, started)


if __name__ == "__main__":
    command_line(main)
