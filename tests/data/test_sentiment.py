import tarfile
from pathlib import Path

import pytest
import torch

from litmus.data import sentiment
from litmus.data.sentiment import Sentiment
from litmus.errors import UserError
from litmus.spec import Classes, Values

SETTINGS = {
    "dir": None,
    "source": "auto",
    "domain": "amazon",
    "target": "binary",
    "split": "standard",
    "val_share": 0.1,
    "limit": None,
    "limit_eval": None,
    "split_seed": None,
    "folds": None,
    "fold": None,
    "batch_size": 8,
    "eval_batch_size": 8,
}


def data(seed: int = 0, **changes: object) -> Sentiment:
    made = Sentiment(seed, **{**SETTINGS, "dir": "data", **changes})
    made.prepare_data()
    return made


def test_entities_and_accents_are_what_they_stand_for(snippets: Path) -> None:
    texts = [text for samples in data().splits.values() for text in samples.texts]
    assert "snippet 1 of <7> caf\u00e9" in texts
    assert not any("\ufffd" in text or "&" in text or "\r" in text for text in texts)


def test_binary_leaves_out_exact_zeros_and_takes_the_sign(snippets: Path) -> None:
    made = data()
    assert sum(len(samples) for samples in made.splits.values()) == 200 - sum((i % 9) == 4 for i in range(200))
    assert made.spec.target == Classes(("negative", "positive"))
    assert set(made.splits["train"].targets) == {"negative", "positive"}


def test_three_classes_and_intensity(snippets: Path) -> None:
    three = data(target="three")
    assert three.spec.target == Classes(("negative", "neutral", "positive"))
    assert sum(len(samples) for samples in three.splits.values()) == 200
    assert sum(t == "neutral" for s in three.splits.values() for t in s.targets) == sum(
        (i % 9) == 4 for i in range(200)
    )
    intensity = data(target="intensity")
    assert isinstance(intensity.spec.target, Values)
    assert intensity.spec.target.mean[0] == pytest.approx(torch.tensor(intensity.splits["train"].targets).mean().item())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("split", ["standard", "half"])
def test_no_review_and_no_text_is_on_two_sides(snippets: Path, seed: int, split: str) -> None:
    parts = data(seed, split=split, target="intensity").splits
    sides = [{text.split(" of ")[-1] for text in samples.texts} for samples in parts.values()]
    assert all(not a & b for i, a in enumerate(sides) for b in sides[i + 1 :])
    # Reviews 3 and 30 share a text: their other snippets are on its side, too.
    assert sum(bool({"<3> caf\u00e9", "<30> caf\u00e9", "The same words"} & side) for side in sides) == 1
    assert len(parts["test"]) == pytest.approx(100 if split == "half" else 20, abs=10)


def test_the_seed_decides_the_split(snippets: Path) -> None:
    assert data(1).splits == data(1).splits
    assert data(1).splits["test"] != data(2).splits["test"]


def test_all_domains_together(snippets: Path) -> None:
    made = data(domain="all", target="intensity")
    assert sum(len(samples) for samples in made.splits.values()) == 800
    assert len(made.sha256) == 4


def test_a_source_distribution_s_archive_is_unpacked(snippets: Path, tmp_path: Path) -> None:
    from litmus.fetch.download import ensure, from_archive

    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as archive:
        archive.add(snippets, "hutto_ICWSM_2014")
    fetch = from_archive((tmp_path / "all.tar.gz").as_uri(), "hutto_ICWSM_2014/")
    target = tmp_path / "elsewhere"
    assert ensure(target, sentiment.CHECKSUMS, [("upstream", fetch)]) == "upstream"
    assert sorted(p.name for p in target.iterdir()) == sorted(sentiment.CHECKSUMS)


def test_without_any_source_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data.source=disk does not provide the sentiment snippets.*lacks amazon"):
        data(source="disk")
