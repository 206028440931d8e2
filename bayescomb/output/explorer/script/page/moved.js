// The setting in words: the command line that gives the same result, and the change that moved the result most.
"use strict";

const moved = (() => {
  const { change, coefficient, fixed, counted } = numbers;
  const LIMIT = 24; // with more changes than this, only their sum is stated

  const quoted = word => (/^[\w.+=/:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

  // Inputs that are on, as options: one experiment alone, or all without some.
  function inputs(model, state) {
    if (!state.off.length) return [];
    const on = model.measurements.filter(m => !state.off.includes(m.name)), experiments = new Set(on.map(m => m.experiment));
    const [only] = experiments;
    const whole = model.measurements.filter(m => m.experiment === only).length === on.length;
    if (experiments.size === 1 && only && whole) return [["--only", only]];
    return state.off.map(name => ["--without", name]);
  }

  // A source that is uncorrelated between experiments is its coefficients at 0, if nothing else links the experiments.
  function asCoefficients(model, set, name) {
    const owner = structures.owners(model), item = set.switches.find(s => s.name === name);
    const key = ([i, j]) => (i < j ? `${i},${j}` : `${j},${i}`), across = ([i, j]) => owner.get(i) !== owner.get(j);
    const links = new Set(item.pairs.filter(across).map(key));
    if (set.base.some(pair => links.has(key(pair)))) return null;
    const own = set.coefficients.filter(c => c.pairs.some(pair => links.has(key(pair))));
    return own.every(c => c.pairs.every(pair => links.has(key(pair)))) ? own.map(c => c.name) : null;
  }

  // { words, lacking }: the command, each option with its value, and the sources and coefficients that no option can set.
  // A set that differs from one of the model file in nominal values only is written as that one with coefficients.
  function command(model, state) {
    const set = settings.setOf(model, state), base = model.sets.find(s => s.name === model.bases[set.name]) ?? set;
    const zero = [], lacking = [], titles = new Map(model.sources.map(s => [s.name, s.title || s.name]));
    for (const [name, how] of Object.entries(state.sources)) {
      const found = how === "apart" ? asCoefficients(model, set, name) : null;
      if (found) zero.push(...found);
      else lacking.push(titles.get(name) ?? name);
    }
    const words = [["bayescomb", "profile", "MODEL"], ["--assumptions", base.name], ["--treatment", state.treatment]];
    if (state.repair !== "none") words.push(["--repair", state.repair]);
    if (model.extraction) words.push(["--extraction", model.extraction]);
    words.push(...inputs(model, state));
    for (const c of set.coefficients) {
      const value = zero.includes(c.name) ? 0 : state.coefficients[c.name] ?? c.nominal;
      if (value === base.coefficients.find(other => other.name === c.name).nominal) continue;
      if (model.theory && c.name === model.theory.scale_coefficient) lacking.push(c.title || c.name);
      else words.push(["--coefficient", `${c.name}=${value}`]);
    }
    return { words: words.map(parts => parts.map(quoted).join(" ")), lacking };
  }

  // Changes from the opening setting, each with the setting in which it alone is taken back.
  function items(model, state) {
    const opening = settings.opening(model), set = settings.setOf(model, state), found = [];
    for (const [name, value] of Object.entries(state.coefficients)) {
      const c = set.coefficients.find(item => item.name === name), { [name]: _, ...coefficients } = state.coefficients;
      if (c && value !== c.nominal) {
        found.push({ what: `${c.title || name} from ${coefficient(c.nominal)} to ${coefficient(value)}`, back: { ...state, coefficients } });
      }
    }
    const titles = new Map(model.sources.map(s => [s.name, s.title || s.name]));
    const words = { apart: "uncorrelated between experiments", uncorrelated: "uncorrelated everywhere", full: "fully correlated" };
    for (const [name, how] of Object.entries(state.sources)) {
      const { [name]: _, ...sources } = state.sources;
      found.push({ what: `${titles.get(name) ?? name} ${words[how]}`, back: { ...state, sources } });
    }
    for (const name of state.off) {
      const m = model.measurements.find(item => item.name === name), own = m.estimates.map(e => model.estimates[e]);
      const title = own.length === 1 ? own[0].title || name : name;
      found.push({ what: `${title} off`, back: { ...state, off: state.off.filter(other => other !== name) } });
    }
    if (state.assumptions !== opening.assumptions) {
      found.push({ what: `set ${state.assumptions}`, back: { ...state, assumptions: opening.assumptions, coefficients: {}, sources: {} } });
    }
    if (state.treatment !== opening.treatment || state.repair !== opening.repair) {
      found.push({ what: `treatment ${state.treatment}`, back: { ...state, treatment: opening.treatment, repair: opening.repair } });
    }
    return found;
  }

  // Shift of one result from nominal, and the change that contributes most to it.
  function sentence(model, state, result, nominal, name, unit) {
    const at = nominal.parameters.indexOf(name), q = result.parameters.indexOf(name), changes = items(model, state);
    if (at < 0 || q < 0 || !changes.length) return "";
    const error = nominal.errors[at], total = result.values[q] - nominal.values[at], grown = result.errors[q] - error;
    let text = `Since nominal ${name} has moved by ${change(total, unit, error)}, its uncertainty by ${change(grown, unit, error)}.`;
    if (changes.length > LIMIT) return `${text} ${counted(changes.length, "settings")} differ.`;
    const sized = [];
    for (const item of changes) {
      const before = results.evaluate(model, item.back), p = before.problem ? -1 : before.parameters.indexOf(name);
      if (p >= 0) sized.push({ ...item, shift: result.values[q] - before.values[p], grown: result.errors[q] - before.errors[p] });
    }
    const size = item => Math.max(Math.abs(item.shift), Math.abs(item.grown));
    sized.sort((a, b) => size(b) - size(a));
    if (sized.length > 1) {
      const [most] = sized;
      text += ` Most of it is ${most.what}: taken back alone it changes the value by ${change(-most.shift, unit, error)}`
        + ` and the uncertainty by ${change(-most.grown, unit, error)}.`;
    } else if (sized.length) text += ` It is ${sized[0].what}.`;
    return `${text}${weights(model, result, nominal, q, at)}`;
  }

  // The estimate whose weight changed most.
  function weights(model, result, nominal, q, at) {
    if (model.theory) return "";
    let most = null;
    result.estimates.forEach((name, e) => {
      const before = nominal.estimates.indexOf(name);
      const from = before < 0 ? 0 : nominal.weights[at][before], to = result.weights[q][e];
      if (!most || Math.abs(to - from) > Math.abs(most.to - most.from)) most = { name, from, to };
    });
    if (!most || Math.abs(most.to - most.from) < 5e-4) return "";
    const title = model.estimates.find(e => e.name === most.name).title || most.name;
    return ` The weight that changed most is that of ${title}, from ${fixed(100 * most.from, 1)} to ${fixed(100 * most.to, 1)} %.`;
  }

  return { command, sentence };
})();
