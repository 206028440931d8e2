// The page: the changes that a user can make, which of them are allowed, and their messages.
"use strict";

(() => {
  const { make, fixed, withError, change } = numbers;
  const data = JSON.parse(document.getElementById("data").textContent), { model, posterior } = data;
  const element = id => document.getElementById(id);
  const nominal = results.evaluate(model, settings.opening(model));
  const undone = []; // states that "undo" returns to
  let state = settings.opening(model), gesture = "", result = nominal, chosen = nominal.headline[0], later = 0, writing = 0;

  // Every new state enters here; a malformed or infeasible one is refused with a message.
  function enter(next, { message = "", keep = true, from = "" } = {}) {
    let found;
    try {
      found = results.evaluate(model, settings.check(model, next));
    } catch (error) {
      found = { problem: error.message };
    }
    if (found.problem) {
      say(`Not done: ${found.problem}.`, true);
      render();
      return false;
    }
    // A gesture with a slider is one step to undo, not one per pixel.
    if (keep && !(from && from === gesture) && JSON.stringify(next) !== JSON.stringify(state)) undone.push(state);
    gesture = from;
    [state, result] = [next, found];
    clearTimeout(writing);
    writing = setTimeout(writeAddress, 200); // browsers refuse an address that changes with every pixel
    say(message || (from ? "" : summary()), Boolean(message));
    render();
    return true;
  }

  function writeAddress() {
    const words = settings.encode(model, state);
    history.replaceState(null, "", words ? `#${words}` : location.pathname + location.search);
  }

  const act = {
    // An infeasible value is moved to the boundary, where the shaded part of the track begins.
    move(coefficient, value, typed) {
      const index = settings.setOf(model, state).coefficients.indexOf(coefficient);
      if (!Number.isFinite(value)) { say("Not done: a number is needed.", true); render(); return; }
      const found = settings.intervals(model, state, c => c === coefficient)[index], [low, high] = settings.range(coefficient, state.wide);
      const inRange = Math.min(Math.max(value, low), high), allowed = Math.min(Math.max(inRange, found.low), found.high);
      const stop = inRange < found.low ? found.lowStop : inRange > found.high ? found.highStop : null;
      const name = coefficient.title || coefficient.name;
      let message = "";
      if (stop) message = `${name} stops at ${numbers.coefficient(allowed)}: ${stop} would not be feasible beyond.`;
      else if (value !== inRange) message = `${name} is kept inside its range ${low} to ${high}.`;
      const coefficients = { ...state.coefficients, [coefficient.name]: allowed };
      if (allowed === coefficient.nominal) delete coefficients[coefficient.name];
      enter({ ...state, coefficients }, { message, from: typed ? "" : coefficient.name });
    },
    // The end of a gesture: its result is stated.
    rest() {
      gesture = "";
      if (!element("status").textContent) say(summary());
    },
    treat(name, how) {
      const sources = { ...state.sources };
      if (how) sources[name] = how;
      else delete sources[name];
      enter({ ...state, sources });
    },
    toggle(name, on) {
      enter({ ...state, off: on ? state.off.filter(other => other !== name) : [...state.off, name] });
    },
  };

  function everywhere(where) {
    const target = settings.everywhere(model, state, where);
    const { state: next, share, stop } = settings.towards(model, state, target);
    const message = stop ? `Stopped after ${fixed(100 * share, 1)} % of the way: ${stop} would not be feasible beyond.` : "";
    enter(next, { message });
  }

  // Another set starts at its own nominal values; sources that it does not have are dropped.
  function withSet(name) {
    const set = model.sets.find(s => s.name === name);
    const known = Object.entries(state.sources).filter(([source]) => set.switches.some(s => s.name === source));
    return { ...state, assumptions: name, coefficients: {}, sources: Object.fromEntries(known) };
  }

  function undo() {
    if (!undone.length) return;
    const last = undone.pop();
    enter(last, { keep: false });
  }

  function fromAddress() {
    const words = location.hash.slice(1);
    let next = settings.opening(model), message = "";
    try {
      next = settings.decode(model, words);
      const found = results.evaluate(model, next);
      if (found.problem) throw new Error(found.problem);
    } catch (error) {
      [next, message] = [settings.opening(model), `The address is no setting of this page (${error.message}); nominal is shown.`];
    }
    enter(next, { message, keep: undone.length > 0 || next !== state });
  }

  function say(text, important = false) {
    const status = element("status");
    status.textContent = text;
    status.classList.toggle("important", important);
  }

  function summary() {
    if (result.headline.length > 3) return "";
    return result.headline.map((name, q) => {
      const unit = panels.unitOf(model, name), at = nominal.parameters.indexOf(name);
      const moved = at < 0 ? "" : `, ${change(result.values[q] - nominal.values[at], unit, nominal.errors[at])} from nominal`;
      return `${name} = ${withError(result.values[q], result.errors[q], unit)}${moved}`;
    }).join("; ");
  }

  // Buttons of which one is in force; an impossible choice stays reachable and states its reason.
  function choices(container, names, current, next, label, hint = "") {
    const reasons = [];
    numbers.replace(container, ...names.map(name => {
      const problem = name === current ? null : results.problem(model, next(name));
      if (problem) reasons.push(make("p", { id: `${label}-${name}`, class: "reason" }, `${name}: ${problem}${hint}`));
      return make("button", {
        type: "button", "aria-pressed": String(name === current), "aria-disabled": problem ? "true" : false, "data-key": name,
        "aria-describedby": problem ? `${label}-${name}` : false,
        onclick: () => { if (name !== current) enter(next(name)); },
      }, name);
    }), ...reasons);
  }

  function render() {
    const page = { model, posterior, nominal, result, chosen, crossings: null };
    if (!result.headline.includes(chosen)) page.chosen = chosen = result.headline[0];
    choices(element("sets"), model.sets.map(s => s.name), state.assumptions, withSet, "set");
    const withTreatment = treatment => ({ ...state, treatment }), withRepair = repair => ({ ...state, repair });
    choices(element("treatments"), ["covariance", "nuisance"], state.treatment, withTreatment, "treatment", "; possible with a repair");
    choices(element("repairs"), repairs.KINDS, state.repair, withRepair, "repair");
    element("in-force").textContent = `${state.assumptions}`;
    element("treatment-in-force").textContent = repairs.inForce(state) ? `${state.treatment}, repair ${state.repair}` : state.treatment;
    element("description").textContent = settings.setOf(model, state).description;
    element("undo").disabled = !undone.length;
    element("wide").checked = state.wide;
    sliders.update(element("sliders"), model, state, act);
    others();
    panels.headline(element("headline"), page);
    panels.goodness(element("goodness"), page);
    panels.repaired(page, element("repaired-sum"), element("repaired-blocks"));
    element("repaired").hidden = !result.repaired.length;
    if (model.theory) element("observables").replaceChildren(panels.observableTable(page, observed()));
    choose();
    panels.inputs(element("inputs"), page, state, act);
    panels.shares(element("shares"), page);
    if (element("matrix").open) panels.covariance(element("covariance"), page, element("matrix-kind").value);
    // Delta chi2 = 1 errors and the largest change take several more fits, which wait for the end of the gesture.
    command();
    clearTimeout(later);
    later = setTimeout(() => {
      if (model.theory) panels.headline(element("headline"), { ...page, crossings: result.crossings() });
      element("moved").textContent = moved.sentence(model, state, result, nominal, chosen, panels.unitOf(model, chosen));
    }, 150);
  }

  function command() {
    const { words, lacking } = moved.command(model, state);
    // An option stays beside its value where the line is broken.
    element("command").replaceChildren(...words.flatMap((word, i) => [i ? " " : "", make("span", {}, word)]));
    element("command-note").textContent = lacking.length
      ? `No option sets ${lacking.join(", ")} as it is here: write ${lacking.length === 1 ? "it" : "them"} into the model.`
      : "MODEL stands for the file or folder of the model.";
  }

  const observed = () => result.parameters.filter(name => model.observables.some(o => o.name === name));

  // The result whose weights and shares are shown, if there are several.
  function choose() {
    const select = element("chosen");
    element("choose").hidden = result.headline.length < 2;
    if ([...select.options].map(o => o.value).join() !== result.headline.join()) {
      select.replaceChildren(...result.headline.map(name => make("option", { value: name }, name)));
    }
    select.value = chosen;
  }

  // Sources without a slider.
  function others() {
    const set = settings.setOf(model, state), shown = new Set([...element("sliders").querySelectorAll("select")].map(s => s.dataset.source));
    const rest = set.switches.filter(s => !shown.has(s.name)), container = element("others");
    element("other-sources").hidden = !rest.length;
    if (container.dataset.names !== rest.map(s => s.name).join()) {
      container.dataset.names = rest.map(s => s.name).join();
      container.replaceChildren(...rest.map(s => make("p", {}, make("span", {}, s.title || s.name), sliders.choice(s.name, s.title || s.name, act))));
    }
    container.querySelectorAll("select").forEach(s => { s.value = state.sources[s.dataset.source] ?? ""; });
  }

  function listen() {
    for (const where of ["nominal", "low", "high"]) element(`all-${where}`).addEventListener("click", () => everywhere(where));
    element("undo").addEventListener("click", undo);
    element("reset").addEventListener("click", () => enter(settings.opening(model)));
    element("wide").addEventListener("change", event => {
      const wide = event.target.checked, set = settings.setOf(model, state);
      // Back to the quoted ranges: values outside of them become nominal.
      const inside = Object.entries(state.coefficients).filter(([name, value]) => {
        const c = set.coefficients.find(item => item.name === name);
        return wide || (c.low <= value && value <= c.high);
      });
      enter({ ...state, wide, coefficients: Object.fromEntries(inside) });
    });
    element("chosen").addEventListener("change", event => { chosen = event.target.value; render(); });
    element("matrix-kind").addEventListener("change", render);
    element("matrix").addEventListener("toggle", render); // a closed matrix is not updated
    window.addEventListener("beforeprint", () => {
      element("repaired").open = true; // nothing can be opened on paper
      render();
    });
    document.addEventListener("keydown", event => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z" && event.target.type !== "number") { event.preventDefault(); undo(); }
    });
    window.addEventListener("hashchange", fromAddress);
  }

  // For a script beside the page, and for tests: the profile at a setting, in full precision, without showing it.
  window.bayescomb = {
    model, posterior,
    state: () => JSON.parse(JSON.stringify(state)),
    evaluate(setting) {
      const complete = { ...settings.opening(model), ...setting };
      let found;
      try { found = results.evaluate(model, settings.check(model, complete)); } catch (error) { return { problem: error.message }; }
      if (found.problem) return found;
      const plain = rows => Array.from(rows, row => Array.from(row));
      const list = key => Array.from(found[key]);
      return {
        parameters: found.parameters, estimates: found.estimates, headline: found.headline, chi2: found.chi2, ndf: found.ndf,
        pValue: found.pValue, repaired: found.repaired, ownChi2: found.ownChi2, values: list("values"), errors: list("errors"), statistical: list("statistical"),
        systematic: list("systematic"), theory: list("theory"), covariance: plain(found.covariance), weights: plain(found.weights),
        parts: found.parts.map(p => ({ ...p, sources: Object.fromEntries(p.sources), theory: Object.fromEntries(p.theory) })),
        crossings: found.crossings(),
      };
    },
    intervals: setting => settings.intervals(model, settings.check(model, { ...settings.opening(model), ...setting })),
    enter,
  };

  listen();
  if (location.hash.length > 1) fromAddress();
  else render();
})();
