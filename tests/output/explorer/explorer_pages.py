"""What the tests of the explorer share: settings, the same settings as combinations, and a browser that evaluates them."""

import dataclasses
import json
import re
import shutil
import subprocess

import numpy as np

import bayescomb as bc
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.correlation import correlation_family, feasible_correlation
from bayescomb.likelihood.linear_gaussian import linear_model, solve

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)

PROBE = """
<pre id="probe"></pre><script>
addEventListener("load", async () => {
  let answer;
  try {
    answer = [await (async () => { %s })(), null];
  } catch (error) {
    answer = [null, error.stack];
  }
  document.getElementById("probe").textContent = JSON.stringify(answer);
});
</script></body>"""


def probed(page, folder, script, *, address="", name="probe.html", size=(1024, 768)):
    """What a script returns that runs inside the page after it has loaded, and the lines of the console."""
    copy = folder / name
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE % script), encoding="utf-8")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}", "--virtual-time-budget=20000",
        "--enable-logging=stderr", "--dump-dom", copy.as_uri() + address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, flags=re.DOTALL)[1]
    text = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text, f"the script did not end: {done.stderr[-2000:]}"
    answer, error = json.loads(text)
    assert error is None, error
    return answer, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def nominal_settings(combination):
    """Every assumption set at its nominal coefficients."""
    return [{"assumptions": name} for name in combination.assumption_sets]


def random_settings(combination, number, *, seed):
    """Coefficients that are uniform in their ranges, each drawn back towards nominal until the profile takes them."""
    rng = np.random.default_rng(seed)
    names = [n for n, s in combination.assumption_sets.items() if any(c.varied for c in s.coefficients)]
    settings = []
    for i in range(number):
        name = names[i % len(names)]
        coefficients = [c for c in combination.assumption_sets[name].coefficients if c.varied]
        nominal = np.array([c.nominal for c in coefficients])
        drawn = np.array([rng.uniform(*c.range) for c in coefficients])
        while True:
            setting = {
                "assumptions": name,
                "coefficients": {c.name: v for c, v in zip(coefficients, drawn.tolist(), strict=True)},
            }
            if not is_feasible(combination, setting):
                drawn = nominal + 0.8 * (drawn - nominal)
                continue
            settings.append(setting)
            break
    return settings


def is_feasible(combination, setting):
    """Whether the profile takes a setting, without making it."""
    at = combination_at(combination, setting)
    family = correlation_family(at)
    given = setting.get("coefficients", {})
    try:
        correlation, _ = feasible_correlation(
            at, family, np.array([given.get(c.name, c.nominal) for c in family.coefficients])
        )
        solve(linear_model(at), correlation)
    except bc.base.errors.InfeasibleCorrelationError:
        return False
    return True


def combination_at(combination, setting):
    """The combination of a setting; its coefficients come with the profile."""
    result = combination.with_assumptions(setting.get("assumptions", combination.assumptions))
    result = result.with_treatment(
        setting.get("treatment", combination.treatment), repair=setting.get("repair", combination.repair)
    )
    if setting.get("sources"):
        result = with_sources(result, setting["sources"])
    for name in setting.get("off", []):
        result = result.without(name)
    if SCALE_COEFFICIENT in setting.get("coefficients", {}):
        extraction, value = result.extraction_in_force, setting["coefficients"][SCALE_COEFFICIENT]
        value = value if len(extraction.distributions) > 1 else 0.0
        scales = dataclasses.replace(extraction.scales, nominal=value, low=-1, high=1)
        result = result.with_extraction(dataclasses.replace(extraction, scales=scales))
    return result


