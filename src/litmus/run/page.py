"""A run's own page: gathers what the test gives, and writes report.html and pictures/ at the end of a run, or later."""

import logging
import time
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from litmus.config.command import verb_command
from litmus.config.protocols import Detector, Task
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.page.scenes import Scene
from litmus.record import boundaries, explanations
from litmus.record.command import command_with, repeating
from litmus.record.files import write_text
from litmus.record.folder import RunDir
from litmus.record.metrics import min_score_of
from litmus.report.facts import files
from litmus.report.material import Material, Tested, numbers_of
from litmus.report.outputs import Gathering
from litmus.report.page import write
from litmus.run.baselines import fitted_again
from litmus.run.build import Parts
from litmus.run.diagnosis import unexamined
from litmus.run.result import RunState
from litmus.spec import Boxes, Series
from litmus.task.detection import corners

log = logging.getLogger(__name__)

NUM_SCENES = 12  # validation images that a detector's page shows


def gather(parts: Parts, keeps_all: bool) -> Gathering:
    """Watches the test that comes; a sweep's job keeps only what its result needs."""
    gathering = Gathering(parts.data, keeps_all)
    cast(Task, parts.task).observers["test"].append(gathering)
    return gathering


def finish(run: RunDir, state: RunState, result: Section, without_page: bool) -> None:
    """Writes the page of a run that has ended, and what it has of each class; what goes wrong never touches the run.

    Args:
        run: the folder.
        state: of the run.
        result: as result.json has it.
        without_page: whether it gets none now, as a sweep's jobs do, and runs that are to be resumed.
    """
    begin = time.perf_counter()
    try:
        if state.tested is not None and state.gathered is not None:
            for name, text in files(state.gathered.outputs(), state.tested.net).items():
                write_text(run.path / name, text)
        if not without_page and (result["epochs"] or result["findings"]):
            write(material_of(run, state.config, result, tested_of(state.tested, state.gathered, result), []))
            log.info("page: %.2f s", time.perf_counter() - begin)
    except (Exception, KeyboardInterrupt) as error:  # a page is a convenience, and made of whatever a run may be
        command = verb_command("report", str(run.path))
        log.warning("The run has no page: %s. %s makes it.", said(error), command)
        log.info("no page", exc_info=True)


def tested_of(parts: Parts | None, gathering: Gathering | None, result: Section) -> Tested | None:
    """What the test gave; None where there was none."""
    if parts is None or gathering is None or not gathering.total:
        return None
    tested = Tested(parts.data, parts.net, gathering.outputs(), metrics=numbers_of(result))
    if isinstance(parts.net.spec.input, Series):
        return replace(tested, forecasts=_forecasts(tested))
    return replace(tested, scenes=_scenes(parts)) if isinstance(parts.net.spec.target, Boxes) else tested


def _forecasts(tested: Tested) -> dict[str, NDArray[np.float64]]:
    """Those that the data knows; and those of the best baseline, where that is a model, which is fitted again."""
    found = {name: own.double().numpy() for name, own in tested.data.forecasts("test").items()}
    best = tested.baselines[0][0] if tested.baselines else None
    if best is not None and best not in found and (again := fitted_again(tested.data, best)) is not None:
        found[best] = again
    return found


def _scenes(parts: Parts) -> list[Scene]:
    """The first validation images, with the boxes that the best weights find there."""
    net, device = cast(Detector, parts.net), parts.task.device
    net.eval()
    scenes: list[Scene] = []
    for inputs, targets in parts.data.val_dataloader():
        some = slice(NUM_SCENES - len(scenes))
        with torch.inference_mode(), parts.trainer.precision_plugin.forward_context():
            answer, _ = net.predict_and_raw(inputs[some].to(device))
            found = net.boxes(answer, min_score_of(net), multi_label=False)
        ground_truth = [corners(own, *inputs.shape[2:]) for own in targets[some]]
        for own, true in zip(found, ground_truth, strict=True):
            sample = parts.data.sample("val", len(scenes))
            assert sample.image is not None
            scenes.append(Scene(sample.image, own.double().cpu().numpy(), true.double().cpu().numpy(), sample.name))
        if len(scenes) == NUM_SCENES:
            break
    return scenes


def material_of(run: RunDir, config: Section, result: Section, tested: Tested | None, notes: list[str]) -> Material:
    """What a page is made of: what the folder holds, and what was tested."""
    return Material(
        folder=run.path,
        config=config,
        result=result,
        rows=run.whole_metrics(),
        environment=run.read_environment(),
        health=run.read_health(),
        command=repeating(run, result),
        tested=tested,
        notes=[*notes, *([f"{missing}."] if (missing := unexamined(run, result)) else [])],
        commands=_commands(run, result),
        boundaries=boundaries.read(run.path),
        requested=_requested(run),
        explanations=explanations.read(run.path),
    )


def _requested(run: RunDir) -> Section | None:
    """The configuration as it was requested; None where it is damaged, too."""
    try:
        return run.read_requested()
    except UserError:
        return None


def _commands(run: RunDir, result: Section) -> dict[str, str]:
    """Of what each finding says to try, the command that does; a file of somebody else's may hold anything."""
    given = result.get("findings")
    found = [each.get("try") for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    return {words: command_with(run, words) for words in found if isinstance(words, str) and words}


def said(error: BaseException) -> str:
    """What went wrong, without a full stop."""
    text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return (text.splitlines() or [""])[0].rstrip(".")
