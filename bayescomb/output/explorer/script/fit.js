// Generalised least squares at fixed coefficients, and the division of its variance.
"use strict";

const fits = (() => {
  const { zeros, column, transpose, dot, times, multiply, quadratic, cholesky, forward, backward, solve } = algebra;

  // As in the command line: below this, the smallest singular value of a design with unit columns is rounding.
  const RANK_TOLERANCE = 1e-12;

  // Values, covariance and influence (derivative by the offset) of parameters p with w = K p - w_0, cov(w) = V.
  function leastSquares(covariance, design, offset) {
    const lower = cholesky(covariance), map = lower ? whitened(lower, design) : weighted(covariance, design);
    if (!map) return null;
    const { influence, root } = map, back = residual => column(solve(covariance, asColumn(residual)), 0);
    const left = values => offset.map((value, i) => value - dot(design[i], values));
    // A second step from the residuals, which are small, as is their rounding.
    const first = times(influence, offset), step = times(influence, left(first));
    const values = first.map((value, i) => value + step[i]), residual = left(values), solved = back(residual);
    return { values, covariance: multiply(root, transpose(root)), influence, chi2: dot(residual, solved), back: solved };
  }

  const asColumn = x => Array.from(x, value => [value]);

  // QR decomposition of the design in rows of unit noise: the error grows with its condition, not with the square.
  function whitened(lower, design) {
    const triangle = algebra.triangle(forward(lower, design));
    if (!triangle) return null;
    const inverted = algebra.invertUpper(triangle.upper);
    if (!inverted || !(1 / norm(inverted) >= RANK_TOLERANCE)) return null;
    const root = inverted.map((row, i) => row.map(value => value / triangle.scale[i]));
    return { root, influence: transpose(backward(lower, multiply(triangle.orthogonal, transpose(root))), design[0].length) };
  }

  const norm = matrix => Math.sqrt(matrix.reduce((sum, row) => sum + dot(row, row), 0));

  // By the information matrix, if V is indefinite because an input carries negative information.
  function weighted(covariance, design) {
    const scale = design[0].map((_, j) => Math.hypot(...design.map(row => row[j])) || 1);
    const scaled = design.map(row => row.map((value, j) => value / scale[j]));
    const solved = solve(covariance, scaled);
    const information = solved && multiply(transpose(scaled), solved), inner = information && cholesky(information);
    if (!inner) return null;
    const root = transpose(forward(inner, algebra.identity(scale.length)));
    if (!(1 / norm(root) ** 2 >= RANK_TOLERANCE * Math.max(...information.map((row, i) => row[i])))) return null;
    const unscaled = root.map((row, i) => row.map(value => value / scale[i]));
    const gain = multiply(unscaled, transpose(root));
    return { root: unscaled, influence: multiply(gain, transpose(solved), covariance.length) };
  }

  // Fit of the observables and free nuisances; an extraction starts from its result.
  function combine(structure, covariance) {
    const fit = leastSquares(covariance, structure.design, structure.offset);
    return fit && { ...fit, parameters: structure.parameters, chi2: fit.chi2 + structure.constant };
  }

  // Part of chi2 from the inputs' own pulls: chi2 with an observable for every estimate; null if it is not determined.
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

  // Number of estimates minus the rank of the parameters; `design` maps the fitted parameters to the observables in use.
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

  return { leastSquares, combine, ownChi2, degreesOfFreedom, variances };
})();
