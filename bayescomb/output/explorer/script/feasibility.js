// Feasible coefficients: blocks of C(r) stay positive semidefinite, the total covariance stays positive definite.
// Of the state, only treatment and repair are used.
"use strict";

const feasibility = (() => {
  const { cholesky, combine, eigenvalues, forward, raised, transpose } = algebra;
  const { blockAt, factor, isCorrelation, smallestEigenvalue, remembered } = structures;
  const TOTAL = "total covariance";
  const TOTAL_FLOOR = 1e-12;
  // For an eigenvalue that grows with the square of the distance, the floor alone has a width of 1e-4.
  const WIDTH_TOLERANCE = 1e-3;
  // How far inside a boundary a coefficient stops, relative to the way there.
  const INSIDE = 1e-6;
  // A point nearer to a boundary than this share of the line counts as on it.
  const NEAR = 1e-4;

  // In units of the size of each row at coefficients of 0, which keeps the signs of the eigenvalues.
  function scaled(structure, matrix) {
    structure.scale ??= structure.covariance.map((row, i) => Math.sqrt(Math.abs(row[i])) || 1);
    return matrix.map((row, i) => row.map((value, j) => value / (structure.scale[i] * structure.scale[j])));
  }

  const totalAt = (structure, state, r) => {
    const changed = repairs.at(structure, state, r).flatMap(found => found.entries);
    return scaled(structure, structures.covarianceAt(structure, r, changed));
  };

  function totalFeasible(structure, matrix) {
    if (structure.negative === 0) return cholesky(raised(matrix, TOTAL_FLOOR)) !== null;
    // Negative information of an input makes V indefinite: it is feasible with exactly so many negative eigenvalues.
    return eigenvalues(matrix).filter(value => value <= 0).length === structure.negative;
  }

  // The total needs no check if all blocks are correlation matrices and no input has negative information.
  const checksTotal = (structure, state) => state.treatment === "covariance" || structure.negative > 0;

  // The blocks that have to be correlation matrices; the block of the scales has to be one under every treatment.
  const demanded = (structure, state) => [
    ...(state.treatment === "nuisance" && !repairs.inForce(state) ? structure.blocks : []),
    ...(structure.scaleBlock ? [structure.scaleBlock] : []),
  ];

  // The name of what is not feasible at r, null if all is.
  function violation(structure, state, r) {
    const bad = demanded(structure, state).filter(block => !isCorrelation(block, r));
    if (bad.length) {
      const smallest = Math.min(...bad.map(b => smallestEigenvalue(b, r))).toPrecision(3).replace("-", "\u2212");
      const what = `no correlation matri${bad.length > 1 ? "ces" : "x"}`;
      return `${bad.map(b => b.label).join(", ")}: ${what} (smallest eigenvalue ${smallest})`;
    }
    if (checksTotal(structure, state) && !totalFeasible(structure, totalAt(structure, state, r))) {
      return `${TOTAL} is not positive definite`;
    }
    return null;
  }

  // Feasible t below and above 0, within [low, high], for L L^T + t pattern, which is feasible at 0.
  function reach(lower, pattern, low, high) {
    if (!lower) return [0, 0];
    const half = forward(lower, pattern), whitened = forward(lower, transpose(half));
    const size = Math.sqrt(whitened.reduce((sum, row) => sum + algebra.dot(row, row), 0));
    if (size * Math.max(Math.abs(low), Math.abs(high)) < 1) return [low, high];
    const values = eigenvalues(whitened), smallest = values[0], largest = values[values.length - 1];
    return [largest * low > -1 ? low : -1 / largest, smallest * high > -1 ? high : -1 / smallest];
  }

  // The same for an indefinite total, whose end is found by bisection.
  function bisected(isFeasible, end) {
    if (isFeasible(end)) return end;
    let inner = 0, outer = end;
    for (let step = 0; step < 30; step++) {
      const middle = (inner + outer) / 2;
      if (isFeasible(middle)) inner = middle;
      else outer = middle;
    }
    return inner;
  }

  // Feasible part of the line r + t direction for t in [low, high], and what limits it at each end (null for low and high).
  // `here` is the result of `factored` at r.
  function line(structure, here, r, direction, low, high) {
    const found = { low, high, lowStop: null, highStop: null };
    const inside = end => (Math.abs(end) < NEAR * (high - low) ? 0 : end * (1 - INSIDE));
    const narrow = ([down, up], label) => {
      if (down > found.low) [found.low, found.lowStop] = [inside(down), label];
      if (up < found.high) [found.high, found.highStop] = [inside(up), label];
    };
    const acting = patterns => [...patterns].filter(([c, pattern]) => pattern && direction[c]);
    const along = items => items.reduce((sum, [c, pattern]) => {
      return sum ? combine(sum, direction[c], pattern) : pattern.map(row => row.map(value => direction[c] * value));
    }, null);
    for (const { block, lower } of here.blocks) {
      const items = acting(block.patterns);
      if (items.length) narrow(reach(lower, along(items), low, high), block.label);
    }
    const items = acting(structure.patterns.entries());
    if (items.length && here.total) {
      const pattern = scaled(structure, along(items));
      // With a repair V is not affine in r, so that it is calculated at the point itself.
      const away = t => (repairs.inForce(here.state) ? totalAt(structure, here.state, r.map((value, c) => value + t * direction[c]))
        : combine(here.total, t, pattern));
      const isFeasible = t => totalFeasible(structure, away(t));
      narrow(structure.negative === 0 ? reach(here.lower, pattern, low, high)
        : [bisected(isFeasible, low), bisected(isFeasible, high)], TOTAL);
    }
    return found;
  }

  // The factors at r from which every line through r starts.
  function factored(structure, state, r) {
    const blocks = demanded(structure, state).filter(b => b.patterns.size);
    const total = checksTotal(structure, state) ? totalAt(structure, state, r) : null;
    return {
      state, blocks: blocks.map(block => ({ block, lower: factor(block, r) })),
      total, lower: total && structure.negative === 0 ? cholesky(raised(total, TOTAL_FLOOR)) : null,
    };
  }

  // Feasible interval of one coefficient within [low, high] given the others, and whether anything depends on it.
  function interval(structure, here, r, index, low, high) {
    const direction = new Float64Array(r.length), value = r[index];
    direction[index] = 1;
    const found = line(structure, here, r, direction, Math.min(low, value) - value, Math.max(high, value) - value);
    const point = found.high - found.low < WIDTH_TOLERANCE && (found.lowStop || found.highStop);
    const end = (away, stop, whole) => (point ? value : stop ? value + away : whole);
    return {
      low: end(found.low, found.lowStop, Math.min(low, value)), high: end(found.high, found.highStop, Math.max(high, value)),
      point: Boolean(point),
      lowStop: found.lowStop, highStop: found.highStop, acts: acts(structure, index),
    };
  }

  const acts = (structure, index) => structure.pairs[index].length > 0 || Boolean(structure.scaleBlock?.patterns.has(index));

  // Interval of a coefficient within [low, high] in which its block is a correlation matrix and needs no repair, given the
  // others; NaN if there is none.
  function unrepaired(structure, r, index, low, high) {
    const block = structure.blocks.find(b => b.patterns.has(index));
    if (!block) return { low, high, label: "" };
    const others = [...block.patterns.keys()].filter(c => c !== index), key = [low, high, ...others.map(c => r[c])].join();
    const ends = remembered(block, `kept ${index}`, key, () => stretch(block, r, index, low, high)) ?? [NaN, NaN];
    return { low: ends[0], high: ends[1], label: block.label };
  }

  function stretch(block, r, index, low, high) {
    const at = value => r.map((other, c) => (c === index ? value : other));
    // The smallest eigenvalue is concave along a line.
    let [down, up] = [low, high], inner = (low + high) / 2;
    for (let step = 0; step < 40 && !isCorrelation(block, at(inner)); step++) {
      const [left, right] = [down + (up - down) / 3, up - (up - down) / 3];
      if (eigenvalues(blockAt(block, at(left)))[0] < eigenvalues(blockAt(block, at(right)))[0]) down = left;
      else up = right;
      inner = (down + up) / 2;
    }
    const lower = factor(block, at(inner));
    return lower && reach(lower, block.patterns.get(index), low - inner, high - inner).map(end => inner + end);
  }

  return { violation, line, interval, factored, unrepaired, TOTAL };
})();
