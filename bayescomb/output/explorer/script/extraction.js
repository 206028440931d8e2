// Fit of masses and scales to the combined observables, by the iteration of the command line: the tangent until it stays.
// Theta holds the masses, then the scales: parameters in a box with a uniform prior, else nuisances of their own.
// The data enter as p_hat with covariance V_p, which contains all information of the rows on observables and free nuisances.
"use strict";

const extractions = (() => {
  const { zeros, transpose, dot, times, timesTransposed, multiply, addSquare, inverse } = algebra;
  const STEPS = 60, START_MASSES = 13, START_SCALES = [0, -0.8, 0.8], CROSSING_STEPS = 60;
  // Largest distance of a fit from the minimum of its tangent, in standard deviations.
  const MISSED = 1e-7;

  const parametersOf = theory => theory.low.length - theory.priorScales;

  // Chi2 at theta with all else profiled, the profiled eta, and the residual in the metric of the data.
  function at(theory, data, theta, known) {
    const predicted = known ?? theories.predict(theory, theta, new Float64Array(theory.nuisances));
    const loading = padded(predicted.shifts, data.values.length, theory.nuisances);
    const covariance = addSquare(data.covariance, loading);
    const offset = data.values.map((value, i) => value - (predicted.central[i] ?? 0));
    const design = linearDesign(theory, data.values.length);
    let residual = offset, back, chi2;
    if (design[0].length) {
      const fit = fits.leastSquares(covariance, design, offset);
      if (!fit) return null;
      ({ back, chi2 } = fit);
    } else {
      back = algebra.column(algebra.solve(covariance, Array.from(residual, value => [value])), 0);
      chi2 = dot(residual, back);
    }
    const eta = timesTransposed(loading, back, theory.nuisances);
    if (theory.priorScales) {
      const away = theta.slice(parametersOf(theory));
      chi2 += algebra.quadratic(away, inverse(theory.scaleCorrelation)) / theory.width ** 2;
    }
    return { chi2, eta, back };
  }

  const padded = (matrix, rows, width) => [...matrix, ...zeros(rows - matrix.length, width)];

  // Directions of p that no theory parameter moves: levels, observables that are not predicted, free nuisances.
  function linearDesign(theory, rows) {
    const others = rows - theory.observables, width = theory.freeNames.length + others;
    const design = zeros(rows, width);
    theory.free.forEach((row, i) => design[i].set(row));
    for (let k = 0; k < others; k++) design[theory.observables + k][theory.freeNames.length + k] = 1;
    return design;
  }

  // Solution of the linear model that touches the prediction at theta and eta; held positions stay where they are.
  function tangent(theory, data, theta, eta, held) {
    const rows = data.values.length, n = parametersOf(theory);
    const predicted = theories.predict(theory, theta, eta);
    const slopes = padded(predicted.slopes, rows, theta.length), shifts = padded(predicted.shifts, rows, theory.nuisances);
    const moving = theta.map((_, i) => i).filter(i => i < n && !held.includes(i));
    const linear = linearDesign(theory, rows);
    const design = linear.map((row, i) => Float64Array.from([...moving.map(h => slopes[i][h]), ...row]));
    const scaled = slopes.map(row => row.slice(n).map(value => value * theory.width));
    const loading = theory.priorScales ? shifts.map((row, i) => Float64Array.from([...row, ...scaled[i]])) : shifts;
    const correlation = theory.prior;
    // p = c + D eta' + c' (theta' - theta) + ...: constant terms are subtracted from the data.
    const offset = data.values.map((value, i) => {
      if (i >= theory.observables) return value;
      const touching = predicted.central[i] - dot(slopes[i], theta);
      return held.reduce((sum, h) => sum - slopes[i][h] * theta[h], value - touching);
    });
    const covariance = addSquare(data.covariance, loading, theory.priorScales ? correlation : undefined);
    const fit = fits.leastSquares(covariance, design, offset);
    if (!fit) return null;
    const pulls = times(correlation, timesTransposed(loading, fit.back, correlation.length));
    return { fit, moving, design, loading, correlation, covariance, pulls, slopes, shifts, predicted };
  }

  // The lowest point of a grid in a common mass with the scales at their centres; then of a grid in scales of uniform prior.
  function start(theory, data) {
    const n = theory.masses.length, half = theory.scales.length / 2;
    const low = Math.max(...theory.low.slice(0, n)), high = Math.min(...theory.high.slice(0, n));
    const masses = Array.from({ length: START_MASSES }, (_, k) => low + (high - low) * k / (START_MASSES - 1));
    const best = lowest(theory, data, masses.map(mass => [...theory.masses.map(() => mass), ...theory.scales.map(() => 0)]));
    if (!best || !theory.scales.length || theory.priorScales) return best;
    const ends = START_SCALES.map(share => share * theory.width);
    const corners = ends.flatMap(r => ends.map(f => theory.scales.map((_, i) => (i < half ? r : f))));
    return lowest(theory, data, corners.map(corner => [...best.theta.slice(0, n), ...corner]));
  }

  function lowest(theory, data, points) {
    let best = null;
    for (const theta of points) {
      // The prediction at a point of the grid is the same for every setting.
      const key = theta.join();
      if (!theory.known.has(key)) theory.known.set(key, theories.predict(theory, theta, new Float64Array(theory.nuisances)));
      const found = at(theory, data, theta, theory.known.get(key));
      if (found && (!best || found.chi2 < best.chi2)) best = { theta, ...found };
    }
    return best;
  }

  // Gauss-Newton with halved steps where chi2 would grow, down to rounding; `fixed` are not moved.
  function descend(theory, data, begin, fixed, tolerance = 1e-12) {
    let here = begin;
    for (let step = 0; step < STEPS; step++) {
      const target = aim(theory, data, here, fixed);
      if (!target) return null;
      const next = halve(theory, data, here, target);
      const size = Math.max(...next.theta.map((value, i) => Math.abs(value - here.theta[i])));
      here = next;
      if (size < tolerance * Math.max(...here.theta.map(Math.abs))) break;
    }
    return here;
  }

  // Towards the minimum of the tangent, up to where the first scale leaves its box.
  function aim(theory, data, here, fixed) {
    const n = parametersOf(theory), held = [...fixed, ...pressed(theory, here)];
    while (true) {
      const solution = tangent(theory, data, here.theta, here.eta, held);
      if (!solution) return null;
      const target = [...here.theta];
      solution.moving.forEach((h, i) => { target[h] = solution.fit.values[i]; });
      for (let i = n; i < target.length; i++) target[i] = theory.width * solution.pulls[theory.nuisances + i - n];
      const share = h => {
        const step = target[h] - here.theta[h], end = step < 0 ? theory.low[h] : theory.high[h];
        return Math.abs(step) > Math.abs(end - here.theta[h]) ? (end - here.theta[h]) / step : 1;
      };
      const scales = solution.moving.filter(h => h >= theory.masses.length), stuck = scales.filter(h => share(h) === 0);
      held.push(...stuck);
      if (stuck.length) continue;
      const first = scales.reduce((best, h) => (share(h) < best.share ? { share: share(h), h } : best), { share: 1, h: null });
      if (first.h === null) return target;
      const end = target[first.h] < theory.low[first.h] ? theory.low[first.h] : theory.high[first.h];
      return target.map((value, h) => (h === first.h ? end : here.theta[h] + first.share * (value - here.theta[h])));
    }
  }

  // Scales at an end of their box beyond which chi2 would fall.
  function pressed(theory, { theta, eta, back }) {
    const n = theory.masses.length, ends = theta.map((_, i) => i).slice(n, parametersOf(theory))
      .filter(i => theta[i] === theory.low[i] || theta[i] === theory.high[i]);
    if (!ends.length) return ends;
    const { slopes } = theories.predict(theory, theta, eta);
    const along = i => slopes.reduce((sum, row, o) => sum + back[o] * row[i], 0); // minus half of the slope of chi2
    return ends.filter(i => (theta[i] === theory.low[i] ? along(i) <= 0 : along(i) >= 0));
  }

  function halve(theory, data, here, target) {
    for (let share = 1; share > 1e-3; share /= 2) {
      const theta = target.map((value, i) => {
        return Math.min(Math.max(here.theta[i] + share * (value - here.theta[i]), theory.low[i]), theory.high[i]);
      });
      const found = at(theory, data, theta);
      if (found && found.chi2 <= here.chi2 + 1e-9) return { theta, ...found };
    }
    return here;
  }

  function atEnd(theory, theta, i) {
    const edge = 1e-3 * (theory.high[i] - theory.low[i]);
    return theta[i] - theory.low[i] < edge || theory.high[i] - theta[i] < edge;
  }

  // data: { values, covariance } of the parameters; the first of them are the observables.
  function fit(theory, data, parameters) {
    const begin = start(theory, data);
    if (!begin) return { problem: "a parameter is not determined by the inputs that are on" };
    let best = descend(theory, data, begin, []);
    if (!best) return { problem: "a parameter is not determined by the inputs that are on" };
    // As in the command line: a scale that chi2 holds at an end of its box is fixed, and has no error.
    const held = theory.scales.map((_, s) => theory.masses.length + s).filter(i => !theory.priorScales && atEnd(theory, best.theta, i));
    if (held.some(i => best.theta[i] !== theory.low[i] && best.theta[i] !== theory.high[i])) {
      const theta = [...best.theta];
      for (const i of held) theta[i] = theta[i] < 0 ? theory.low[i] : theory.high[i];
      best = descend(theory, data, { theta, ...at(theory, data, theta) }, held);
    }
    const lost = theory.masses.find((_, i) => atEnd(theory, best.theta, i));
    if (lost) return { problem: `${lost} runs to the end of the predicted masses: the prediction does not describe the data` };
    const { theta, eta } = best, solution = tangent(theory, data, theta, eta, held);
    // If the prediction is far from the data, the steps may not reach the minimum.
    const missed = solution.moving.some((h, i) => Math.abs(solution.fit.values[i] - theta[h]) > MISSED * Math.sqrt(solution.fit.covariance[i][i]));
    if (missed) return { problem: "the minimum of χ² is not found to rounding: the prediction does not describe the data" };
    return { ...derived(theory, data, parameters, solution, theta, eta), chi2: best.chi2, best };
  }

  // Masses, their differences, scales, observables and free nuisances, with their derivative by p_hat.
  function derived(theory, data, parameters, solution, theta, eta) {
    const { fit: inner, moving, loading, correlation, slopes, shifts, predicted } = solution;
    const width = inner.values.length, size = correlation.length, n = parametersOf(theory);
    const byParameter = zeros(theta.length, width), byNuisance = zeros(theta.length, size);
    moving.forEach((h, i) => { byParameter[h][i] = 1; });
    for (let i = n; i < theta.length; i++) byNuisance[i][theory.nuisances + i - n] = theory.width;
    const rows = [], add = (name, value, a, b) => rows.push({ name, value, a, b });
    const m = theory.masses.length;
    theory.masses.forEach((name, i) => add(name, theta[i], byParameter[i], byNuisance[i]));
    theory.masses.forEach((first, i) => theory.masses.forEach((second, j) => {
      if (i >= j) return;
      const minus = matrix => matrix[i].map((value, k) => value - matrix[j][k]);
      add(`${first} - ${second}`, theta[i] - theta[j], minus(byParameter), minus(byNuisance));
    }));
    theory.scales.forEach((name, i) => add(name, theta[m + i], byParameter[m + i], byNuisance[m + i]));
    parameters.forEach((name, i) => {
      const level = i < theory.observables, a = new Float64Array(width), b = new Float64Array(size);
      for (let k = 0; k < width - moving.length; k++) a[moving.length + k] += solution.design[i][moving.length + k];
      let value = a.reduce((sum, factor, k) => sum + factor * inner.values[k], 0);
      if (level) {
        const through = matrix => matrix[0].map((_, k) => slopes[i].reduce((sum, slope, h) => sum + slope * matrix[h][k], 0));
        through(byParameter).forEach((x, k) => { a[k] += x; });
        through(byNuisance).forEach((x, k) => { b[k] += x; });
        shifts[i].forEach((x, k) => { b[k] += x; });
        value += predicted.central[i] + dot(shifts[i], eta);
      }
      add(name, value, a, b);
    });
    // influence = A I + (B C F^T V^-1)(1 - K I), reach = influence F - B
    const spread = multiply(loading, multiply(correlation, transpose(rows.map(row => row.b), size)));
    const gain = transpose(algebra.solve(solution.covariance, spread), rows.length);
    const gainDesign = multiply(gain, solution.design, width);
    const influence = rows.map((row, q) => {
      const coefficient = row.a.map((value, k) => value - gainDesign[q][k]);
      return gain[q].map((value, i) => value + coefficient.reduce((sum, c, k) => sum + c * inner.influence[k][i], 0));
    });
    const reach = multiply(influence, loading, size).map((values, q) => values.map((value, k) => value - rows[q].b[k]));
    return { parameters: rows.map(r => r.name), values: Float64Array.from(rows, r => r.value), influence, reach, correlation };
  }

  // Signed distance at which chi2, profiled over all else, has grown by 1; null if it is outside of the table.
  function crossing(theory, data, best, index, begin) {
    const end = (begin > 0 ? theory.high : theory.low)[index] - best.theta[index];
    const growth = distance => {
      const theta = [...best.theta];
      theta[index] += distance;
      const here = at(theory, data, theta);
      const others = theta.length > 1 ? descend(theory, data, { theta, ...here }, [index], 1e-10) : here;
      return others ? others.chi2 - best.chi2 - 1 : NaN;
    };
    let [inner, below, outer] = [0, -1, Math.abs(begin) < Math.abs(end) ? begin : end];
    let above = growth(outer);
    while (!(above > 0)) {
      if (outer === end || Number.isNaN(above)) return null;
      [inner, below, outer] = [outer, above, Math.abs(2 * outer) < Math.abs(end) ? 2 * outer : end];
      above = growth(outer);
    }
    // Secant in the square root of the growth of chi2, which is a line for a parabola; kept between the two sides.
    for (let step = 0; step < CROSSING_STEPS && Math.abs(outer - inner) > 1e-9 * Math.abs(outer); step++) {
      const [a, b] = [Math.sqrt(1 + below), Math.sqrt(1 + above)];
      let middle = inner + (outer - inner) * (1 - a) / (b - a);
      if (step % 3 === 2) middle = (inner + outer) / 2;
      const value = growth(middle);
      if (Math.abs(value) < 1e-10) return middle;
      if (value > 0) [outer, above] = [middle, value];
      else [inner, below] = [middle, value];
    }
    return (inner + outer) / 2;
  }

  // Derivatives of the observables by masses, uniform scales and free levels, for the degrees of freedom.
  function openDirections(theory) {
    const middle = theory.low.map((low, i) => (Number.isFinite(low) ? (low + theory.high[i]) / 2 : 0));
    const { slopes } = theories.predict(theory, middle, new Float64Array(theory.nuisances));
    const n = parametersOf(theory);
    return slopes.map((row, i) => Float64Array.from([...row.slice(0, n), ...theory.free[i]]));
  }

  return { fit, crossing, openDirections };
})();
