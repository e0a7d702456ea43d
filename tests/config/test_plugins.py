"""Plugins are found, and what is wrong with one is said, without importing it."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import plugin
import pytest
from helpers import CONF, composed

from litmus.config import conf, keys, plugins, preflight, validate
from litmus.config.fit import kinds_of_model
from litmus.config.instantiate import defaults, target
from litmus.config.plugin_check import GROUPS, check_plugins
from litmus.config.retype import overrides_of
from litmus.errors import UserError
from litmus.spec import Images

TARGET = "mixers.mlp_mixer.MLPMixer"
CACHED = (plugins.installed, conf.targets, conf._choices_of_plugins, validate.signature, validate.class_attributes)
CACHED += (validate._parsed, keys.key_of, keys._needed_callbacks, preflight.file_mistakes)
CALLBACK = """
from typing import ClassVar
from litmus.callback._base import Callback

class Announce(Callback):
    affects_training: ClassVar = True

    def __init__(self, *, text: str) -> None:
        self.text = text
"""

Use = Callable[..., Path]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Writes the package, and names it, in this process; gives the folder of its code."""

    def written(named: str = plugin.NAME) -> Path:
        monkeypatch.setenv(plugins.VARIABLE, named)
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
        importlib.invalidate_caches()
        _forget()
        return plugin.write(tmp_path)

    yield written
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    for function in CACHED:
        function.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == plugin.NAME]:
        del sys.modules[name]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_it_adds_a_choice_like_any_other(use: Use) -> None:
    use()
    check_plugins()
    assert "mlp_mixer" in conf.names("model")
    assert TARGET in conf.targets()["model"]
    assert conf.choice_of(TARGET) == "mlp_mixer"
    assert kinds_of_model(TARGET).inputs == (Images,)
    assert set(validate.signature(TARGET)) == set(defaults("model", "mlp_mixer")) - {"_target_"}
    assert plugin.NAME not in sys.modules
    assert target({"_target_": TARGET}).__name__ == "MLPMixer"


def test_the_command_that_composes_a_run_again_names_it(use: Use) -> None:
    use()
    section = {**defaults("model", "mlp_mixer"), "width": 8}
    typed = overrides_of({**composed("model=linear"), "model": section})
    assert typed[0] == "model=mlp_mixer"
    assert "model.width=8" in typed


@pytest.mark.parametrize("separator", [",", ":", ", ", " "])
def test_several_are_named_in_a_row(use: Use, tmp_path: Path, separator: str) -> None:
    use(f"mixers{separator}second")
    (tmp_path / "second" / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "second" / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 3\n")
    check_plugins()
    assert [each.name for each in plugins.installed()] == ["mixers", "second"]
    assert "mine" in conf.names("experiment")


def test_the_name_of_an_entry_point_may_be_any(use: Use, tmp_path: Path) -> None:
    use("")
    plugin.install(tmp_path)
    edit(tmp_path / "mixers-0.1.dist-info" / "entry_points.txt", "mixers = mixers", "Any Name=mixers:unused [extra]")
    assert [each.name for each in plugins.installed()] == ["mixers"]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("absent", "LITMUS_PLUGINS names absent, which is not installed"),
        ("mixers.absent", "LITMUS_PLUGINS names mixers.absent, which is not installed"),
        ("./mixers", "./mixers, which is not the name of a package, such as mypkg"),
        ("json", "has no folder conf/"),
        ("this", "has no folder conf/"),  # a module without a folder
    ],
)
def test_a_package_that_is_no_plugin(use: Use, named: str, said: str) -> None:
    use(named)
    with pytest.raises(UserError, match=said):
        check_plugins()


def test_one_beside_the_script_is_not_found_by_other_processes(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = use().parent
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path[:-1]])
    with pytest.raises(UserError, match="where the other processes of a training do not look"):
        plugins.installed()


