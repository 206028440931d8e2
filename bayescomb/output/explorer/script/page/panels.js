// The results: headline with its band, numbers, inputs with their weights, shares of the variance, covariance.
"use strict";

const panels = (() => {
  const { make, drawing, fixed, significant, pValue, chi2, counted, withError, change, symbol, places } = numbers;
  const unitOf = (model, name) => {
    if (model.theory?.masses.some(m => name === m || name.startsWith(`${m} - `))) return "GeV";
    return model.observables.find(o => o.name === name)?.unit ?? "";
  };
  // A symbol if the name reads like one, else the title.
  const named = (model, name) => {
    const title = model.observables.find(o => o.name === name)?.title;
    return !title || numbers.SYMBOL.test(name) ? symbol(name) : title;
  };
  const WIDTH = 540, LEFT = 112, RIGHT = 530;

  // page: { model, posterior, nominal, result, crossings, treatedAsPosterior }
  function headline(container, page) {
    const { result } = page;
    if (result.headline.length > 3) {
      container.replaceChildren(observableTable(page, result.headline));
      return;
    }
    container.replaceChildren(...result.headline.map((name, q) => {
      const unit = unitOf(page.model, name), error = result.errors[q];
      const place = places(error), part = key => fixed(result[key][q], place);
      const value = make("p", { class: "result" }, make("b", {}, symbol(name), ` = ${withError(result.values[q], error, unit)}`));
      const parts = result.onlyTotals ? [] : [`± ${part("statistical")} (stat) ± ${part("systematic")} (syst)`];
      if (result.onlyTotals) parts.push(`± ${part("undivided")} (total)`);
      else if (result.undivided[q] > 0) parts.push(` ± ${part("undivided")} (total of inputs without sources)`);
      if (result.theory[q] > 0) parts.push(` ± ${part("theory")} (theory)`);
      // A line of its own from the beginning, so that nothing jumps when it is filled.
      const found = page.crossings?.[q], known = found && found.every(x => x !== null);
      const crossing = page.model.theory && q < page.model.theory.masses.length
        ? [make("p", { class: "parts" }, known ? `+${fixed(found[0], place)} ${fixed(found[1], place)} for Δχ² = 1` : "")] : [];
      return make("div", { class: "headline" }, value, make("p", { class: "parts", title: "propagated parts: they add up in quadrature" }, parts.join("")), ...crossing,
        strip(page, name, q, unit), comparison(page, name, q, unit));
    }));
  }

  // Differences from nominal and from the posterior.
  function comparison(page, name, q, unit) {
    const { result, nominal, posterior } = page, at = nominal.parameters.indexOf(name);
    const cells = [];
    if (at >= 0) {
      const error = nominal.errors[at];
      cells.push(["shift", change(result.values[q] - nominal.values[at], unit, error)],
        ["change of uncertainty", change(result.errors[q] - error, unit, error)]);
    }
    const band = posterior?.results[name];
    if (band) cells.push(["from posterior mean", `${fixed((result.values[q] - band.mean) / band.sd, 2, true)} sd`]);
    return make("dl", { class: "against" }, ...cells.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text))));
  }

  // The posterior as a band, nominal and this setting in front of it.
  function strip(page, name, q, unit) {
    const { result, nominal, posterior } = page, at = nominal.parameters.indexOf(name);
    const band = posterior?.results[name], value = result.values[q], error = result.errors[q];
    const marks = [[value - error, value + error]];
    if (at >= 0) marks.push([nominal.values[at] - 1.6 * nominal.errors[at], nominal.values[at] + 1.6 * nominal.errors[at]]);
    if (band) marks.push([band.mean - 1.6 * band.sd, band.mean + 1.6 * band.sd]);
    const low = Math.min(...marks.map(m => m[0])), high = Math.max(...marks.map(m => m[1]));
    const x = v => LEFT + (RIGHT - LEFT) * (v - low) / (high - low);
    const said = [`This setting ${withError(value, error, unit)}`];
    if (at >= 0) said.push(`nominal ${withError(nominal.values[at], nominal.errors[at], unit)}`);
    if (band) said.push(`posterior ${withError(band.mean, band.sd, unit)}`);
    const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} 104`, role: "img", "aria-label": said.join("; "), class: "strip" });
    if (band) {
      svg.append(drawing("rect", { x: x(band.hdi_low), y: 4, width: x(band.hdi_high) - x(band.hdi_low), height: 72, class: "band" }));
      svg.append(drawing("line", { x1: x(band.mean), x2: x(band.mean), y1: 4, y2: 76, class: "mean" }));
    }
    const line = (y, kind, label, centre, size) => svg.append(
      drawing("text", { x: 0, y: y + 4, class: kind }, label),
      drawing("line", { x1: x(centre - size), x2: x(centre + size), y1: y, y2: y, class: kind }),
      drawing("circle", { cx: x(centre), cy: y, r: kind === "now" ? 6 : 4.5, class: kind }));
    if (posterior) svg.append(drawing("text", { x: 0, y: 20, class: "posterior" }, band ? "posterior 68 %" : "posterior withheld, see below"));
    if (at >= 0) line(38, "nominal", "nominal", nominal.values[at], nominal.errors[at]);
    line(61, "now", "this setting", value, error);
    svg.append(drawing("line", { x1: LEFT, x2: RIGHT, y1: 79, y2: 79, class: "axis" }), ...ticks(low, high).flatMap(v => [
      drawing("line", { x1: x(v), x2: x(v), y1: 79, y2: 84, class: "axis" }),
      drawing("text", { x: x(v), y: 98, class: "scale" }, String(Number(v.toPrecision(8))))]));
    svg.append(drawing("text", { x: 0, y: 98, class: "unit" }, unit));
    return svg;
  }

  function ticks(low, high) {
    const raw = (high - low) / 6, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find(factor => factor * power >= raw), found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
    return found;
  }

  function goodness(container, page) {
    const { result, nominal } = page;
    const text = r => `χ² = ${chi2(r.chi2)} for ${counted(r.ndf, "degrees of freedom")}, `
      + (r.pValue === null ? "no p-value" : `p-value ${pValue(r.pValue)}`);
    const before = `nominal: ${chi2(nominal.chi2)} for ${nominal.ndf}`;
    container.replaceChildren(make("b", {}, text(result)), make("span", { class: "more" }, ` (${before})`));
    if (result.ownChi2) container.append(` The inputs' own post-fit nuisance values cost another ${chi2(result.ownChi2)}.`);
    if (result.chi2 !== result.chi2) container.append(" χ² is not known: the inputs do not determine their estimates one by one.");
  }

  // A table of rows; the first cell is the head of its row.
  function table(caption, heads, rows) {
    const cell = (content, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, ...[content].flat());
    return make("table", { "aria-label": caption },
      make("thead", {}, make("tr", {}, ...heads.map(h => make("th", { scope: "col" }, h)))),
      make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map(cell)))));
  }

  function observableTable(page, names) {
    const { result, nominal, posterior, model } = page;
    const heads = ["result", "value", "unit", "shift", "change of uncertainty", ...(posterior ? ["posterior"] : [])];
    return table("Results", heads, names.map(name => {
      const q = result.parameters.indexOf(name), at = nominal.parameters.indexOf(name), unit = unitOf(model, name);
      const against = values => (at < 0 ? "–" : change(result[values][q] - nominal[values][at], "", nominal.errors[at]));
      const band = posterior?.results[name];
      const last = posterior ? [band ? withError(band.mean, band.sd) : "–"] : [];
      return [named(model, name), withError(result.values[q], result.errors[q]), unit, against("values"), against("errors"), ...last];
    }));
  }

  function bar(share, largest) {
    const width = largest > 0 ? 100 * Math.min(Math.abs(share) / largest, 1) : 0;
    return make("span", { class: share < 0 ? "share negative" : "share", "aria-hidden": "true" },
      make("i", { style: `width:${width.toFixed(1)}%` }));
  }

  // Weight of an estimate in a result: a share without an extraction, else the effect of 1 % of its value.
  function weight(page, q, e) {
    const { result, model } = page, estimate = model.estimates.find(item => item.name === result.estimates[e]);
    const value = result.weights[q][e], unit = unitOf(model, result.headline[q]);
    if (!model.theory) return { size: value, text: `${fixed(100 * value, 1)} %` };
    const one = value * estimate.value / 100;
    return { size: one, text: change(one, unit, result.errors[q]) };
  }

  function inputs(container, page, state, act) {
    const { model, result } = page, shownResult = page.chosen, q = Math.max(result.headline.indexOf(shownResult), 0);
    const sizes = result.estimates.map((_, e) => Math.abs(weight(page, q, e).size)), largest = Math.max(...sizes);
    const heads = ["input", "measured", model.theory ? "effect of +1 % on the result" : "weight", ""];
    const line = (head, estimate) => {
      const e = result.estimates.indexOf(estimate.name), found = e >= 0 ? weight(page, q, e) : null;
      return [head, significant(estimate.value, 5), found ? found.text : "off", found ? bar(found.size, largest) : ""];
    };
    const rows = model.measurements.flatMap(m => {
      const own = m.estimates.map(number => model.estimates[number]), title = own[0].title || m.name;
      const named = own.length > 1 ? m.name : title.includes(m.experiment) ? title : `${m.experiment} ${title}`;
      const box = make("input", { type: "checkbox", checked: !state.off.includes(m.name), "data-key": `input ${m.name}`,
        onchange: event => act.toggle(m.name, event.target.checked) });
      const head = make("label", {}, box, ` ${named}`);
      if (own.length === 1) return [line(head, own[0])];
      const inside = estimate => make("span", { class: "estimate" }, estimate.title || estimate.name);
      return [[head, "", "", ""], ...own.map(estimate => line(inside(estimate), estimate))];
    });
    numbers.replace(container, table("Inputs and their weights", heads, rows));
  }

  // Parts of the variance of one result, the larger ones by name.
  function shares(container, page) {
    const { result, model } = page, q = Math.max(result.headline.indexOf(page.chosen), 0), parts = result.parts[q];
    const total = result.covariance[q][q], titles = new Map(model.sources.map(s => [s.name, s.title || s.name]));
    const rows = [...parts.sources].map(([name, value]) => [titles.get(name) ?? name, value / total]);
    rows.push(...[...parts.theory].map(([name, value]) => [`${name} (theory)`, value / total]));
    rows.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const large = rows.filter(row => Math.abs(row[1]) >= 0.01), small = rows.filter(row => Math.abs(row[1]) < 0.01);
    const coupling = parts.coupling / total;
    const listed = [...(result.onlyTotals ? [] : [["statistics", parts.statistics / total]]), ...large];
    if (parts.undivided) listed.push(["total of inputs without sources", parts.undivided / total]);
    if (Math.abs(coupling) > 1e-12) listed.push(["coupling between sources", coupling]);
    if (small.length) listed.push([`${counted(small.length, "sources")} below 1 %`, small.reduce((sum, row) => sum + row[1], 0)]);
    const largest = Math.max(...listed.map(row => Math.abs(row[1])));
    container.replaceChildren(table("Shares of the variance", ["part", "share", ""],
      listed.map(([name, share]) => [name, `${fixed(100 * share, 1)} %`, bar(share, largest)])));
  }

  function covariance(container, page, how) {
    const { result, model } = page, shown = result.parameters.map((name, i) => [name, i])
      .filter(([name]) => result.headline.includes(name) || model.observables.some(o => o.name === name));
    const entry = (i, j) => (how === "covariance" ? significant(result.covariance[i][j])
      : fixed(result.covariance[i][j] / (result.errors[i] * result.errors[j]), 2));
    container.replaceChildren(table(`Matrix of ${how}s`, ["", ...shown.map(([name]) => named(model, name))],
      shown.map(([name, i]) => [named(model, name), ...shown.map(([, j]) => entry(i, j))])));
  }

  // The changes by a repair, block by block.
  function repaired(page, sum, container) {
    const found = page.result.repaired, largest = Math.max(...found.map(item => item.change));
    const blocks = found.length === 1 ? "1 block is" : `${found.length} blocks are`;
    sum.textContent = found.length ? `${blocks} repaired: entries change by up to ${significant(largest)}` : "";
    container.replaceChildren(table("Repaired blocks", ["block", "smallest eigenvalue", "largest change of an entry"],
      found.map(item => [item.label, significant(item.smallest), significant(item.change)])));
  }

  return { headline, goodness, repaired, observableTable, inputs, shares, covariance, unitOf };
})();
