"""Read prior sets and compute the prior of x0 for every region."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from inference.problem import Problem
from virtualbrain.config import project_root
from virtualbrain.errors import ConfigError

PRIORS_FOLDER = project_root() / "config" / "priors"


@dataclass(frozen=True)
class Normal:
    """A Normal prior.

    Parameters
    ----------
    mean, sd : float
        Mean and standard deviation.
    """

    mean: float
    sd: float


@dataclass(frozen=True)
class LogNormal:
    """A log-normal prior.

    Parameters
    ----------
    median : float
        Median.
    sd_log : float
        Standard deviation of the natural logarithm.
    """

    median: float
    sd_log: float


@dataclass(frozen=True)
class Scatter:
    """A Normal prior about a mean that is fitted too, or about zero.

    Parameters
    ----------
    sd : float
        Standard deviation.
    """

    sd: float


@dataclass(frozen=True)
class Weight:
    """The weight of one part of the prior.

    Parameters
    ----------
    weight : float
        Zero or more; zero switches the part off.
    """

    weight: float


@dataclass(frozen=True)
class GroupConnectome:
    """What a group connectome adds to the uncertainty of the connections.

    Parameters
    ----------
    input_sd_log : float
        Standard deviation, between people, of the logarithm of a region's input.
    weak_input : float
        Weight that stands for a connection that the group lacks, for weights divided by their mean
        row sum; it replaces that of the onset model.
    x0_sd : float
        Standard deviation of x0 that is added to the model error of nuts and laplace.
    """

    input_sd_log: float
    weak_input: float
    x0_sd: float


@dataclass(frozen=True)
class Priors:
    """One prior set; the fields are the keys of a prior file.

    `x0_ez`, `x0_pz` and `x0_lesion` replace `x0` in the regions that the hypothesis names as EZ
    or PZ, or that the lesion mask overlaps; None keeps `x0` there. `x0_error` is the standard
    deviation of the model error: fitted x0 minus the region's own x0. `x0_neighbours` correlates
    the x0 of connected regions; see `correlation`. `x0_sources` is the weight of the source
    evidence in the prior means; see `inference.sources`. `group_connectome` is used only for a
    patient without a connectome of their own.

    Parameters
    ----------
    name : str
        Name of the set.
    description : str
        One sentence.
    x0 : Normal
        Excitability of a region.
    x0_ez, x0_pz, x0_lesion : Normal, optional
        Excitability of the regions of the hypothesis or the lesion.
    x0_error : Scatter
        Model error of nuts and laplace.
    x0_neighbours, x0_sources : Weight
        Weights of the neighbours and of the source evidence.
    group_connectome : GroupConnectome
        Additional uncertainty of the connections of a group.
    x_init, z_init : Normal
        Initial states.
    K : LogNormal
        Global coupling, for weights divided by their mean row sum.
    tau0 : LogNormal
        Time scale of the slow variable, in model time.
    amplitude : LogNormal
        Log power per unit of x.
    level : Normal
        Mean of the channel offsets, in log power.
    offset : Scatter
        Channel offsets about their mean.
    noise : LogNormal
        Standard deviation of the residuals, in log power.
    """

    name: str = "default"
    description: str = ""
    x0: Normal = field(default_factory=lambda: Normal(-2.5, 0.2))
    x0_ez: Normal | None = None
    x0_pz: Normal | None = None
    x0_lesion: Normal | None = None
    x0_error: Scatter = field(default_factory=lambda: Scatter(0.15))
    x0_neighbours: Weight = field(default_factory=lambda: Weight(1.0))
    x0_sources: Weight = field(default_factory=lambda: Weight(1.0))
    group_connectome: GroupConnectome = field(
        default_factory=lambda: GroupConnectome(0.7, 0.02, 0.25)
    )
    x_init: Normal = field(default_factory=lambda: Normal(-2.0, 0.5))
    z_init: Normal = field(default_factory=lambda: Normal(0.0, 0.05))
    K: LogNormal = field(default_factory=lambda: LogNormal(2.0, 0.6))
    tau0: LogNormal = field(default_factory=lambda: LogNormal(15.0, 0.5))
    amplitude: LogNormal = field(default_factory=lambda: LogNormal(1.5, 0.7))
    level: Normal = field(default_factory=lambda: Normal(3.0, 2.0))
    offset: Scatter = field(default_factory=lambda: Scatter(1.0))
    noise: LogNormal = field(default_factory=lambda: LogNormal(0.5, 0.7))

    def of_regions(self, problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the prior of x0 for every region, hypothesis and lesion included.

        Parameters
        ----------
        problem : Problem
            Regions, hypothesis and lesion.

        Returns
        -------
        mean, sd : numpy.ndarray, shape (n_regions,)
            Mean and standard deviation, in the order of the problem's regions.
        """
        normals = [self.x0] * problem.n_regions
        position = {name: i for i, name in enumerate(problem.regions)}
        for name in problem.lesion:
            normals[position[name]] = self.x0_lesion or self.x0
        by_zone = {"EZ": self.x0_ez, "PZ": self.x0_pz}
        for name, zone in problem.zone_of().items():
            normals[position[name]] = by_zone[zone] or normals[position[name]]
        return (
            np.array([normal.mean for normal in normals]),
            np.array([normal.sd for normal in normals]),
        )

    def correlation(self, problem: Problem) -> NDArray[np.float64]:
        r"""Return the prior correlation of the regions' own x0.

        The regions of an EZ are usually connected, so x0 of connected regions is correlated.
        With P the weights divided by their row sums and w the weight of the neighbours, the
        deviation of x0 from its mean is modelled as :math:`u + w P u` with independent u. The
        correlation is that of :math:`(I + w P)(I + w P)^T`.

        Parameters
        ----------
        problem : Problem
            Connection weights.

        Returns
        -------
        numpy.ndarray, shape (n_regions, n_regions)
            Correlations.
        """
        rows = problem.weights.sum(axis=1, keepdims=True)
        fractions = np.zeros_like(problem.weights)
        np.divide(problem.weights, rows, out=fractions, where=rows > 0)
        mixed = np.eye(problem.n_regions) + self.x0_neighbours.weight * fractions
        covariance = mixed @ mixed.T
        sd = np.sqrt(np.diag(covariance))
        return np.asarray(covariance / np.outer(sd, sd))

    def own_covariance(self, problem: Problem) -> NDArray[np.float64]:
        """Return the prior covariance of the regions' own x0.

        Parameters
        ----------
        problem : Problem
            Regions, weights, hypothesis and lesion.

        Returns
        -------
        numpy.ndarray, shape (n_regions, n_regions)
            Covariances.
        """
        _, sd = self.of_regions(problem)
        return np.asarray(np.outer(sd, sd) * self.correlation(problem))

    def fitted_covariance(self, problem: Problem) -> NDArray[np.float64]:
        """Return the prior covariance of the fitted x0: own x0 plus model error.

        Parameters
        ----------
        problem : Problem
            Regions, weights, hypothesis and lesion.

        Returns
        -------
        numpy.ndarray, shape (n_regions, n_regions)
            Covariances.
        """
        variance = self.x0_error.sd**2
        if problem.group_connectome:
            variance += self.group_connectome.x0_sd**2
        error = variance * np.eye(problem.n_regions)
        return np.asarray(self.own_covariance(problem) + error)