def test_a_damaged_entry_point(use: Use, tmp_path: Path) -> None:
    use("")
    plugin.install(tmp_path)
    (tmp_path / "mixers-0.1.dist-info" / "entry_points.txt").write_text("[litmus.plugins]\n= =\n[x\n")
    with pytest.raises(UserError, match=r"entry_points.txt is damaged: install that package again"):
        check_plugins()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("YAML", "  patch: 7", "  pach: 7", "MLPMixer takes no pach: arguments that are keys stand behind a *"),
        ("YAML", "  width: 64\n", "", "it lacks width, which MLPMixer takes"),
        ("YAML", "mixers.mlp_mixer.MLPMixer", "os.system", "one class or function of mixers, not os.system"),
        ("YAML", "mixers.mlp_mixer.MLPMixer", "litmus.model.cnn.CNN", "one class or function of mixers, not litmus"),
        ("YAML", "  _target_: mixers.mlp_mixer.MLPMixer\n", "", "one class or function of mixers, not missing"),
        ("YAML", "MLPMixer", "Mixer", "mixers.mlp_mixer defines no Mixer"),
        ("YAML", "mlp_mixer.MLP", "mixer.MLP", "mixers.mixer.MLPMixer is not part of litmus"),
        ("YAML", "model:\n", "modl:\n", "it sets no keys of model"),
        (
            "YAML",
            "# @pack",
            "# mlp_mixer.yaml\n# @pack",
            "its first line is to be # @package _global_, above any other",
        ),
        ("YAML", "  patch", " patch", "it cannot be read"),
        ("YAML", "  - override /data: mnist", "  - _base", "it cannot be read"),
        ("SOURCE", "*, patch", "patch", "takes no patch, width, dropout, batchnorm, l2: arguments that are keys stand"),
        ("SOURCE", "patch: Count", "patch", "takes no patch: arguments that are keys stand behind a \\* and have"),
        ("SOURCE", "import Count,", "import Counts,", "mixers.mlp_mixer cannot be imported: ImportError"),
        (
            "SOURCE",
            "patch: Count",
            "patch: Size",
            "mlp_mixer, line .*: Size is read before anything is imported",
        ),
        ("SOURCE", "self, spec", "self spec", r"cannot be imported: SyntaxError: .*\(mlp_mixer\.py, line \d+\)"),
        ("SOURCE", "    input_kinds: ClassVar = (Images,)\n", "", "the class MLPMixer does not set input_kinds"),
        ("SOURCE", "def __init__(", "def build(", "MLPMixer takes no patch"),
    ],
)
def test_a_file_that_does_not_fit(use: Use, file: str, old: str, new: str, said: str) -> None:
    folder = use()
    edit(folder.parent / vars(plugin)[file], old, new)
    with pytest.raises(UserError, match=said) as refused:
        check_plugins()
    assert str(folder / "conf" / "model" / "mlp_mixer.yaml") in str(refused.value)
    assert plugin.NAME not in sys.modules


@pytest.mark.parametrize("group", GROUPS)
def test_no_choice_of_litmus_is_replaced(use: Use, group: str) -> None:
    theirs = sorted((CONF / group).glob("[!_]*.yaml"))[0]
    path = use() / "conf" / group / theirs.name
    path.parent.mkdir(exist_ok=True)
    path.write_text(theirs.read_text())
    with pytest.raises(UserError, match=f"litmus has a {group}={theirs.stem} already. Rename the file"):
        check_plugins()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train.yaml", "a plugin has files in model/, data/"),
        ("task/mine.yaml", "a plugin has files in model/, data/"),
        ("hydra/job_logging/mine.yaml", "a plugin has files in model/, data/"),
        ("model/deep/mine.yaml", "a plugin has files in model/, data/"),
        ("model/my-mixer.yaml", "its name takes letters, digits and underscores only"),
        ("model/second.yaml", "has the same _target_, by which a run's choice is known"),
    ],
)
def test_a_file_in_another_place(use: Use, name: str, said: str) -> None:
    folder = use()
    path = folder / "conf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((folder.parent / plugin.YAML).read_text())
    with pytest.raises(UserError, match=said):
        check_plugins()


def test_two_plugins_do_not_share_a_name(use: Use, tmp_path: Path) -> None:
    folder = use("mixers,second")
    (tmp_path / "second" / "conf" / "model").mkdir(parents=True)
    (tmp_path / "second" / "conf" / "model" / "mlp_mixer.yaml").write_text((tmp_path / plugin.YAML).read_text())
    with pytest.raises(UserError, match="mixers has a model=mlp_mixer already"):
        check_plugins()
    assert folder.is_dir()


def test_an_empty_conf(use: Use) -> None:
    path = use().parent / plugin.YAML
    path.rename(path.with_suffix(".yml"))
    with pytest.raises(UserError, match=r"adds nothing: .* has no model/\*.yaml"):
        check_plugins()


