"""The synthetic patients of one validation: a seed and a scenario."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from virtualbrain.errors import ConfigError
from virtualbrain.synthetic.scenarios import SCENARIOS, Scenario
from virtualbrain.synthetic.validation_patient import ValidationPatient, draw_validation_patient

# Without a scenario, every fourth patient has a zone that no channel sees.
UNSAMPLED_EVERY = 4


@dataclass(frozen=True)
class ValidationCohort:
    """The patients of a validation.

    Parameters
    ----------
    seed : int
        Seed of the patients.
    scenario : str, optional
        How the seizures start; see `virtualbrain.synthetic.scenarios`. By default they start early,
        and every fourth patient has an unsampled zone.

    Raises
    ------
    ConfigError
        There is no such scenario.
    """

    seed: int
    scenario: Scenario | None = None

    def __post_init__(self) -> None:
        if self.scenario is not None and self.scenario not in SCENARIOS:
            raise ConfigError(
                f"no scenario {self.scenario}", where="scenario", expected=" or ".join(SCENARIOS)
            )

    def is_sampled(self, number: int) -> bool:
        """Return whether patient `number` (from 0) has a zone that channels see."""
        if self.scenario is None:
            return number % UNSAMPLED_EVERY != UNSAMPLED_EVERY - 1
        return self.scenario != "hidden"

    def draw(self, number: int) -> ValidationPatient:
        """Draw patient `number` (from 0)."""
        return _drawn(self, number)


@lru_cache(maxsize=1)  # fit and scores of a patient need it one after the other
def _drawn(cohort: ValidationCohort, number: int) -> ValidationPatient:
    rng = np.random.default_rng([cohort.seed, number])
    with threadpool_limits(1, user_api="blas"):  # the same digits on any number of cores
        return draw_validation_patient(rng, cohort.is_sampled(number), cohort.scenario or "early")
