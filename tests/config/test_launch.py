"""What tells a process of torchrun or srun from one by itself."""

import pytest

from litmus.config.launch import Launch, launch_mistakes, launched, with_launch
from litmus.errors import UserError
from litmus.trainer import cluster_environment

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "5",
    "WORLD_SIZE": "6",
    "LOCAL_RANK": "2",
    "LOCAL_WORLD_SIZE": "3",
    "GROUP_RANK": "1",
    "GROUP_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "1",
}
SRUN = {
    "SLURM_JOB_ID": "70123",
    "SLURM_JOB_NAME": "train",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_NODELIST": "node[07-09]",
    "SLURM_STEP_NODELIST": "node[08-09]",
}


def test_the_place_of_a_process_among_the_others() -> None:
    assert launched(TORCHRUN) == Launch("torchrun", 5, 6, 2, 3, 2, 1)
    assert launched(SRUN) == Launch("srun", 3, 4, 1, 2, 2)
    assert launched(SRUN | {"SLURM_JOB_NAME": "interactive"}) == launched(SRUN), "srun in a shell of salloc"
    assert launched(SRUN | {"ENVIRONMENT": "BATCH"}) == launched(SRUN), "srun in a script of sbatch"
    assert launched(SRUN | TORCHRUN) == Launch("torchrun", 5, 6, 2, 3, 2, 1), "srun started torchrun"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"},
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"SLURM_NTASKS": "2"},
        {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"},
        {**SRUN, "SLURM_NTASKS": "1", "SLURM_NNODES": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
        {**SRUN, "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"},
        {**{k: v for k, v in SRUN.items() if k != "SLURM_STEP_ID"}, "ENVIRONMENT": "BATCH", "SLURM_PROCID": "0"},
        {**SRUN, "SLURM_NTASKS": "many"},
    ],
    ids=["nothing", "one", "stray", "shell", "half", "task", "step", "script", "damaged"],
)
def test_a_process_by_itself(environment: dict[str, str]) -> None:
    assert launched(environment) is None


def test_what_was_started_is_added_to_what_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_launch(["model=fnn"]) == ["model=fnn"]
    for name, value in SRUN.items():
        monkeypatch.setenv(name, value)
    assert with_launch(["model=fnn"]) == ["model=fnn", "trainer.devices=2", "trainer.num_nodes=2"]
    assert with_launch(["+trainer.devices=3"]) == ["+trainer.devices=3", "trainer.num_nodes=2"]
    assert with_launch(["reproduce=run"]) == ["reproduce=run"]
    assert launch_mistakes(2, 2) == []
    assert len(launch_mistakes(1, 1)) == 2
    with pytest.raises(UserError, match="without srun"):
        with_launch(["-m", "seed=1,2"])
    monkeypatch.setenv("SLURM_NTASKS", "5")
    assert "has to have as many" in launch_mistakes(2, 2)[0]


def test_torchrun_s_second_attempt_does_not_train_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="type resume=FOLDER"):
        with_launch(["model=fnn"])
    assert with_launch(["resume=run"]) == ["resume=run", "trainer.devices=3", "trainer.num_nodes=2"]


def test_a_run_that_several_machines_began_is_resumed_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SRUN, "SLURM_NNODES": "1"}.items():
        monkeypatch.setenv(name, value)
    assert with_launch(["resume=run"]) == ["resume=run", "trainer.devices=4", "trainer.num_nodes=1"]


def test_lightning_is_told_by_its_own_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SRUN | TORCHRUN).items():
        monkeypatch.setenv(name, value)
    for name in ("MASTER_ADDR", "MASTER_PORT", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    alone = cluster_environment(None)
    assert not alone.creates_processes_externally or alone.world_size() == 1
    slurm = cluster_environment(launched(SRUN))
    assert (slurm.global_rank(), slurm.world_size(), slurm.local_rank(), slurm.node_rank()) == (3, 4, 1, 1)
    assert slurm.main_address == "node08", "of the step, not of the job"
    assert not slurm.auto_requeue
    torchrun = cluster_environment(launched(TORCHRUN))
    assert (torchrun.global_rank(), torchrun.world_size(), torchrun.local_rank(), torchrun.node_rank()) == (5, 6, 2, 1)