def test_a_class_that_its_package_offers_by_a_relative_import(use: Use) -> None:
    folder = use()
    (folder / "__init__.py").write_text("from .mlp_mixer import MLPMixer\n")
    edit(folder.parent / plugin.YAML, "mixers.mlp_mixer.MLPMixer", "mixers.MLPMixer")
    check_plugins()
    assert "patch" in validate.signature("mixers.MLPMixer")
    assert kinds_of_model("mixers.MLPMixer").inputs == (Images,)


def test_a_base_in_another_module(use: Use) -> None:
    folder = use()
    edit(folder.parent / plugin.SOURCE, "class MLPMixer", "class Base")
    (folder / "small.py").write_text("from .mlp_mixer import Base\n\n\nclass Small(Base):\n    pass\n")
    edit(folder.parent / plugin.YAML, "mixers.mlp_mixer.MLPMixer", "mixers.small.Small")
    check_plugins()
    assert kinds_of_model("mixers.small.Small").inputs == (Images,)


def test_a_callback(use: Use) -> None:
    folder = use()
    (folder / "announce.py").write_text(CALLBACK)
    path = folder / "conf" / "callback" / "announce.yaml"
    path.parent.mkdir()
    path.write_text("_target_: mixers.announce.Announce\ntext: x\n")
    with pytest.raises(UserError, match="its first line is to be # @package callback.announce"):
        check_plugins()
    path.write_text(f"# @package callback.announce\n{path.read_text()}")
    check_plugins()
    assert keys.affects_training("announce")
    edit(folder / "announce.py", "= True", "= False")
    _forget()
    assert not keys.affects_training("announce")
    edit(folder / "announce.py", "    affects_training: ClassVar = False\n", "")
    _forget()
    with pytest.raises(UserError, match="the class Announce does not set affects_training"):
        check_plugins()


def test_an_experiment_sets_keys_of_all_groups(use: Use) -> None:
    path = use() / "conf" / "experiment" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("# mine.yaml\n# @package _global_\nseed: 3\n")
    with pytest.raises(UserError, match=r"mine.yaml: its first line is to be # @package _global_"):
        check_plugins()
    edit(path, "# mine.yaml\n", "")
    check_plugins()


def test_its_preflight_is_asked(use: Use) -> None:
    folder = use()
    said = "from litmus.errors import UserError\n\n\ndef mlp_mixer(settings):\n    raise UserError(settings['patch'])\n"
    (folder / "_preflight.py").write_text(said)
    config = {**composed("model=linear"), "model": defaults("model", "mlp_mixer")}
    assert preflight.data_mistakes(config) == ["7"]


def test_a_module_that_fails_says_where(use: Use) -> None:
    folder = use()
    edit(folder.parent / plugin.SOURCE, "def mlp(", "1 / 0\n\n\ndef mlp(")
    check_plugins()
    said = r"mixers.mlp_mixer cannot be imported: ZeroDivisionError: division by zero \(.*mlp_mixer.py, line \d+\)"
    with pytest.raises(UserError, match=said):
        target({"_target_": TARGET})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (TARGET, "is not called: the package mixers is no plugin here. .* set LITMUS_PLUGINS=mixers"),
        (
            "absent.model.Net",
            "the package absent is not installed here. .* and set LITMUS_PLUGINS=absent",
        ),
        ("torch.hub.load", "is none of the choices of model. It is not called.$"),  # has no conf/
        ("os.system", "is none of the choices of model. It is not called.$"),
        ("litmus.record.files.write_text", "is none of the choices of model. It is not called.$"),
        ("absent.x\n.y", "It is not called.$"),
    ],
)
def test_a_class_of_another_package_is_refused_and_not_imported(use: Use, name: str, said: str) -> None:
    use("")
    config = composed("model=linear")
    config["model"]["_target_"] = name
    (sentence,) = validate.mistakes(config)
    assert re.search(said, sentence)
    with pytest.raises(UserError, match="not called"):
        target(config["model"])
    assert plugin.NAME not in sys.modules


def test_of_a_plugin_only_what_its_configuration_names_is_called(use: Use) -> None:
    use()
    config = composed("model=linear")
    config["model"] = {"_target_": "mixers.mlp_mixer.mlp", "size": 3}
    (sentence,) = validate.mistakes(config)
    assert sentence == "model._target_=mixers.mlp_mixer.mlp is none of the choices of model. It is not called."
