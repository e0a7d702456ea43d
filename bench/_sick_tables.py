"""The tables of the doctor's bench: of packages and made ones, whole and damaged."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
    make_gaussian_quantiles,
)
from sklearn.utils import Bunch

from litmus.data.columns.read import read_table
from litmus.fetch.package import package_file

TARGET = "target"
PATH = "data.path=FOLDER/"
PHOTOS = "photos"


def main_frame(loaded: Bunch) -> pl.DataFrame:
    """A table of scikit-learn's, its target last."""
    names = [str(name).replace(" ", "_").replace("(", "").replace(")", "") for name in loaded.feature_names]
    columns = dict(zip(names, np.asarray(loaded.data).T, strict=True))
    classes = getattr(loaded, "target_names", None)
    target = loaded.target if classes is None else [f"class {classes[number]}" for number in loaded.target]
    return pl.DataFrame({**columns, TARGET: target})


def friedman() -> Bunch:
    """Friedman's first function of five of ten columns (1991), 2,000 rows."""
    data, target = make_friedman1(2000, noise=0.5, random_state=0)
    return Bunch(data=data, target=target, feature_names=[f"x{i}" for i in range(10)])


def made(seed: int, **settings: float | list[float]) -> Callable[[], Bunch]:
    """Two classes of scikit-learn's generator, 3,000 rows."""

    def load() -> Bunch:
        known: dict[str, float | list[float]] = {"n_informative": 3, **settings}
        data, target = make_classification(3000, 10, random_state=seed, **known)
        return Bunch(
            data=data,
            target=target,
            feature_names=[f"x{i}" for i in range(10)],
            target_names=sorted({f"c{each}" for each in target}),
        )

    return load


def packaged(name: str, target: str, classes: tuple[str, ...] | None) -> Bunch:
    """A table of statsmodels'."""
    path = package_file("statsmodels", "datasets", name, f"{name}.csv")
    frame = read_table(path, (), encoding="auto", separator="auto").frame
    frame = frame.rename({column: column.strip("'") for column in frame.columns})
    columns = [column for column in frame.columns if column != target]
    found = Bunch(data=frame[columns].to_numpy(), target=frame[target].to_numpy(), feature_names=columns)
    if classes is not None:
        found |= {"target_names": classes, "target": found.target.astype(int)}
    return found


def quantiles(seed: int) -> Callable[[], Bunch]:
    """Three shells of a Gaussian in five dimensions, 3,000 rows."""

    def load() -> Bunch:
        data, target = make_gaussian_quantiles(n_samples=3000, n_features=5, n_classes=3, random_state=seed)
        return Bunch(data=data, target=target, feature_names=[*"abcde"], target_names=["inner", "middle", "outer"])

    return load


def faint(seed: int) -> Callable[[], Bunch]:
    """Three classes, 80, 10 and 10 % of 3,000 rows, of which three of eight columns say a little."""

    def load() -> Bunch:
        generator = np.random.default_rng(100 + seed)
        data = generator.normal(size=(3000, 8))
        scores = np.stack([np.full(3000, 2.0), 0.4 * data[:, 0], 0.3 * data[:, 1] - 0.2 * data[:, 2]], axis=1)
        target = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)
        return Bunch(data=data, target=target, feature_names=[*"abcdefgh"], target_names=["most", "few", "some"])

    return load


def board(seed: int) -> Callable[[], Bunch]:
    """A checkerboard of seven by seven fields in two of eight columns, 2,500 rows."""

    def load() -> Bunch:
        generator = np.random.default_rng(200 + seed)
        data = generator.random((2500, 8))
        target = np.floor(7 * data[:, :2]).sum(axis=1).astype(int) % 2
        return Bunch(data=data, target=target, feature_names=[*"abcdefgh"], target_names=["black", "white"])

    return load


def weak(seed: int) -> Callable[[], Bunch]:
    """An eighth of 3,000 rows is of the second class, which two of ten columns make a little more likely."""

    def load() -> Bunch:
        generator = np.random.default_rng(seed)
        data = generator.normal(size=(3000, 10))
        odds = np.exp(-2.2 + 0.35 * data[:, 0] + 0.25 * data[:, 1])
        target = (generator.random(3000) < odds / (1 + odds)).astype(int)
        return Bunch(data=data, target=target, feature_names=[f"x{i}" for i in range(10)], target_names=["no", "yes"])

    return load


