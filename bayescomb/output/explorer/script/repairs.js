// Repairs of blocks that are no correlation matrices under treatment "nuisance", as the command line makes them.
"use strict";

const repairs = (() => {
  const { combine, eigensystem, solve, times } = algebra;
  const NEWTON_STEPS = 100, DIAGONAL_TOLERANCE = 1e-13;
  const KINDS = ["none", "shift", "clip", "nearest"];

  const inForce = state => state.treatment === "nuisance" && state.repair !== "none";

  const sum = x => x.reduce((total, value) => total + value, 0);
  const positive = values => values.map(value => Math.max(value, 0));

  // P diag(x) P^T for the vectors in the columns of P, scaled to a diagonal of exactly 1.
  function correlationOf(vectors, x) {
    const matrix = vectors.map(row => Float64Array.from(vectors, other => {
      let entry = 0;
      for (let k = 0; k < x.length; k++) entry += row[k] * x[k] * other[k];
      return entry;
    }));
    return matrix.map((row, i) => row.map((value, j) => (i === j ? 1 : value / Math.sqrt(matrix[i][i] * matrix[j][j]))));
  }

  function repaired(matrix, how) {
    if (how === "nearest") return nearest(matrix);
    const { values, vectors } = eigensystem(matrix);
    if (how === "clip") return correlationOf(vectors, positive(values));
    const shift = Math.max(0, -Math.min(...values)); // all correlations shrink by one factor
    return matrix.map((row, i) => row.map((value, j) => (i === j ? 1 : value / (1 + shift))));
  }

  // Newton's method on the dual problem (Qi and Sun, SIAM J. Matrix Anal. Appl. 28 (2006) 360).
  function nearest(matrix) {
    let point = dualPoint(matrix, new Float64Array(matrix.length));
    for (let iteration = 0; iteration < NEWTON_STEPS; iteration++) {
      if (Math.max(...point.excess.map(Math.abs)) < DIAGONAL_TOLERANCE) break;
      const step = solve(curvature(point), Array.from(point.excess, value => [-value])).map(row => row[0]);
      const slope = algebra.dot(point.excess, step);
      let share = 1, moved;
      while (true) {
        moved = dualPoint(matrix, point.shift.map((value, i) => value + share * step[i]));
        // The last steps change the dual by less than its rounding.
        if (moved.value <= point.value + 1e-4 * share * slope + 1e-13 * Math.abs(point.value) || share < 1e-6) break;
        share /= 2;
      }
      point = moved;
    }
    return correlationOf(point.vectors, positive(point.values));
  }

  // The dual at y: eigensystem of A + diag(y), diagonal of its positive part minus 1, and the value of the dual.
  function dualPoint(matrix, shift) {
    const { values, vectors } = eigensystem(matrix.map((row, i) => row.map((entry, j) => (i === j ? entry + shift[i] : entry))));
    const above = positive(values);
    const excess = times(vectors.map(row => row.map(value => value * value)), above).map(value => value - 1);
    return { shift, values, vectors, excess, value: algebra.dot(above, above) / 2 - sum(shift) };
  }

  // Derivative of the excess by y, from that of the positive part of a matrix in its eigenbasis (Loewner).
  function curvature({ values, vectors }) {
    const share = Array.from(values, a => Float64Array.from(values, b => {
      if (a > 0 && b > 0) return 1;
      return a > 0 || b > 0 ? (Math.max(a, 0) - Math.max(b, 0)) / (a - b) : 0;
    }));
    return vectors.map(first => Float64Array.from(vectors, second => {
      return algebra.quadratic(first.map((value, i) => value * second[i]), share);
    }));
  }

  // Repaired blocks at r: label, smallest eigenvalue, largest change, and the changed entries as [i, j, difference].
  function at(structure, state, r) {
    if (!inForce(state)) return [];
    return structure.blocks.filter(b => !structures.isCorrelation(b, r)).map(block => {
      const key = [...block.patterns.keys()].map(c => r[c]).join();
      return structures.remembered(block, `repair ${state.repair}`, key, () => change(block, r, state.repair));
    });
  }

  function change(block, r, how) {
    const matrix = structures.blockAt(block, r), difference = combine(repaired(matrix, how), -1, matrix), entries = [];
    block.nuisances.forEach((i, a) => block.nuisances.forEach((j, b) => {
      if (a < b && difference[a][b] !== 0) entries.push([i, j, difference[a][b]]);
    }));
    const largest = Math.max(...entries.map(entry => Math.abs(entry[2])));
    return { label: block.label, smallest: structures.smallestEigenvalue(block, r), change: largest, entries };
  }

  return { KINDS, inForce, at };
})();
