"""Shows the filters of a network's first layer, and the test images that excite each of its units most."""

import argparse
from pathlib import Path

from litmus.cli._loading import loading
from litmus.config.fit import kinds_of_data
from litmus.config.samples import MOST_SAMPLES
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.spec import Images

FILTERS = "filters"  # the folder of pictures, in a run folder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("--layer", metavar="NAME", help="the layer whose units are shown (the first)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per unit, and nothing else")
    parser.add_argument("--out", metavar="FOLDER", help="where pictures and filters.html go (RUN/filters)")


def main(arguments: argparse.Namespace) -> int:
    """Writes the pictures, and says where they are.

    Raises:
        UserError: the run's network sees no images, or its data is not there any more; there is no such layer.
    """
    run = RunDir.named(arguments.run)
    config = run.read_config()
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    kinds = kinds_of_data(config["data"]["_target_"]).inputs
    if len(kinds) == 1 and kinds != (Images,):
        raise UserError(f"{run.path} was trained on {kinds[0].noun}: litmus filters shows networks that see images.")
    run.check_best()

    from litmus import console

    with console.log_to(None):
        with loading(run, config, arguments.json):
            from litmus.inference.explain import units
            from litmus.report import excited
            from litmus.run.samples import test_samples

        samples = test_samples(run, config, MOST_SAMPLES)
        if not isinstance(samples.net.spec.input, Images):
            noun = samples.net.spec.input.noun
            raise UserError(f"{run.path} was trained on {noun}: litmus filters shows networks that see images.")
        layer = arguments.layer or units.layer_names(samples.net)[0]
        found = units.exciting(samples, layer)
        if arguments.json:
            for unit in found:
                numbers = [int(samples.numbers[place]) for place in unit.images]
                console.json_line({"layer": layer, "unit": unit.number, "samples": numbers, "outputs": unit.outputs})
        folder = Path(arguments.out) if arguments.out else run.path / FILTERS
        page = excited.write(folder, run.path.name, layer, samples, found)
        if not arguments.json:
            dead = units.num_dead(found)
            never = f", {dead} of which give nothing above 0 for any of them" if dead else ""
            console.say(f"{layer}: {len(found)} units{never}; {len(samples.numbers):,} test images", wrap=True)
            console.say_labeled("page", str(page), style="bold")
    return 0
