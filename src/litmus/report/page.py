"""report.html and pictures/ of a run: one page that opens without a network, and its drawings as files."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from litmus.page.drawing import animation
from litmus.page.template import render
from litmus.record.files import replacing, write_text
from litmus.record.folder import PAGE, PICTURES
from litmus.report import (
    background,
    boundary,
    classification,
    curves,
    detection,
    explanations,
    filters,
    layers,
    multilabel,
    regression,
    series,
    verdict,
)
from litmus.report.material import Material, Tested
from litmus.report.parts import Cards, Chart, Drawings, Frames, Section
from litmus.spec import Boxes, Classes, Labels, Series, Target, Values

# What the test says, by the kind of target.
OF_TARGETS: dict[type[Target], Callable[[Tested], list[Section]]] = {
    Classes: classification.sections,
    Labels: multilabel.sections,
    Values: regression.sections,
    Boxes: detection.sections,
}


def write(material: Material) -> Path:
    """Writes the page and the pictures of a run; those of an earlier page that this one has not are removed.

    Returns:
        The page.
    """
    sections = list(_sections(material))
    folder = material.folder / PICTURES
    files = dict(_pictures(sections))
    for name, content in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    for path in (*folder.glob("*.png"), *folder.glob("*.gif")):
        if path.name not in files:
            path.unlink()
    page = material.folder / PAGE
    write_text(page, _html(material, sections))
    return page


def _sections(material: Material) -> Iterator[Section]:
    yield curves.curves(material)
    yield from boundary.sections(material.boundaries)
    if material.tested is not None:
        spec = material.tested.net.spec
        of_target = series.sections if isinstance(spec.input, Series) else OF_TARGETS[type(spec.target)]
        yield from of_target(material.tested)
        yield from filters.sections(material.tested.net)
    yield from explanations.sections(material.explanations)
    yield from layers.layers(material)
    yield background.data_section(material)
    yield background.configuration(material)
    yield background.environment(material)
    yield background.again(material)


def _pictures(sections: Sequence[Section]) -> Iterator[tuple[str, bytes]]:
    """The files, by their names."""
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Chart):
                yield f"{_file_name(block.name)}.png", block.drawing.png()
            elif isinstance(block, Cards | Drawings) and block.picture is not None:
                yield f"{_file_name(block.name)}.png", block.picture.png()
            elif isinstance(block, Frames):
                drawings = [drawing for _, drawing in block.frames]
                yield f"{_file_name(block.name)}.png", drawings[-1].png()
                yield f"{_file_name(block.name)}.gif", animation(drawings)


def _html(material: Material, sections: Sequence[Section]) -> str:
    from markupsafe import Markup  # Jinja's: text that is not escaped again

    text = render(
        "litmus.report",
        "run.html.jinja",
        title=verdict.title(material),
        folder=material.folder.name,
        facts=verdict.facts(material),
        verdict=verdict.verdict(material),
        figures=verdict.figures(material),
        findings=verdict.findings(material),
        nothing_found=verdict.nothing_found(material),
        notes=material.notes,
        sections=[section for section in sections if section.blocks],
        svg=lambda drawing: Markup(drawing.svg()),  # escaped by the drawing
        written=time.strftime("%Y-%m-%d %H:%M"),
    )
    return text.encode("utf-8", "replace").decode()


def _file_name(name: str) -> str:
    """A metric's name may have any character of a class's."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)[:80]
