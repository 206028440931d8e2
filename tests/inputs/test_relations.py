"""Which nuisances of several inputs are one, or correlated: by name, by a table, with a range; and names that look alike."""

import numpy as np
import pytest
from refusals import refused

import bayescomb as bc
from bayescomb.base.errors import (
    DuplicateNameError,
    FileFormatError,
    InvalidNumberError,
    OptionError,
    RangeError,
    UnknownNameError,
)
from bayescomb.likelihood.look_alikes import edit_distance


def fit(name, nuisances, *, value=100.0, free=(), experiment=None):
    """One result with the same response, 3 of an error of 5, to each of its nuisances, which nothing constrains."""
    size = len(nuisances)
    covariance = np.eye(size + 1)
    covariance[0, 0] = 16.0 + 9.0 * size
    covariance[0, 1:] = covariance[1:, 0] = 3.0
    return bc.Measurement.from_fit(
        name,
        name if experiment is None else experiment,
        values=[value, *[0.0] * size],
        covariance=covariance,
        parameters=["x", *nuisances],
        results=["x"],
        free=free,
    )


def error(combination):
    return float(bc.profile(combination).errors[0])


def mean_error(rho):
    """Of the mean of two values with error 5 and the correlation 9 rho / 25."""
    return 5 * np.sqrt((1 + 9 * rho / 25) / 2)


class TestRelations:
    @pytest.mark.parametrize(
        ("names", "options", "rho"),
        [
            (("jes", "jes"), {"shared_names": "same"}, 1.0),
            (("jes", "scale_j"), {"relations": {"JES": {"N": "jes", "S": "scale_j"}}}, 1.0),
            (("jes", "scale_j"), {"relations": {"JES": {"N": "jes", "S": "-scale_j"}}}, -1.0),
            (("jes", "jes"), {"relations": [bc.Relation(name="J", members={"N": "jes", "S": "jes"}, nominal=0.5)]}, 0.5),
            (("jes", "jes"), {"relations": [bc.Relation(name="J", members={"N": "jes", "S": "-jes"})]}, -1.0),
            (("jes", "jes"), {"relations": [bc.Relation(name="J", members={"N": "jes", "S": "jes"}, nominal=0.0)]}, 0.0),
            (("jes", "scale_j"), {}, 0.0),
        ],
    )
    def test_error_is_that_of_the_correlation(self, names, options, rho):
        fits = [fit(m, [name]) for m, name in zip("NS", names, strict=True)]
        assert error(bc.combine(fits, **options)) == pytest.approx(mean_error(rho), rel=1e-9)

    def test_three_inputs_and_signs(self):
        """Variance of the mean of three: (3 * 25 + 2 * 9 * (-1 - 1 + 1)) / 9 if the first has the other sign."""
        fits = [fit(m, [f"jes_{m}"]) for m in "ABC"]
        members = {"A": "-jes_A", "B": "jes_B", "C": "jes_C"}
        combination = bc.combine(fits, relations={"JES": members})
        correlation = np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]])
        covariance = 16 * np.eye(3) + 9 * correlation
        assert error(combination) == pytest.approx(np.linalg.inv(covariance).sum() ** -0.5, rel=1e-9)

    def test_a_range_is_a_coefficient(self):
        relation = bc.Relation(name="JES", members={"N": "jes", "S": "jes"}, nominal=0.5, low=0.2, high=0.8)
        combination = bc.combine([fit("N", ["jes"]), fit("S", ["jes"])], relations=[relation])
        (coefficient,) = combination.assumption_set.coefficients
        assert (coefficient.name, coefficient.range) == ("JES", (0.2, 0.8))
        assert {n.source for n in combination.nuisances} == {"JES"}
        assert [s.name for s in combination.sources] == ["JES"]

    def test_the_table(self, tmp_path):
        path = tmp_path / "relations.csv"
        path.write_text("name,N,S,T,nominal,low,high,prior\nJES,jes,-scale_j,,0.3,0,1,beta\nlumi,lumi,,lumi,,,,\n")
        fits = [fit("N", ["jes", "lumi"]), fit("S", ["scale_j"]), fit("T", ["lumi"])]
        jes, lumi = bc.combine(fits, relations=path).assumption_set.coefficients
        assert (jes.nominal, jes.range, jes.prior) == (0.3, (0.0, 1.0), "beta")
        assert [(p.first, p.second, p.sign) for p in jes.pairs] == [("jes", "scale_j", -1)]
        assert (lumi.nominal, [(p.first, p.second) for p in lumi.pairs]) == (1.0, [("lumi", "lumi_T")])

    @pytest.mark.parametrize(
        ("text", "kind", "said"),
        [
            ("name,N\nJES,jes\n", FileFormatError, ["two or more measurements"]),
            ("name,N,S\nJES,jes,\n", UnknownNameError, [":2", "1 member found"]),
            ("name,N,X\nJES,jes,jes\n", UnknownNameError, ["measurement 'X'"]),
            ("name,N,S\nJES,jes,jets\n", UnknownNameError, ["nuisance of 'S' 'jets'", "did you mean 'jes'?"]),
            ("name,N,S,nominal\nJES,jes,jes,high\n", InvalidNumberError, [":2", "'nominal'"]),
            ("name,N,S,nominal\nJES,jes,jes,2\n", RangeError, [":2", "[-1, 1]"]),
            ("name,N,S,low,high\nJES,jes,jes,0,1\n", OptionError, [":2", "without a nominal value"]),
            ("name,N,S,nominal,low\nJES,jes,jes,0,0\n", RangeError, [":2", "both ends"]),
            ("name,N,S,prior\nJES,jes,jes,flat\n", OptionError, [":2", "'flat'"]),
            ("name,N,S\nJES,jes,jes\nJES,jes,jes\n", DuplicateNameError, ["'JES' stands twice"]),
            ("name,N,S\nJES,jes,jes\nother,jes,jes\n", DuplicateNameError, ["already stated"]),
        ],
    )
    def test_wrong_table(self, tmp_path, text, kind, said):
        (tmp_path / "relations.csv").write_text(text)
        with refused(kind, *said):
            bc.combine([fit("N", ["jes"]), fit("S", ["jes"])], relations=tmp_path / "relations.csv")

    def test_a_shared_name_needs_a_word(self):
        fits = [fit(m, ["jes"]) for m in "NST"]
        with refused(DuplicateNameError, "'N' and 'S' and 'T'", "'jes'", "shared_names", "by a relation"):
            bc.combine(fits)
        with refused(DuplicateNameError, "'jes'"):  # nothing is said of the third
            bc.combine(fits, relations={"JES": {"N": "jes", "S": "jes"}})

    def test_a_free_parameter_of_two_fits_is_a_result(self):
        fits = [fit(m, ["norm"], free=["norm"]) for m in "NS"]
        with refused(OptionError, "'norm'", "make it a result of both"):
            bc.combine(fits, shared_names="same")

    @pytest.mark.parametrize(
        ("options", "kind", "said"),
        [
            ({"shared_names": "samee"}, OptionError, ["did you mean 'same'?"]),
            ({"units": {"y": "pb"}}, UnknownNameError, ["observable 'y'"]),
            ({"relations": ["jes"]}, OptionError, ["class Relation"]),
        ],
    )
    def test_wrong_options(self, options, kind, said):
        with refused(kind, *said):
            bc.combine([fit("N", ["jes"])], **options)
        with refused(OptionError, "class Measurement"):
            bc.combine(["N"])

    def test_a_set_of_ones_own_and_settings(self):
        own = bc.AssumptionSet(
            name="lumi",
            coefficients=(
                bc.CorrelationCoefficient(
                    name="lumi", pairs=(bc.CorrelationPair(first="lumi_N", second="lumi_S"),), nominal=0.5
                ),
            ),
        )
        fits = [fit(m, [f"lumi_{m}", "jes"]) for m in "NS"]
        combination = bc.combine(fits, shared_names="same", assumption_set=own, units={"x": "pb"}, title="two", name="both")
        assert (combination.name, combination.title, combination.observables[0].unit) == ("both", "two", "pb")
        # The errors are sqrt(34), the covariance 9 * 0.5 of lumi and 9 of jes.
        assert error(combination) == pytest.approx(np.sqrt((34 + 13.5) / 2), rel=1e-9)


