"""Files of data that the tests share."""

from pathlib import Path

import torch
from PIL import Image


def write_tables(folder: Path) -> None:
    """Writes reviews.csv, wave.csv and houses.csv; and mails.csv and tagged.csv, whose rows have several labels."""
    generator = torch.Generator().manual_seed(0)
    words = {"good": "lovely great superb", "bad": "awful boring dire", "fair": "so fine usual"}
    fill = ["the", "film", "was", "a", "bit", "of", "some", "kind", "and", "we", "saw", "it"]
    rows, mails = ["review,stars,score"], ["review,tags"]
    for i in range(300):
        label = list(words)[i % 3]
        chosen = [words[label].split()[int(torch.randint(3, (1,), generator=generator))]]
        chosen += [fill[j] for j in torch.randint(len(fill), (i % 9 + 1,), generator=generator)]
        tags = "|".join([label] * (i % 3 < 2) + ["long"] * (i % 9 > 4))
        rows.append(f"{' '.join(chosen)} {i},{label},{(i % 3) + i / 1000}")
        mails.append(f"{' '.join(chosen)} {i},{tags}")
    (folder / "reviews.csv").write_text("\n".join(rows) + "\n")
    (folder / "mails.csv").write_text("\n".join(mails) + "\n")
    wave = [f"{torch.sin(torch.tensor(i / 3)) * 10 + 50:.4f}" for i in range(200)]
    (folder / "wave.csv").write_text("\n".join(["month,sales", *(f"m{i},{v}" for i, v in enumerate(wave))]) + "\n")
    houses, tagged = ["area,rooms,sold,garden,district,price"], ["area,rooms,garden,tags"]
    for i, size in enumerate(torch.rand(300, generator=generator).tolist()):
        district = ("north", "south", "west")[i % 3]
        area = "" if i % 11 == 5 else f"{40 + 100 * size + 60 * (i % 3):.1f}"
        sold, garden = f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}", ("yes", "no")[i % 2]
        price = f"{2000 * size + 100 * (i % 2) + i / 10:.2f}"
        tags = "|".join(["large"] * (size > 0.5) + ["green"] * (garden == "yes"))
        houses.append(f"{area},{int(size * 5) + 1},{sold},{garden},{district},{price}")
        tagged.append(f"{area},{int(size * 5) + 1},{garden},{tags}")
    (folder / "houses.csv").write_text("\n".join(houses) + "\n")
    (folder / "tagged.csv").write_text("\n".join(tagged) + "\n")


def write_images(folder: Path) -> None:
    """Writes photos/ in three colors, photos.csv with their labels and numbers, and boxes/ in Ultralytics' format."""
    generator = torch.Generator().manual_seed(0)
    photos = ["path,tags,brightness,share"]
    for number, name in enumerate(("blue", "green", "red")):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(40):
            pixels = torch.randint(0, 60, (24, 30, 3), dtype=torch.uint8, generator=generator)
            pixels[..., 2 - number] += 160
            Image.fromarray(pixels.numpy()).save(folder / "photos" / name / f"{i}.png")
            tags = "|".join([name] * (name != "green") + ["warm"] * (name != "blue"))
            photos.append(f"photos/{name}/{i}.png,{tags},{float(pixels.float().mean()):.3f},{number / 2}")
    (folder / "photos.csv").write_text("\n".join(photos) + "\n")
    for part in ("train", "val", "test"):
        for kind in ("images", "labels"):
            (folder / "boxes" / kind / part).mkdir(parents=True)
        for i in range(48 if part == "train" else 8):
            pixels = torch.randint(0, 60, (48, 64, 3), dtype=torch.uint8, generator=generator)
            x, y = (int(torch.randint(0, size - 20, (1,), generator=generator)) for size in (64, 48))
            pixels[y : y + 20, x : x + 20, i % 2] += 160
            Image.fromarray(pixels.numpy()).save(folder / "boxes" / "images" / part / f"{i}.png")
            line = f"{i % 2} {(x + 10) / 64} {(y + 10) / 48} {20 / 64} {20 / 48}\n"
            (folder / "boxes" / "labels" / part / f"{i}.txt").write_text(line)
    parts = "".join(f"{part}: images/{part}\n" for part in ("train", "val", "test"))
    (folder / "boxes" / "data.yaml").write_text(f"{parts}names: [red, green]\n")
