"""Runs whose processes torchrun or srun starts: as one process, and whatever becomes of one of them."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, SMALL
from tasks import free_port, tasks
from warm import Answer

Together = Callable[..., list[Answer]]
Command = Callable[..., subprocess.CompletedProcess[str]]

FEW = ["model=fnn", *SMALL, "data.batch_size=64", "data.limit=404", "data.eval_batch_size=83"]
LONG = [*FEW, "model.dropout=0.2", "trainer.max_epochs=2000", "callback.checkpoint.every_s=0.2", "hydra.run.dir=run"]


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def same_training(one: Path, two: Path) -> None:
    first, second = result_of(one), result_of(two)
    assert second["status"] == "finished", second["error"]
    assert second["steps"] == first["steps"]
    assert second["metrics"] == pytest.approx(first["metrics"], rel=1e-3)
    rows = [(folder / "metrics.csv").read_text().splitlines() for folder in (one, two)]
    assert len(rows[0]) == len(rows[1])
    assert not list(two.glob("rank_*.log")), "the others had nothing to say"


@pytest.mark.slow
def test_four_tasks_on_two_machines_agree_with_one_process(srun: Together, command: Command, tmp_path: Path) -> None:
    words = [*FEW, "trainer.gradient_clip=1.0"]
    one = command(*words, "hydra.run.dir=one")
    assert one.returncode == 0, one.stderr
    first, *others = srun("train", *words, "hydra.run.dir=two", number=4, nodes=2)
    assert [each.status for each in (first, *others)] == [0] * 4, first.err
    assert first.out.count("run folder") == 1
    assert all(each.out + each.err == "" for each in others), "the others are silent"
    assert (result_of(tmp_path / "two")["device"]).startswith("4 x cpu")
    same_training(tmp_path / "one", tmp_path / "two")
    config = (tmp_path / "two" / "config.yaml").read_text()
    assert "\n  devices: 2\n" in config
    assert "\n  num_nodes: 2\n" in config
    assert not (tmp_path / "outputs").exists(), "no folder besides the one"


@pytest.mark.wide
def test_a_task_that_is_killed_ends_the_run_and_is_named(srun: Together, tmp_path: Path) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    first, other = srun("train", *LONG, when=(last, 0.1), signals={1: signal.SIGKILL})
    assert (first.status, other.status) == (1, -signal.SIGKILL)
    assert first.seconds < 10
    result = result_of(tmp_path / "run")
    assert result["status"] == "failed"
    assert result["error"].startswith(f"Rank 1 of the run, on {socket.gethostname()}, has ended, so the training")
    assert "Rank 1 of the run" in first.err
    assert "Traceback" not in first.err


@pytest.mark.wide
def test_the_others_end_with_the_first(srun: Together, tmp_path: Path) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    first, other = srun("train", *LONG, when=(last, 0.1), signals={0: signal.SIGKILL})
    assert (first.status, other.status) == (-signal.SIGKILL, 1)
    assert other.seconds < 10
    assert other.out + other.err == ""


@pytest.mark.wide
@pytest.mark.parametrize("to", [pytest.param((0, 1), marks=pytest.mark.slow), (1,)], ids=["all", "one of the others"])
def test_a_signal_interrupts_all_and_the_run_is_resumed(srun: Together, tmp_path: Path, to: tuple[int, ...]) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    ended = srun("train", *LONG, when=(last, 0.1), signals=dict.fromkeys(to, signal.SIGTERM))
    assert [each.status for each in ended] == [130, 130], ended[0].err
    result = result_of(tmp_path / "run")
    assert (result["status"], result["error"]) == ("interrupted", "stopped by SIGTERM")
    again = srun("train", "resume=run", f"trainer.max_epochs={result['epochs'] + 2}")
    assert [each.status for each in again] == [0, 0], again[0].err
    assert "resumes after step" in again[0].out
    assert result_of(tmp_path / "run")["status"] == "finished"


@pytest.mark.wide
def test_a_command_that_slurm_has_requeued_resumes_its_run(srun: Together, tmp_path: Path) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    for restarts in range(2):
        ended = srun("train", *LONG, restarts=restarts, when=(last, 0.1), signals={0: signal.SIGTERM})
        assert [each.status for each in ended] == [130, 130], ended[0].err
        assert ("resumes after step" in ended[0].out) == (restarts > 0)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("words", "number", "expected"),
    [
        (["train", *FEW, "trainer.devices=2"], 3, "trainer.devices=2, but srun has started 3 on each machine"),
        (["train", *FEW, "trainer.num_nodes=2"], 2, "trainer.num_nodes=2, but srun has started processes on 1"),
        (["train", "-m", *FEW, "seed=1,2"], 2, "Type the command without srun"),
        (["train", *FEW, "data.batch_size=63"], 2, "data.batch_size=63 cannot be divided evenly"),
        (["train", "model=nothing"], 2, "model=nothing"),
        (["compare", "outputs"], 2, "Only a training may be started by srun"),
    ],
)
def test_a_command_that_cannot_be_started_so_is_refused_once(
    srun: Together, tmp_path: Path, words: list[str], number: int, expected: str
) -> None:
    first, *others = srun(*words, number=number)
    assert [each.status for each in (first, *others)] == [2] * number
    assert expected in first.err
    assert all(each.out + each.err == "" for each in others)
    assert not (tmp_path / "outputs").exists()


def test_a_folder_that_is_taken_refuses_all_at_once(srun: Together, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("seed: 1")
    first, other = srun("train", *LONG)
    assert first.status != 0
    assert other.status != 0
    assert "already holds a run" in first.err
    assert other.out + other.err == ""


@pytest.mark.wide
def test_several_machines_need_a_launcher(command: Command) -> None:
    done = command(*FEW, "trainer.num_nodes=2")
    assert done.returncode == 2
    assert "trainer.num_nodes=2 needs a launcher on each machine: torchrun --nnodes 2" in done.stderr
    done = command("-m", *FEW, "trainer.num_nodes=2", "seed=1,2")
    assert done.returncode == 2
    assert "trainer.num_nodes=2 needs a launcher" in done.stderr
    for strategy in ("ddp", "fsdp"):
        done = command(*FEW, f"trainer.strategy={strategy}")
        assert done.returncode == 2
        assert f"trainer.strategy={strategy} is for several processes" in done.stderr


@pytest.mark.slow
def test_a_single_task_of_slurm_starts_its_own_processes(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (variables,) = tasks(1)
    for name, value in {**variables, "SLURM_NTASKS_PER_NODE": "1"}.items():
        monkeypatch.setenv(name, value)
    done = command(*FEW, "trainer=ddp", "trainer.accelerator=cpu", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert result_of(tmp_path / "run")["device"].startswith("2 x cpu")


def torchrun(*words: str, folder: Path, nodes: int, processes: int) -> list["subprocess.Popen[str]"]:
    """Starts torchrun as on each of several machines, all of them this one."""
    where = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-id", folder.name]
    start = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(nodes), "--nproc-per-node", str(processes)]
    return [
        subprocess.Popen(
            [*start, *where, str(ROOT / "train.py"), *words],
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(nodes)
    ]


@pytest.mark.wide
def test_torchrun_on_two_machines_agrees_with_one_process(command: Command, tmp_path: Path) -> None:
    ranks = torchrun(*FEW, "hydra.run.dir=two", folder=tmp_path, nodes=2, processes=1)
    one = command(*FEW, "hydra.run.dir=one")
    assert one.returncode == 0, one.stderr
    printed = [each.communicate(timeout=100) for each in ranks]
    assert [each.returncode for each in ranks] == [0, 0], printed
    assert sorted(out.count("run folder") for out, _ in printed) == [0, 1]
    same_training(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_a_single_process_of_torchrun_starts_its_own_processes(tmp_path: Path) -> None:
    words = [*FEW, "trainer.devices=2", "trainer.max_epochs=1", "hydra.run.dir=run"]
    (agent,) = torchrun(*words, folder=tmp_path, nodes=1, processes=1)
    try:
        _, err = agent.communicate(timeout=60)
    finally:
        agent.terminate()  # which ends what it has started
    assert agent.returncode == 0, err
    assert result_of(tmp_path / "run")["device"].startswith("2 x cpu")


@pytest.mark.slow
def test_the_commands_of_the_documentation(srun: Together, tmp_path: Path) -> None:
    section = (ROOT / "docs" / "scale.md").read_text().split("## One training, several processes")[1].split("\n## ")[0]
    first, second, third = re.findall(r"```\n(.*?)```", section.replace("\\\n", ""), re.DOTALL)
    (agent,) = torchrun(*after(first, "train.py"), folder=tmp_path, nodes=1, processes=2)
    agents = torchrun(*after(second, "train.py"), folder=tmp_path, nodes=2, processes=1)
    assert [each.wait(200) for each in (agent, *agents)] == [0, 0, 0]
    assert [each.status for each in srun("train", *after(third, "train.py"), nodes=2)] == [0, 0]
    results = [result_of(path.parent) for path in tmp_path.glob("outputs/fnn-mnist/*/result.json")]
    assert len(results) == 3
    assert {result["device"][:5] for result in results} == {"2 x c"}


def after(command: str, word: str) -> list[str]:
    words = shlex.split(command)
    return words[words.index(word) + 1 :]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 100
    while not path.is_file():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_and_a_killed_rank_under_torchrun(tmp_path: Path) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    (agent,) = torchrun(*LONG, folder=tmp_path, nodes=1, processes=2)
    wait_for(last)
    agent.send_signal(signal.SIGINT)
    assert agent.wait(60) != 0
    assert result_of(tmp_path / "run")["status"] == "interrupted"
    last.unlink()
    (agent,) = torchrun("resume=run", folder=tmp_path, nodes=1, processes=2)
    wait_for(last)
    found = subprocess.run(["pgrep", "-P", str(agent.pid)], capture_output=True, text=True, check=True).stdout.split()
    (other,) = [pid for pid in found if b"\0LOCAL_RANK=1\0" in Path(f"/proc/{pid}/environ").read_bytes()]
    os.kill(int(other), signal.SIGKILL)
    _, err = agent.communicate(timeout=60)
    result = result_of(tmp_path / "run")
    assert result["status"] == "failed", err
    assert "Rank 1 of the run" in result["error"]
    assert "Rank 1 of the run" in err
