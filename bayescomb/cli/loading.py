"""Loading of the model of a command: with the settings of its options, or as its posterior was sampled."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Final

from bayescomb.base.errors import BayescombError, OptionError, PosteriorError

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.inputs.combination import Combination

__all__ = ["load_as_sampled", "load_model", "load_with_posterior"]

# Options that give numbers by name -> their form and an example.
BY_NAME: Final = {"coefficient": ("NAME=VALUE", "JES=0.5"), "error_on_error": ("SOURCE=RELATIVE", "JES=0.3")}


def load_model(options: argparse.Namespace) -> Combination:
    """The model under the settings of the options.

    Raises:
        OptionError: options contradict each other or the model; the errors of :func:`bayescomb.load`.
    """
    from bayescomb.formats.loading import load
    from bayescomb.inputs.combination import how_to_extract

    combination = load(
        options.model,
        extraction=_extraction(getattr(options, "extraction", None)),
        shared_names=options.shared_names,
        blind=options.blind,
        unblind=options.unblind,
    )
    combination = _with_inputs(combination, options)
    if getattr(options, "drop", None):
        extraction = combination.extraction_in_force
        if extraction is None:
            msg = f"--drop {options.drop[0]}: no mass is extracted; {how_to_extract(combination)}"
            raise OptionError(msg)
        combination = combination.with_extraction(dataclasses.replace(extraction, drop=tuple(options.drop)))
    if getattr(options, "assumptions", None) is not None:
        combination = combination.with_assumptions(options.assumptions)
    combination = combination.with_coefficients(_values(options, "coefficient"), at=getattr(options, "at", None))
    treatment = getattr(options, "treatment", None) or combination.treatment
    asked = getattr(options, "repair", None)
    if asked not in (None, "none") and treatment != "nuisance":
        msg = (
            f"--repair {asked}: the treatment {treatment!r} needs no repair; give --treatment nuisance too, or leave it out"
        )
        raise OptionError(msg)
    combination = combination.with_treatment(treatment, repair=asked or combination.repair)
    if getattr(options, "chi2", None):
        combination = combination.with_chi2(options.chi2)
    if getattr(options, "nuisance_values", None):
        combination = combination.with_nuisance_values(options.nuisance_values)
    given = _values(options, "error_on_error")
    if given:
        combination = combination.with_errors_on_errors({**combination.errors_on_errors, **given})
    asked_nonnegative = _nonnegative(options, combination)
    if asked_nonnegative:
        combination = combination.with_nonnegative(set(asked_nonnegative).union(combination.nonnegative))
    return combination


def _nonnegative(options: argparse.Namespace, combination: Combination) -> list[str]:
    """Names of ``--nonnegative``; without a name all observables that can have the bound."""
    given = getattr(options, "nonnegative", None) or []
    return list(combination.boundable) if None in given else list(given)


def _with_inputs(combination: Combination, options: argparse.Namespace) -> Combination:
    """The combination without the measurements that ``--without`` and ``--only`` leave out; its name states the options.

    Raises:
        OptionError: the extraction in force needs a measurement that is left out.
    """
    chosen = combination
    if getattr(options, "only", None):
        chosen = chosen.only(options.only)
    for name in getattr(options, "without", None) or ():
        of = ", ".join(repr(m.name) for m in chosen.measurements if m.experiment == name)
        if of and name not in [m.name for m in chosen.measurements]:
            msg = f"--without {name}: an experiment found, a measurement is needed; give --without once for each of {of}"
            raise OptionError(msg)
        chosen = chosen.without(name)
    if chosen.extraction != combination.extraction:
        msg = (
            f"extraction {combination.extraction!r} uses inputs that --without or --only leaves out; "
            "name another with --extraction, or none"
        )
        raise OptionError(msg)
    said = [f"only {', '.join(options.only)}"] if getattr(options, "only", None) else []
    said += [f"without {', '.join(options.without)}"] if getattr(options, "without", None) else []
    return dataclasses.replace(chosen, name=" ".join([chosen.name, *said])) if said else chosen


def _values(options: argparse.Namespace, key: str) -> dict[str, float]:
    """Numbers by name of a repeatable option ``NAME=VALUE``.

    Raises:
        OptionError: a value is not of that form, or a name has two.
    """
    found: dict[str, float] = {}
    option = f"--{key.replace('_', '-')}"
    for text in getattr(options, key, None) or ():
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            kind, example = BY_NAME[key]
            comma = "decimal comma? " if value.count(",") == 1 and value.replace(",", "").isdecimal() else ""
            msg = f"{option} {text}: {comma}{kind} is needed, as in {option} {example}"
            raise OptionError(msg) from None
        if name in found:
            msg = f"{option} {text}: {name!r} has a value already, {found[name]:g}; give it once"
            raise OptionError(msg)
        found[name] = number
    return found


def load_as_sampled(options: argparse.Namespace, posterior: xr.DataTree) -> Combination:
    """The model with the extraction of a posterior in force, dropped bins included.

    Raises:
        OptionError: an option contradicts the settings of the posterior.
        PosteriorError: the posterior was made from another model.
    """
    from bayescomb.sampling.posterior.storage import combination_of

    own = combination_of(posterior)
    _require_as_sampled(options, own)
    inputs = {key: getattr(options, key) for key in ("model", "shared_names", "without", "only", "blind", "unblind")}
    combination = load_model(argparse.Namespace(extraction="none", **inputs))
    if own.name.startswith(f"{combination.name} "):
        msg = (
            f"{options.posterior} was made from {own.name!r}, not from {combination.name!r}; give the same --without and "
            "--only that 'sample' was given, or sample again"
        )
        raise PosteriorError(msg)
    try:
        return _with_changed_sets(combination.with_extraction(own.extraction_in_force or ""), own)
    except BayescombError as error:
        msg = (
            f"{options.posterior} was made from {own.name!r}, not from {combination.name!r} as it is now ({error}); name "
            "its model, or sample again from this one"
        )
        raise PosteriorError(msg) from error


def _with_changed_sets(combination: Combination, own: Combination) -> Combination:
    """The combination with those sets of ``own`` that are sets of the model with other nominal values."""
    sets = dict(combination.assumption_sets)
    for name, changed in own.assumption_sets.items():
        if changed.base in combination.assumption_sets:
            base = combination.assumption_sets[changed.base]
            known = {c.name for c in base.coefficients}
            values = {c.name: c.nominal for c in changed.coefficients if c.name in known}
            sets[name] = dataclasses.replace(base.with_nominal(values), name=name)
    return dataclasses.replace(combination, assumption_sets=sets)


def _require_as_sampled(options: argparse.Namespace, own: Combination) -> None:
    """Refuse options that contradict the settings of the posterior, which can no longer change."""
    extraction = own.extraction_in_force
    settings: dict[str, object] = {
        "assumptions": own.assumption_set.base or own.assumptions,
        "treatment": own.treatment,
        "repair": own.repair,
        "chi2": own.chi2,
        "extraction": own.extraction or "none",
        "nuisance_values": own.nuisance_values,
    }
    asked = {key: getattr(options, key, None) for key in settings}
    wrong = {key: (value, settings[key]) for key, value in asked.items() if value is not None and value != settings[key]}
    for name in getattr(options, "drop", None) or ():
        if extraction is None or name not in extraction.drop:
            wrong["drop"] = (name, ", ".join(extraction.drop) if extraction and extraction.drop else "none")
    for source, relative in _values(options, "error_on_error").items():
        found = own.errors_on_errors.get(source)
        if found is None or found.relative != relative:
            stands = "none" if found is None else f"{source}={found.relative:g}"
            wrong["error_on_error"] = (f"{source}={relative:g}", stands)
    nominal = {c.name: c.nominal for c in own.assumption_set.coefficients}
    for name, value in _values(options, "coefficient").items():
        if nominal.get(name) != value:
            wrong["coefficient"] = (
                f"{name}={value:g}",
                f"{name}={nominal[name]:g}" if name in nominal else "no coefficient of that name",
            )
    if getattr(options, "at", None) and f" at {options.at}" not in own.assumptions:
        wrong["at"] = (options.at, repr(own.assumptions))
    for name in _nonnegative(options, own):
        if name not in own.nonnegative:
            wrong["nonnegative"] = (name, ", ".join(own.nonnegative) or "none")
    for key, (value, sampled) in wrong.items():
        option = f"--{key.replace('_', '-')}"
        msg = (
            f"{option} {value}: {options.posterior} was sampled with {sampled}; leave {option} out, or sample "
            f"again: bayescomb sample {options.model} {option} {value} --output OTHER.nc"
        )
        raise OptionError(msg)


def _extraction(name: str | None) -> str | None:
    """Argument of the library for ``--extraction``; ``None`` leaves the choice to the model."""
    return "" if name == "none" else name


def load_with_posterior(options: argparse.Namespace) -> tuple[Combination, xr.DataTree | None]:
    """The model and its posterior; with a posterior the model has the settings that were sampled."""
    from bayescomb.sampling.posterior.storage import load_posterior, require_same_model

    if options.posterior is None:
        return load_model(options), None
    posterior = load_posterior(options.posterior)
    return require_same_model(posterior, load_as_sampled(options, posterior)), posterior
