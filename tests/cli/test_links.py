"""A run that is named by a link, such as `outputs/latest`, stays the same run while it is used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import litmus as public
from litmus.cli import export
from litmus.cli.main import VERBS, main
from litmus.compare.collect import find_runs
from litmus.compose.resume import with_own_folders
from litmus.errors import UserError
from litmus.inference.serve import server
from litmus.record.folder import RunDir
from litmus.run import verify

EARLIER = Path(__file__).parent.parent / "earlier" / "fnn-mnist"
LINK = "outputs/latest"
USES = {  # with which a run that has a network is used to the end
    "predict": ["predict", LINK, "digit.png"],
    "filters": ["filters", LINK],
    "explain": ["explain", LINK, "digit.png"],
    "serve": ["serve", LINK, "--port", "0"],
    "lr": ["lr", LINK, "--steps", "60", "data.source=bundled", "data.limit=300"],
    "doctor": ["doctor", LINK],
    "evaluate": ["evaluate", LINK, "data.source=bundled"],
    "report": ["report", LINK],
    "compare": ["compare", LINK, "--no-figures"],
    "export": ["export", LINK, "--to", "torch"],
}
NAMES_NO_RUN = ("compare", "doctor")
Litmus = Callable[..., tuple[str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """One with a link to it, which is gone as soon as the run's configuration has been read."""
    shutil.copytree(EARLIER, tmp_path / "outputs" / "fnn-mnist" / "one")
    link = tmp_path / LINK
    link.symlink_to("fnn-mnist/one")
    Image.new("L", (28, 28)).save(tmp_path / "digit.png")
    read = RunDir.read_config

    def read_once(own: RunDir) -> object:
        config = read(own)
        link.unlink(missing_ok=True)
        return config

    monkeypatch.setattr(RunDir, "read_config", read_once)
    return RunDir("outputs/fnn-mnist/one")


def test_every_verb_is_looked_at() -> None:
    assert {*USES, "train", "verify", "dashboard"} == {*VERBS}


@pytest.mark.wide
@pytest.mark.parametrize("verb", USES)
def test_a_verb_uses_one_run(verb: str, run: RunDir, litmus: Litmus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "write", lambda *_, **__: 0.0)  # which takes seconds
    monkeypatch.setattr(server, "serve", lambda runs, *_: runs[0].worker.close())  # which would not end
    out, err = litmus(*USES[verb])
    assert not Path(LINK).is_symlink()
    assert str(run.path) in out or verb in NAMES_NO_RUN, "as it lies in the current folder"
    assert "latest" not in out + err


def test_verify_takes_the_run_itself(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Path] = []

    def verified(straight: RunDir, *_: object) -> None:
        taken.append(straight.path)
        raise UserError("enough")

    monkeypatch.setattr(verify, "verify", verified)
    with pytest.raises(SystemExit, match="enough"):
        main(["verify", LINK])
    assert taken == [run.path]


def test_the_dashboard_shows_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    with pytest.raises(SystemExit, match="empty holds no run"):
        main(["dashboard", "link"])


def test_python_loads_one_run(run: RunDir) -> None:
    assert public.load(LINK).spec.data == "mnist"
    assert not Path(LINK).is_symlink()


def test_training_names_the_run_itself(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"resume={LINK}", "seed=3", f"reproduce={LINK}", f"model.weights={LINK}"]
    own = str(run.path)
    assert with_own_folders(words) == [f"resume={own}", "seed=3", f"reproduce={own}", words[-1]]
    kept = [f"resume={own}", f"resume={run.path.resolve()}", "resume=null", "resume=absent", "-m"]
    assert with_own_folders(kept) == kept, "where there is no link"


def test_a_comparison_names_runs_that_links_lead_to(run: RunDir) -> None:
    Path("outputs/a-link").symlink_to("fnn-mnist/one")
    assert list(find_runs([Path("outputs")])) == [run.path]


def test_links_in_a_circle_and_to_nowhere_are_answered() -> None:
    Path("circle").symlink_to("circle")
    with pytest.raises(SystemExit, match="circle cannot be read: Too many levels of symbolic links"):
        main(["evaluate", "circle"])
    Path("nowhere").symlink_to("gone")
    with pytest.raises(SystemExit, match="There is no folder gone"):
        main(["evaluate", "nowhere"])
