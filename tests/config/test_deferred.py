"""What libraries import for one name has not run after any network or verb that does not use it; and runs if used."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import MODELS, ON_SCENES, ON_TABLE, ROOT, SMALL, TINY
from PIL import Image

from litmus.cli import main as cli
from litmus.config import deferred
from litmus.config.instantiate import defaults

UNUSED = (
    *("torchmetrics.functional", "transformers", "torchvision", "scipy.signal", "torch._dynamo.utils", "sympy"),
    *("matplotlib", "triton"),
)
COMPILER = {"sympy", "torch._dynamo.utils", "triton"}
# What a network imports beside, of those, and every other one does not.
BESIDE = {
    # Its encoder is transformers'. That marks methods of every model for the compiler, which therefore runs, and looks
    # for tensors on several machines, for which torch makes an object of a class that catches an error of a module that
    # imports sympy: to defer both takes marks that are kept, and an object that is made later, a third of the mechanism
    # more, for about two seconds.
    "bert": {"transformers", *COMPILER},
    "resnet": {"torchvision"},  # its layers and weights are torchvision's
    "yolo": set(),
}
VERBS = (
    *(["evaluate", "RUN"], ["doctor", "RUN"], ["report", "RUN"], ["predict", "RUN", "WHAT"]),
    *(["lr", "RUN", "--steps", "20"], ["compare", "RUN", "--no-figures"]),
    ["filters", "RUN"],
)
# Beside the network's. Of `serve` that is what a server imports; what `verify` and `dashboard` start are trainings and
# TensorBoard: their own process is meant.
OTHERS = {
    "train": set(),
    "verify": set(),
    "dashboard": set(),
    "serve": set(),
    "export": COMPILER,  # `--to torch` is torch's exporter, which traces as the compiler does
    "explain": {*COMPILER, "matplotlib"},  # after it in the same process; Captum imports what draws for notebooks
}
DATA = {  # and what to predict
    "lstm": (ON_TABLE, "a superb film"),
    "bert": (ON_TABLE, "a superb film"),
    "resnet": (["data=mnist", *SMALL, "data.limit=40"], "digit.png"),
    "yolo": (ON_SCENES, "digit.png"),
}
# One process for all: what the first imports, the others have.
CODE = """
import json, sys
from litmus.run.process import import_all
import_all(("litmus.run.train",))
import time
from pathlib import Path
from helpers import composed
from litmus.cli.main import main
from litmus.record.folder import RunDir
from litmus.run import train as running

unused, verbs, cases, others = map(json.loads, sys.argv[1:])

def answered(verb, name, what):
    try:
        main([{"RUN": f"run-{name}", "WHAT": what}.get(word, word) for word in verb])
    except SystemExit as ended:
        assert not ended.code or verb[0] == "lr", (name, verb, ended.code)  # whose loss may never fall

def say(name, verb):
    print("IMPORTED", sorted(set(unused) & set(sys.modules)), "BY", name, verb)

for name, words, what in cases:
    run = RunDir(Path(f"run-{name}"))
    run.claim(config := composed(*words))
    assert running.train(run, config, time.perf_counter()).status == "finished"
    say(name, "train")
    for verb in verbs:
        answered(verb, name, what)
        say(name, verb[0])
import litmus.cli.dashboard, litmus.cli.serve, litmus.cli.verify, litmus.record.checkpoint, litmus.run.verify
import litmus.inference.serve.rows, litmus.inference.serve.series, litmus.inference.serve.server
import litmus.inference.serve.texts
for verb in others:
    if verb == "export":
        answered([verb, "RUN", "--to", "torch"], cases[0][0], cases[0][2])  # by the compiler, which runs now
    if verb == "explain":
        answered([verb, "RUN", "WHAT"], cases[0][0], cases[0][2])
    say(name, verb)
"""
USED = """
import sys
from litmus.config.deferred import defer
defer()
import torch
import lightning.pytorch
from lightning.fabric.wrappers import OptimizedModule
net = torch.nn.Linear(3, 2)
optimizer = torch.optim.Adam(net.parameters())
net(torch.ones(4, 3)).sum().backward()
before = net.weight.clone()
optimizer.step()
assert not torch.equal(before, net.weight)
assert not isinstance(net, OptimizedModule)
@torch._dynamo.disable
def named():
    "Said."
assert "torch._dynamo.config" not in sys.modules and (named.__name__, named.__doc__) == ("named", "Said.")
@torch.compiler.disable(recursive=False)
def also():
    return 7
assert also() == 7 and "torch._dynamo.config" in sys.modules and named() is None
import torchmetrics.functional
assert "Accuracy" in dir(torchmetrics)
import torch._dynamo.utils as utils
import torch._dynamo as compiler
assert utils is compiler.utils and utils.__spec__.name == utils.__name__ and compiler.eval_frame.OptimizedModule
class Own(OptimizedModule):
    pass
assert issubclass(Own, torch._dynamo.eval_frame.OptimizedModule) and not isinstance(net, Own)
assert isinstance(torch.compile(net), OptimizedModule) and not isinstance(net, OptimizedModule)
assert torch.compile(net, backend="eager")(torch.ones(4, 3)).shape == (4, 2)
optimizer.step()
torch.optim.SGD(net.parameters(), lr=0.1).state_dict()
acc = torchmetrics.Accuracy(task="multiclass", num_classes=2)
assert isinstance(acc, torchmetrics.Metric) and torchmetrics.Metric is torchmetrics.metric.Metric
assert acc(torch.tensor([0, 1]), torch.tensor([0, 0])) == 0.5
from torch.utils.flop_counter import FlopCounterMode
with FlopCounterMode(display=False) as counter:
    net(torch.ones(4, 3))
