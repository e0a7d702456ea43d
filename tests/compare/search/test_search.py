"""A search's page: what the sweep wrote down, its figures on the axes that were searched, and its front."""

import html
import math
import re
from pathlib import Path
from typing import Any

import pytest
from made_runs import made
from pages import check_page
from searching import SPACE, WIDTHS, play, search, trials_in

from litmus.compare.comparison import compare
from litmus.compare.report import output
from litmus.compare.search.axes import objectives, span
from litmus.compare.search.figures import draw_search
from litmus.compare.search.found import flat_objectives
from litmus.compare.search.importance import Importance, importance
from litmus.compare.settings import abbreviate, digits
from litmus.errors import UserError
from litmus.record.search import SEARCH, Choices, Numbers, Search, Trial, read_search, write_search

HOSTILE = "<script>alert(1)</script>"
LR, DROPOUT = Numbers(1e-4, 1e-1, True, None), Numbers(0.0, 0.6, False, None)


def trial(number: int, values: tuple[float | None, ...], state: str = "finished", **params: Any) -> Trial:
    own = params or {"optimizer.lr": 10 ** -(1 + number % 4 * 0.7), "model.dropout": number * 0.613 % 0.6}
    return Trial(number, f"trial_{number:04}", state, own, values, 3)  # type: ignore[arg-type]


def made_search(trials: list[Trial], *metrics: str, **more: Any) -> Search:
    names = metrics or ("val/acc",)
    directions = tuple("minimize" if "loss" in name or "time" in name else "maximize" for name in names)
    space = {"optimizer.lr": LR, "model.dropout": DROPOUT, **more}
    return Search(names, directions, "tpe", "none", 0, space, tuple(trials))


def page_of(folder: Path, found: Search) -> tuple[str, set[str]]:
    """The page on a search whose trials left run folders, and the names of its figures."""
    write_search(folder, found)
    for each in found.trials:
        changes: dict[str, dict[str, Any]] = {}
        for key, value in each.params.items():
            section, name = key.split(".")
            changes.setdefault(section, {})[name] = value
        status = each.state if each.state in ("finished", "pruned", "diverged") else "failed"
        made(folder / each.folder, "model=fnn", value=each.values[0] or 0.1, status=status, changes=changes)
    comparison = compare([folder], None, None)
    output.write(folder / "compare", output.texts(comparison), comparison)
    path = folder / "compare" / "report.html"
    check_page(path, links=r"^\.\./trial_\d+/report\.html$")
    return path.read_text(), {path.stem for path in (folder / "compare" / "figures").glob("*.svg")}


@pytest.mark.wide
def test_a_sweep_writes_down_what_it_searched_and_how_each_trial_ended(tmp_path: Path) -> None:
    source = search(tmp_path, [*SPACE, WIDTHS], trials=14, pruner="median")
    play(source)
    source.summary()
    found = read_search(tmp_path)
    assert found is not None
    assert (found.metrics, found.directions, found.sampler) == (("val/acc",), ("maximize",), "tpe")
    assert found.space == {
        "model.dropout": Numbers(0.0, 0.6, False, None),
        "optimizer.lr": Numbers(1e-4, 0.1, True, None),
        "model.widths": Choices(("[64]", "[128,64]")),
    }
    studied = trials_in(tmp_path)
    assert [each.params for each in found.trials] == [each.params for each in studied], "to the last bit"
    assert {each.state for each in found.trials} == {"finished", "pruned"}
    assert all(each.values[0] is not None for each in found.trials)
    best = max(each.values[0] for each in studied if each.state.name == "COMPLETE")
    assert found.front()[0].values == (best,)


