// evaluate(model, state): everything that the page shows at one setting, equal to the profile of the command line.
"use strict";

const results = (() => {
  const { multiply, transpose, quadratic } = algebra;
  const KNOWN = 12, SCALE_FLOOR = 1e-6;
  const compiled = new Map();

  // The parts that do not depend on the coefficients are kept, so that a slider costs the algebra alone.
  function structureOf(model, state) {
    const key = JSON.stringify([state.assumptions, state.off, state.sources]);
    let structure = compiled.get(key);
    if (!structure || structure.model !== model) {
      structure = structures.compile(model, state);
      Object.assign(structure, expected(model, structure));
      if (compiled.size >= KNOWN) compiled.delete(compiled.keys().next().value);
      compiled.set(key, structure);
    }
    return structure;
  }

  // The prediction restricted to the inputs that are on, and the degrees of freedom.
  function expected(model, structure) {
    let theory = null;
    if (model.theory) {
      const measured = fits.combine(structure, structure.uncorrelated);
      if (!measured) return { theory: null, ndf: 0, undetermined: true };
      const names = structure.observables.map(o => model.observables[o].name);
      theory = theories.restrict(model.theory, structure.observables, names, measured.values);
    }
    const ndf = fits.degreesOfFreedom(structure, theory && extractions.openDirections(theory));
    return { theory, ndf, scaleBlock: theory && scaleBlock(model, structure, theory) };
  }

  // The prior of the scales as a block, if a coefficient moves it; it is inverted, so it has to stay positive definite.
  function scaleBlock(model, structure, theory) {
    const index = structure.set.coefficients.findIndex(c => c.name === model.theory.scale_coefficient);
    if (index < 0 || !theory.scalePattern.some(row => row.some(value => value !== 0))) return null;
    return { label: "scales between energies", base: theory.scaleBase, patterns: new Map([[index, theory.scalePattern]]), floor: SCALE_FLOOR };
  }

  const coefficients = (structure, state) => Float64Array.from(structure.set.coefficients, c => {
    return state.coefficients[c.name] ?? c.nominal;
  });

  // Why a state has no result, as far as this shows without a fit; null otherwise.
  function problem(model, state) {
    if (model.measurements.every(m => state.off.includes(m.name))) return "every input is off";
    const structure = structureOf(model, state);
    const stop = feasibility.violation(structure, state, coefficients(structure, state));
    return stop && `not feasible: ${stop}`;
  }

  function evaluate(model, state) {
    const known = problem(model, state);
    if (known) return { problem: known };
    const structure = structureOf(model, state), r = coefficients(structure, state);
    const repaired = repairs.at(structure, state, r), changed = repaired.flatMap(found => found.entries);
    const covariance = structures.covarianceAt(structure, r, changed);
    const combined = structure.undetermined ? null : fits.combine(structure, covariance);
    if (!combined) return { problem: "the inputs that are on do not determine every parameter" };
    const theory = structure.theory && theories.at(structure.theory, structure.scaleBlock ? structures.blockAt(structure.scaleBlock, r) : null);
    const fitted = theory ? extracted(structure, theory, combined) : plain(combined);
    if (fitted.problem) return fitted;
    const own = model.pulls ? fits.ownChi2(structure, covariance) : 0;
    return describe({ model, structure, theory, r, changed, repaired, covariance, combined, fitted, own });
  }

  const plain = ({ parameters, values, influence, chi2 }) => ({ parameters, values, influence, reach: null, chi2 });

  function extracted(structure, theory, combined) {
    const fit = extractions.fit(theory, combined, combined.parameters);
    if (fit.problem) return fit;
    // The result depends on the rows only through the combined observables: derivatives are chained.
    const influence = multiply(fit.influence, combined.influence, structure.rows);
    return { ...fit, influence, chi2: combined.chi2 + fit.chi2 };
  }

  function describe(at) {
    const { model, structure, theory, covariance, fitted, own } = at;
    const { parameters, values, influence, reach } = fitted, n = parameters.length;
    const prior = reach ? multiply(multiply(reach, fitted.correlation), transpose(reach)) : algebra.zeros(n, n);
    const fromData = multiply(multiply(influence, covariance), transpose(influence));
    const total = fromData.map((row, i) => row.map((value, j) => (value + prior[i][j] + fromData[j][i] + prior[j][i]) / 2));
    const statistical = influence.map(row => quadratic(row, structure.statistical));
    const undivided = influence.map(row => quadratic(row, structure.undivided));
    const root = value => Math.sqrt(Math.max(value, 0));
    const chi2 = own === null ? NaN : fitted.chi2 - own;
    const result = {
      parameters, values, covariance: total, ndf: structure.ndf, chi2, ownChi2: own,
      estimates: structure.estimates.map(e => model.estimates[e].name),
      errors: Float64Array.from(total, (row, i) => root(row[i])),
      statistical: Float64Array.from(statistical, root),
      systematic: Float64Array.from(fromData, (row, i) => root(row[i] - statistical[i] - undivided[i])),
      undivided: Float64Array.from(undivided, root), onlyTotals: structure.measurements.every(m => m.total),
      theory: Float64Array.from(prior, (row, i) => root(row[i])),
      weights: multiply(influence, structure.derivative),
      repaired: at.repaired.map(({ label, smallest, change }) => ({ label, smallest, change })),
      pValue: structure.ndf > 0 && chi2 > -1e-9 ? algebra.pValue(chi2, structure.ndf) : null,
    };
    const headline = theory ? theory.masses.length * (theory.masses.length + 1) / 2
      : structure.observables.length;
    result.headline = parameters.slice(0, headline);
    result.parts = result.headline.map((_, q) => parts(at, influence[q], reach && reach[q]));
    // Delta chi2 = 1 errors take more fits; the page asks for them at the end of a gesture.
    result.crossings = () => crossings(theory, at.combined, fitted, result);
    return result;
  }

  function parts({ model, structure, r, changed, theory: restricted }, influence, reach) {
    const found = fits.variances(structure, r, changed, influence);
    const theory = new Map();
    if (reach) {
      const { nuisances, sources } = model.theory;
      nuisances.forEach((_, k) => theory.set(sources[k], (theory.get(sources[k]) ?? 0) + reach[k] ** 2));
      const scales = reach.slice(nuisances.length);
      if (scales.length) theory.set("scales", quadratic(scales, restricted.scaleCorrelation));
    }
    return { ...found, theory };
  }

  function crossings(theory, combined, fitted, result) {
    if (!theory) return null;
    return theory.masses.map((_, i) => [1, -1].map(sign => {
      return extractions.crossing(theory, combined, fitted.best, i, sign * result.errors[i]);
    }));
  }

  return { evaluate, problem, structureOf, coefficients };
})();
