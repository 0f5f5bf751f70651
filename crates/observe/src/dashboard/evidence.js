// One finding, opened: both sides of it.

import { bytes, make, whole } from "./words.js";

const MORE_BYTES = 65536;

/** Offset, hex and text, a row of bytes each. */
function dump(hex, width) {
  const rows = [];
  for (let at = 0; at < hex.length; at += width * 2) {
    const row = hex.slice(at, at + width * 2).match(/../g) || [];
    const text = row.map((pair) => {
      const code = parseInt(pair, 16);
      return code > 31 && code < 127 ? String.fromCharCode(code) : "·";
    });
    const offset = (at / 2).toString(16).padStart(5, "0");
    rows.push(`${offset}  ${row.join(" ").padEnd(width * 3 - 1)}  ${text.join("")}`);
  }
  return rows.join("\n");
}

/** The bytes as text, where they are text. */
function asText(hex) {
  const raw = Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(raw);
    return /^[\P{C}\s]+$/u.test(text) ? text : null;
  } catch {
    return null;
  }
}

function exhibit(one) {
  const shownBytes = one.hex.length / 2;
  const size = shownBytes < one.size
    ? `${bytes(one.size)}, the first ${bytes(shownBytes)} shown` : `${whole(one.size)} bytes`;
  const width = matchMedia("(max-width: 40rem)").matches ? 8 : 16;
  const text = asText(one.hex);
  const scroll = { tabindex: "0", role: "region" };
  return make("section", {},
    make("h4", {}, one.name, " ", make("span", { class: "muted" }, size)),
    text === null ? null : make("pre", { class: "scroll text", "aria-label": `${one.name} as text`, ...scroll }, text),
    make("pre", { class: "scroll", "aria-label": `${one.name} in hex`, ...scroll }, dump(one.hex, width)));
}

/** Fetches one finding and shows both sides. */
export async function open(place, chain, nth, limit) {
  const query = new URLSearchParams({ chain, nth });
  if (limit) query.set("bytes", limit);
  try {
    const reply = await fetch(`/evidence/one?${query}`);
    if (!reply.ok) throw new Error(await reply.text());
    const found = await reply.json();
    const cut = found.exhibits.some((one) => one.hex.length / 2 < one.size);
    const more = cut && !limit ? make("button", { type: "button" }, "Show more") : null;
    if (more) more.addEventListener("click", () => open(place, chain, nth, MORE_BYTES));
    place.replaceChildren(
      make("p", {}, make("span", { class: "muted" }, found.upstream), " — ", found.words),
      found.at ? make("p", { class: "muted" }, `Found ${new Date(found.at * 1000).toISOString().replace(".000Z", "Z")}`) : "",
      make("div", { class: "sides" }, ...found.exhibits.map(exhibit)),
      more || "");
  } catch (error) {
    place.replaceChildren(make("p", { class: "bad" }, `The evidence could not be read: ${error.message}`));
  }
}