TABLES: dict[str, Callable[[], Bunch]] = {
    "digits": load_digits,
    "wine": load_wine,
    "cancer": load_breast_cancer,
    "iris": load_iris,
    "friedman": friedman,
    "diabetes": load_diabetes,
    "anes96": lambda: packaged("anes96", "vote", ("Clinton", "Dole")),
    "randhie": lambda: packaged("randhie", "mdvis", None),
    "star98": lambda: packaged("star98", "PR50M", None),
    **{f"quantiles{seed}": quantiles(seed) for seed in range(3)},
    **{f"six{seed}": made(seed, n_classes=6, n_informative=6, class_sep=2.0, flip_y=0.0) for seed in range(3)},
    **{
        f"rare{seed}": made(10 + seed, n_classes=3, class_sep=0.5, weights=[0.6, 0.365], flip_y=0.0)
        for seed in range(3)
    },
    **{f"three{seed}": made(20 + seed, n_classes=3, class_sep=2.0, n_clusters_per_class=1) for seed in range(3)},
    **{f"faint{seed}": faint(seed) for seed in range(3)},
    **{f"board{seed}": board(seed) for seed in range(3)},
    **{f"cloudy{seed}": made(30 + seed, n_informative=4, class_sep=0.8, flip_y=0.5) for seed in range(3)},
    **{f"clear{seed}": made(seed, class_sep=1.5) for seed in range(4)},
    **{f"apart{seed}": made(seed, class_sep=1.5, n_clusters_per_class=1, flip_y=0.0) for seed in range(4)},
    **{f"weak{seed}": weak(seed) for seed in range(4)},
    **{f"uneven{seed}": made(seed, class_sep=0.4, weights=[0.95], flip_y=0.0) for seed in range(4)},
    **{f"flipped{seed}": made(seed, class_sep=1.5, n_clusters_per_class=1, flip_y=0.6) for seed in range(4)},
}


def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
    """Targets that do not belong to their rows."""
    return frame.with_columns(frame[TARGET].sample(fraction=1.0, shuffle=True, seed=1))


def noisy(share: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """That fraction of the targets is another one."""

    def damage(frame: pl.DataFrame) -> pl.DataFrame:
        generator = np.random.default_rng(2)
        targets = frame[TARGET].to_list()
        for row in generator.choice(len(frame), int(share * len(frame)), replace=False):
            others = sorted(set(targets) - {targets[row]})
            targets[row] = others[generator.integers(len(others))]
        return frame.with_columns(pl.Series(TARGET, targets))

    return damage


def doubled(frame: pl.DataFrame) -> pl.DataFrame:
    """A third of the rows twice."""
    return pl.concat([frame, frame.sample(fraction=0.33, seed=3)])


def leaking(frame: pl.DataFrame) -> pl.DataFrame:
    """A column more that is the target in other units, or its class by number."""
    numeric = frame[TARGET].dtype.is_numeric()
    own = 2.54 * frame[TARGET] + 3 if numeric else frame[TARGET].rank("dense") % 97
    return frame.with_columns(own.alias("told")).select(*frame.columns[:-1], "told", TARGET)


def stepped(frame: pl.DataFrame) -> pl.DataFrame:
    """A target that jumps where the first two columns cross a grid: easy for trees, hard for smooth functions."""
    first, second = (np.floor(4 * frame[name].rank().to_numpy() / (len(frame) + 1)) for name in frame.columns[:2])
    return frame.with_columns(pl.Series(TARGET, 5.0 * ((first + 2 * second) % 3)))


def head(number: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """So many rows of each class."""
    return lambda frame: frame.filter(pl.int_range(pl.len()).over(TARGET) < number)


DAMAGE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "": lambda frame: frame,
    "-shuffled": shuffled,
    "-noisy": noisy(0.3),
    "-doubled": doubled,
    "-few": head(6),
    "-leaking": leaking,
    "-stepped": stepped,
}


def write_photos(folder: Path) -> None:
    """Two classes of 150 photos each, 256 pixels wide: soft blots, of which those of one class are redder."""
    generator = np.random.default_rng(5)
    for name, red in (("cool", 0), ("warm", 40)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(150):
            blots = generator.integers(0, 200, (16, 16, 3))
            blots[..., 0] += red
            Image.fromarray(blots.astype(np.uint8)).resize((256, 256)).save(folder / name / f"{number}.jpg")


def write_tables(folder: Path, cases: Sequence[tuple[str, ...]]) -> None:
    """The tables that settings name, as CSV, and the photos."""
    write_photos(folder / PHOTOS)
    words = {word for overrides in cases for word in overrides if word.startswith(PATH) and word.endswith(".csv")}
    for word in sorted(words):
        full = word.removeprefix(PATH).removesuffix(".csv")
        name, dash, suffix = full.partition("-")
        frame = DAMAGE[dash + suffix](main_frame(TABLES[name]()))
        frame.sample(fraction=1.0, shuffle=True, seed=0).write_csv(folder / f"{full}.csv")
