// The dashboard. Everything shown comes from /events and /evidence/one, and
// much of it from upstreams nobody trusts: text only ever enters the page as
// text, never as markup.
"use strict";

const GRADES = ["proven", "agreed", "relayed", "ungraded", "failed"];
const MEANING = {
  proven: "proven", agreed: "agreed", relayed: "relayed",
  ungraded: "without a grade", failed: "errors",
};
const HOUR = 3600;
const SHORTEST_CHART = 300;
const MORE_BYTES = 65536;
const RETRY_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";

const page = { status: null, samples: [], at: 0, omitted: {}, chains: new Map() };
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text nodes. */
function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Renders again only when the data changed, so that nothing a reader opened
    or selected is lost. */
function show(node, data, render) {
  const key = JSON.stringify(data);
  if (node.dataset.shown === key) return;
  node.dataset.shown = key;
  node.replaceChildren(...render(data).filter(Boolean));
}

// -- words ------------------------------------------------------------------

function whole(number) {
  return number === null || number === undefined ? "?" : number.toLocaleString("en");
}

function duration(seconds) {
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

const bytes = (number) => scaled(number, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
const perSecond = (number) => `${number < 10 ? number.toFixed(1) : whole(Math.round(number))}/s`;
const latency = (seconds) =>
  seconds < 1 ? `${(seconds * 1000).toPrecision(2) * 1} ms` : `${seconds.toPrecision(2) * 1} s`;

// -- charts -----------------------------------------------------------------

/** The seconds the charts cover: what there is, at most an hour. */
function span(samples) {
  const first = samples.length > 0 ? samples[0].at : page.at;
  return Math.min(HOUR, Math.max(SHORTEST_CHART, page.at - first));
}

/** A line over time; where there is no value it has a gap. */
function line(points, seconds, top, style) {
  let drawn = "";
  let pen = false;
  for (const [at, value] of points) {
    if (value === null || value === undefined) {
      pen = false;
      continue;
    }
    const x = (100 * (at - (page.at - seconds))) / seconds;
    const y = 39 - (38 * value) / top;
    // A dot for a value that stands alone.
    drawn += pen ? `L${x.toFixed(2)} ${y.toFixed(2)}` : `M${x.toFixed(2)} ${y.toFixed(2)}h0.01`;
    pen = true;
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", drawn);
  path.setAttribute("class", style);
  return path;
}

/** A small chart of the samples; `series` are [style, name, value of sample]. */
function chart(title, samples, series, words) {
  const seconds = span(samples);
  const lines = series.map(([style, name, value]) => {
    const points = samples.map((sample) => [sample.at, value(sample)]);
    const known = points.map((point) => point[1]).filter((one) => one !== null && one !== undefined);
    return { style, name, points, known };
  });
  const highest = Math.max(0, ...lines.flatMap((one) => one.known));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const now = lines
    .map((one) => {
      const last = one.known.length > 0 ? words(one.known[one.known.length - 1]) : "no data";
      return one.name ? `${one.name} ${last}` : last;
    })
    .join(" · ");
  svg.setAttribute("aria-label",
    `${title}: ${now}; highest ${words(highest)} over ${duration(seconds)}`);
  for (const one of lines) svg.append(line(one.points, seconds, highest || 1, one.style));
  return make("figure", {},
    make("figcaption", {}, make("strong", {}, title), make("span", {}, now)),
    svg,
    make("div", { class: "axis", "aria-hidden": "true" },
      make("span", {}, `${duration(seconds)} ago`),
      make("span", {}, `highest ${words(highest)}`)));
}

function charts(samples) {
  const answers = (one) => GRADES.reduce((sum, grade) => sum + one[grade], 0);
  const rate = (value) => (sample) => value(sample) / Math.max(sample.seconds, 1);
  const rated = samples.filter((sample) => sample.seconds >= 1);
  return [
    chart("Answers", rated, [
      ["s-agreed", "", rate(answers)],
      ["s-failed second", "errors", rate((one) => one.failed)],
    ], perSecond),
    chart("Latency", samples, [
      ["s-agreed", "p50", (one) => one.p50],
      ["s-relayed second", "p99", (one) => one.p99],
    ], latency),
    chart("Sent", rated, [["s-agreed", "", rate((one) => one.bytes)]], (n) => `${bytes(n)}/s`),
    chart("Age of the head", samples, [["s-proven", "", (one) => one.head_age]], duration),
  ];
}

/** What the answers of the last hour were worth. */
function mix(samples) {
  const sums = {};
  for (const grade of GRADES) sums[grade] = samples.reduce((sum, one) => sum + one[grade], 0);
  const all = GRADES.reduce((sum, grade) => sum + sums[grade], 0);
  if (all === 0) return [make("p", { class: "muted" }, "No answers in the last hour.")];
  const share = (grade) => (100 * sums[grade]) / all;
  const bar = make("div", { class: "mix", "aria-hidden": "true" });
  const legend = make("ul", { class: "legend" });
  for (const grade of GRADES.filter((one) => sums[one] > 0)) {
    const part = make("span", { class: `b-${grade}` });
    part.style.flex = `${share(grade)} 0 0`;
    bar.append(part);
    const percent = share(grade) >= 99.95 ? "100" : share(grade).toFixed(1);
    legend.append(make("li", {}, make("i", { class: `b-${grade}` }),
      `${MEANING[grade]} ${percent} % (${whole(sums[grade])})`));
  }
  return [bar, legend];
}

// -- parts of a chain -------------------------------------------------------

function fact(name, value, note, style = "") {
  return make("div", { class: style.includes("wide") ? "wide" : "" },
    make("dt", {}, name),
    make("dd", { class: style }, value, note ? make("span", { class: "note" }, note) : null));
}

function facts([chain, age]) {
  const head = chain.head;
  const behind = chain.target_height !== null && chain.local_height !== null
    ? chain.target_height - chain.local_height : 0;
  return [
    fact("Height", whole(chain.local_height),
      behind > 0 ? `${whole(behind)} behind ${whole(chain.target_height)}, ${perSecond(chain.blocks_per_second)}`
        : `upstreams say ${whole(chain.target_height)}`),
    head ? fact("Age of the head", duration(age)) : null,
    head ? fact("Head is", head.assurance, null, gradeStyle(head.assurance)) : null,
    fact("Connections", whole(chain.connections), `${whole(chain.connections_accepted)} since the start`),
    fact("Store", bytes(chain.store.bytes), chain.store.address),
    chain.rewinds > 0 ? fact("Reorganisations", whole(chain.rewinds), "followed since the start") : null,
    chain.store.error ? fact("Store error", chain.store.error, null, "small bad wide") : null,
    head ? fact("Head", make("code", {}, head.id), null, "small wide") : null,
  ];
}

function gradeStyle(grade) {
  if (grade === "proven") return "good";
  return grade === "relayed" ? "warn" : "";
}

function stateStyle(state) {
  if (state === "ok") return "good";
  return state === "wrong" ? "bad" : "warn";
}

function table(caption, heads, rows) {
  const head = make("tr", {}, ...heads.map((name) => make("th", { scope: "col" }, name)));
  return make("table", {},
    make("caption", { class: "hidden" }, caption),
    make("thead", {}, head),
    make("tbody", {}, ...rows));
}

function upstreams(all) {
  if (all.length === 0) return [make("p", { class: "muted" }, "None.")];
  const marks = { ok: "✓", wrong: "✗" };
  const rows = all.map((one) => make("tr", {},
    make("th", { scope: "row" }, one.name),
    make("td", { class: `state ${stateStyle(one.state)}` }, `${marks[one.state] || "!"} ${one.state}`),
    make("td", {}, one.role),
    make("td", { class: "number" }, one.height === null ? "" : whole(one.height)),
    make("td", { class: "full" }, one.why)));
  return [table("Upstreams", ["Name", "State", "Role", "Height", "Why"], rows)];
}

function disagreements([all, omitted]) {
  const rows = [...all].reverse().map((one) => make("tr", {},
    make("th", { scope: "row" }, `at height ${whole(one.height)}`),
    make("td", { class: "full" }, one.upstream),
    make("td", { class: "full", "data-label": "theirs" }, make("code", {}, one.theirs)),
    make("td", { class: "full", "data-label": "ours" }, make("code", {}, one.ours))));
  return [
    make("h3", {}, `Disagreements (${all.length + omitted})`),
    make("p", { class: "muted" }, "Different answers that are equally valid: forks, not lies."),
    table("Disagreements", ["Height", "Upstream", "Theirs", "Ours"], rows),
    omitted > 0 ? make("p", { class: "muted" }, `${whole(omitted)} older ones are not shown.`) : null,
  ];
}

function receipts(states) {
  const all = Object.entries(states);
  return [
    make("h3", {}, "Outbox"),
    make("dl", { class: "facts" }, ...all.map(([state, count]) => fact(state, whole(count)))),
  ];
}

// -- evidence ---------------------------------------------------------------

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
async function open(place, chain, nth, limit) {
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
      found.at ? make("p", { class: "muted" }, `Found ${new Date(found.at * 1000).toISOString()}`) : "",
      make("div", { class: "sides" }, ...found.exhibits.map(exhibit)),
      more || "");
  } catch (error) {
    place.replaceChildren(make("p", { class: "bad" }, `The evidence could not be read: ${error.message}`));
  }
}

function findings(name, opened) {
  return ([all, omitted]) => {
    if (all.length === 0) return [make("h3", {}, "Lies"), make("p", { class: "muted" }, "None found.")];
    const items = all.map((one, index) => {
      const nth = omitted + index;
      const place = make("div", {}, "…");
      const details = make("details", {},
        make("summary", {}, make("span", { class: "rule" }, one.rule),
          one.height === null ? " " : ` at height ${whole(one.height)} `,
          make("span", { class: "muted" }, one.upstream)),
        place);
      details.addEventListener("toggle", () => {
        if (!details.open) {
          opened.delete(nth);
          return;
        }
        opened.add(nth);
        open(place, name, nth);
      });
      if (opened.has(nth)) details.open = true;
      return details;
    });
    return [
      make("h3", {}, `Lies, with their evidence (${all.length + omitted})`),
      ...items.reverse(),
      omitted > 0 ? make("p", { class: "muted" }, `${whole(omitted)} older ones are not shown.`) : null,
    ];
  };
}

// -- the page ---------------------------------------------------------------

/** The frame of a chain; its parts are filled in as they change. */
function frame(name) {
  const id = `chain-${page.chains.size}`;
  const part = (kind = "div", attributes = {}) => make(kind, attributes);
  const parts = {
    title: part("div", { class: "title" }), facts: part("dl", { class: "facts" }),
    charts: part("div", { class: "charts" }), mix: part(), upstreams: part(),
    findings: part(), disagreements: part(), receipts: part(),
  };
  const section = make("section", { class: "card", "aria-labelledby": id },
    parts.title, parts.facts, parts.charts,
    make("h3", {}, "How answers of the last hour were checked"), parts.mix,
    make("h3", {}, "Upstreams"), parts.upstreams,
    parts.findings, parts.disagreements, parts.receipts);
  return { id, section, parts, opened: new Set(), name };
}

function title(id) {
  return ([name, ledger, network, state, ready]) => [
    make("h2", { id }, name),
    make("span", { class: `tag ${ready ? "good" : "bad"}` }, ready ? "✓ ready" : "✗ not ready"),
    make("span", { class: "muted" }, `${ledger} ${network}: ${state}`),
  ];
}

function drawChain(shown, chain) {
  const { name, parts } = shown;
  const age = chain.head ? Math.max(0, page.at - chain.head.time) : 0;
  const [liesLeftOut, forksLeftOut] = page.omitted[name] || [0, 0];
  show(parts.title, [name, chain.ledger, chain.network, chain.state, chain.not_ready.length === 0], title(shown.id));
  show(parts.facts, [{ ...chain, upstreams: 0, findings: 0, disagreements: 0 }, age], facts);
  show(parts.upstreams, chain.upstreams, upstreams);
  show(parts.findings, [chain.findings, liesLeftOut], findings(name, shown.opened));
  const forks = [chain.disagreements, forksLeftOut];
  show(parts.disagreements, forks, (all) => (all[0].length > 0 ? disagreements(all) : []));
  const states = page.status.outbox[name] || {};
  show(parts.receipts, states, (all) => (Object.keys(all).length > 0 ? receipts(all) : []));
}

function drawSamples(shown) {
  const samples = page.samples
    .filter((sample) => sample.chains[shown.name])
    .map((sample) => ({ at: sample.at, seconds: sample.seconds, ...sample.chains[shown.name] }));
  shown.parts.charts.replaceChildren(...charts(samples));
  shown.parts.mix.replaceChildren(...mix(samples));
}

function sum(counts) {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

function reasons(counts) {
  const present = Object.entries(counts).filter(([, count]) => count > 0);
  return present.map(([reason, count]) => `${reason} ${whole(count)}`).join(", ");
}

function doors(all) {
  const rows = Object.entries(all).map(([name, door]) => {
    const ends = door.certificate_not_after;
    const left = ends === null ? null : ends - page.at;
    const certificate = left === null ? "" : left < 0 ? "expired" : `ends in ${duration(left)}`;
    return make("tr", {},
      make("th", { scope: "row" }, `${name} ${door.listen}`),
      make("td", { class: "number", "data-label": "open" }, whole(door.open)),
      make("td", { class: "number", "data-label": "accepted" }, whole(door.accepted)),
      make("td", { "data-label": "refused" }, sum(door.refused) > 0 ? reasons(door.refused) : "0"),
      make("td", { "data-label": "cut" }, sum(door.cut) > 0 ? reasons(door.cut) : "0"),
      make("td", { class: left !== null && left < 14 * 86400 ? "bad full" : "full" }, certificate));
  });
  return [
    make("h2", { id: "doors-title" }, "Doors"),
    table("Doors", ["Door", "Open", "Accepted", "Refused", "Cut", "Certificate"], rows),
  ];
}

function draw() {
  const status = page.status;
  show(byId("readiness"), [status.ready, status.not_ready], () => (status.ready ? []
    : [make("ul", { class: "reasons" },
      ...(status.not_ready.length > 0 ? status.not_ready : ["no chain runs"])
        .map((why) => make("li", {}, why)))]));
  for (const [name, shown] of page.chains) {
    if (!status.chains[name]) {
      shown.section.remove();
      page.chains.delete(name);
    }
  }
  for (const [name, chain] of Object.entries(status.chains)) {
    if (!page.chains.has(name)) {
      const shown = frame(name);
      page.chains.set(name, shown);
      byId("chains").append(shown.section);
      drawSamples(shown);
    }
    drawChain(page.chains.get(name), chain);
  }
  byId("doors").hidden = Object.keys(status.doors).length === 0;
  show(byId("doors"), status.doors, doors);
}

function takeIn(news) {
  page.at = news.at;
  if (news.status) {
    page.status = news.status;
    page.omitted = news.omitted || {};
  }
  if (!page.status) return;
  const fresh = news.samples || [];
  page.samples = page.samples.concat(fresh).filter((sample) => sample.at > page.at - HOUR);
  draw();
  if (fresh.length > 0) page.chains.forEach(drawSamples);
  byId("release").textContent = `${page.status.version}, up ${duration(news.uptime_seconds)}`;
  const { resident_bytes: memory, open_fds: open, max_fds: most } = news.process;
  byId("process").textContent = memory > 0
    ? `Process: ${bytes(memory)} of memory, ${whole(open)} of ${whole(most)} descriptors` : "";
  link(page.status.ready ? "✓ ready, live" : "✗ not ready, live", page.status.ready ? "good" : "bad");
}

function link(words, style) {
  const node = byId("link");
  if (node.textContent !== words) node.textContent = words;
  node.className = `tag ${style}`;
}

function listen() {
  const source = new EventSource("/events");
  // A new connection begins with the whole hour, perhaps of a new process.
  source.addEventListener("open", () => { page.samples = []; });
  source.addEventListener("message", (event) => takeIn(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    link("! no connection, trying again", "warn");
    // What the browser gives up on, such as a refusal, is tried again here.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  });
}

listen();
