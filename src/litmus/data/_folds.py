"""What validates and tests: fractions of the samples, or one of several folds, for cross-validation."""

from collections.abc import Collection
from typing import NamedTuple

from litmus.config.types import Section
from litmus.errors import UserError


class Fold(NamedTuple):
    """One of several parts, of equal size, of what is not for the test; it validates, and the others train.

    Attributes:
        number: its own, from 0.
        of: how many there are.
    """

    number: int
    of: int


class Shares(NamedTuple):
    """What becomes of the samples, where the dataset does not define the splits itself.

    Attributes:
        val: what validates: a fold, or a fraction of all samples.
        test: fraction of all samples for the test.
    """

    val: Fold | float
    test: float

    def wanted(self, given: Collection[str]) -> tuple[Fold | float | None, float | None]:
        """What is to validate and to test; None for a split that the dataset defines.

        Args:
            given: the splits that it defines.

        Raises:
            UserError: nothing is left to train on; or a fold is to validate, and so is what the dataset defines.
        """
        val, test = (None if "val" in given else self.val), (None if "test" in given else self.test)
        if isinstance(self.val, Fold) and val is None:
            raise UserError(
                f"data.folds={self.val.of} makes the validation split out of training samples, but the data defines "
                "one itself. Use one of the two."
            )
        shares = [share for share in (val, test) if isinstance(share, float)]
        if sum(shares) >= 1:
            raise UserError(
                f"data.val_share and data.test_share leave nothing to train on: they sum to {sum(shares):g}."
            )
        return val, test


def fold_of(folds: int | None, fold: int | None) -> Fold | None:
    """The fold that validates, where `data.folds` asks for one.

    Raises:
        UserError: one of the two keys is missing, or there is no such fold.
    """
    if folds is None:
        if fold is not None:
            raise UserError(f"data.fold={fold} needs data.folds, the number of folds, such as data.folds=5.")
        return None
    if fold is None:
        every = f'-m data.folds={folds} "data.fold=range(0,{folds})"'
        raise UserError(f"data.folds={folds} needs data.fold, one of 0 to {folds - 1}. For all of them: {every}.")
    if fold >= folds:
        raise UserError(f"data.fold={fold} is not allowed. With data.folds={folds} it is one of 0 to {folds - 1}.")
    return Fold(fold, folds)


def shares_of(folds: int | None, fold: int | None, val_share: float, test_share: float) -> Shares:
    """What validates and tests, by these keys of `data`; raises as `fold_of`."""
    return Shares(fold_of(folds, fold) or val_share, test_share)


def check_splits(settings: Section, given: Collection[str]) -> None:
    """Checks the same keys of a configuration; arguments and errors as of `Shares.wanted` and `fold_of`."""
    fold = fold_of(settings.get("folds"), settings.get("fold"))
    Shares(fold or settings["val_share"], settings["test_share"]).wanted(given)
