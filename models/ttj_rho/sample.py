"""The ttbar+jet combination and mass extraction in Python: every way to extract, one posterior, and what matters in it."""

from pathlib import Path

import bayescomb as bc

HERE = Path(__file__).parent

# Profile likelihood, coefficients at nominal: each extraction of the model file.
model = bc.load(HERE, extraction="")
for name in model.extractions:
    combination = model.with_extraction(name)
    fit = bc.profile(combination)
    masses = [o.name for o in combination.headline]
    values = ", ".join(f"{m} = {fit.values.sel(parameter=m):.2f} +- {fit.errors.sel(parameter=m):.2f} GeV" for m in masses)
    print(f"{name:18s} {values}, chi2 {fit.chi2:.1f} for {fit.ndf}")

# One posterior: mass, predicted bins, nuisances of both experiments and of theory, correlation coefficients.
combination = bc.load(HERE)
print(combination)
posterior = bc.sample(combination, seed=1, draws=1000)
print(bc.summary_text(posterior))

shares = bc.variance_shares(posterior)["share"].sel(parameter="m_t")
for part, share in sorted(shares.to_series().items(), key=lambda item: -abs(item[1]))[:12]:
    print(f"{part:40s} {100 * share:6.1f} % of Var(m_t)")

relevance = bc.coefficient_relevance(posterior)
print(relevance[["posterior_mean", "posterior_sd", "information"]].to_dataframe().round(3))

# Other predictions side by side, and other assumptions.
for row in (*bc.prediction_variants(combination), *bc.scale_envelope(combination)):
    print(f"{row.pdf_set} {row.scale_choice} x ({row.mu_r:g}, {row.mu_f:g}): {row.value} GeV {row.problem}")
print(bc.compare_sets(combination).table()["value"].sel(parameter="m_t").to_series())
