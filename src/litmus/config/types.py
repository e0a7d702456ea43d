"""What a value may be: the names that constructors annotate their arguments with."""

import re
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, Predicate

# A configuration, or a part of it: plain values by key, a component with its `_target_`.
Section = dict[str, Any]

# The string in each annotation says what is allowed, where a value is refused.
# Below 2**31, because torch and the formats of files count in as many bits.
Count = Annotated[int, Ge(1), Lt(2**31), "a whole number, at least 1 and below 2**31"]
Folds = Annotated[int, Ge(2), Lt(2**31), "a whole number, at least 2 and below 2**31"]
BatchSize = Count | Literal["auto"]  # auto: the largest that fits into memory, found when a run starts
BALANCE = "task.balanced=true weights them equally."  # what can be done where classes are imbalanced
USUAL_BATCH = 64  # of tables that are not large
Whole = Annotated[int, Ge(0), Lt(2**31), "a whole number, at least 0 and below 2**31"]
Seed = Annotated[int, Ge(0), Lt(2**32), "a whole number in [0, 2**32)"]
Positive = Annotated[float, Gt(0), "a number above 0"]
NonNegative = Annotated[float, Ge(0), "a number, at least 0"]
Fraction = Annotated[float, Ge(0), Lt(1), "a number in [0, 1)"]
Probability = Annotated[float, Ge(0), Lt(1), "a probability in [0, 1)"]
Chance = Annotated[float, Ge(0), Le(1), "a probability in [0, 1]"]
Duration = (
    Annotated[float, Gt(0), "a number of seconds above 0"]
    | Annotated[
        str,
        Predicate(lambda text: re.fullmatch(r"\d+(:\d+){1,3}", text, re.ASCII) is not None),
        "a time such as 01:30:00 (hours, minutes, seconds; days may stand before them)",
    ]
)
Share = Annotated[float, Gt(0), Lt(1), "a fraction of the whole, in (0, 1)"]
Interval = Share | Count  # of a pass over the training data, or so many batches
File = Annotated[str, "the path of a file"]
PhotoPath = Annotated[
    str, "a folder with a folder of images for each class (photos/cat/1.jpg), or a table of paths and labels"
]
HubName = Annotated[str, "the name of a dataset on the Hugging Face hub, such as imdb or owner/name"]
Column = Annotated[str, "the name of a column"]
ColumnNames = Annotated[list[Column], "a list of the names of columns, such as [age,income]"]
Targets = Annotated[Column | list[Column], "the name of the column to predict, or a list of several"]
Separator = Annotated[str, "what stands between the labels in a cell, such as |"]
Widths = Annotated[list[Count], "a list of whole numbers, each at least 1 and below 2**31, such as [128,64]"]

# Of training images; each but none and light comes after light.
Augment = Literal["none", "light", "randaugment", "trivialaugment", "mixup", "cutmix"]
MIXING = ("mixup", "cutmix")  # those that make an image, and its target, of two
Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu"]
Init = Literal["he", "xavier", "normal", "default"]
