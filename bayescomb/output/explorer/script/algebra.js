// Dense linear algebra for matrices of a few dozen rows: a matrix is an array of Float64Array rows.
"use strict";

const algebra = (() => {
  const zeros = (n, m) => Array.from({ length: n }, () => new Float64Array(m));
  const copy = a => a.map(row => Float64Array.from(row));
  const column = (a, j) => Float64Array.from(a, row => row[j]);

  function identity(n) {
    const result = zeros(n, n);
    result.forEach((row, i) => { row[i] = 1; });
    return result;
  }

  function transpose(a, width = a.length ? a[0].length : 0) {
    const result = zeros(width, a.length);
    a.forEach((row, i) => row.forEach((value, j) => { result[j][i] = value; }));
    return result;
  }

  function dot(x, y) {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
    return sum;
  }

  const times = (a, x) => Float64Array.from(a, row => dot(row, x));

  // a^T x; the width is asked for because a may have no rows.
  function timesTransposed(a, x, width) {
    const result = new Float64Array(width);
    a.forEach((row, i) => { for (let j = 0; j < width; j++) result[j] += row[j] * x[i]; });
    return result;
  }

  // a + b c b^T, c being the unit matrix if it is left out
  function addSquare(a, b, c) {
    const half = c ? multiply(b, c) : b;
    return a.map((row, i) => row.map((value, j) => value + dot(half[i], b[j])));
  }

  // a b; the width is asked for because b may have no rows.
  function multiply(a, b, width = b.length ? b[0].length : 0) {
    return a.map(row => {
      const result = new Float64Array(width);
      for (let k = 0; k < row.length; k++) {
        const factor = row[k];
        if (factor !== 0) for (let j = 0; j < width; j++) result[j] += factor * b[k][j];
      }
      return result;
    });
  }

  // x^T a x
  const quadratic = (x, a) => dot(x, times(a, x));

  // a + t b
  const combine = (a, t, b) => a.map((row, i) => row.map((value, j) => value + t * b[i][j]));

  // a - floor 1: definite where the smallest eigenvalue of a is above the floor.
  const raised = (a, floor) => a.map((row, i) => row.map((value, j) => (i === j ? value - floor : value)));

  // Lower triangle L of a = L L^T, or null if a is not positive definite.
  function cholesky(a) {
    const n = a.length, lower = zeros(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = a[i][j];
        for (let k = 0; k < j; k++) sum -= lower[i][k] * lower[j][k];
        if (i > j) lower[i][j] = sum / lower[j][j];
        else if (sum > 0) lower[i][i] = Math.sqrt(sum);
        else return null; // NaN ends here too
      }
    }
    return lower;
  }

  // L^-1 b for a matrix b.
  function forward(lower, b) {
    const result = copy(b);
    for (let i = 0; i < lower.length; i++) {
      for (let k = 0; k < i; k++) {
        const factor = lower[i][k];
        if (factor !== 0) for (let j = 0; j < result[i].length; j++) result[i][j] -= factor * result[k][j];
      }
      for (let j = 0; j < result[i].length; j++) result[i][j] /= lower[i][i];
    }
    return result;
  }

  function backward(lower, b) { // L^-T b
    const result = copy(b), n = lower.length;
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) {
        const factor = lower[k][i];
        if (factor !== 0) for (let j = 0; j < result[i].length; j++) result[i][j] -= factor * result[k][j];
      }
      for (let j = 0; j < result[i].length; j++) result[i][j] /= lower[i][i];
    }
    return result;
  }

  // Orthogonal columns Q, upper triangle R and lengths d with a = Q R d, by Gram-Schmidt in two passes.
  function triangle(a) {
    const columns = transpose(a), n = columns.length, upper = zeros(n, n);
    const scale = columns.map(x => Math.hypot(...x) || 1), found = [];
    for (let j = 0; j < n; j++) {
      let x = columns[j].map(value => value / scale[j]);
      for (let pass = 0; pass < 2; pass++) {
        found.forEach((unit, i) => {
          const along = dot(unit, x);
          upper[i][j] += along;
          x = x.map((value, k) => value - along * unit[k]);
        });
      }
      upper[j][j] = Math.hypot(...x);
      if (!(upper[j][j] > 0)) return null;
      found.push(x.map(value => value / upper[j][j]));
    }
    return { orthogonal: transpose(found, a.length), upper, scale };
  }

  function invertUpper(upper) {
    return transpose(forward(transpose(upper), identity(upper.length)));
  }

  // LU with partial pivoting, for covariances that are indefinite because an input carries negative information.
  function luSolve(a, b) {
    const matrix = copy(a), result = copy(b), n = a.length;
    for (let k = 0; k < n; k++) {
      let best = k;
      for (let i = k + 1; i < n; i++) if (Math.abs(matrix[i][k]) > Math.abs(matrix[best][k])) best = i;
      [matrix[k], matrix[best]] = [matrix[best], matrix[k]];
      [result[k], result[best]] = [result[best], result[k]];
      if (matrix[k][k] === 0) return null;
      for (let i = k + 1; i < n; i++) {
        const factor = matrix[i][k] / matrix[k][k];
        if (factor === 0) continue;
        for (let j = k; j < n; j++) matrix[i][j] -= factor * matrix[k][j];
        for (let j = 0; j < result[i].length; j++) result[i][j] -= factor * result[k][j];
      }
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let j = 0; j < result[i].length; j++) {
        let sum = result[i][j];
        for (let k = i + 1; k < n; k++) sum -= matrix[i][k] * result[k][j];
        result[i][j] = sum / matrix[i][i];
      }
    }
    return result;
  }

  // a^-1 b for a symmetric a; by Cholesky where it is positive definite.
  function solve(a, b) {
    const lower = cholesky(a);
    return lower ? backward(lower, forward(lower, b)) : luSolve(a, b);
  }

  function inverse(a) {
    const result = solve(a, identity(a.length));
    // Symmetric to the last digit, because covariances are made of it.
    return result && result.map((row, i) => row.map((value, j) => (value + result[j][i]) / 2));
  }

  // Diagonalises a symmetric matrix in place by Jacobi's rotations, which the rows of `turned` follow.
  function diagonalise(a, turned) {
    const n = a.length;
    for (let sweep = 0; sweep < 60; sweep++) {
      let off = 0, diagonal = 0;
      for (let i = 0; i < n; i++) {
        diagonal += a[i][i] ** 2;
        for (let j = 0; j < i; j++) off += a[i][j] ** 2;
      }
      if (off <= 1e-32 * diagonal || off === 0) break;
      for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) if (a[p][q] !== 0) rotate(a, p, q, turned);
    }
    return Float64Array.from(a, (row, i) => row[i]);
  }

  // In ascending order.
  const eigenvalues = symmetric => diagonalise(copy(symmetric), []).sort();

  // Eigenvalues in no order, and the eigenvectors as columns of a matrix.
  function eigensystem(symmetric) {
    const vectors = identity(symmetric.length);
    return { values: diagonalise(copy(symmetric), vectors), vectors };
  }

  function rotate(a, p, q, turned) {
    const ratio = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    const t = (ratio >= 0 ? 1 : -1) / (Math.abs(ratio) + Math.hypot(1, ratio));
    const c = 1 / Math.hypot(1, t), s = t * c, app = a[p][p], aqq = a[q][q], apq = a[p][q];
    for (let k = 0; k < a.length; k++) {
      if (k === p || k === q) continue;
      const kp = a[k][p], kq = a[k][q];
      a[k][p] = a[p][k] = c * kp - s * kq;
      a[k][q] = a[q][k] = s * kp + c * kq;
    }
    a[p][p] = app - t * apq;
    a[q][q] = aqq + t * apq;
    a[p][q] = a[q][p] = 0;
    for (const row of turned) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
  }

  // Rank by Gram-Schmidt with pivoting on columns of unit length.
  function rank(a) {
    let columns = transpose(a).filter(x => x.some(value => value !== 0));
    columns = columns.map(x => x.map(value => value / Math.sqrt(dot(x, x))));
    let found = 0;
    while (columns.length) {
      const sizes = columns.map(x => dot(x, x)), best = sizes.indexOf(Math.max(...sizes));
      if (!(sizes[best] > 1e-20)) break;
      const [pivot] = columns.splice(best, 1), unit = pivot.map(value => value / Math.sqrt(sizes[best]));
      columns = columns.map(x => { const along = dot(x, unit); return x.map((value, i) => value - along * unit[i]); });
      found++;
    }
    return found;
  }

  // Log of Gamma(k/2), exact by its recursion.
  function logGammaHalf(k) {
    let result = k % 2 ? Math.log(Math.PI) / 2 : 0;
    for (let j = k % 2 ? 1 : 2; j < k; j += 2) result += Math.log(j / 2);
    return result;
  }

  // Probability that chi2 with ndf degrees of freedom exceeds a value: series below the mean, continued fraction above.
  function pValue(chi2, ndf) {
    const a = ndf / 2, x = Math.max(chi2, 0) / 2;
    if (x === 0) return 1;
    const front = Math.exp(a * Math.log(x) - x - logGammaHalf(ndf));
    if (x < a + 1) {
      let term = 1 / a, sum = term;
      for (let n = 1; n < 10000 && term > 1e-17 * sum; n++) sum += term *= x / (a + n);
      return 1 - front * sum;
    }
    // Lentz's algorithm
    let b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (let n = 1; n < 10000; n++) {
      const an = -n * (n - a);
      b += 2;
      d = 1 / (an * d + b);
      c = b + an / c;
      const factor = c * d;
      h *= factor;
      if (Math.abs(factor - 1) < 1e-16) break;
    }
    return front * h;
  }

  return {
    zeros, identity, copy, column, transpose, dot, times, timesTransposed, multiply, addSquare, quadratic, combine, raised,
    cholesky, forward, backward, triangle, invertUpper, solve, inverse, eigenvalues, eigensystem, rank, pValue,
  };
})();
