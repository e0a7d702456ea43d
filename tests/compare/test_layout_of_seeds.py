"""Effects and variances of the two-way layout, against numpy's least squares and worked cases."""

import numpy as np
import pytest

from litmus.compare.layout import Layout, estimate_priors, fit, moderate


def between(layout: Layout, a: int, b: int) -> float:
    return float(layout.inflation[layout.patterns[a], layout.patterns[b]])


def test_effects_are_least_squares_with_gaps_too() -> None:
    generator = np.random.default_rng(0)
    present = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1]], dtype=bool)
    values = generator.normal(size=(4, 4)) * present
    settings, seeds = np.nonzero(present)
    matrix = np.hstack([np.eye(4)[settings], np.eye(4)[seeds]])
    solution = np.linalg.lstsq(matrix, values[present], rcond=None)[0]
    layout = Layout(present)
    effects = layout.effects(values[None])[0][0]
    assert effects - effects[0] == pytest.approx(solution[:4] - solution[0])
    assert layout.degrees.sum() == pytest.approx(present.sum() - 7), "values minus parameters"


def test_without_gaps_a_variance_is_that_of_the_residuals() -> None:
    values = np.random.default_rng(1).normal(size=(1, 5, 4))
    layout = Layout(np.ones((5, 4), dtype=bool))
    residuals = values - values.mean(2, keepdims=True) - values.mean(1, keepdims=True) + values.mean()
    fitted = fit(layout, values, np.array([np.inf]))
    assert fitted.variances[0] == pytest.approx([(residuals**2).sum() / 12] * 5), "one for all"
    assert layout.inflation == pytest.approx(np.ones((1, 1))), "nothing but the numbers of seeds counts"
    errors = fitted.standard_errors(layout, np.arange(5), np.array([0]))[0]
    assert errors[1] == pytest.approx(np.sqrt(fitted.variances[0, 0] / 2))


def test_what_a_seed_does_to_every_setting_cancels() -> None:
    values = np.random.default_rng(2).normal(size=(1, 4, 5))
    layout = Layout(np.ones((4, 5), dtype=bool))
    moved = values + np.array([0.0, 10.0, -20.0, 5.0, 3.0])
    assert fit(layout, moved).variances == pytest.approx(fit(layout, values).variances)


def test_settings_without_a_common_seed_are_not_comparable() -> None:
    layout = Layout(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool))
    assert np.isfinite(between(layout, 0, 1))
    assert np.isinf(between(layout, 0, 2))
    chain = Layout(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=bool))
    assert np.isfinite(between(chain, 0, 2)), "through the second"


def test_few_seeds_borrow_from_the_others() -> None:
    squares, degrees = np.array([[1.0, 1.0, 1.0, 40.0]]), np.full(4, 2.0)
    assert moderate(squares, degrees, np.array([np.inf]))[0] == pytest.approx([43 / 8] * 4)
    variances = moderate(squares, degrees, np.array([2.0]))[0]
    assert 0.5 < variances[0] < variances[3] < 20.0, "between its own and that of all"


def test_the_prior_follows_how_alike_the_variances_are() -> None:
    generator = np.random.default_rng(3)
    degrees = np.full(200, 4.0)
    alike = generator.chisquare(4, (1, 200))
    unlike = alike * 3 / generator.chisquare(3, (1, 200))
    assert estimate_priors(alike, degrees)[0] > 12
    assert 2 <= estimate_priors(unlike, degrees)[0] <= 6
    assert np.isinf(estimate_priors(np.array([[1.0, 1.0]]), np.array([1.0, 1.0]))[0]), "two mirror each other"
