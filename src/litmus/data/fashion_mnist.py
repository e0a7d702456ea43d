"""Fashion-MNIST: 60,000 + 10,000 photos of clothes, shoes and bags of 28 x 28 (Xiao, Rasul and Vollgraf 2017)."""

from typing import ClassVar

from litmus.data.image.published import PublishedImages, Samples, read_idx_files
from litmus.fetch import download

MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)


class FashionMNIST(PublishedImages):
    """Articles of a shop, in the format of MNIST; server and hashes are those that torchvision has."""

    dataset: ClassVar = "fashion_mnist"
    class_names: ClassVar = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    checksums: ClassVar = {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    }
    usual_flip: ClassVar = 0.5

    def official(self) -> download.Fetch:
        return download.from_mirrors(MIRRORS, list(self.checksums), unpack=False)

    def read(self) -> tuple[Samples, Samples]:
        return read_idx_files(self.folder, self.checksums)
