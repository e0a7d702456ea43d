"""Fine-tuning MiniLM on film snippets in batches of 32, against Hugging Face's own Trainer."""

import io
from contextlib import redirect_stdout

import torch

from bench import _trainer
from bench._common import alternate, asked, markdown, median, peak_gb_of_command, ratios, spread, train
from litmus.data.sentiment import Sentiment

SNIPPETS = 640
RUN = ["model=bert", "trainer=cpu", f"data.limit={SNIPPETS}", f"data.limit_eval={SNIPPETS}", "trainer.max_epochs=1"]


def snippets(seed: int = 0) -> Sentiment:
    """The film snippets, split as litmus splits them."""
    data = Sentiment(
        seed,
        dir=None,
        source="auto",
        domain="movie",
        target="binary",
        split="standard",
        val_share=0.1,
        limit=None,
        limit_eval=None,
        split_seed=None,
        folds=None,
        fold=None,
        batch_size=32,
        eval_batch_size=128,
    )
    data.prepare_data()
    return data


def labeled(data: Sentiment, part: str) -> tuple[list[str], list[int]]:
    """Texts, and 1 for a positive one."""
    samples = data.splits[part]  # type: ignore[index]  # a part's name
    return samples.texts, [int(target == "positive") for target in samples.targets]


def measure() -> str:
    texts, labels = labeled(snippets(), "train")

    def rival(padded: bool) -> float:
        with redirect_stdout(io.StringIO()):  # it prints its metrics
            found = _trainer.train((texts[:SNIPPETS], labels[:SNIPPETS]), None, None, padded=padded, epochs=1, seed=0)
        return found["samples_per_second"]

    figures = alternate(
        {
            "litmus": lambda: float(train(*RUN)["samples_per_second"]),
            "dynamic": lambda: rival(False),
            "padded": lambda: rival(True),
        },
        3,
        "BERT",
    )
    rows = [("litmus: buckets, bf16 where native", spread(figures["litmus"], 1), "", "")]
    for name, what, wanted in (
        ("dynamic", "Trainer, dynamic padding, default settings", 3.2),
        ("padded", "Trainer, padded to 128 tokens", 6.0),
    ):
        times = median(ratios(figures["litmus"], figures[name]))
        aim = asked(f"at least {wanted:g}", times >= wanted)
        rows.append((what, spread(figures[name], 1), f"{times:.2f}", aim))
    peaks = [peak_gb_of_command("model=bert", "trainer.max_epochs=1") for _ in range(2)]
    memory = [("`python train.py model=bert`, the whole process", spread(peaks, 2), "at most 2.5")]
    return (
        f"## Fine-tuning MiniLM on film snippets, batches of 32, {torch.get_num_threads()} threads\n\n"
        + markdown(("", "snippets a second", "litmus is so many times as fast", "target"), rows)
        + "\n## Peak memory of fine-tuning\n\n"
        + markdown(("", "GB", "target"), memory)
    )
