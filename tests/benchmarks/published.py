"""Published combinations side by side: lines to write, our figures, the published ones, and those of two other programs.

    python tests/benchmarks/published.py

``blue-combine`` gets the covariance of all inputs that our model has, ``combination-code`` its own tutorial files.
"""

import contextlib
import io
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from scipy.linalg import block_diag

sys.path.insert(0, str(Path(__file__).parents[1] / "fit"))

from published_combinations import MODELS, PUBLISHED

import bayescomb as bc
from bayescomb.fit.fitter import Fitter
from bayescomb.formats.hflav.combination import read_averaging

TUTORIAL = Path(sys.prefix) / "share" / "combination_code" / "tutorial"
RUN1 = "172.52 +- 0.33"


def total_covariance(combination):
    """Of all inputs, written out: statistics and shifts times prior correlations."""
    correlation, _ = Fitter(combination).correlation(None)
    shifts = block_diag(*(m.all_responses[0] for m in combination.measurements))
    return block_diag(*(m.statistical_covariance for m in combination.measurements)) + shifts @ correlation @ shifts.T


def by_blue_combine(combination):
    """Value and error of the only result, or nothing if the program is not there, or there are more results."""
    try:
        import blue_combine
    except ImportError:
        return "not installed"
    if len(combination.observables) > 1:
        return "one result only"
    with warnings.catch_warnings(action="ignore"):
        inputs = blue_combine.Measurements([[e.value for e in combination.estimates]])
        blue = blue_combine.BLUE(inputs, blue_combine.CovarianceMatrix(total_covariance(combination)))
        return f"{blue.mean.item():.6g} +- {blue.sigma.item():.4g}"


def by_combination_code(results, maps, folder):
    try:
        from combination_code.ResultSet import readResultListJSON
    except ImportError:
        return {}
    with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        listed = readResultListJSON([*map(str, results)], [*map(str, maps)], inputpath="", outputpath=f"{folder}/out/")
        names = list(map(str, listed.getParameters()))
        values, inverse = np.asarray(listed.getValues()), np.linalg.inv(np.asarray(listed.getCovMat()))
    unique = list(dict.fromkeys(names))
    design = np.array([[float(n == u) for u in unique] for n in names])
    covariance = np.linalg.inv(design.T @ inverse @ design)
    found = covariance @ design.T @ inverse @ values
    return {u: (v, e) for u, v, e in zip(unique, found, np.sqrt(np.diag(covariance)), strict=True)}


def show(*cells):
    print(" | ".join(f"{cell!s:>{width}}" for cell, width in zip(cells, (28, 6, 6, 22, 18, 22), strict=True)))


def main():
    show("combination", "lines", "before", "bayescomb", "published", "other program")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, published in PUBLISHED.items():
            combination = published.load(folder)
            fit = bc.profile(combination)
            result = next(iter(published.values))
            at = {"parameter": result}
            ours = f"{float(fit.values.sel(at)):.6g} +- {float(fit.errors.sel(at)):.4g}"
            told = f"{published.values[result]:g} +- {published.errors[result]:g}"
            show(name, published.lines, published.before or "", ours, told, by_blue_combine(combination))
        run1 = bc.load(MODELS / "run1_mass")
        fit = bc.profile(run1)
        ours = f"{fit.values.item():.6g} +- {fit.errors.item():.4g}"
        show("Run 1 m_t", "", "", ours, RUN1, by_blue_combine(run1))
        for name, results, maps in (
            ("HFLAV Delta m_s", ["inputs/Dms.json"], ["Example2/IntercorrelationMaps-Dms.json"]),
            ("HFLAV phi_s, two inputs", ["inputs/ATLAS_JpsiKK_a_Spring2021.json", "inputs/CMS_JpsiKK_Spring2021.json"], []),
            ("HFLAV tau, CP even", ["inputs/ResultList-tau-CPeven-Spring2020.json"], []),
        ):
            files, map_files = [TUTORIAL / r for r in results], [TUTORIAL / m for m in maps]
            if not files[0].exists():
                continue
            found = read_averaging(files, intercorrelations=map_files)
            fit = bc.profile(found.combination(Path(name)))
            first = found.parameters[0]
            ours = f"{float(fit.values.sel(parameter=first)):.6g} +- {float(fit.errors.sel(parameter=first)):.4g}"
            value, error = by_combination_code(files, map_files, folder)[first]
            show(name, "files", "", ours, "", f"{value:.6g} +- {error:.4g}")


if __name__ == "__main__":
    main()
