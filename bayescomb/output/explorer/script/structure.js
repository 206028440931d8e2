// Parts of the model that do not depend on the coefficients: the inputs that are on, and V_0 and P_c of
// V(r) = V_0 + sum_c r_c P_c over their rows.
"use strict";

const structures = (() => {
  const { zeros, identity, cholesky, combine, eigenvalues, raised } = algebra;
  // The command line calls a block positive semidefinite down to -1e-9; a little inside, so that it agrees.
  const BLOCK_FLOOR = -9.99e-10;
  const key = (i, j) => (i < j ? `${i},${j}` : `${j},${i}`);

  // V += value (F_i F_j^T + F_j F_i^T) with F_i the loading of nuisance i, which is zero outside its own input.
  function addPair(matrix, first, second, value) {
    for (let a = 0; a < first.values.length; a++) {
      for (let b = 0; b < second.values.length; b++) {
        const product = value * first.values[a] * second.values[b];
        matrix[first.row + a][second.row + b] += product;
        matrix[second.row + b][first.row + a] += product;
      }
    }
  }

  const addPairs = (matrix, loadings, pairs) => pairs.forEach(([i, j, value]) => {
    addPair(matrix, loadings.get(i), loadings.get(j), value);
  });

  // The rows of the inputs that are on, and the loadings of their nuisances.
  function stack(model, off) {
    const measurements = model.measurements.filter(m => !off.includes(m.name));
    const rows = measurements.reduce((sum, m) => sum + m.offset.length, 0);
    const estimates = measurements.flatMap(m => m.estimates);
    const used = model.observables.map((_, o) => estimates.some(e => model.design[e][o] !== 0));
    const observables = model.observables.map((_, o) => o).filter(o => used[o]);
    const free = measurements.flatMap(m => m.free);
    const stacked = {
      measurements, rows, estimates, observables, free,
      parameters: [...observables.map(o => model.observables[o].name), ...free],
      estimateDesign: zeros(rows, estimates.length), freeDesign: zeros(rows, free.length),
      derivative: zeros(rows, estimates.length), offset: new Float64Array(rows), noise: zeros(rows, rows),
      statistical: zeros(rows, rows), undivided: zeros(rows, rows), integrated: [], loadings: new Map(), negative: 0, constant: 0,
    };
    let row = 0, estimate = 0, nuisance = 0;
    for (const m of measurements) {
      const into = (target, source, at) => source.forEach((values, i) => target[row + i].set(values, at));
      into(stacked.estimateDesign, m.design, estimate);
      into(stacked.freeDesign, m.free_design, nuisance);
      into(stacked.derivative, m.derivative, estimate);
      into(stacked.noise, m.noise, row);
      into(m.total ? stacked.undivided : stacked.statistical, m.statistical, row);
      stacked.offset.set(m.offset, row);
      const at = row;
      m.kept.forEach((i, k) => stacked.loadings.set(i, { row: at, values: m.loading.map(values => values[k]) }));
      m.integrated.forEach((source, k) => {
        stacked.integrated.push({ source, row: at, values: m.integrated_loading.map(values => values[k]) });
      });
      stacked.negative += m.negative;
      stacked.constant += m.constant;
      row += m.offset.length;
      estimate += m.estimates.length;
      nuisance += m.free.length;
    }
    const map = stacked.estimates.map(e => Float64Array.from(observables, o => model.design[e][o]));
    stacked.estimateMap = map;
    stacked.design = algebra.multiply(stacked.estimateDesign, map, observables.length)
      .map((values, i) => Float64Array.from([...values, ...stacked.freeDesign[i]]));
    return stacked;
  }

  // Nuisance -> its experiment; an input without one counts as its own.
  function owners(model) {
    const found = new Map();
    for (const m of model.measurements) for (const i of m.kept) found.set(i, m.experiment || m.name);
    return found;
  }

  // Off-diagonal entries of C that no coefficient moves, and those that each coefficient moves, with the switches applied:
  // "full" and "uncorrelated" set every pair, "apart" sets those between experiments only.
  function correlations(model, set, loadings, sources) {
    const overridden = new Map(), owner = owners(model);
    for (const item of set.switches) {
      const how = sources[item.name];
      if (!how) continue;
      for (const [i, j, sign] of item.pairs) {
        if (how !== "apart" || owner.get(i) !== owner.get(j)) overridden.set(key(i, j), [i, j, how === "full" ? sign : 0]);
      }
    }
    const inside = ([i, j]) => loadings.has(i) && loadings.has(j);
    const left = pairs => pairs.filter(pair => inside(pair) && !overridden.has(key(pair[0], pair[1])));
    const base = [...left(set.base), ...[...overridden.values()].filter(pair => inside(pair) && pair[2] !== 0)];
    return { base, pairs: set.coefficients.map(c => left(c.pairs)) };
  }

  // Nuisances that are connected by correlations; a coefficient that acts in two components makes one block of them.
  function blocks(model, set, stacked, base, pairs) {
    const parent = new Map();
    const root = i => { while (parent.get(i) !== i) i = parent.get(i); return i; };
    const join = (i, j) => {
      for (const k of [i, j]) if (!parent.has(k)) parent.set(k, k);
      parent.set(root(i), root(j));
    };
    base.forEach(([i, j]) => join(i, j));
    pairs.forEach(own => own.forEach(([i, j]) => { join(i, j); join(own[0][0], i); }));
    const members = new Map();
    [...parent.keys()].sort((a, b) => a - b).forEach(i => {
      if (!members.has(root(i))) members.set(root(i), []);
      members.get(root(i)).push(i);
    });
    const known = new Map(set.blocks.map(b => [b.nuisances.join(), b.label]));
    return [...members.values()].map(nuisances => {
      const position = new Map(nuisances.map((i, k) => [i, k])), n = nuisances.length;
      const fill = (matrix, own) => own.forEach(([i, j, value]) => {
        if (!position.has(i)) return;
        matrix[position.get(i)][position.get(j)] = matrix[position.get(j)][position.get(i)] = value;
      });
      const matrix = identity(n);
      fill(matrix, base);
      const patterns = new Map();
      pairs.forEach((own, c) => {
        if (!own.length || !position.has(own[0][0])) return;
        const pattern = zeros(n, n);
        fill(pattern, own);
        patterns.set(c, pattern);
      });
      return { label: known.get(nuisances.join()) ?? label(model, stacked, nuisances), nuisances, base: matrix, patterns };
    });
  }

  // The matrix of a block at r, its Cholesky factor, and whether it is a correlation matrix; if not, the factor is null.
  function blockAt(block, r) {
    let matrix = block.base;
    for (const [c, pattern] of block.patterns) if (r[c] !== 0) matrix = combine(matrix, r[c], pattern);
    return matrix;
  }
  const factor = (block, r) => cholesky(raised(blockAt(block, r), block.floor ?? BLOCK_FLOOR));
  const isCorrelation = (block, r) => factor(block, r) !== null;

  const smallestEigenvalue = (block, r) => {
    const key = [...block.patterns.keys()].map(c => r[c]).join();
    return remembered(block, "smallest eigenvalue", key, () => eigenvalues(blockAt(block, r))[0]);
  };

  // Keeps the last result: most blocks do not change when one slider moves.
  function remembered(block, what, key, work) {
    block.memory ??= new Map();
    if (block.memory.get(what)?.key !== key) block.memory.set(what, { key, value: work() });
    return block.memory.get(what).value;
  }

  // Name of a block as in the command line: its sources, with first and last nuisance if a source has several blocks.
  function label(model, stacked, nuisances) {
    const items = nuisances.map(i => model.nuisances[i]), found = [...new Set(items.map(item => item.source))];
    const text = found.length < 4 ? found.join(" + ") : `${found[0]} + ${found.length - 1} more`;
    const all = [...[...stacked.loadings.keys()].map(i => model.nuisances[i].source), ...stacked.integrated.map(item => item.source)];
    const whole = all.filter(source => found.includes(source)).length === nuisances.length;
    return whole ? text : `${text} (${items[0].name} ... ${items[items.length - 1].name})`;
  }

  // Of the state, only assumptions, off and sources are used.
  function compile(model, state) {
    const set = model.sets.find(s => s.name === state.assumptions);
    const stacked = stack(model, state.off);
    const { base, pairs } = correlations(model, set, stacked.loadings, state.sources);
    const uncorrelated = algebra.copy(stacked.noise);
    for (const loading of stacked.loadings.values()) addPair(uncorrelated, loading, loading, 0.5);
    const covariance = algebra.copy(uncorrelated);
    const add = (matrix, own) => addPairs(matrix, stacked.loadings, own);
    add(covariance, base);
    const patterns = pairs.map(own => {
      if (!own.length) return null;
      const pattern = zeros(stacked.rows, stacked.rows);
      add(pattern, own);
      return pattern;
    });
    return { ...stacked, model, set, base, pairs, uncorrelated, covariance, patterns, blocks: blocks(model, set, stacked, base, pairs) };
  }

  // V(r) with the entries of C that a repair changes.
  function covarianceAt(structure, r, changed = []) {
    const result = algebra.copy(structure.covariance);
    structure.patterns.forEach((pattern, c) => {
      if (pattern && r[c] !== 0) pattern.forEach((row, i) => row.forEach((value, j) => { result[i][j] += r[c] * value; }));
    });
    addPairs(result, structure.loadings, changed);
    return result;
  }

  return { compile, owners, covarianceAt, blockAt, factor, isCorrelation, smallestEigenvalue, remembered };
})();
