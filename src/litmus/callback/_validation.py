"""What a validation says of a classifier besides its metrics: the class that it prefers, labels that look wrong."""

import math

import torch
from torch import Tensor

MOST_NUMBERS = 20_000_000  # samples times classes of a validation that are looked at
FEW = 5  # samples of a class below which its threshold says nothing


def collapsed(logits: Tensor) -> tuple[int, float]:
    """The class that is predicted most often, and for what fraction of the samples.

    Args:
        logits: float (samples, classes).
    """
    counts = logits.argmax(dim=1).bincount(minlength=logits.shape[1])
    number = int(counts.argmax())
    return number, float(counts[number]) / len(logits)


def label_issues(logits: Tensor, targets: Tensor) -> tuple[float, float] | None:
    """The fraction of labels that are wrong by confident learning (Northcutt, Jiang and Chuang 2021, section 3).

    And how evenly these are spread over pairs of classes: the entropy of the pairs of label and class, as a fraction of
    the highest that so many samples can have. Labels that are wrong by chance are spread, classes that are hard to tell
    apart are not.

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
    number = int(is_counted.sum())
    if not number:
        return None
    is_issue = (found != targets) & is_counted
    num_issues = int(is_issue.sum())
    pairs = (targets * num_classes + found)[is_issue].bincount().float()
    shares = pairs[pairs > 0] / max(num_issues, 1)
    highest = math.log(min(num_issues, num_classes * (num_classes - 1))) if num_issues > 1 and num_classes > 1 else 0.0
    spread = float(-(shares * shares.log()).sum()) / highest if highest else 0.0
    return num_issues / number, spread
