// Texts of numbers: two significant digits of the error (as rounding.py), true minus signs, names in italics.
"use strict";

const numbers = (() => {
  const MINUS = "\u2212", NONE = "\u2013", SYMBOL = /^([A-Za-z])_([A-Za-z0-9]+)$/;

  // Power of ten of the leading digit once a number is rounded to so many digits.
  const power = (value, digits) => Number(value.toExponential(digits - 1).split("e")[1]);

  // Decimals that leave two significant digits of an error.
  const places = error => (error > 0 && Number.isFinite(error) ? 1 - power(error, 2) : 3);

  // Negative digits round to tens, hundreds, ...
  function fixed(value, digits, sign = false) {
    if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
    const unit = 10 ** Math.max(-digits, 0), after = Math.max(digits, 0);
    const rounded = Number((unit > 1 ? Math.round(value / unit) * unit : value).toFixed(after));
    const text = Math.abs(rounded).toFixed(after);
    if (rounded < 0) return MINUS + text;
    return sign && rounded > 0 ? `+${text}` : text;
  }

  // A coefficient: two decimals, three where they are needed.
  const coefficient = value => fixed(value, 3).replace(/(\.\d\d)0$/, "$1");

  function significant(value, digits = 3) {
    if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
    if (value === 0) return "0";
    const leading = power(value, digits);
    return leading >= -5 && leading < 7 ? fixed(value, digits - 1 - leading) : withPower(value, digits);
  }

  // "3.5e−4"
  const withPower = (value, digits) => value.toExponential(digits - 1).replaceAll("-", MINUS).replace("+", "");

  function pValue(p) {
    if (p === null || p === undefined || !Number.isFinite(p)) return "undefined";
    if (p < 1e-300) return `< ${withPower(1e-300, 1)}`;
    return p >= 1e-3 ? significant(p, 2) : withPower(p, 2);
  }

  const chi2 = value => fixed(value, 3);

  // A number of things, named in the plural; of one thing the singular.
  const counted = (number, things) => `${number} ${number === 1 ? things.replace(/s\b/, "") : things}`;

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
    const found = SYMBOL.exec(name);
    return make("span", {}, ...(found ? [make("i", {}, found[1]), make("sub", {}, found[2])] : [name]));
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

  // Replaces the children; the focus stays on the control of the same data-key.
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

  return { SYMBOL, places, fixed, coefficient, significant, pValue, chi2, counted, withError, change, symbol, make, replace, drawing };
})();
