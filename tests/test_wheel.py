"""The wheel holds all that is needed: from an empty folder, without the checkout, it trains, evaluates and predicts."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from helpers import ROOT, SMALL

PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]


def test_every_package_is_listed() -> None:
    folders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT / "src").parts) for folder in folders}
    assert sorted(PACKAGES) == sorted({*found, "litmus.conf"})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts' folder of an environment with the wheel, and with the packages of this one, litmus excepted."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    checkout = folder / "checkout"  # a build leaves folders behind
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in names:
        if name.startswith(("src/", "conf/")) or name in ("pyproject.toml", "README.md", "LICENSE"):
            if not (ROOT / name).is_file():
                continue
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes((ROOT / name).read_bytes())
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(checkout)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "env")}))
    # As a line of a .pth file, the folder is searched, but its own .pth files, which name the checkout, are not read.
    (own / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([*pip, "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    return folder / "env" / "bin"


def litmus(scripts: Path, folder: Path, *words: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "COLUMNS": "100"}
    command = [str(scripts / "litmus"), *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.wide
def test_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    origin = "import litmus; print(litmus.__file__)"
    where = subprocess.run([str(installed / "python"), "-c", origin], capture_output=True, text=True, check=True).stdout
    assert where.startswith(str(installed.parent)), "the wheel's, not the checkout's"
    assert "train" in litmus(installed, tmp_path, "--help")
    assert "[cnn] | fnn" in litmus(installed, tmp_path, "train", "--help")
    litmus(installed, tmp_path, "train", "model=fnn", *SMALL)
    assert "test/acc" in litmus(installed, tmp_path, "evaluate", "outputs/latest")
    litmus(installed, tmp_path, "compare", "outputs")
    assert (tmp_path / "outputs" / "compare" / "report.html").is_file(), "its templates are shipped"
    texts = ["good film,1", "great film,1", "bad film,0", "awful film,0"] * 10
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *(f"{i} {text}" for i, text in enumerate(texts))]))
    words = ["data=text_table", "data.path=texts.csv", "trainer=cpu", "trainer.max_epochs=1"]
    litmus(installed, tmp_path, "train", "model=lstm", *words, "callback.dashboard.graph=false")
    assert "probabilities" in litmus(installed, tmp_path, "predict", "outputs/latest", "a good film", "--json")
