"""Small datasets as the hub has them, and Litmus' copies of them: tests need neither the hub nor its library."""

from pathlib import Path
from typing import Any

import fake_hub
import pytest
import torch
from helpers import composed
from PIL import Image

from litmus.config.instantiate import build
from litmus.data._hub_choice import asked_in
from litmus.data._hub_copy import OWN
from litmus.data._hub_fetch import copy_of
from litmus.errors import UserError

ON_HUB = ["data=hub", "data.name=reviews", "trainer=cpu"]
ON_HUB_PHOTOS = ["data=hub", "data.name=owner/photos", "data.size=32", "trainer=cpu"]
ON_HUB_HOUSES = ["data=hub", "data.name=houses", "trainer=cpu"]
ON_HUB_MAILS = ["data=hub", "data.name=mails", "trainer=cpu"]
WORDS = (("bad", "awful", "dull", "slow"), ("good", "fine", "lovely", "great"))
COLORS = ["blue", "green", "red"]
DISTRICTS = ["north", "south", "west"]
TEXT = {"text": "string", "label": ["neg", "pos"]}
ROWS = [{"text": f"film {i}", "label": i % 2} for i in range(40)]
HUB = Path("data/hub")  # where the user's files are


def write_sets(folder: Path) -> None:
    """Writes texts, mails with labels, a table and images into a folder, which may be the hub's."""
    generator = torch.Generator().manual_seed(0)

    def text(number: int) -> str:
        words = WORDS[number % 2]
        return " ".join(words[i] for i in torch.randint(4, (6,), generator=generator).tolist()) + f"\n{number}"

    reviews = [{"idx": i, "text": text(i), "label": i % 2} for i in range(160)]
    features = {"idx": "int64", "text": "string", "label": ["neg", "pos"]}
    secret = [{**row, "label": -1} for row in reviews[:5]]
    splits = {"train": reviews[:120], "test": reviews[120:], "unsupervised": secret}
    fake_hub.write(folder / "reviews", features, splits)
    mails = [{"subject": text(i), "tags": [t for t in range(3) if (i >> t) % 2]} for i in range(96)]
    fake_hub.write(folder / "mails", {"subject": "string", "tags": {"of": ["new", "paid", "urgent"]}}, {"train": mails})
    sizes = torch.rand(240, generator=generator).tolist()
    houses = [
        {"area": 40 + 100 * size + 60 * (i % 3), "garden": i % 2 == 0, "heating": ("gas", "oil")[i % 2],
         "sold": f"2024-{i % 12 + 1:02}-01", "price": 2000 * size, "district": i % 3}
        for i, size in enumerate(sizes)
    ]  # fmt: skip
    features = {"area": "float32", "garden": "bool", "heating": "string", "sold": "string", "price": "float64"}
    splits = {"train": houses[:160], "validation": houses[160:200], "test": houses[200:]}
    fake_hub.write(folder / "houses", {**features, "district": DISTRICTS}, splits)
    photos, rows = folder / "owner" / "photos", []
    photos.mkdir(parents=True)
    for i in range(72):
        pixels = torch.randint(0, 60, (20, 26, 3), dtype=torch.uint8, generator=generator)
        pixels[..., 2 - i % 3] += 160
        Image.fromarray(pixels.numpy()).save(photos / f"{i}.png")
        rows.append({"image": f"{i}.png", "label": i % 3})
    fake_hub.write(photos, {"image": "image", "label": COLORS}, {"train": rows[:54], "test": rows[54:]})


def write_copies(folder: Path) -> None:
    """Writes them as a person would, and the copies that Litmus makes of them."""
    write_sets(folder / OWN)
    with fake_hub.library():
        for words in (ON_HUB, ON_HUB_PHOTOS, ON_HUB_HOUSES, ON_HUB_MAILS):
            copy_of(asked_in(composed(*words)["data"]), folder)


def prepared(*overrides: str, served: Path | None = None) -> Any:
    """The data, with the library there, and the hub if it has a folder."""
    with fake_hub.library(served):
        data = build(composed("data=hub", *overrides)["data"], 0)
        data.prepare_data()
        data.setup()
    return data


def refused(*overrides: str, served: Path | None = None) -> str:
    with pytest.raises(UserError) as said:
        prepared(*overrides, served=served)
    return str(said.value)


def write(name: str, features: dict[str, Any] = TEXT, splits: dict[str, Any] | None = None, **more: Any) -> None:
    fake_hub.write(HUB / name, features, splits or {"train": ROWS}, **more)