class TestLookAlikes:
    @pytest.mark.parametrize(
        ("first", "second", "why"),
        [
            ("alpha_JES", "jes", "same words"),
            ("N_scale_j", "CMS_scale_j", "same words"),
            ("btag", "b_tag", "same words"),
            ("lumi", "luminosity_2016", "common stem"),
            ("lumi", "lumi_13TeV", "same words"),
            ("scale_j", "scale_j_flavour", "common stem"),
            ("hadronisation", "hadronization", "1 letter differs"),
            ("top_modelling", "top_modeling", "1 letter differs"),
            ("pileup", "pielup", "1 letter differs"),
            ("reweighting_top", "rewieghtng_top", "2 letters differ"),
            ("jes_1", "jes_2", ""),
            ("lumi_2016", "lumi_2017", ""),
            ("jes", "jer", ""),
            ("eff_b_heavy_3", "eff_b_heavy_jes", ""),
            ("eff_e", "eff_m", ""),
            ("scale_j", "scaling_m", ""),
        ],
    )
    def test_pairs(self, first, second, why):
        found = bc.check(bc.combine([fit("N", [first]), fit("S", [second], experiment="CMS")])).look_alikes
        assert [pair.why for pair in found] == ([why] if why else [])

    def test_what_is_related_is_not_listed(self):
        fits = [fit("N", ["jes"]), fit("S", ["alpha_jes"])]
        alike = bc.combine(fits)
        assert "1 pair of nuisances of different inputs look alike" in str(bc.check(alike))
        assert "jes of N: alpha_jes (same words) of S" in str(bc.check(alike))
        for nominal in (0.0, 0.5, 1.0):
            relation = bc.Relation(name="JES", members={"N": "jes", "S": "alpha_jes"}, nominal=nominal)
            result = bc.check(bc.combine(fits, relations=[relation]))
            assert not result.look_alikes
            assert "look alike" not in str(result)

    def test_names_of_one_input_are_its_own_affair(self):
        assert not bc.check(bc.combine([fit("N", ["jes", "alpha_jes"])])).look_alikes

    def test_names_that_were_made_are_not_compared(self, run1):
        assert not bc.check(run1.with_assumptions("uncorrelated")).look_alikes

    @pytest.mark.parametrize(
        ("first", "second", "distance"), [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("ca", "abc", 3)]
    )
    def test_edit_distance(self, first, second, distance):
        assert edit_distance(first, second) == edit_distance(second, first) == distance

    def test_many_lines_are_cut(self):
        names = [f"source{letter * 3}" for letter in "abcdefghijkl"]
        text = str(bc.check(bc.combine([fit("N", names), fit("S", [f"alpha_{n}" for n in names])])))
        assert "12 pairs" in text
        assert "and 4 nuisances more, all in check(...).look_alikes" in text
