"""What is exported bare answers as the network does: the libraries that read it are asked themselves."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from exporting import CASES, TEXTS, make
from helpers import CONF, DIGITS, TINY, composed, inputs_for

from litmus.config.instantiate import build
from litmus.errors import UserError
from litmus.inference.export.write import write
from litmus.model._vocabulary import pieces
from litmus.spec import Classes, Spec, Values

# Of each network one: all of them are exported whole, which holds the bare one.
NAMES = sorted({name for name, _, _ in CASES})
FIRST = [next(case for case in CASES if case[0] == name) for name in NAMES]


def these(*names: str) -> list[object]:
    """Of each network one; those of other networks are slow tests."""
    return [pytest.param(*case, marks=[] if case[0] in names else [pytest.mark.slow]) for case in FIRST]


def others(spec: Spec) -> list[torch.Tensor]:
    """Batches of other sizes, and texts of other lengths, than any that was seen in the making."""
    batches = [inputs_for(spec, size) for size in (1, 13)]
    return (
        batches if spec is not TEXTS else [*batches, inputs_for(spec, 3)[:, :4], torch.ones(2, 27, dtype=torch.int64)]
    )


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet")
@pytest.mark.parametrize(("name", "spec", "changes"), these(*set(NAMES) - {"yolo", "resnet"}), ids=NAMES)
def test_torch_export(name: str, spec: Spec, changes: dict[str, object], tmp_path: Path) -> None:
    net = make(name, spec, changes)
    assert write(net, "torch", tmp_path / "model.pt2", raw=True) < 1e-4
    read = torch.export.load(tmp_path / "model.pt2").module()
    for batch in others(spec):
        assert torch.allclose(read(batch), net(batch), atol=1e-5)


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet")
@pytest.mark.parametrize(("name", "spec", "changes"), these("cnn"), ids=NAMES)
def test_onnx(name: str, spec: Spec, changes: dict[str, object], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net = make(name, spec, changes)
    write(net, "onnx", tmp_path / "model.onnx", raw=True)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (read,) = session.get_inputs()
    for batch in others(spec):
        (found,) = session.run(["outputs"], {read.name: batch.numpy()})
        assert torch.allclose(torch.from_numpy(found), net(batch), atol=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert Spec.from_plain(json.loads(metadata["litmus"])) == spec
    assert json.loads(metadata["names"]) == list(spec.target.names)


@pytest.mark.parametrize(
    "target", [Classes(("bad", "good")), Values(("x",), (3.0,), (2.0,))], ids=["classes", "values"]
)
@pytest.mark.parametrize("batchnorm", [False, True])
def test_huggingface(target: Classes | Values, batchnorm: bool, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    texts = ["good good film", "a bad film", "so so", "good and bad and good again"]
    tokens = pieces(texts, vocabulary_size=300, max_length=32)
    spec = Spec("sentiment", tokens, target)
    torch.manual_seed(0)
    net = build({**composed("model=bert", *TINY["bert"])["model"], "batchnorm": batchnorm}, spec)
    for _ in range(3):
        net(torch.randint(1, tokens.vocabulary_size, (8, 9)))
    net.eval()
    write(net, "huggingface", tmp_path / "folder")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "folder").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "folder")
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    from litmus.data.text.tokens import tokenize

    own = tokenize(texts, tokens, None).padded(torch.arange(4))
    assert torch.equal(own, batch["input_ids"]), "the tokenizer is the run's"
    with torch.no_grad():
        expected = net(own)
        if isinstance(target, Values):
            expected = expected * 2.0 + 3.0
        assert torch.allclose(model(**batch).logits, expected, atol=1e-5)
    assert model.config.id2label == dict(enumerate(target.names))
    assert (tmp_path / "folder" / "model.safetensors").stat().st_mode & 0o044, "others may read it, too"


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="supports model=bert only"):
        write(make("fnn", DIGITS, {}), "huggingface", tmp_path / "out")
    with pytest.raises(UserError, match="does not support model.pooling=mean"):
        write(make("bert", TEXTS, {"pooling": "mean"}), "huggingface", tmp_path / "out")
    with pytest.raises(UserError, match="--raw changes nothing with --to huggingface"):
        write(make("bert", TEXTS, {}), "huggingface", tmp_path / "out", raw=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.wide
def test_what_answers_otherwise_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = make("fnn", DIGITS, {})
    save = torch.export.save

    def damaged(program: torch.export.ExportedProgram, path: Path, extra_files: dict[str, str]) -> None:
        for weight in program.state_dict.values():
            weight.data.mul_(1.5)
        save(program, path, extra_files=extra_files)
        for weight in program.state_dict.values():
            weight.data.div_(1.5)

    monkeypatch.setattr(torch.export, "save", damaged)
    with pytest.raises(UserError, match="outputs of the exported network differ"):
        write(net, "torch", tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.wide
def test_the_verb(train: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    from litmus.cli.main import main

    run = train("model=fnn")
    for again in (False, True):
        with pytest.raises(SystemExit) as ended:
            main(["export", str(run.path), "--to", "torch"])
        assert (ended.value.code == 0) is not again
    assert "exists already" in str(ended.value.code)
    assert os.fspath(run.path / "export" / "model.pt2") in capsys.readouterr().out


def test_every_network_is_among_the_cases() -> None:
    assert {name for name, _, _ in CASES} == {path.stem for path in (CONF / "model").glob("*.yaml")}
