// Numbers for people: the rounding rule of the Particle Data Group, true minus signs, names in italics.
"use strict";

const numbers = (() => {
  const MINUS = "\u2212", NONE = "\u2013";

  // Decimals that an uncertainty gives its value: two digits up to 354, one up to 949, then two of 1000.
  function decimals(error) {
    if (!(error > 0 && Number.isFinite(error))) return 3;
    const [mantissa, exponent] = error.toExponential(2).split("e");
    const leading = Math.round(100 * Number(mantissa));
    return (leading < 355 || leading >= 950 ? 2 : 1) - 1 - (Number(exponent) + (leading >= 950 ? 1 : 0));
  }

  // Negative digits round to tens, hundreds, ...
  function fixed(value, digits, sign = false) {
    if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
    const unit = 10 ** Math.max(-digits, 0), after = Math.max(digits, 0);
    const rounded = Number((unit > 1 ? Math.round(value / unit) * unit : value).toFixed(after));
    const text = Math.abs(rounded).toFixed(after);
    if (rounded < 0) return MINUS + text;
    return sign && rounded > 0 ? `+${text}` : text;
  }

  function significant(value, digits = 3) {
    if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
    if (value === 0) return "0";
    const power = Math.floor(Math.log10(Math.abs(value)));
    if (power >= -5 && power < 7) return fixed(value, digits - 1 - power);
    return value.toExponential(digits - 1).replace("-", MINUS);
  }

  // Two digits of the uncertainty at least: a page on which results move has to show that they do.
  const places = error => Math.max(decimals(error), error > 0 ? 1 - Math.floor(Math.log10(error)) : 0);

  // "172.51 ± 0.33 GeV"
  function withError(value, error, unit = "") {
    const digits = places(error);
    return `${fixed(value, digits)} ± ${fixed(error, digits)} ${unit}`.trim();
  }

  // Small changes of a result: MeV for GeV, else its own unit with the decimals that show a hundredth of the error.
  function change(value, unit, error) {
    if (unit === "GeV") return `${fixed(1000 * value, Math.abs(1000 * value) < 10 ? 1 : 0, true)} MeV`;
    return `${fixed(value, places(error) + 1, true)} ${unit}`.trim();
  }

  // "m_t" as an italic letter with an index; anything else as it is.
  function symbol(name) {
    const found = /^([A-Za-z])_([A-Za-z0-9]+)$/.exec(name), element = document.createElement("span");
    if (!found) element.textContent = name;
    else {
      element.append(make("i", {}, found[1]), make("sub", {}, found[2]));
    }
    return element;
  }

  // An element with attributes and children; text is always text.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  }

  // New children in place of the old ones, the focus staying on the control of the same data-key.
  function replace(container, ...children) {
    const active = document.activeElement, key = container.contains(active) ? active.dataset.key : undefined;
    container.replaceChildren(...children);
    if (key) [...container.querySelectorAll("[data-key]")].find(e => e.dataset.key === key)?.focus();
  }

  function drawing(tag, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    element.append(...children);
    return element;
  }

  return { places, fixed, significant, withError, change, symbol, make, replace, drawing };
})();
