"""Kuzushiji-MNIST: 60,000 + 10,000 characters of old Japanese handwriting of 28 x 28 (Clanuwat et al. 2018)."""

from typing import ClassVar

from litmus.data.image.published import PublishedImages, Samples, read_idx_files
from litmus.fetch import download

MIRRORS = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)


class KMNIST(PublishedImages):
    """Ten cursive hiragana, in the format of MNIST; server and hashes are those that torchvision has."""

    dataset: ClassVar = "kmnist"
    class_names: ClassVar = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    checksums: ClassVar = {
        "train-images-idx3-ubyte.gz": "md5:bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte.gz": "md5:e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz": "md5:5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte.gz": "md5:7320c461ea6c1c855c0b718fb2a4b134",
    }

    def official(self) -> download.Fetch:
        return download.from_mirrors(MIRRORS, list(self.checksums), unpack=False)

    def read(self) -> tuple[Samples, Samples]:
        return read_idx_files(self.folder, self.checksums)