def test_what_diverged_is_null_in_the_file(tmp_path: Path) -> None:
    source = search(tmp_path, trials=2)
    play(source, curve=lambda job, epoch: math.nan if job.number else 0.5)
    source.summary()  # which writes all of it; the end of a trial does not always
    assert [(each.state, each.values) for each in read_search(tmp_path).trials] == [
        ("finished", (0.5,)),
        ("diverged", (None,)),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metrics": 1}'])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / SEARCH).write_text(text)
    with pytest.raises(UserError, match=r"search\.json is damaged"):
        read_search(tmp_path)


@pytest.mark.wide
def test_the_page_of_a_search_replaces_what_a_grid_has(tmp_path: Path) -> None:
    trials = [trial(i, (0.9 - 0.003 * i + 0.01 * math.sin(i),)) for i in range(32)]
    trials += [trial(32, (0.5,), "pruned"), trial(33, (None,), "diverged")]
    text, figures = page_of(tmp_path, made_search(trials))
    assert figures == {"trials", "importance", "slices", "contours", "curves"}, "no heat map of unique values"
    plain = html.unescape(re.sub("<[^>]*>", " ", text))
    assert "0.0001 to 0.1" in plain
    assert "logarithmic" in plain
    assert "34 trials: 32 finished, 1 pruned, 1 diverged" in plain
    assert "pruned (its last value)" in text
    shown = re.sub(r"<svg.*?</svg>|<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert not re.search(r"\d\.\d{7,}", shown), "three digits"


@pytest.mark.wide
def test_names_with_html_are_inert(tmp_path: Path) -> None:
    names = Choices((HOSTILE, "relu"))
    own = [{"optimizer.lr": 0.01 + i / 99, "model.activation": names.choices[i % 2]} for i in range(4)]
    trials = [trial(i, (0.9 - i / 99,), **each) for i, each in enumerate(own)]
    found = Search(("val/acc",), ("maximize",), "tpe", "none", 0, {"optimizer.lr": LR, "model.activation": names},
                   tuple(trials))  # fmt: skip
    text, _ = page_of(tmp_path, found)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.wide
def test_the_pareto_front_is_what_nothing_exceeds(tmp_path: Path) -> None:
    values = [(0.9, 5.0), (0.8, 1.0), (0.85, 6.0), (0.9, 5.0), (0.7, 0.5)]
    found = made_search([trial(i, each) for i, each in enumerate(values)], "val/acc", "time/epoch_seconds")
    assert [each.number for each in found.front()] == [0, 1, 4]
    text, figures = page_of(tmp_path, found)
    assert "pareto-front" in figures
    assert "Trials of the Pareto front" in text
    assert "val/acc (more is better), time/epoch_seconds (less is better)" in text


@pytest.mark.wide
@pytest.mark.parametrize("metrics", [("val/acc",), ("val/acc", "val/loss")])
def test_the_best_trials_link_their_own_pages(tmp_path: Path, metrics: tuple[str, ...]) -> None:
    values = [(0.9, 5.0), (0.8, 1.0), (0.7, 6.0)]
    found = made_search([trial(i, each[: len(metrics)]) for i, each in enumerate(values)], *metrics)
    (tmp_path / "trial_0000").mkdir()
    (tmp_path / "trial_0000" / "report.html").touch()
    text, _ = page_of(tmp_path, found)
    assert text.count('<a href="../trial_0000/report.html">page</a>') == 1
    assert "trial_0001/report.html" not in text, "it has none yet"
    assert f'<code class="links">litmus report {tmp_path / "trial_0001"}</code>' in text
    assert "litmus report " + str(tmp_path / "trial_0000") not in text


@pytest.mark.wide
def test_the_best_trial_without_a_page_has_the_command_that_makes_it(tmp_path: Path) -> None:
    text, _ = page_of(tmp_path, made_search([trial(i, (value,)) for i, value in enumerate((0.9, 0.8, 0.7))], "val/acc"))
    lead = re.search(r'<p class="lead">(.*?)</p>', text, re.DOTALL)
    assert lead is not None
    assert f'<code class="links">litmus report {tmp_path / "trial_0000"}</code>' in lead[1]


def test_importance_finds_the_key_that_matters_and_says_what_is_missing() -> None:
    drawn = [(10 ** -(1 + i * 0.618 % 1 * 3), i * 0.414 % 0.6) for i in range(60)]
    trials = [
        trial(i, (-abs(math.log10(lr) + 2),), **{"optimizer.lr": lr, "model.dropout": dropout})
        for i, (lr, dropout) in enumerate(drawn)
    ]
    found = importance(made_search(trials), 0)
    assert isinstance(found, Importance)
    assert found.shares["optimizer.lr"] > 0.7
    assert found.shares["optimizer.lr"] > found.by_chance
    assert "takes 10 trials" in importance(made_search(trials[:4]), 0)
    assert "the same val/acc" in importance(made_search([trial(i, (0.5,)) for i in range(12)]), 0)


def test_a_flat_objective_says_so() -> None:
    same = made_search([trial(i, (0.5,)) for i in range(3)])
    assert flat_objectives(same) == ["all 3 finished trials have the same val/acc, 0.5."]
    untrained = made_search([Trial(i, f"t{i}", "finished", {}, (0.5 + i / 9,), 0) for i in range(3)])
    (note,) = flat_objectives(untrained)
    assert "keep epoch 0" in note
    assert flat_objectives(made_search([trial(0, (0.5,)), trial(1, (0.6,))])) == []


@pytest.mark.wide
def test_one_trial_far_worse_does_not_flatten_the_others() -> None:
    _, high = span([0.1, 0.2, 0.15, 0.12, 1e6], "minimize")
    assert high < 10
    found = made_search([trial(i, (0.1 * i if i < 6 else 1e9,)) for i in range(7)], "val/loss")
    assert "far worse" in next(f.svg for f in draw_search(found, "") if f.name == "trials")
    assert objectives(found)[0].span[1] < 1e9


def test_typed_numbers_stay_as_typed_and_drawn_ones_have_three_digits() -> None:
    assert [abbreviate(text) for text in ("0.001", "0.00012345", "1e-05")] == ["0.001", "0.00012345", "1e-05"]
    assert abbreviate("0.06915514312150907") == "0.0692"
    assert (digits(1234.5), digits(1.234e-5)) == ("1230", "1.23e-05")
