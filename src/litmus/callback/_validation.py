"""What a validation says of a classifier besides its metrics: the class that it prefers, labels that look wrong."""

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


def label_issues(logits: Tensor, targets: Tensor) -> float | None:
    """The fraction of labels that are wrong by confident learning (Northcutt, Jiang and Chuang 2021, section 3).

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
    return float(((found != targets) & is_counted).sum()) / number if number else None