def with_sources(combination, sources):
    """The nuisances of some sources (or the pairs of a coefficient) fully correlated, or uncorrelated: everywhere, or apart.

    ``"apart"`` is between experiments only.
    """
    old = combination.assumption_set
    own = {c.name for c in old.coefficients} - {s.name for s in combination.sources}
    held = [
        dataclasses.replace(c, nominal=1.0, low=None, high=None) if c.name in own and c.name in sources else c
        for c in old.coefficients
        if not (c.name in own and sources.get(c.name) in {"uncorrelated", "apart"})
    ]
    old = dataclasses.replace(old, coefficients=tuple(held))
    sources = {name: how for name, how in sources.items() if name not in own}
    members = {}
    for nuisance in combination.nuisances:
        members.setdefault(nuisance.source, []).append(nuisance.name)
    owner = {n.name: m.experiment for m in combination.measurements for n in m.all_nuisances}
    inside = {
        frozenset((a, b))
        for s, how in sources.items()
        for a in members[s]
        for b in members[s]
        if a != b and (how != "apart" or owner[a] != owner[b])
    }
    coefficients = []
    for c in old.coefficients:
        pairs = [p for p in c.pairs if frozenset((p.first, p.second)) not in inside]
        if pairs:
            coefficients.append(dataclasses.replace(c, pairs=tuple(pairs)))
    blocks = [
        b
        for b in old.blocks
        if not any(frozenset(pair) in inside for pair in zip(b.nuisances, b.nuisances[1:], strict=False))
    ]
    for source, how in sources.items():
        names = tuple(members[source])
        if how == "full":
            matrix = np.ones((len(names),) * 2)
            blocks.append(bc.CorrelationBlock(name=f"{source} full", nuisances=names, correlation=matrix))
    new = dataclasses.replace(old, coefficients=tuple(coefficients), blocks=tuple(blocks))
    return dataclasses.replace(combination, assumption_sets={**combination.assumption_sets, old.name: new})


def profile_at(combination, setting):
    """The profile of a setting."""
    at = combination_at(combination, setting)
    return bc.profile(at, coefficients=coefficients_at(at, setting))


def coefficients_at(combination, setting):
    """The coefficients of a combination at a setting; those of which the source is set apart have no say."""
    given, apart = setting.get("coefficients", {}), setting.get("sources", {})
    family = correlation_family(combination)
    return np.array([c.nominal if c.name in apart else given.get(c.name, c.nominal) for c in family.coefficients])


def expect_equal(page, fit, *, relative):
    """All numbers of the page are those of the profile."""
    names = [str(p) for p in fit.values["parameter"].to_numpy()]
    assert page["parameters"] == names
    assert page["estimates"] == list(fit.weights["estimate"].to_numpy())
    np.testing.assert_allclose(page["errors"], fit.errors, rtol=relative)
    # A value near 0 is compared on the scale of its error: two iterations end at points that far apart.
    given, ours = np.array(page["values"]), fit.values.to_numpy()
    assert (np.abs(given - ours) <= relative * (np.abs(ours) + fit.errors.to_numpy())).all()
    for found, repair in zip(page["repaired"], fit.repairs, strict=True):
        assert found["label"] == repair.block
        np.testing.assert_allclose([found["smallest"], found["change"]], [repair.smallest, repair.change], rtol=relative)
    # Entries that are differences of larger ones are compared on the scale of these.
    error = fit.errors.to_numpy()
    error = np.where(error > 0, error, 1.0)  # a scale at an end of its box has none
    np.testing.assert_allclose(
        page["covariance"] / np.outer(error, error), fit.covariance / np.outer(error, error), atol=relative, rtol=0
    )
    for key, theirs in (
        ("statistical", fit.statistical_errors),
        ("systematic", fit.systematic_errors),
        ("theory", fit.theory_errors),
    ):
        np.testing.assert_allclose(np.square(page[key] / error), np.square(theirs / error), atol=relative, rtol=0)
    weights, theirs = np.array(page["weights"]) / error[:, None], fit.weights.to_numpy() / error[:, None]
    np.testing.assert_allclose(weights, theirs, rtol=relative, atol=relative * np.abs(theirs).max())
    # Without a degree of freedom chi2 is a difference of equal numbers.
    np.testing.assert_allclose(page["chi2"], fit.chi2, rtol=relative, atol=relative)
    assert page["ndf"] == fit.ndf
    assert (page["pValue"] is None) == (fit.p_value is None)
    if fit.p_value is not None:
        np.testing.assert_allclose(page["pValue"], fit.p_value, rtol=relative)
