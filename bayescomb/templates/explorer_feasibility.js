// Where the coefficients may go: blocks of C(r) that stay positive semidefinite, a total covariance that stays definite.
"use strict";

const feasibility = (() => {
  const { cholesky, combine, copy, eigenvalues, forward, transpose } = algebra;
  const TOTAL = "total covariance";
  // The command line calls a block positive semidefinite down to -1e-9; a little inside, so that it agrees.
  const BLOCK_FLOOR = -9.99e-10, TOTAL_FLOOR = 1e-12;
  // An eigenvalue that grows like the square of the distance makes the floor look like a width of 1e-4.
  const WIDTH_TOLERANCE = 1e-3;
  // How far inside a boundary a coefficient stops, relative to the way there.
  const INSIDE = 1e-6;
  // Nearer to a boundary than this share of the line counts as being there already.
  const NEAR = 1e-4;

  const raised = (matrix, floor) => {
    const result = copy(matrix);
    result.forEach((row, i) => { row[i] -= floor; });
    return result;
  };

  function blockAt(block, r) {
    let matrix = block.base;
    for (const [c, pattern] of block.patterns) if (r[c] !== 0) matrix = combine(matrix, r[c], pattern);
    return matrix;
  }

  // In units of the size of each row where the coefficients are 0, which leaves the signs of the eigenvalues.
  function scaled(structure, matrix) {
    structure.scale ??= structure.covariance.map((row, i) => Math.sqrt(Math.abs(row[i])) || 1);
    return matrix.map((row, i) => row.map((value, j) => value / (structure.scale[i] * structure.scale[j])));
  }

  const totalAt = (structure, r) => scaled(structure, structures.covarianceAt(structure, r));

  function totalFeasible(structure, matrix) {
    if (structure.negative === 0) return cholesky(raised(matrix, TOTAL_FLOOR)) !== null;
    // Negative information of an input makes V indefinite, as it has to be: the count of its negative eigenvalues decides.
    return eigenvalues(matrix).filter(value => value <= 0).length === structure.negative;
  }

  // The total needs no look of its own where all blocks are correlation matrices and no input has negative information.
  const looksAtTotal = (structure, treatment) => treatment === "covariance" || structure.negative > 0;

  // The name of what is not feasible at r, null if all is.
  function violation(structure, treatment, r) {
    if (treatment === "nuisance") {
      const bad = structure.blocks.filter(b => !cholesky(raised(blockAt(b, r), BLOCK_FLOOR)));
      if (bad.length) {
        const smallest = Math.min(...bad.map(b => eigenvalues(blockAt(b, r))[0])).toPrecision(3).replace("-", "\u2212");
        const what = `no correlation matri${bad.length > 1 ? "ces" : "x"}`;
        return `${bad.map(b => b.label).join(", ")}: ${what} (smallest eigenvalue ${smallest})`;
      }
    }
    if (looksAtTotal(structure, treatment) && !totalFeasible(structure, totalAt(structure, r))) {
      return `${TOTAL} is not positive definite`;
    }
    return null;
  }

  // How far t may go from 0 to below and above, within [low, high], for L L^T + t pattern, which is feasible at 0.
  function reach(lower, pattern, low, high) {
    if (!lower) return [0, 0];
    const half = forward(lower, pattern), whitened = forward(lower, transpose(half));
    const size = Math.sqrt(whitened.reduce((sum, row) => sum + algebra.dot(row, row), 0));
    if (size * Math.max(Math.abs(low), Math.abs(high)) < 1) return [low, high];
    const values = eigenvalues(whitened), smallest = values[0], largest = values[values.length - 1];
    return [largest * low > -1 ? low : -1 / largest, smallest * high > -1 ? high : -1 / smallest];
  }

  // The same for an indefinite total: the set is convex along a line, so that its ends are found by bisection.
  function bisected(structure, matrix, pattern, end) {
    if (totalFeasible(structure, combine(matrix, end, pattern))) return end;
    let inner = 0, outer = end;
    for (let step = 0; step < 30; step++) {
      const middle = (inner + outer) / 2;
      if (totalFeasible(structure, combine(matrix, middle, pattern))) inner = middle;
      else outer = middle;
    }
    return inner;
  }

  // Feasible part of the line r + t direction for t in [low, high], and what stops it at either end (null: the end itself).
  // `here` is what `factored` gives at r.
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
      narrow(structure.negative === 0 ? reach(here.lower, pattern, low, high)
        : [bisected(structure, here.total, pattern, low), bisected(structure, here.total, pattern, high)], TOTAL);
    }
    return found;
  }

  // The factors at r from which every line through r starts.
  function factored(structure, treatment, r) {
    const blocks = treatment === "nuisance" ? structure.blocks.filter(b => b.patterns.size) : [];
    const total = looksAtTotal(structure, treatment) ? totalAt(structure, r) : null;
    return {
      blocks: blocks.map(block => ({ block, lower: cholesky(raised(blockAt(block, r), BLOCK_FLOOR)) })),
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
      lowStop: found.lowStop, highStop: found.highStop, acts: structure.pairs[index].length > 0,
    };
  }

  return { violation, line, interval, factored, TOTAL };
})();
