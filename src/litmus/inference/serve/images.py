"""Images that are sent to a server."""

import io
from collections.abc import Sequence
from typing import ClassVar

from PIL import Image

from litmus.config.explanation import Explanation
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.inference.images import ImagePredictor
from litmus.inference.prediction import ImagePrediction
from litmus.inference.serve.activations import Activations
from litmus.inference.serve.bodies import FORM, Body, Upload, read_images
from litmus.inference.serve.kind import Kind, Outcome, answers, check_number
from litmus.inference.serve.limits import LARGEST_IMAGES, MOST_PIXELS, MOST_PIXELS_TOGETHER
from litmus.inference.serve.worker import Question
from litmus.record.metrics import min_score_of
from litmus.spec import Images

BINARY: Section = {"type": "string", "format": "binary"}
LARGEST_DRAWN = 64  # pixels of a side, up to which gray images are drawn by hand


class ImageKind(Kind[Upload]):
    """Classes, labels, values or boxes of images.

    Args:
        predictor: whose network computes anywhere.
        net: the same network on the CPU, for explanations.
    """

    name = "images"
    largest: ClassVar[int] = LARGEST_IMAGES

    def __init__(self, predictor: ImagePredictor, net: Net) -> None:
        self.predictor, self.net = predictor, net
        self.images: Images = predictor.images
        self.batch_size = predictor.batch_size
        self.min_score = min_score_of(net)
        self.activations = Activations(predictor.net)

    @property
    def facts(self) -> Section:
        images = self.images
        small = images.channels == 1 and max(images.height, images.width) <= LARGEST_DRAWN
        pen = images.strokes.pen / images.strokes.height if images.strokes else 0.09
        return {
            "channels": images.channels,
            "height": images.height,
            "width": images.width,
            "drawn": images.strokes is not None or small,
            "pen": round(pen, 4),
            "activations": bool(self.activations.layers),
        }

    @property
    def schema(self) -> Section:
        return {
            FORM: {
                "type": "object",
                "properties": {"image": {"type": "array", "items": BINARY}},
                "required": ["image"],
            },
            "image/*": BINARY,
        }

    @property
    def example(self) -> tuple[str, str]:
        return ("--form", "image=@digit.png")

    def read(self, body: Body) -> list[Upload]:
        uploads = read_images(body)
        check_number(uploads, "images")
        if (pixels := sum(map(_num_pixels, uploads))) > MOST_PIXELS_TOGETHER:
            raise UserError(f"The images have {pixels:,} pixels together. Send fewer at a time.")
        return uploads

    def predict(self, questions: Sequence[Question[Upload]]) -> list[Outcome]:
        uploads = [upload for question in questions for upload in question.items]
        topk = max(question.topk for question in questions)
        contents = [upload.content for upload in uploads]
        found = self.predictor.predict(contents, self.batch_size, topk, self.min_score)
        named = [_named(prediction, upload) for prediction, upload in zip(found, uploads, strict=True)]
        return answers(questions, named)

    def explain(self, item: Upload, target: str | None) -> list[Explanation]:
        from litmus.inference.explain.images import ImageExplainer

        return ImageExplainer(self.net).explain(item.content, item.name, target)

    def show_layers(self, question: Question[Upload]) -> Section:
        """The answer for an image, and what each layer gave on the way to it.

        Raises:
            UserError: it cannot be read, or the network has no layers that are shown.
        """
        if not self.activations.layers:
            raise UserError("Activations are shown of model=fnn, model=scratch and model=cnn only.")
        found: list[Outcome] = []
        layers = self.activations.during(lambda: found.extend(self.predict([question])))
        (answer,) = found
        if isinstance(answer, UserError):
            raise answer
        return {**answer, "layers": layers}


def _num_pixels(upload: Upload) -> int:
    """The pixels of an image, by what its file says; 0 where that cannot be read.

    Raises:
        UserError: there are too many: the file is small, and huge when it is decoded.
    """
    try:
        with Image.open(io.BytesIO(upload.content)) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise UserError(f"{upload.name} has too many pixels ({error}).") from None
    except Exception:  # Pillow's readers raise anything; what is wrong is said when the image is decoded
        return 0
    if width * height > MOST_PIXELS:
        raise UserError(
            f"{upload.name} has {width:,} x {height:,} pixels. At most {MOST_PIXELS:,} are allowed: make it smaller."
        )
    return width * height


def _named(prediction: ImagePrediction, upload: Upload) -> ImagePrediction:
    return {**prediction, "image": upload.name}
