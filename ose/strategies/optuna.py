"""Optuna's samplers behind ask and tell: they propose from the axes what earlier outcomes speak for.

optuna is imported here and in `study_record`, and both are loaded only for a job that asks for it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from ose.core.spec import SearchSpec
from ose.errors import DependencyError
from ose.strategies.base import Outcome, Proposal
from ose.strategies.grid import Grid

_RANDOM_SHARE = 4
"""One candidate in so many is drawn at random before a model of the others is trusted, or is a first generation.
Optuna's own numbers, 10 and 50, are made for hundreds of trials."""

_SEEDS_PER_WAVE = 1_000_003
"""Waves of one job, and those of jobs with neighbouring seeds, draw differently."""


class OptunaStrategy:
    """Waves of proposals of an optuna sampler, each cell of the grid at most once.

    What the sampler asks for is moved to the nearest cell that is free, so nothing is invalid or trained twice.
    Proposals that run count for the sampler too: TPE takes them for bad ones ("constant liar"), GP for expected ones.

    It is deterministic: each wave has a sampler of its own, seeded by the job's seed and the wave's number, and
    outcomes are told in the order of their numbers. So a new strategy that is asked and told the same again, from the
    database, proposes the same.

    Source:
        TPE: Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (2011). GP: optuna's GPSampler. NSGA-II:
        Deb et al. (2002). The move to a free cell is ours.

    Args:
        grid: What may be proposed; only this strategy takes from it.
        search: Sampler, number of candidates, steps and seed.
        wave_size: Proposals at once.
    """

    def __init__(self, grid: Grid, search: SearchSpec, wave_size: int) -> None:
        self._grid = grid
        self._search = search
        self._wave_size = wave_size
        self._num_left = min(search.num_candidates or 0, grid.num_cells)
        self._num_waves = 0
        self._study = new_study(search)
        self._distributions = distributions(grid)
        self._open: dict[int, Trial] = {}
        self._told: dict[int, Outcome] = {}

    def ask(self) -> Sequence[Proposal]:
        """The next wave; none while outcomes of the last one are missing, and none after the last."""
        if self._open.keys() - self._told.keys():
            return []
        self._pass_on()
        self._num_waves += 1
        self._study.sampler = _ToFreeCells(self._grid, self._distributions, self._sampler())
        wave = [self._propose() for _ in range(min(self._wave_size, self._num_left))]
        self._num_left -= len(wave)
        found = [proposal for proposal in wave if proposal is not None]
        self._num_left *= len(found) == len(wave)
        return found

    def tell(self, number: int, outcome: Outcome) -> None:
        """Keep what the next wave depends on."""
        self._told[number] = outcome

    def _pass_on(self) -> None:
        for number, trial in sorted(self._open.items()):
            values = objective_values(self._search, self._told[number])
            self._study.tell(trial, values, state=None if values else TrialState.FAIL)
        self._open, self._told = {}, {}

    def _propose(self) -> Proposal | None:
        """None if nothing is left."""
        try:
            trial = self._study.ask(dict(self._distributions))
        except _NothingLeft:
            return None
        cell = self._grid.take(trial.params)
        number = trial.number + 1
        self._open[number] = trial
        return Proposal(
            number=number,
            architecture=cell.member.architecture,
            hyperparameters=cell.hyperparameters,
            num_steps=self._search.steps,
            layers=cell.member.layers,
        )

    def _sampler(self) -> BaseSampler:
        seed = (self._search.seed * _SEEDS_PER_WAVE + self._num_waves) % 2**32
        return _SAMPLERS[self._search.sampler](seed, max(2, (self._search.num_candidates or 0) // _RANDOM_SHARE))


def new_study(search: SearchSpec, **options: Any) -> Study:
    """An empty study with the objectives that a job's sampler has.

    Args:
        search: What the job asks for.
        options: Storage and name, for one that others will open.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    least, most = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
    directions = [least, least] if search.sampler == "nsgaii" else [most]
    return optuna.create_study(directions=directions, load_if_exists=True, **options)


def objective_values(search: SearchSpec, outcome: Outcome) -> list[float] | None:
    """What a sampler is told: the score, or latency and loss; None where there is nothing to tell.

    No score is below zero, so what failed or was rejected counts as that: a model of the score should know of places
    that lead nowhere. A front has no such value.
    """
    if search.sampler != "nsgaii":
        score = outcome.score if outcome.has_passed else 0.0
        return [score if score is not None and math.isfinite(score) else 0.0]
    if not outcome.has_passed or outcome.latency_p50_ms is None or outcome.loss_nats is None:
        return None
    return [outcome.latency_p50_ms, outcome.loss_nats]


def distributions(grid: Grid) -> dict[str, BaseDistribution]:
    """The axes as optuna has them, with their real values, so that a dashboard shows these."""
    sizes = {name: _whole_numbers(values) for name, values in grid.sizes.items()}
    return {**sizes, **{name: CategoricalDistribution(values) for name, values in grid.kinds.items()}}


def _whole_numbers(values: Sequence[int]) -> IntDistribution:
    """The coarsest even spacing that has all values. What lies between is moved to the nearest."""
    low, high = values[0], values[-1]
    return IntDistribution(low, high, step=math.gcd(*(value - low for value in values)) or 1)


class _NothingLeft(Exception):
    """Every cell has been taken."""


class _ToFreeCells(BaseSampler):
    """Asks another sampler for all axes at once, and moves what it says to a free cell."""

    def __init__(self, grid: Grid, axes: Mapping[str, BaseDistribution], inner: BaseSampler) -> None:
        self._grid = grid
        self._axes = dict(axes)
        self._inner = inner

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._axes

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        known = self._inner.infer_relative_search_space(study, trial)
        asked = self._inner.sample_relative(study, trial, known)
        for name, axis in self._axes.items():
            if name not in asked:
                asked[name] = self._inner.sample_independent(study, trial, name, axis)
        free = self._grid.nearest(asked)
        if free is None:
            raise _NothingLeft
        return dict(free)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        raise AssertionError("all axes are sampled together")

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._inner.after_trial(study, trial, state, values)


def _tpe(seed: int, num_random: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, n_startup_trials=num_random, constant_liar=True)


def _gp(seed: int, num_random: int) -> BaseSampler:
    try:
        import scipy  # noqa: F401 - optuna takes it for granted, and fails at the first proposal
    except ModuleNotFoundError as error:
        raise DependencyError("the sampler gp needs scipy: pip install 'ose[gp]'") from error
    return GPSampler(seed=seed, n_startup_trials=num_random)


def _nsgaii(seed: int, num_random: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=num_random)


_SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {"tpe": _tpe, "gp": _gp, "nsgaii": _nsgaii}
