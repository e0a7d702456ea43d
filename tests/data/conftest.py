"""Fixtures of the datasets' tests."""

import hashlib
from pathlib import Path

import pytest

from litmus.data import sentiment


@pytest.fixture
def snippets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty reviews of five snippets, some texts twice, in the format and under the names of the real ones."""
    folder = tmp_path / "data" / "sentiment"
    folder.mkdir(parents=True)
    lines = []
    for review in range(40):
        for number in range(5):
            rating = ((review * 5 + number) % 9 - 4) / 2
            text = (
                "The same words"
                if number == 0 and review in (3, 30)
                else f"snippet {number} of &amp;lt;{review}&gt; caf\u00e9"
            )
            lines.append(f"{review}_{number}\t{rating}\t{text}")
    for name in sentiment.FILES.values():
        (folder / name).write_bytes("\r\n".join(lines).encode())
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sentiment.FILES.values()}
    monkeypatch.setattr(sentiment, "CHECKSUMS", sums)
    return folder