assert counter.get_total_flops() == 2 * 4 * 3 * 2
"""

OPTIMIZERS = """
import sys
from litmus.config.deferred import defer
defer()
import torch
from litmus.config.conf import names
from litmus.config.instantiate import build, defaults
for name in names("optimizer"):
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    groups = [{"params": list(net.parameters()), "is_hidden": [True, False, False, False]}]
    optimizer = build(defaults("optimizer", name), groups, True)
    net(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert "torch._dynamo.utils" not in sys.modules, name
"""


def ran(code: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_verb_is_looked_at() -> None:
    assert {verb for verb, *_ in VERBS} | set(OTHERS) == set(cli.VERBS)


def test_every_network_with_weights_says_what_it_imports_beside() -> None:
    weighted = {name for name in MODELS if "weights" in defaults("model", name)}
    assert weighted == set(BESIDE)
    assert not set.union(*BESIDE.values()) - set(UNUSED)


def test_the_mechanism_is_small() -> None:
    """But for its list of modules."""
    text = Path(deferred.__file__).read_text(encoding="utf-8")
    without: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_list = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "MODULES"
        if is_text or is_list:
            without |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = [line.strip() for number, line in enumerate(text.splitlines(), 1) if number not in without]
    assert len([line for line in lines if line and not line.startswith("#")]) <= 80


@pytest.mark.wide
def test_a_sweep_s_server_and_jobs_import_only_what_they_use(tmp_path: Path) -> None:
    words = [*SMALL, "data.limit=40", "model=fnn,linear", "trainer.max_epochs=1", "sweep.name=both"]
    command = [sys.executable, "-X", "importtime", str(ROOT / "train.py"), "-m", *words]
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}  # of processes that it starts, too
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    jobs = [path.read_text() for path in (tmp_path / "outputs" / "sweeps" / "both").glob("*/train.log")]
    server, *others = (imported(text) for text in (done.stderr, *jobs))
    assert {"litmus.sweep.pool.server", "torch", "lightning.pytorch"} <= server
    assert len(others) == 2
    assert all(others)
    assert not set.union(server, *others) & set(UNUSED)


def imported(text: str) -> set[str]:
    """The modules that Python says it has imported."""
    return {line.rpartition("|")[2].strip() for line in text.splitlines() if line.startswith("import time:")}


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "networks",
    [
        *(["fnn"], ["bert"]),
        *(pytest.param([name], marks=pytest.mark.slow) for name in BESIDE if name != "bert"),
        pytest.param([name for name in MODELS if name not in BESIDE], marks=pytest.mark.slow, id="all"),
    ],
    ids="-".join,
)
def test_a_network_imports_only_what_it_uses(networks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    Image.new("L", (64, 64)).save("digit.png")
    cases = []
    for name in networks:
        small, what = DATA.get(name, ([*SMALL, "data.limit=40"], "digit.png"))
        cases.append((name, [*small, *TINY.get(name, []), f"model={name}", "trainer.max_epochs=1"], what))
    # Those with weights take seconds: of them, only the verbs that load the network.
    others = [*OTHERS][1:] if networks[0] not in BESIDE else ["verify", "dashboard"]
    verbs = [verb for verb in VERBS if networks[0] not in BESIDE or verb[0] in ("evaluate", "predict")]
    printed = ran(CODE, *map(json.dumps, (UNUSED, verbs, cases, others)))
    found = [line for line in printed.splitlines() if line.startswith("IMPORTED")]
    beside = BESIDE.get(networks[0], set())
    wanted = [_imported(beside, name, verb) for name in networks for verb in ("train", *(verb for verb, *_ in verbs))]
    wanted += [_imported(beside | OTHERS[verb], networks[-1], verb) for verb in others]
    assert found == wanted, "a library imports more than it did, or less: look at litmus.config.deferred"


def _imported(modules: set[str], name: str, verb: str) -> str:
    return f"IMPORTED {sorted(modules)} BY {name} {verb}"


@pytest.mark.slow
def test_what_is_deferred_is_whole_when_it_is_used() -> None:
    """All tests are run with modules deferred, too: see tests/deferring.py."""
    ran(USED)


BROKEN = """
import sys
from litmus.config import deferred
deferred.defer()
sys.modules["scipy.signal"] = None  # which torchmetrics imports at once
import torchmetrics
from torchmetrics import Metric
for _ in range(2):
    try:
        torchmetrics.Accuracy
    except ImportError as error:
        print(error)
del sys.modules["scipy.signal"]
print(torchmetrics.Accuracy.__name__, Metric is torchmetrics.Metric)
"""


@pytest.mark.slow
def test_what_fails_when_it_runs_fails_alike_until_it_can_run() -> None:
    *errors, found = ran(BROKEN).splitlines()
    assert len(errors) == 2
    assert errors[0] == errors[1]
    assert found == "Accuracy True"


STARRED = """
from litmus.config.deferred import defer
defer()
from torchmetrics import *
print(Accuracy.__name__)
"""


@pytest.mark.slow
def test_all_of_a_module_is_there_to_import() -> None:
    assert ran(STARRED) == "Accuracy\n"


@pytest.mark.wide
def test_no_optimizer_imports_the_compiler() -> None:
    ran(OPTIMIZERS)
