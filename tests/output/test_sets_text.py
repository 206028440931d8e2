"""Impacts of the assumption sets in percent of the value: only of a value that no blinding shifts."""

import bayescomb as bc
from bayescomb.output.statements import shifted_results
from bayescomb.output.text.extraction import sets_text

HEADING = "impact in percent of the value, held"


def test_a_value_that_a_blinding_shifts_has_no_impacts_in_percent(run1):
    some = run1.only(["ATLAS"])
    seen, unseen = (sets_text(bc.compare_sets(c, names=["nominal"])) for c in (some, bc.blind(some, "a phrase")))
    assert HEADING in seen
    assert HEADING not in unseen
    assert "no impacts in percent of the value: the blinding shifts the value by a hidden amount" in unseen


def test_a_common_factor_shifts_the_masses_only():
    combination = bc.load("models/ttj_rho", extraction="normalised")
    hidden = bc.blind(combination, "a phrase")
    assert hidden.blinding.kind == "factor"
    assert shifted_results(combination) == set()
    assert shifted_results(hidden) == {"m_t"}
    assert shifted_results(hidden.with_extraction("")) == set()
