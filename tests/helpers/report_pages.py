"""Posteriors without a sampler for the tests of the report, and readers of its page and tables."""

import csv
import html.parser
import json

import numpy as np
import xarray as xr

from bayescomb.inputs.serialise import combination_to_json
from bayescomb.sampling.plan import sampling_plan
from bayescomb.sampling.priors import prior_draws
from bayescomb.sampling.recovery import conditional_moments, recover_nuisances, recoverable_nuisances

SECTIONS = [
    "result", "coefficient-share", "shares", "inputs", "weights", "scan", "impacts", "coefficients", "pulls", "diagnostics",
    "sensitivity", "predictive", "fit", "compatibility", "averages", "methods", "provenance",
]  # fmt: skip


def tree(combination, *, draws=800, chains=4, seed=7):
    """A posterior without a sampler: coefficients from their prior, everything else exactly given them."""
    plan = sampling_plan(combination)
    rng = np.random.default_rng(seed)
    names = [c.name for c in plan.coefficients]
    shape = (chains, draws)

    def coefficients():
        return prior_draws(
            plan.coefficients, low=plan.low, high=plan.high, draws=chains * draws, rng=rng, feasible=plan.feasible()
        )

    rho = coefficients()
    mean, sd = conditional_moments(plan, rho)
    values = mean + sd * rng.standard_normal(mean.shape)
    recoverable = recoverable_nuisances(plan)
    pulls = recover_nuisances(plan, recoverable, rho, values, rng=rng)
    dims, coords = ("chain", "draw"), {"chain": range(chains), "draw": range(draws)}
    parameters = list(plan.model.parameters)

    def rho_group(draws_of):
        return {"rho": ((*dims, "coefficient"), draws_of.reshape(*shape, -1))}

    posterior = xr.Dataset(
        {name: (dims, values[:, i].reshape(shape)) for i, name in enumerate(parameters)} | rho_group(rho),
        coords | {"coefficient": names},
    )
    nuisances = [plan.model.nuisances[i] for i in recoverable.index]
    posterior["pull"] = xr.DataArray(pulls.reshape(*shape, -1), dims=(*dims, "nuisance"), coords={"nuisance": nuisances})
    moments = {
        "mean": ((*dims, "parameter"), mean.reshape(*shape, -1)),
        "sd": ((*dims, "parameter"), sd.reshape(*shape, -1)),
    }
    result = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": xr.Dataset({"diverging": (dims, np.zeros(shape, dtype=bool))}, coords),
            "conditional": xr.Dataset(moments, coords | {"parameter": parameters}),
            "prior": xr.Dataset(rho_group(coefficients()), coords | {"coefficient": names}),
        }
    )
    result.attrs = {
        "name": combination.name,
        "model": combination_to_json(combination),
        "assumptions": combination.assumptions,
        "treatment": combination.treatment,
        "repair": combination.repair,
        "repairs": "[]",
        "correlations": "prior",
        "engine": "marginal",
        "chi2_form": "neyman",
        "seed": seed,
        "draws": draws,
        "chains": chains,
        "not_recovered": json.dumps(recoverable.reasons),
        "held_coefficients": "[]",
        "versions": json.dumps({"bayescomb": "0.1.0", "pymc": "6.0.0", "arviz": "1.0.0"}),
        "created": "2026-01-01T00:00:00+00:00",
    }
    return result


def redrawn(posterior, *, draws, seed=1):
    """A posterior of as many chains, draws of a short run picked at random: independent, so that it has converged."""
    rng = np.random.default_rng(seed)
    sizes = posterior["posterior"].sizes
    chain, draw = (
        xr.DataArray(rng.integers(sizes[dim], size=(sizes["chain"], draws)), dims=("of chain", "of draw"))
        for dim in ("chain", "draw")
    )
    groups = {}
    for name, group in posterior.children.items():
        dataset = group.to_dataset()
        if {"chain", "draw"} <= set(dataset.dims):
            picked = dataset.isel(chain=chain, draw=draw).drop_vars(["chain", "draw"], errors="ignore")
            dataset = picked.rename({"of chain": "chain", "of draw": "draw"}).transpose("chain", "draw", ...)
            dataset = dataset.assign_coords(chain=np.arange(sizes["chain"]), draw=np.arange(draws))
        groups[name] = dataset
    groups["sample_stats"]["diverging"][:] = False
    result = xr.DataTree.from_dict(groups)
    result.attrs = posterior.attrs | {"draws": draws}
    return result


class Page(html.parser.HTMLParser):
    """Identifiers, links, images and the text of a page; unbalanced tags are an error."""

    VOID = frozenset({"meta", "img", "br", "hr", "link"})

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images, self.words, self.open = [], [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs[key] for key in ("href", "src") if key in attrs and not attrs[key].startswith("data:")]
        self.images += [attrs["src"]] if tag == "img" else []
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def section(self, name):
        """Text from one section heading to the next."""
        headings = ["Result ", "What not knowing the correlations costs", "Inputs and checks", "Weights of the estimates"]
        text = self.text[self.text.index("Provenance") :]  # after the table of contents
        start = text.index(headings[SECTIONS.index(name)])
        return text[start : text.index(headings[SECTIONS.index(name) + 1], start)]


def read_csv(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))
