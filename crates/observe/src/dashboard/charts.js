// The charts of the last hour.

import { bytes, duration, latency, make, perSecond, whole } from "./words.js";

const GRADES = ["proven", "agreed", "relayed", "ungraded", "failed"];
const MEANING = {
  proven: "proven", agreed: "agreed", relayed: "relayed",
  ungraded: "without a grade", failed: "errors",
};
const SHORTEST_CHART = 300;
const SVG = "http://www.w3.org/2000/svg";
export const HOUR = 3600;

/** The seconds the charts cover: what there is, at most an hour. */
function span(samples, now) {
  const first = samples.length > 0 ? samples[0].at : now;
  return Math.min(HOUR, Math.max(SHORTEST_CHART, now - first));
}

/** A line over time, in seconds before now; where there is no value it has a gap. */
function line(points, seconds, top, style) {
  let drawn = "";
  let pen = false;
  for (const [at, value] of points) {
    if (value === null || value === undefined) {
      pen = false;
      continue;
    }
    const x = 100 + (100 * at) / seconds;
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

/** A small chart of samples up to now; `series` are [style, name, value of sample]. */
function chart(title, [samples, now], series, words) {
  const seconds = span(samples, now);
  const lines = series.map(([style, name, value]) => {
    const points = samples.map((sample) => [sample.at - now, value(sample)]);
    const known = points.map((point) => point[1]).filter((one) => one !== null && one !== undefined);
    return { style, name, points, known };
  });
  const highest = Math.max(0, ...lines.flatMap((one) => one.known));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const newest = lines
    .map((one) => {
      const last = one.known.length > 0 ? words(one.known[one.known.length - 1]) : "no data";
      return one.name ? `${one.name} ${last}` : last;
    })
    .join(" · ");
  svg.setAttribute("aria-label",
    `${title}: ${newest}; highest ${words(highest)} over ${duration(seconds)}`);
  for (const one of lines) svg.append(line(one.points, seconds, highest || 1, one.style));
  return make("figure", {},
    make("figcaption", {}, make("strong", {}, title), make("span", {}, newest)),
    svg,
    make("div", { class: "axis", "aria-hidden": "true" },
      make("span", {}, `${Math.round(seconds / 60)} min ago`),
      make("span", {}, highest > 0 ? `highest ${words(highest)}` : "")));
}

/** The charts of a chain's samples up to now, in seconds since 1970. */
export function charts(samples, now) {
  const answers = (one) => GRADES.reduce((sum, grade) => sum + one[grade], 0);
  const rate = (value) => (sample) => value(sample) / Math.max(sample.seconds, 1);
  const all = [samples, now];
  // The first sample is of no time at all.
  const rated = [samples.filter((sample) => sample.seconds >= 1), now];
  return [
    chart("Answers", rated, [
      ["s-agreed", "", rate(answers)],
      ["s-failed second", "errors", rate((one) => one.failed)],
    ], perSecond),
    chart("Latency", all, [
      ["s-agreed", "p50", (one) => one.p50],
      ["s-relayed second", "p99", (one) => one.p99],
    ], latency),
    chart("Sent", rated, [["s-agreed", "", rate((one) => one.bytes)]], (n) => `${bytes(n)}/s`),
    chart("Age of the head", all, [["s-proven", "", (one) => one.head_age]], duration),
  ];
}

/** What the answers of the last hour were worth. */
export function mix(samples) {
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
