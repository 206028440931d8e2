// Predicted observables as functions of masses, scales and theory nuisances: the polynomials of the model, no tables.
"use strict";

const theories = (() => {
  const { zeros, dot } = algebra;

  // Value and derivative of a polynomial whose coefficients ascend.
  function polynomial(coefficients, u) {
    let value = 0, slope = 0;
    for (let k = coefficients.length - 1; k >= 0; k--) {
      slope = slope * u + value;
      value = value * u + coefficients[k];
    }
    return [value, slope];
  }

  // Coefficients [power][..][bin] as one row of powers per bin, and per nuisance of a bin.
  const perBin = (table, b) => Float64Array.from(table, row => row[b]);
  const perNuisance = (table, b) => (table[0] ?? []).map((_, k) => Float64Array.from(table, rows => rows[k][b]));

  // The part of the prediction for the observables in use; null if there is none.
  // `measured` are the observables combined without correlations: they normalise a measured distribution.
  function restrict(theory, observables, names, measured) {
    const position = new Map(observables.map((o, i) => [o, i]));
    const predictions = theory.predictions.filter(p => p.observables.every(o => position.has(o)));
    if (!predictions.length) return null;
    const masses = theory.masses.map((_, i) => i).filter(i => predictions.some(p => p.mass === i));
    const scales = theory.scales.map((_, i) => i).filter(i => predictions.some(p => p.scales.includes(i)));
    const box = theory.scale_base.length ? Infinity : theory.width;
    const ends = i => predictions.filter(p => p.mass === i);
    const free = [], freeNames = [], predicted = new Set();
    const items = predictions.map(p => {
      const at = p.observables.map(o => position.get(o));
      let factor = p.divisors.map(divisor => 1 / divisor);
      if (p.normalised) {
        const total = at.reduce((sum, i, b) => sum + measured[i] * p.divisors[b], 0);
        factor = factor.map(value => value * total);
        const level = new Float64Array(observables.length);
        at.forEach((i, b) => { if (p.kept[b]) level[i] = measured[i]; });
        free.push(level);
        freeNames.push(`level ${p.name}`);
      }
      at.forEach((i, b) => { if (p.kept[b]) predicted.add(i); });
      const ownScales = p.scales.map(i => masses.length + scales.indexOf(i));
      const curves = at.map((_, b) => ({
        base: perBin(p.base, b), shifts: perNuisance(p.shifts, b), scales: p.scale_response.map(table => perBin(table, b)),
      }));
      return { ...p, at, factor, curves, massAt: masses.indexOf(p.mass), scalesAt: ownScales };
    });
    observables.forEach((o, i) => {
      if (predicted.has(i)) return;
      free.push(Float64Array.from(observables, (_, k) => (k === i ? 1 : 0)));
      freeNames.push(names[i]);
    });
    return {
      source: theory, items, freeNames, observables: observables.length,
      free: algebra.transpose(free, observables.length),
      masses: masses.map(i => theory.masses[i]), scales: scales.map(i => theory.scales[i]),
      // Scales with a normal prior count as nuisances, those with a uniform one as parameters in a box.
      priorScales: theory.scale_base.length ? scales.length : 0,
      low: [...masses.map(i => Math.max(...ends(i).map(p => p.low))), ...scales.map(() => -box)],
      high: [...masses.map(i => Math.min(...ends(i).map(p => p.high))), ...scales.map(() => box)],
      width: theory.width, nuisances: theory.nuisances.length,
      scaleBase: square(theory.scale_base, scales), scalePattern: square(theory.scale_pattern, scales), known: new Map(),
    };
  }

  const square = (matrix, index) => (matrix.length ? index.map(i => Float64Array.from(index, j => matrix[i][j])) : []);

  // The theory at a correlation of its scales, with the prior of its nuisances and scales.
  function at(restricted, scaleCorrelation) {
    const known = scaleCorrelation ?? restricted.scaleBase, { nuisances } = restricted;
    const prior = algebra.identity(nuisances + known.length);
    known.forEach((row, i) => prior[nuisances + i].set(row, nuisances));
    return { ...restricted, scaleCorrelation: known, prior };
  }

  // The observables o = c + D eta at theta: c (O), D (O, K), and the derivative of c + D eta by theta at fixed eta (O, H).
  function predict(theory, theta, eta) {
    const central = new Float64Array(theory.observables), shifts = zeros(theory.observables, theory.nuisances);
    const slopes = zeros(theory.observables, theta.length);
    for (const item of theory.items) {
      const bins = bin(item, theory.nuisances, theta, eta);
      if (item.normalised) normalise(bins, theory.nuisances, theta.length);
      item.at.forEach((o, b) => {
        if (!item.kept[b]) return;
        const { value, by, relative, along, alongBy } = bins[b], c = item.factor[b] * value;
        central[o] = c;
        for (let k = 0; k < theory.nuisances; k++) shifts[o][k] = c * relative[k];
        by.forEach((slope, h) => { slopes[o][h] = item.factor[b] * (slope * (1 + along) + value * alongBy[h]); });
      });
    }
    return { central, shifts, slopes };
  }

  // Per bin: cross section and its derivatives, relative shifts d, and d eta with its derivatives.
  function bin(item, nuisances, theta, eta) {
    const u = (theta[item.massAt] - item.centre) / item.half_width;
    const [x, y] = item.scalesAt.map(i => theta[i]);
    return item.curves.map(curves => {
      const [value, slope] = polynomial(curves.base, u);
      const result = { value, by: new Float64Array(theta.length), along: 0, alongBy: new Float64Array(theta.length) };
      result.by[item.massAt] = slope / item.half_width;
      if (item.scalesAt.length) scale(item, curves.scales, u, x, y, result);
      result.relative = new Float64Array(nuisances);
      for (let k = 0; k < nuisances; k++) {
        const coefficients = curves.shifts[k];
        let shift = 0, change = 0; // as in polynomial(), without an array for each of many nuisances
        for (let d = coefficients.length - 1; d >= 0; d--) {
          change = change * u + shift;
          shift = shift * u + coefficients[d];
        }
        result.relative[k] = shift;
        result.along += shift * eta[k];
        result.alongBy[item.massAt] += change * eta[k] / item.half_width;
      }
      return result;
    });
  }

  // Multiplies by the exponential of the polynomial in the logarithms x, y of the scale factors.
  function scale(item, responses, u, x, y, result) {
    const shapes = [x, x * x, y, y * y, x * y, x * y * (x + y) / 2];
    const byX = [1, 2 * x, 0, 0, y, (2 * x * y + y * y) / 2], byY = [0, 0, 1, 2 * y, x, (x * x + 2 * x * y) / 2];
    const c = responses.map(response => polynomial(response, u));
    const values = c.map(pair => pair[0]), factor = Math.exp(dot(shapes, values)), value = result.value * factor;
    const byMass = result.by[item.massAt] * factor + value * dot(shapes, c.map(pair => pair[1])) / item.half_width;
    result.value = value;
    result.by[item.massAt] = byMass;
    result.by[item.scalesAt[0]] += value * dot(byX, values);
    result.by[item.scalesAt[1]] += value * dot(byY, values);
  }

  // Divides by the sum over the bins, to first order in eta.
  function normalise(bins, nuisances, parameters) {
    const total = bins.reduce((sum, b) => sum + b.value, 0), totalBy = new Float64Array(parameters);
    bins.forEach(b => b.by.forEach((slope, h) => { totalBy[h] += slope; }));
    bins.forEach(b => {
      b.by = b.by.map((slope, h) => (slope - b.value * totalBy[h] / total) / total);
      b.value /= total;
    });
    const mean = new Float64Array(nuisances), meanBy = new Float64Array(parameters);
    let along = 0;
    bins.forEach(b => {
      b.relative.forEach((shift, k) => { mean[k] += b.value * shift; });
      along += b.value * b.along;
      b.alongBy.forEach((slope, h) => { meanBy[h] += b.value * slope + b.by[h] * b.along; });
    });
    bins.forEach(b => {
      b.relative = b.relative.map((shift, k) => shift - mean[k]);
      b.along -= along;
      b.alongBy = b.alongBy.map((slope, h) => slope - meanBy[h]);
    });
  }

  return { restrict, at, predict };
})();
