"""What a validation says of a classifier besides its metrics: the class that it prefers, labels that look wrong."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

MOST_NUMBERS = 20_000_000  # samples times classes of a validation that are looked at
FEW_PAIRS = 30  # of issues of one label, below which they cannot show whether they agree
FEW = 5  # samples of a class below which its threshold says nothing


def collapsed(logits: Tensor) -> tuple[int, float]:
    """The class that is predicted most often, and for what fraction of the samples.

    Args:
        logits: float (samples, classes).
    """
    counts = logits.argmax(dim=1).bincount(minlength=logits.shape[1])
    number = int(counts.argmax())
    return number, float(counts[number]) / len(logits)


class Issues(NamedTuple):
    """Labels that look wrong; `doctor.evidence.Health` says what each number is."""

    label_issues: float
    issue_spread: float
    issue_repeats: float


def label_issues(logits: Tensor, targets: Tensor) -> Issues | None:
    """The fraction of labels that are wrong by confident learning (Northcutt, Jiang and Chuang 2021, section 3).

    And how evenly these are spread over pairs of classes: the entropy of the pairs of label and class, as a fraction of
    the highest that so many samples can have. Labels that are wrong by chance are spread, classes that are hard to tell
    apart are not. Of many classes, where few pairs occur twice, entropy shows nothing: there, that the issues of one
    label agree on the class more often than by chance does.

    As in equation 3, the samples that are counted stand for all of their label, of which some reach no threshold.

    A class's threshold is the mean probability of it among the samples that have it as their label. A sample counts as
    of the most probable class among those whose threshold it reaches; its label is wrong if that is another.

    Args:
        logits: float (samples, classes), of samples that the network was not trained on.
        targets: their labels, int64 (samples,).

    Returns:
        None where no sample reaches a threshold, or classes have too few.
    """
    probabilities, num_classes = logits.float().softmax(dim=1), logits.shape[1]
    counts = targets.bincount(minlength=num_classes)
    own = probabilities.gather(1, targets[:, None]).squeeze(1)
    sums = torch.zeros(num_classes, device=logits.device).index_add_(0, targets, own)
    thresholds = torch.where(counts >= FEW, sums / counts.clamp(min=1), torch.inf)
    confident = torch.where(probabilities >= thresholds, probabilities, -1.0)
    best, found = confident.max(dim=1)
    is_counted = (best > 0) & (counts[targets] >= FEW)
    if not is_counted.any():
        return None
    is_issue = (found != targets) & is_counted
    num_issues = int(is_issue.sum())
    pairs = (targets * num_classes + found)[is_issue].bincount(minlength=num_classes**2).float()
    shares = pairs[pairs > 0] / max(num_issues, 1)
    highest = math.log(min(num_issues, num_classes * (num_classes - 1))) if num_issues > 1 and num_classes > 1 else 0.0
    spread = float(-(shares * shares.log()).sum()) / highest if highest else 0.0
    counted, wrong = (targets[each].bincount(minlength=num_classes).float() for each in (is_counted, is_issue))
    standing = torch.where(counted > 0, counts.float(), 0.0)
    share = float((wrong / counted.clamp(min=1) * standing).sum() / standing.sum())
    return Issues(share, spread, _repeats(pairs.reshape(num_classes, num_classes)))


def _repeats(pairs: Tensor) -> float:
    """How often two issues of one label agree on the class, relative to chance; as if all did, where there are few.

    Args:
        pairs: float (classes, classes), the number of issues by label and class.
    """
    per_label = pairs.sum(dim=1)
    of_label, of_pair = (float((each * (each - 1)).sum()) for each in (per_label, pairs))
    num_others = len(pairs) - 1
    return (of_pair + 1) / (of_label / num_others + 1) if of_label >= FEW_PAIRS else float(num_others)
