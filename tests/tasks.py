"""Tasks of SLURM, without it."""

import socket


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def tasks(number: int, nodes: int = 1) -> list[dict[str, str]]:
    """What srun sets in each task of a step on so many machines, all of them this one."""
    per_node = number // nodes
    shared = {"SLURM_JOB_ID": "123456", "SLURM_STEP_ID": "0", "SLURM_NTASKS": str(number), "SLURM_NNODES": str(nodes)}
    shared |= {"SLURM_NODELIST": "localhost", "SLURM_STEP_NODELIST": "localhost", "MASTER_PORT": free_port()}
    return [
        shared | {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i % per_node), "SLURM_NODEID": str(i // per_node)}
        for i in range(number)
    ]
