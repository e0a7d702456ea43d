"""`python train.py ...` and `litmus ...` as a person types them, each in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, SMALL, composed

from litmus.record.command import typed_words
from litmus.record.folder import RunDir

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.dropot=0.5"], "There is no key model.dropot. Did you mean model.dropout?"),
        (
            ["model=cn"],
            "There is no model=cn. Did you mean model=cnn? "
            "model is one of bert, cnn, fnn, linear, lstm, perceptron, resnet, scratch, yolo.",
        ),
        (["modle=cnn"], "There is no key modle. Did you mean model?"),
        (["cnn"], "cnn is not of the form key=value. Did you mean model=cnn?"),
        (["dropout=0.5"], "Did you mean model.dropout?"),
        (["epochs=3"], "Did you mean trainer.max_epochs?"),
        (["lr=0.1"], "There is no key lr. Did you mean optimizer.lr?"),
        (["optimizer.weight_decay=0.1"], "There is no key optimizer.weight_decay. Did you mean model.l2?"),
        (["trainer.precision=fp16"], "trainer.precision=fp16 is not allowed. Did you mean 16-mixed?"),
        (["model=mlp"], "There is no model=mlp. Did you mean model=fnn?"),
        (["class_weights=balanced"], "There is no key class_weights. Did you mean task.balanced=true?"),
        (["task.class_weights=balanced"], "There is no key task.class_weights. Did you mean task.balanced=true?"),
        (["--class-weight", "balanced"], "There is no option --class-weight. Did you mean task.balanced=true? Keys"),
        (["model.dropout=1.5"], "model.dropout=1.5 is not allowed. model.dropout is a probability in [0, 1)."),
        (["model.widths=[12"], "model.widths=[12 cannot be read"),
        (["data.ignore=[a, Größe in cm]"], """stand in quotes: "data.ignore=[a, 'Größe in cm']"."""),
        (["data.ignore=['Fülldatum',Länge]"], """stand in quotes: "data.ignore=['Fülldatum','Länge']"."""),
        (["data.ignore=[Länge"], "data.ignore=[Länge cannot be read. Check its brackets"),
        (["data.label=Gefühl"], "outside ASCII: \"data.label='Gefühl'\"."),
        (["resume="], "resume= names no folder."),
        (["model=cnn,fnn"], "Put -m before it"),
        (["-m", "model=cnn,fnn", "model.dropout=0,2"], "model.dropout=2 is not allowed"),
        (
            ["-m", "model=perceptron,fnn", "model.widths=[3]"],
            "model=perceptron model.widths=[3]: There is no key model.widths",
        ),
        (["resume=nowhere"], "There is no folder nowhere."),
        (["-m", "resume=nowhere"], "There is no folder nowhere."),
        (["model=null"], "model=null is not allowed"),
        (["model=[cnn]"], "model= takes one of its choices"),
        (["experiment=cnn_bets"], "Did you mean experiment=cnn_best?"),
    ],
)
def test_mistakes_answer_in_a_sentence_and_leave_nothing(
    words: list[str], said: str, command: Command, tmp_path: Path
) -> None:
    done = command(*words)
    assert said in done.stderr
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    first = done.stdout.partition("\n")[0]
    assert done.stdout in ("", f"{first}\ncomposing the jobs ...\n"), "a sweep's header stands before its jobs' values"
    assert first.startswith("sweep=grid  model=") or not first
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"], ["model.dropot=1"], ["model=cn"], ["model.dropout=2"]])
def test_what_does_not_train_does_not_import_torch(words: list[str], tmp_path: Path) -> None:
    spy = (
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print('HEAVY', [m for m in ('torch', 'lightning', 'numpy') if m in sys.modules]))\n"
        f"sys.argv = ['train.py', *{words!r}]\n"
        f"runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", spy], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "HEAVY []" in done.stdout, done.stdout[-500:] + done.stderr


@pytest.mark.parametrize("words", [["--help"], ["evaluate", "--help"], ["evaluate", "nowhere"], ["evalute", "x"]])
def test_verbs_answer_without_torch(words: list[str], tmp_path: Path) -> None:
    spy = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('HEAVY', [m for m in ('torch', 'lightning', 'numpy') if m in sys.modules]))\n"
        f"sys.argv = ['litmus', *{words!r}]\n"
        "from litmus.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", spy], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "HEAVY []" in done.stdout
    assert (done.returncode == 0) == ("--help" in words)


def test_help_is_worth_reading(command: Command) -> None:
    page = command("--help").stdout
    for part in (
        "python train.py -m",
        "[cnn] | fnn",
        "[auto] | cpu | ddp | debug | gpu",
        "model.dropout ",
        "litmus evaluate",
    ):
        assert part in page
    assert "evaluate" in command("--help", script="litmus").stdout
    of_search = command("-m", "sweep=optuna", "model=fnn", "model.dropout=interval(0,1)", "seed=0,1", "--help").stdout
    assert "sweep.trials " in of_search
    assert "model.widths " in of_search


def test_cfg_shows_the_configuration(command: Command) -> None:
    shown = command("model=fnn", "model.dropout=0.5", "--cfg", "job").stdout
    assert "dropout: 0.5" in shown
    assert "_target_: litmus.model.fnn.FNN" in shown


def test_a_run_from_the_command_line(command: Command, tmp_path: Path) -> None:
    done = command("model=fnn", *SMALL, "model.dropout=0.5")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / "fnn-mnist").iterdir()
    assert (tmp_path / "outputs" / "latest").resolve() == folder
    result = json.loads((folder / "result.json").read_text())
    lines = done.stdout.splitlines()
    assert lines[0].startswith("model=fnn  data=mnist  task=classification  optimizer=adam")
    assert "  model.dropout=0.5  (default 0.0)" in lines[1:10]
    assert not any(line.startswith("  model.widths") for line in lines), "not what is as usual"
    assert any(line.startswith("head") and "650" in line for line in lines)
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert f"{result['metrics']['test/acc']:.4f}" in next(line for line in lines if re.match("test +0", line))
    short = folder.relative_to(tmp_path)
    assert f"run folder   {short}" in done.stdout
    assert f"litmus dashboard {short}" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr, "plain where there is no terminal"
    assert all(line.startswith("WARNING  ") for line in done.stderr.splitlines()), "nothing that others say"
    again = command("evaluate", "outputs/latest", script="litmus")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(repr(result["metrics"]["test/acc"])) == 2, "now, and in result.json"


@pytest.mark.wide
def test_a_multirun_goes_on_after_a_failed_job_and_says_so(command: Command, tmp_path: Path) -> None:
    done = command(
        "-m",
        *SMALL,
        "model=perceptron,fnn",
        "task.label_smoothing=0,0.1",
        "hydra.sweep.dir=sweep",
        "callback.dashboard=null",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    results = {p.parent.name: json.loads(p.read_text()) for p in (tmp_path / "sweep").glob("*/result.json")}
    assert len(results) == 4
    statuses = sorted(r["status"] for r in results.values())
    assert statuses == ["failed", "finished", "finished", "finished"]
    assert "4 of 4 jobs in sweep" in done.stdout
    assert "[4/4]" in done.stdout
    failed = next(r for r in results.values() if r["status"] == "failed")
    assert failed["model"] == "perceptron"
    assert "no soft targets" in failed["error"]


@pytest.mark.slow
def test_ctrl_c_ends_a_multirun_with_a_whole_folder(tmp_path: Path) -> None:
    words = ["-m", *SMALL, "model=fnn", "seed=1,2", "trainer.max_epochs=5000", "hydra.sweep.dir=sweep", "sweep.jobs=1"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.time() + 90
    while not list((tmp_path / "sweep").glob("*/checkpoints/last.ckpt")):
        assert time.time() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "1 of 2 jobs in sweep: 1 interrupted" in out
    assert "  interrupted " in out
    (result,) = (json.loads(p.read_text()) for p in (tmp_path / "sweep").glob("*/result.json"))
    assert result["status"] == "interrupted"
    assert result["epochs"] >= 1
    (folder,) = (p.parent for p in (tmp_path / "sweep").glob("*/result.json"))
    assert f"resume         python {ROOT / 'train.py'} -m resume=sweep" in out
    assert f"litmus train resume={folder.relative_to(tmp_path)}" in (folder / "train.log").read_text()
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert len(rows) == result["epochs"] + 1
    assert "Traceback" not in err


@pytest.mark.wide
def test_an_interrupted_run_is_resumed_by_its_folder(command: Command, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "train.py"),
            "model=perceptron",
            *SMALL,
            "trainer.max_epochs=5000",
            "trainer.compile=false",  # which 5,000 epochs would have tried, for as long as the test waits
            "hydra.run.dir=there",
        ],
        cwd=tmp_path,
        env={**os.environ, "LITMUS_DATA": ""},
    )
    deadline = time.time() + 90
    while not (tmp_path / "there/checkpoints/last.ckpt").exists():
        assert time.time() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)  # no handler runs: what is on disk must do
    process.wait(timeout=30)
    assert not (tmp_path / "there/result.json").exists()
    rows = (tmp_path / "there/metrics.csv").read_text().splitlines()
    epochs = len(rows) + 2
    done = command("resume=there", f"trainer.max_epochs={epochs}")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "there/result.json").read_text())
    assert (result["status"], result["epochs"], result["model"]) == ("finished", epochs, "perceptron")
    typed = json.loads((tmp_path / "there/environment.json").read_text())["commands"]
    assert typed_words(typed[-1]) == ["resume=there", f"trainer.max_epochs={epochs}"]
    after = (tmp_path / "there/metrics.csv").read_text().splitlines()
    assert [int(row.split(",")[0]) for row in after[1:]] == list(range(1, epochs + 1))
    same = command("evaluate", "there", "--json", script="litmus")
    assert json.loads(same.stdout)["test/acc"] == result["metrics"]["test/acc"]
    assert same.stderr.count("\n") <= 3, "the subset's warning, and nothing of Lightning's"
    assert "leave out experiment" in command("resume=there", "experiment=cnn_best").stderr
    refused = command("resume=there", "model=cnn")
    assert refused.returncode == 2
    assert "trained with model=perceptron" in refused.stderr


@pytest.mark.wide
def test_a_run_without_a_checkpoint_begins_from_the_start_and_says_so(command: Command, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "there")
    run.claim(composed("model=perceptron", *SMALL))
    said = "begins from the start: the run was stopped before its first checkpoint"
    done = command("resume=there")
    assert done.stdout.count(said) == 1, done.stderr
    assert said in run.log.read_text()
    again = command("resume=there", "trainer.max_epochs=3").stdout
    assert "resumes after step" in again
    assert said not in again


@pytest.mark.wide
def test_two_processes_train_together_and_agree_with_one(command: Command, tmp_path: Path) -> None:
    words = [
        "model=fnn",
        *SMALL,
        "data.batch_size=64",
        "data.limit=402",
        "data.eval_batch_size=83",
        "trainer.max_epochs=3",
        "trainer.gradient_clip=1.0",
    ]
    one = command(*words, "trainer.devices=1", "hydra.run.dir=one")
    two = command(*words, "trainer=ddp", "trainer.accelerator=cpu", "hydra.run.dir=two")
    assert one.returncode == two.returncode == 0, two.stderr
    first, second = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two"))
    assert second["device"].startswith("2 x cpu")
    again = command("evaluate", "two", "--json", script="litmus")
    assert json.loads(again.stdout) == {k: v for k, v in second["metrics"].items() if k.startswith("test/")}
    assert second["steps"] == first["steps"]
    assert second["metrics"] == pytest.approx(first["metrics"], rel=1e-3)
    assert two.stdout.count("run folder") == 1
    csv = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in ("one", "two")]
    assert len(csv[0]) == len(csv[1]) == 4


@pytest.mark.slow
def test_two_processes_under_a_multirun(command: Command, tmp_path: Path) -> None:
    """Lightning's own launcher would start the multirun again in every process."""
    words = ["-m", "model=fnn", *SMALL, "trainer=ddp", "trainer.accelerator=cpu", "seed=1,2", "hydra.sweep.dir=sweep"]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    results = [json.loads(p.read_text()) for p in (tmp_path / "sweep").glob("*/result.json")]
    assert sorted(r["seed"] for r in results) == [1, 2]
    assert all(r["device"].startswith("2 x") and r["status"] == "finished" for r in results)


def test_a_gpu_that_is_not_there(command: Command, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("there is a GPU here")
    done = command("trainer=gpu", "data.source=bundled", "hydra.run.dir=run")
    assert done.returncode == 2
    assert "there is no GPU here" in done.stderr
    assert not (tmp_path / "run").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["predict", "--help"], ["train", "--help"]])
def test_what_nobody_reads_ends_without_a_word(words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-P", "-m", "litmus", *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