_SHAPES: dict[str, type] = {
    "x0": Normal, "x0_ez": Normal, "x0_pz": Normal, "x0_lesion": Normal, "x0_error": Scatter,
    "x0_neighbours": Weight, "x0_sources": Weight, "group_connectome": GroupConnectome,
    "x_init": Normal, "z_init": Normal, "K": LogNormal, "tau0": LogNormal, "amplitude": LogNormal,
    "level": Normal, "offset": Scatter, "noise": LogNormal,
}  # fmt: skip


def load_priors(source: str | Path | Priors = "default") -> Priors:
    """Read a prior set.

    Parameters
    ----------
    source : str or Path or Priors
        A name from config/priors, or the path of a YAML file.

    Returns
    -------
    Priors
        The prior set; keys that the file lacks have their defaults.

    Raises
    ------
    ConfigError
        The file does not exist, a parameter is unknown, or a number is invalid.
    """
    if isinstance(source, Priors):
        return source
    path = _find(source)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"not YAML ({str(error).splitlines()[0]})", where=path.name, hint="correct the file"
        ) from None
    return parse_priors(content, path.stem, path.name)


def prior_names() -> tuple[str, ...]:
    """Return the names of the prior sets in config/priors."""
    return tuple(sorted(path.stem for path in PRIORS_FOLDER.glob("*.yaml")))


def _find(source: str | Path) -> Path:
    named = PRIORS_FOLDER / f"{source}.yaml"
    path = named if named.is_file() else Path(source)
    if not path.is_file():
        near = difflib.get_close_matches(str(source), prior_names(), 1)
        raise ConfigError(
            f"no prior set {source}",
            where="priors",
            expected="the path of a YAML file, or one of " + ", ".join(prior_names()),
            hint=f"did you mean {near[0]}" if near else "",
        )
    return path


def parse_priors(content: object, name: str, where: str) -> Priors:
    """Return the prior set in the content of a prior file; raises as `load_priors` does."""
    if not isinstance(content, Mapping):
        raise ConfigError("no parameters", where=where, expected="a mapping such as x0: {...}")
    allowed = [item.name for item in fields(Priors) if item.name != "name"]
    values: dict[str, Any] = {}
    for key, value in content.items():
        _check_key(str(key), allowed, "parameter", where)
        values[str(key)] = str(value) if key == "description" else _prior_of(str(key), value, where)
    return Priors(name=name, **values)


def _check_key(key: str, allowed: list[str], kind: str, where: str) -> None:
    if key in allowed:
        return
    near = difflib.get_close_matches(key, allowed, 1, cutoff=0.3)
    raise ConfigError(
        f"unknown {kind} {key!r}",
        where=where,
        expected="one of " + ", ".join(allowed),
        hint=f"did you mean {near[0]!r}" if near else "remove it",
    )


def _prior_of(key: str, value: object, where: str) -> object:
    """Return the prior of one parameter from its mapping of numbers."""
    kind = _SHAPES[key]
    names = [item.name for item in fields(kind)]
    if value is None and key in ("x0_ez", "x0_pz", "x0_lesion"):
        return None
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{key} is {value!r}",
            where=where,
            expected="{" + ", ".join(f"{n}: number" for n in names) + "}",
        )
    for part in value:
        _check_key(str(part), names, f"key of {key}", where)
    missing = [name for name in names if name not in value]
    if missing:
        raise ConfigError(f"{key} has no {missing[0]}", where=where, expected=", ".join(names))
    numbers = {name: _number(f"{key}.{name}", value[name], where) for name in names}
    return kind(**numbers)


def _number(key: str, value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ConfigError(f"{key} is {value!r}", where=where, expected="a number")
    if key.split(".")[1] in ("sd", "sd_log", "median") and value <= 0:
        raise ConfigError(f"{key} is {value}", where=where, expected="above zero")
    if (key.endswith(".weight") or key.startswith("group_connectome.")) and value < 0:
        raise ConfigError(f"{key} is {value}", where=where, expected="zero or more")
    return float(value)
