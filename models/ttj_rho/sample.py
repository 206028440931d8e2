"""The ttbar+jet combination and mass extraction in Python: every way to extract, one posterior, and what matters in it."""

from pathlib import Path

import bayescomb as bc

HERE = Path(__file__).parent

# Profile likelihood, coefficients at nominal: the extraction that the model names, with predictions of each order.
combination = bc.load(HERE)
print(combination)
print(bc.profile(combination))
for row in bc.order_variants(combination):
    print(f"{row.order:4s} {row.mass} = {row.value:.2f} +- {row.error:.2f} GeV, scales {row.up:+.2f} {row.down:+.2f} GeV")

# One posterior: mass, predicted bins, nuisances of both experiments and of theory, correlation coefficients.
posterior = bc.sample(combination, seed=1, draws=1400, tune=250, chains=2, progress=False)
print(bc.summary_text(posterior))

shares = bc.variance_shares(posterior)["share"].sel(parameter="m_t")
for part, share in sorted(shares.to_series().items(), key=lambda item: -abs(item[1]))[:12]:
    print(f"{part:40s} {100 * share:6.1f} % of Var(m_t)")

relevance = bc.coefficient_relevance(posterior)
print(relevance[["posterior_mean", "posterior_sd", "information"]].to_dataframe().round(3))

# Other ways to extract it, and other assumptions.
for name in ("nlo_two_masses", "nlo_atlas", "nlo_cms"):
    print(bc.profile(combination.with_extraction(name)))
print(bc.compare_sets(combination).table()["value"].sel(parameter="m_t").to_series())
