// One row per coefficient: a range input over a drawn track, the value as a number, and the treatment of its source.
"use strict";

const sliders = (() => {
  const { make, coefficient: short } = numbers;
  const PRIORS = { truncated_normal: "truncated normal", fixed: "fixed, no range" };
  const APART = "uncorrelated between experiments", EVERYWHERE = "uncorrelated everywhere";
  let rows = [], shown = "", severalExperiments = false;

  const percent = (value, [low, high]) => 100 * Math.min(Math.max((value - low) / (high - low), 0), 1);

  // act: { move(coefficient, value, typed), rest(), treat(name, how) } are called when the user changes something.
  function build(container, model, state, act) {
    container.replaceChildren();
    severalExperiments = new Set(structures.owners(model).values()).size > 1;
    const set = settings.setOf(model, state);
    rows = set.coefficients.filter(c => c.varied || state.wide).map(c => row(set, c, act));
    rows.forEach(r => container.append(r.element));
    if (!rows.length) {
      const more = set.coefficients.length ? "Tick the box above to move its fixed ones." : "";
      container.append(make("p", { class: "more" }, `No coefficient has a range in this assumption set. ${more}`));
    }
    shown = key(state);
  }

  const key = state => JSON.stringify([state.assumptions, state.wide]);

  function row(set, c, act) {
    const id = `c${set.coefficients.indexOf(c)}`;
    const input = make("input", { type: "range", id, step: "any", "aria-describedby": `${id}-note` });
    const number = make("input", { type: "number", step: "0.01", "aria-label": `${c.title || c.name}, value`, class: "value" });
    const note = make("p", { class: "note", id: `${id}-note` });
    const track = { quoted: make("i", { class: "quoted" }), low: make("i", { class: "shut" }), high: make("i", { class: "shut" }),
      nominal: make("i", { class: "tick" }) };
    const marks = [make("i", { class: "bar" }), track.quoted, track.low, track.high, track.nominal];
    const rail = make("span", { class: "rail", "aria-hidden": "true" }, ...marks);
    const ends = make("span", { class: "ends", "aria-hidden": "true" }, make("span"), make("span"), make("span"));
    const how = treatment(set, c, act);
    const title = make("label", { for: id, class: "name" }, c.title || c.name);
    if (c.title && c.title !== c.name) title.append(make("small", {}, ` ${c.name}`));
    const element = make("div", { class: "coefficient" }, title,
      make("span", { class: "slot" }, rail, input, ends), number, how ?? make("span"), note);
    const entry = { c, element, input, number, note, track, ends, how, index: set.coefficients.indexOf(c) };
    input.addEventListener("input", () => act.move(c, Number(Number(input.value).toFixed(3)), false));
    input.addEventListener("change", () => act.rest());
    input.addEventListener("keydown", event => keyboard(entry, event, act));
    number.addEventListener("change", () => { act.move(c, number.value === "" ? NaN : Number(number.value), true); act.rest(); });
    return entry;
  }

  // A range input with step "any" has no steps for the keyboard: these are a hundredth and a tenth of the range.
  function keyboard(entry, event, act) {
    const [low, high] = entry.range, step = (high - low) / 100;
    const now = entry.value;
    const to = {
      ArrowRight: now + step, ArrowUp: now + step, ArrowLeft: now - step, ArrowDown: now - step,
      PageUp: now + 10 * step, PageDown: now - 10 * step, Home: low, End: high,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act.move(entry.c, Number(Math.min(Math.max(to, low), high).toFixed(6)), false);
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => act.rest(), 400); // a held key is one gesture
  }

  function treatment(set, c, act) {
    const name = [c.source, c.name].find(n => n && set.switches.some(s => s.name === n));
    if (!name) return null;
    return choice(name, c.title || c.name, act);
  }

  // The correlation of a source: as in the set, or one of the other choices.
  function choice(name, title, act) {
    const select = make("select", { "aria-label": `Source ${title}`, "data-source": name },
      make("option", { value: "" }, "as in the set"),
      ...(severalExperiments ? [make("option", { value: "apart" }, APART)] : []),
      make("option", { value: "uncorrelated" }, severalExperiments ? EVERYWHERE : "uncorrelated"),
      make("option", { value: "full" }, "fully correlated"));
    select.addEventListener("change", () => act.treat(name, select.value));
    return select;
  }

  // Shows the state in the rows: value, feasible interval, and what limits it.
  function update(container, model, state, act) {
    if (shown !== key(state) || !container.hasChildNodes()) build(container, model, state, act);
    const intervals = settings.intervals(model, state);
    for (const entry of rows) refresh(entry, state, intervals[entry.index]);
  }

  function refresh(entry, state, interval) {
    const { c, input, number, note, track, ends, how, element } = entry;
    const range = settings.range(c, state.wide), value = state.coefficients[c.name] ?? c.nominal;
    const source = how ? state.sources[how.dataset.source] : undefined, idle = !interval.acts;
    Object.assign(entry, { value, range });
    [input.min, input.max] = range;
    input.value = value;
    number.min = range[0];
    number.max = range[1];
    number.value = Number(value.toFixed(4));
    input.disabled = number.disabled = idle;
    element.classList.toggle("idle", idle);
    if (how) how.value = source ?? "";
    const place = (mark, from, to) => { mark.style.left = `${from}%`; mark.style.width = `${Math.max(to - from, 0)}%`; };
    // With a repair in force no value is infeasible: the values at which it acts are drawn instead.
    const kept = interval.unrepaired, none = kept && Number.isNaN(kept.low);
    for (const mark of [track.low, track.high]) mark.className = kept ? "mended" : "shut";
    const [from, to] = kept ? [none ? range[1] : kept.low, kept.high] : [interval.lowStop ? interval.low : range[0], interval.highStop ? interval.high : range[1]];
    place(track.low, 0, idle ? 0 : percent(from, range));
    place(track.high, idle || none ? 100 : percent(to, range), 100);
    place(track.quoted, state.wide && c.varied ? percent(c.low, range) : 0, state.wide && c.varied ? percent(c.high, range) : 0);
    track.nominal.style.left = `${percent(c.nominal, range)}%`;
    const prior = `nominal ${short(c.nominal)}, prior ${PRIORS[c.prior] ?? c.prior}`;
    [short(range[0]), prior, short(range[1])].forEach((text, i) => { ends.children[i].textContent = text; });
    element.classList.toggle("moved", value !== c.nominal && !idle);
    note.textContent = sentence(c, interval, source, idle, range);
    note.classList.toggle("stopped", Boolean(interval.lowStop || interval.highStop) && !idle);
    input.setAttribute("aria-valuetext", `${short(value)}, nominal ${short(c.nominal)}`);
  }

  function sentence(c, interval, source, idle, range) {
    if (source) {
      const what = { full: "fully correlated", apart: APART, uncorrelated: severalExperiments ? EVERYWHERE : "uncorrelated" }[source];
      return `${what}, at any value of the coefficient`;
    }
    if (idle) return "acts on nothing that is on";
    if (interval.unrepaired) return mended(interval.unrepaired, range);
    const stops = [...new Set([interval.lowStop, interval.highStop].filter(Boolean))];
    if (!stops.length) return "";
    const where = interval.point ? `only ${short(interval.low)} is feasible`
      : `feasible from ${short(interval.low)} to ${short(interval.high)}`;
    return `${where}, given the others: stopped by ${stops.join(" and ")}`;
  }

  // Values of a coefficient at which its block is repaired, given the others.
  function mended({ low, high, label }, range) {
    if (Number.isNaN(low)) return `${label} is repaired wherever it stands, given the others`;
    if (high - low < 1e-3) return `${label} is repaired unless it stands at ${short(low)}, given the others`;
    const parts = [...(low > range[0] ? [`below ${short(low)}`] : []), ...(high < range[1] ? [`above ${short(high)}`] : [])];
    return parts.length ? `${label} is repaired ${parts.join(" and ")}, given the others` : "";
  }

  return { build, update, choice };
})();
