// The setting of the page: its contents, its form in the address, and which states are allowed.
//
// A state is { assumptions, treatment, repair, coefficients, off, sources, wide }: name of the set, treatment of the sources,
// repair of blocks that are no correlation matrices under treatment "nuisance", coefficient -> value (nominal if it is
// missing), names of inputs that are off, source -> "apart" (uncorrelated between experiments), "uncorrelated" (everywhere)
// or "full", and whether the sliders reach beyond the quoted ranges.
"use strict";

const settings = (() => {
  const HOW = ["apart", "uncorrelated", "full"];

  const opening = model => ({
    assumptions: model.assumptions, treatment: model.treatment, repair: model.repair, coefficients: {}, off: [], sources: {}, wide: false,
  });

  const setOf = (model, state) => model.sets.find(s => s.name === state.assumptions);
  const range = (coefficient, wide) => (wide ? [-1, 1] : [coefficient.low, coefficient.high]);

  // Throws an Error with a message if the state does not belong to this model.
  function check(model, state) {
    const expect = (condition, sentence) => { if (!condition) throw new Error(sentence); };
    const set = setOf(model, state);
    expect(set, `no assumption set "${state.assumptions}"`);
    expect(["covariance", "nuisance"].includes(state.treatment), `no treatment "${state.treatment}"`);
    expect(repairs.KINDS.includes(state.repair), `no repair "${state.repair}"`);
    for (const [name, value] of Object.entries(state.coefficients)) {
      const coefficient = set.coefficients.find(c => c.name === name);
      expect(coefficient, `no coefficient "${name}" in set "${set.name}"`);
      expect(Number.isFinite(value), `the value of "${name}" is no number`);
      const [low, high] = range(coefficient, state.wide);
      // The nominal value may lie outside the range that is scanned.
      expect((low <= value && value <= high) || value === coefficient.nominal, `${name} = ${value} is outside ${low} to ${high}`);
    }
    for (const name of state.off) expect(model.measurements.some(m => m.name === name), `no input "${name}"`);
    for (const [name, how] of Object.entries(state.sources)) {
      expect(set.switches.some(s => s.name === name), `no source "${name}" that could be set apart`);
      expect(HOW.includes(how), `"${how}" is no correlation of source "${name}"`);
    }
    return state;
  }

  // Only what differs from the opening state, so that an address is short.
  function encode(model, state) {
    const plain = opening(model), words = new URLSearchParams();
    if (state.assumptions !== plain.assumptions) words.set("set", state.assumptions);
    if (state.treatment !== plain.treatment) words.set("treatment", state.treatment);
    if (state.repair !== plain.repair) words.set("repair", state.repair);
    if (state.wide) words.set("wide", "1");
    state.off.forEach(name => words.append("off", name));
    Object.entries(state.sources).forEach(([name, how]) => words.append("source", `${how}:${name}`));
    for (const c of setOf(model, state).coefficients) {
      const value = state.coefficients[c.name];
      if (value !== undefined && value !== c.nominal) words.append("r", `${value}:${c.name}`);
    }
    return words.toString();
  }

  // The state of an address; throws if it is malformed.
  function decode(model, text) {
    const state = opening(model), split = word => [word.slice(0, word.indexOf(":")), word.slice(word.indexOf(":") + 1)];
    for (const [key, word] of new URLSearchParams(text)) {
      if (key === "set") state.assumptions = word;
      else if (key === "treatment") state.treatment = word;
      else if (key === "repair") state.repair = word;
      else if (key === "wide" && word === "1") state.wide = true;
      else if (key === "off" && !state.off.includes(word)) state.off.push(word);
      else if (key === "source" && word.includes(":")) { const [how, name] = split(word); state.sources[name] = how; }
      else if (key === "r" && /^-?\d+(\.\d+)?(e-?\d+)?:/.test(word)) {
        const [value, name] = split(word);
        state.coefficients[name] = Number(value);
      } else throw new Error(`"${key}=${word}" is not understood`);
    }
    return check(model, state);
  }

  // Every coefficient at "nominal", "low" or "high"; those without a range stay where they are.
  function everywhere(model, state, where) {
    const coefficients = {};
    for (const c of setOf(model, state).coefficients) {
      if (where === "nominal") continue;
      if (c.varied) coefficients[c.name] = c[where];
      else if (c.name in state.coefficients) coefficients[c.name] = state.coefficients[c.name];
    }
    return { ...state, coefficients };
  }

  // The way from one state towards another that differs in coefficients only, to the end of its feasible part.
  function towards(model, state, target) {
    const structure = results.structureOf(model, state);
    const from = results.coefficients(structure, state), to = results.coefficients(structure, target);
    const here = feasibility.factored(structure, state, from);
    const { high, highStop } = feasibility.line(structure, here, from, to.map((value, c) => value - from[c]), 0, 1);
    if (!highStop) return { state: target, share: 1, stop: null };
    const coefficients = {};
    structure.set.coefficients.forEach((c, i) => { coefficients[c.name] = from[i] + high * (to[i] - from[i]); });
    return { state: { ...state, coefficients }, share: high, stop: highStop };
  }

  // Feasible interval of every coefficient given the others, or of those that are asked for.
  function intervals(model, state, wanted = () => true) {
    const structure = results.structureOf(model, state), r = results.coefficients(structure, state);
    const here = feasibility.factored(structure, state, r);
    return structure.set.coefficients.map((c, i) => {
      if (!wanted(c)) return null;
      const ends = range(c, state.wide), found = feasibility.interval(structure, here, r, i, ...ends);
      return repairs.inForce(state) ? { ...found, unrepaired: feasibility.unrepaired(structure, r, i, ...ends) } : found;
    });
  }

  return { opening, check, encode, decode, everywhere, towards, intervals, setOf, range };
})();
