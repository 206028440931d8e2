// Generalised least squares at fixed coefficients, and the division of its variance.
"use strict";

const fits = (() => {
  const { zeros, column, transpose, dot, times, multiply, quadratic, solve, inverse, eigenvalues } = algebra;

  // As the command line: the smallest eigenvalue of the information, scaled to unit diagonal, below which it is rounding.
  const RANK_TOLERANCE = 1e-12;

  // Values, covariance and influence (derivative by the offset) of parameters p with w = K p - w_0, cov(w) = V.
  function leastSquares(covariance, design, offset) {
    const solved = solve(covariance, design);
    if (!solved) return null;
    const information = multiply(transpose(design), solved);
    if (!determined(information)) return null;
    const parameterCovariance = inverse(information);
    const influence = multiply(parameterCovariance, transpose(solved), offset.length);
    const values = times(influence, offset);
    const residual = offset.map((value, i) => value - dot(design[i], values));
    const back = column(solve(covariance, Array.from(residual, value => [value])), 0);
    return { values, covariance: parameterCovariance, influence, chi2: dot(residual, back), back };
  }

  function determined(information) {
    const scale = information.map((row, i) => Math.sqrt(Math.max(row[i], 0)) || 1);
    const scaled = information.map((row, i) => row.map((value, j) => value / (scale[i] * scale[j])));
    return eigenvalues(scaled)[0] >= RANK_TOLERANCE;
  }

  // The observables and free nuisances, whatever becomes of them in an extraction.
  function combine(structure, covariance) {
    const fit = leastSquares(covariance, structure.design, structure.offset);
    return fit && { ...fit, parameters: structure.parameters, chi2: fit.chi2 + structure.constant };
  }

  // What the inputs' own pulls cost: chi2 with an observable for every estimate; null where that is not determined.
  function ownChi2(structure, covariance) {
    const fitted = structure.measurements.flatMap(m => m.free_externalised.map(outside => !outside));
    const design = structure.estimateDesign.map((row, i) => {
      return Float64Array.from([...row, ...structure.freeDesign[i].filter((_, k) => fitted[k])]);
    });
    const fit = leastSquares(covariance, design, structure.offset);
    if (!fit) return null;
    const chi2 = fit.chi2 + structure.constant;
    return Math.abs(chi2) > 1e-9 ? chi2 : 0;
  }

  // Estimates less what the parameters can adapt; the design maps whatever is fitted to the observables in use.
  function degreesOfFreedom(structure, design) {
    const outside = structure.measurements.map(m => m.free_externalised.filter(Boolean).length);
    const wide = outside.reduce((a, b) => a + b, 0);
    const free = zeros(structure.estimates.length, wide);
    let row = 0, at = 0;
    structure.measurements.forEach((m, k) => {
      m.free_responses.forEach((values, i) => free[row + i].set(values, at));
      row += m.estimates.length;
      at += outside[k];
    });
    const mapped = design ? multiply(structure.estimateMap, design, design[0].length) : structure.estimateMap;
    const together = mapped.map((values, i) => Float64Array.from([...values, ...free[i]]));
    return structure.estimates.length - algebra.rank(together);
  }

  // Parts of the variance of one result by source, from its influence w on the rows: W J W^T and W F C F^T W^T.
  function variances(structure, r, changed, influence) {
    const along = ({ row, values }) => values.reduce((sum, value, i) => sum + value * influence[row + i], 0);
    const sources = new Map();
    const add = (source, value) => sources.set(source, (sources.get(source) ?? 0) + value);
    const nuisances = structure.model.nuisances, reach = new Map();
    let coupling = 0;
    for (const [i, loading] of structure.loadings) {
      reach.set(i, along(loading));
      add(nuisances[i].source, reach.get(i) ** 2);
    }
    structure.integrated.forEach(item => add(item.source, along(item) ** 2));
    const pair = ([i, j, value], factor) => {
      const part = 2 * factor * value * reach.get(i) * reach.get(j);
      if (nuisances[i].source === nuisances[j].source) add(nuisances[i].source, part);
      else coupling += part;
    };
    [...structure.base, ...changed].forEach(item => pair(item, 1));
    structure.pairs.forEach((own, c) => own.forEach(item => pair(item, r[c])));
    const statistics = quadratic(influence, structure.statistical), undivided = quadratic(influence, structure.undivided);
    return { statistics, undivided, sources, coupling };
  }

  return { leastSquares, combine, ownChi2, degreesOfFreedom, variances, determined };
})();
