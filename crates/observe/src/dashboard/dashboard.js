// The dashboard: lives on /events.

import { charts, HOUR, mix } from "./charts.js";
import { open } from "./evidence.js";
import { bytes, duration, make, own, perSecond, show, whole } from "./words.js";

const RETRY_MS = 5000;
/** Disagreements shown at first. */
const NEWEST = 5;
/** An hour of them, and some. */
const SAMPLES = 400;

const page = { status: null, samples: [], at: 0, omitted: {}, chains: new Map() };
const byId = (id) => document.getElementById(id);

// -- parts of a chain -------------------------------------------------------

function fact(name, value, note, style = "") {
  return make("div", { class: style.includes("wide") ? "wide" : "" },
    make("dt", {}, name),
    make("dd", { class: style }, value, note ? make("span", { class: "note" }, note) : null));
}

const pace = (blocks) => (blocks === null ? "" : `, ${perSecond(blocks)}`);

function facts([chain, age]) {
  const head = chain.head;
  const behind = chain.target_height !== null && chain.local_height !== null
    ? chain.target_height - chain.local_height : 0;
  return [
    fact("Height", whole(chain.local_height),
      behind > 0 ? `${whole(behind)} behind ${whole(chain.target_height)}${pace(chain.blocks_per_second)}`
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
  const mark = (state) => (state === "ok" ? "✓" : state === "wrong" ? "✗" : "!");
  const rows = all.map((one) => make("tr", {},
    make("th", { scope: "row" }, one.name),
    make("td", { class: `state ${stateStyle(one.state)}` }, `${mark(one.state)} ${one.state}`),
    make("td", { class: "short" }, one.role),
    make("td", { class: "number" }, one.height === null ? "" : whole(one.height)),
    make("td", { class: "full" }, one.why)));
  return [table("Upstreams", ["Name", "State", "Role", "Height", "Why"], rows)];
}

function forks(all) {
  const rows = all.map((one) => make("tr", {},
    make("th", { scope: "row", class: "short", "data-label": "at height" }, whole(one.height)),
    make("td", { class: "full name" }, one.upstream),
    make("td", { class: "full", "data-label": "theirs" }, make("code", {}, one.theirs)),
    make("td", { class: "full", "data-label": "ours" }, make("code", {}, one.ours))));
  return table("Disagreements", ["Height", "Upstream", "Theirs", "Ours"], rows);
}

/** One upstream on a fork disagrees at every height: the newest are enough. */
function disagreements(shown) {
  return ([all, omitted]) => {
    if (all.length === 0) return [];
    const newestFirst = [...all].reverse();
    const older = newestFirst.slice(NEWEST);
    const rest = older.length === 0 ? null
      : make("details", {}, make("summary", {}, `${whole(older.length)} older`), forks(older));
    if (rest && shown.older) rest.open = true;
    if (rest) rest.addEventListener("toggle", () => { shown.older = rest.open; });
    return [
      make("h3", {}, `Disagreements (${whole(all.length + omitted)})`),
      make("p", { class: "muted" }, "Different answers that are equally valid: forks, not lies."),
      forks(newestFirst.slice(0, NEWEST)),
      rest,
      omitted > 0 ? make("p", { class: "muted" }, `${whole(omitted)} still older ones are not shown.`) : null,
    ];
  };
}

function receipts(all) {
  return [
    make("h3", {}, "Outbox"),
    make("dl", { class: "facts" }, ...all.map(([state, count]) => fact(state, whole(count)))),
  ];
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
  return { id, section, parts, opened: new Set(), older: false, name };
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
  const [liesLeftOut, forksLeftOut] = own(page.omitted, name) || [0, 0];
  show(parts.title, [name, chain.ledger, chain.network, chain.state, chain.not_ready.length === 0], title(shown.id));
  show(parts.facts, [{ ...chain, upstreams: 0, findings: 0, disagreements: 0 }, age], facts);
  show(parts.upstreams, chain.upstreams, upstreams);
  show(parts.findings, [chain.findings, liesLeftOut], findings(name, shown.opened));
  show(parts.disagreements, [chain.disagreements, forksLeftOut], disagreements(shown));
  const kept = Object.entries(chain.outbox).filter(([, count]) => count > 0);
  show(parts.receipts, kept, (all) => (all.length > 0 ? receipts(all) : []));
}

/** The samples of the last hour with the time each of them ended, counted back
    from now by their lengths: the machine's clock may have jumped meanwhile. */
function timed(samples) {
  let at = page.at;
  const placed = [...samples].reverse().map((sample) => {
    const ended = at;
    at -= sample.seconds;
    return { ...sample, at: ended };
  });
  return placed.filter((sample) => sample.at > page.at - HOUR).reverse();
}

function drawSamples(shown) {
  const samples = timed(page.samples)
    .filter((sample) => own(sample.chains, shown.name))
    .map((sample) => ({ at: sample.at, seconds: sample.seconds, ...own(sample.chains, shown.name) }));
  shown.parts.charts.replaceChildren(...charts(samples, page.at));
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
    if (!own(status.chains, name)) {
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
  page.samples = page.samples.concat(fresh).slice(-SAMPLES);
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
