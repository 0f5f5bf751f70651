// Elements and words. Much of what is shown comes from upstreams nobody
// trusts: text only ever enters the page as text, never as markup.

/** An element with attributes and children; strings become text nodes. */
export function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Renders again only when the data changed, so that nothing a reader opened
    or selected is lost. */
export function show(node, data, render) {
  const key = JSON.stringify(data);
  if (node.dataset.shown === key) return;
  node.dataset.shown = key;
  node.replaceChildren(...render(data).filter(Boolean));
}

/** A value of a mapping whose keys are names that others chose. */
export function own(mapping, key) {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

export function whole(number) {
  return number === null || number === undefined ? "?" : number.toLocaleString("en");
}

export function duration(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const parts = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [name, length] of units) {
    if (rest >= length) {
      parts.push(`${Math.floor(rest / length)} ${name}`);
      rest %= length;
    }
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function scaled(number, units, step) {
  let unit = 0;
  let value = number;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  const digits = value < 10 && unit > 0 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export const bytes = (number) => scaled(number, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
export const perSecond = (number) => `${number < 10 ? number.toFixed(1) : whole(Math.round(number))}/s`;
export const latency = (seconds) =>
  seconds < 1 ? `${(seconds * 1000).toPrecision(2) * 1} ms` : `${seconds.toPrecision(2) * 1} s`;
