// Schedules: two timelines on one axis, and what makes the difference.
"use strict";

const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2"];
const OWN_COLOURS = {stage: "#e8e8e8", transfer: "#999999", other: "#ffffff"};
const ROW = 26, BETWEEN = 64, ABOVE = 46, BELOW = 46;  // pixels

const withTimeline = DATA.records.filter(r => r.timeline);
const caseOf = r => [r.network, r.precision, `batch ${r.batch}`, ...(r.image ? [`image ${r.image}`] : [])].join(", ");
const nameOf = r => r.scheduler + (r.gpus > 1 ? ` on ${r.gpus} GPUs` : "") + (r.labels ? ` (${r.labels})` : "");
const ms = value => `${value.toFixed(value < 10 ? 3 : 2)} ms`;
const loaded = new Map();

/** A timeline, unpacked when it is first looked at. */
async function timelineOf(id) {
  if (!loaded.has(id)) {
    const packed = Uint8Array.from(atob(DATA.timelines[id]), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const data = JSON.parse(await new Response(stream).text());
    data.events = data.events.map(e => Object.fromEntries(data.fields.map((name, i) => [name, e[i]])));
    loaded.set(id, data);
  }
  return loaded.get(id);
}

function hoverText(event) {
  const lines = [`<b>${event.name}</b>`];
  if (event.kind) lines.push(event.layers ? `${event.kind}: ${event.layers}` : event.kind);
  if (event.shape) lines.push(event.shape);
  const alone = event.solo_ms ? `, alone ${(1000 * event.solo_ms).toFixed(1)} us` : "";
  lines.push(`${(1000 * event.ms).toFixed(1)} us${event.estimated ? " (estimated inside its stage)" : ""}${alone}`);
  if (event.stage >= 0 && event.category !== "stage") lines.push(`stage ${event.stage}`);
  const gap = event.gap_ms > 1e-6 ? `, ${(1000 * event.gap_ms).toFixed(1)} us before` : "";
  if (event.waited_for) lines.push(`waited for ${event.waited_for} (${event.why}${gap})`);
  if (event.critical) lines.push("<b>on the critical path</b>");
  return lines.join("<br>");
}

/** Kinds of both timelines, those that take the most time first, with their colours. */
function kindsOf(timelines) {
  const time = {};
  for (const t of timelines) for (const e of t.events) time[e.colour_kind] = (time[e.colour_kind] ?? 0) + e.ms;
  const kinds = Object.keys(time).sort((a, b) => time[b] - time[a]);
  let next = 0;
  return new Map(kinds.map(kind => [kind, OWN_COLOURS[kind] ?? COLOURS[next++] ?? OWN_COLOURS.other]));
}

function rowName(timeline, [device, name]) {
  const several = timeline.rows.some(([other]) => other !== timeline.rows[0][0]);
  return several ? `GPU ${device}, ${name.replace("from device", "from GPU")}` : name;
}

/** Behind the last slash; of a strip ("conv/0") with its number; a merge's does not fit. */
const shortName = name => name.includes(" + ") ? "" : name.match(/[^/]*(\/\d+)?$/)[0];

/** Bars of one timeline, a trace a kind. */
function barsOf(timeline, kinds, axis, inLegend) {
  const edge = timeline.events.length > 300 ? 1 : 2;  // of the critical path: as thin bars are not to be all edge
  return [...kinds].flatMap(([kind, colour]) => {
    const events = timeline.events.filter(e => e.colour_kind === kind);
    if (!events.length) return [];
    const first = !inLegend.has(kind);
    inLegend.add(kind);
    return [{
      type: "bar", orientation: "h", name: kind, legendgroup: kind, showlegend: first, yaxis: axis,
      base: events.map(e => e.start), x: events.map(e => e.ms),
      y: events.map(e => rowName(timeline, timeline.rows[e.row])),
      text: events.map(e => shortName(e.name)), textposition: "inside",
      insidetextanchor: "start", textangle: 0, textfont: {color: "#000"},
      hovertext: events.map(hoverText), hoverinfo: "text",
      marker: {color: colour, opacity: events.map(e => e.critical || kind === "stage" ? 1 : 0.45),
               line: {color: events.map(e => e.critical ? "#000" : "#777"), width: events.map(e => e.critical ? edge : 0.4)}},
    }];
  });
}

/** Where a chart's legend and right margin go: in a narrow window the legend would cover the chart, so it goes below. */
function legendOf(chart, height) {
  const narrow = byId(chart).clientWidth < 900;
  return narrow ? {right: 60, below: 30, legend: {orientation: "h", x: 0, y: -62 / height, yanchor: "top"}}
                : {right: 130, below: 0, legend: {x: 1.01, y: 1}};
}

function drawTimelines(records, timelines) {
  const kinds = kindsOf(timelines), inLegend = new Set(), traces = [], shapes = [], annotations = [];
  const heights = timelines.map(t => t.rows.length * ROW);
  const inner = heights.reduce((sum, h) => sum + h, 0) + BETWEEN * (timelines.length - 1);
  const until = 1.01 * Math.max(...timelines.map(t => t.makespan_ms));
  const {right, below, legend} = legendOf("timelines", inner);
  const layout = {
    height: inner + ABOVE + BELOW + below, margin: {l: 150, r: right, t: ABOVE, b: BELOW + below}, barmode: "overlay", bargap: 0.12,
    dragmode: "pan", hovermode: "closest", hoverlabel: {align: "left", bgcolor: "#fff"}, shapes, annotations,
    uniformtext: {minsize: 9, mode: "hide"}, plot_bgcolor: "#fff", legend,
    xaxis: {title: {text: "ms"}, range: [0, until], anchor: timelines.length > 1 ? "y2" : "y", gridcolor: "#eee",
            zeroline: false},
  };
  let top = 1;
  timelines.forEach((timeline, i) => {
    const axis = i ? "y2" : "y", bottom = top - heights[i] / inner;
    traces.push(...barsOf(timeline, kinds, axis, inLegend));
    layout[i ? "yaxis2" : "yaxis"] = {
      domain: [Math.max(0, bottom), top], autorange: "reversed", fixedrange: true, categoryorder: "array",
      categoryarray: timeline.rows.map(row => rowName(timeline, row)), tickfont: {size: 12}, type: "category",
    };
    const r = records[i], said = r.provenance === "simulated" ? "" : `; ${r.provenance}: ${ms(r.value)}`;
    const end = timeline.makespan_ms, title = `<b>${"AB"[i]}: ${nameOf(r)}</b> (${timeline.mode}), simulated: ${ms(end)}${said}`;
    annotations.push({xref: "paper", yref: "paper", x: 0, y: top, yshift: 24, xanchor: "left", showarrow: false,
                      font: {size: right < 100 ? 12 : 14}, text: title});
    shapes.push({type: "line", xref: "x", yref: `${axis} domain`, x0: end, x1: end, y0: 0, y1: 1,
                 line: {color: "#d55e00", width: 1.5, dash: "dot"}});
    top = bottom - BETWEEN / inner;
  });
  return Plotly.react("timelines", traces, layout, {responsive: true, scrollZoom: true, displaylogo: false});
}

/** What the makespan is made of, ms, and how much runs side by side. */
function factsOf(timeline) {
  const operators = timeline.events.filter(e => e.category === "operator");
  const path = timeline.events.filter(e => e.critical), on = path.filter(e => e.category === "operator");
  const sum = (events, of) => events.reduce((total, e) => total + of(e), 0);
  const alone = sum(on, e => e.solo_ms), busy = sum(on, e => e.ms);
  const transfers = sum(path.filter(e => e.category === "transfer"), e => e.ms);
  return {
    makespan: timeline.makespan_ms, alone, company: busy - alone, transfers,
    gaps: timeline.makespan_ms - busy - transfers, path: on.length, operators: operators.length,
    aside: sum(operators, e => e.ms) / timeline.makespan_ms,
    streams: timeline.rows.filter(([, name]) => name.startsWith("stream")).length,
    stages: timeline.events.filter(e => e.category === "stage").length,
    merges: operators.filter(e => e.colour_kind === "merge").length,
  };
}

const PARTS = [["alone", "solo latencies of the operators on the critical path"],
               ["company", "slowdown by concurrent operators"],
               ["transfers", "transfers on the critical path"], ["gaps", "time in which nothing on the critical path runs"]];
const COUNTS = [["path", "operators on the critical path"], ["operators", "operators, a merge counting once"],
                ["merges", "merges"],
                ["streams", "streams"], ["stages", "stages between barriers"]];

const NUMERIC = /^[-+\u2212]?[\d.]+$|^(A|B|us|B . A)\b/;  // cells that stand at the right, heads too

function tableOf(caption, head, rows) {
  const made = element("table");
  made.append(element("caption", caption));
  for (const [tag, cells] of [["th", head], ...rows.map(row => ["td", row])]) {
    const row = element("tr");
    for (const cell of cells) row.append(element(tag, cell, NUMERIC.test(cell) ? {class: "number"} : {}));
    made.append(row);
  }
  return made;
}

/** In a sentence: how much, and which parts of the critical path it lies in, the largest first. */
function verdict(a, b, signed) {
  const change = b.makespan - a.makespan;
  if (Math.abs(change) < 0.001 * a.makespan) return "A and B take the same time.";
  const parts = PARTS.map(([key, title]) => [b[key] - a[key], title])
    .filter(([part]) => Math.abs(part) > 0.05 * Math.abs(change));
  parts.sort((x, y) => Math.abs(y[0]) - Math.abs(x[0]));
  const percent = (100 * Math.abs(change) / a.makespan).toFixed(0);
  return `B takes ${ms(Math.abs(change))} (${percent}%) ${change < 0 ? "less" : "more"} than A: ` +
    parts.map(([part, title]) => `${signed(part)} ms, ${title}`).join("; ") + ".";
}

function showDifference([a, b], [one, other]) {
  const none = value => Math.abs(value) < 5e-4;
  const signed = value => none(value) ? "0" : (value > 0 ? "+" : "\u2212") + Math.abs(value).toFixed(3);
  const plain = value => (none(value) ? 0 : value).toFixed(3);
  const rows = [["makespan", "whole run"], ...PARTS].map(([key, title]) =>
    [title, plain(a[key]), plain(b[key]), signed(b[key] - a[key])]);
  rows.push(["operators at a time, on average", a.aside.toFixed(2), b.aside.toFixed(2), ""]);
  for (const [key, title] of COUNTS)
    if (a[key] || b[key]) rows.push([title, String(a[key]), String(b[key]), ""]);
  byId("difference").replaceChildren(tableOf("What makes the difference, ms", ["", "A", "B", "B \u2212 A"], rows));
  byId("verdict").textContent = verdict(a, b, signed);

  const names = e => e.name.split(" + ").flatMap(name => [name, name.replace(/\/\d+$/, "")]);  // a strip's operator, too
  const namesOn = timeline => new Set(timeline.events.filter(e => e.critical).flatMap(names));
  const there = namesOn(other), gone = one.events.filter(
    e => e.critical && e.category === "operator" && e.name.split(" + ").every(name => !there.has(name)));
  gone.sort((x, y) => y.ms - x.ms);
  const hiddenRows = gone.slice(0, 8).map(e => [e.name, e.layers || e.kind, (1000 * e.ms).toFixed(1)]);
  byId("hidden").replaceChildren(...(gone.length ? [tableOf(
    `On A's critical path and not on B's: ${gone.length} operators` + (gone.length > 8 ? ", the longest" : ""),
    ["operator", "layers", "us in A"], hiddenRows)] : []));
}

function showLatencies(records, b) {
  const sorted = [...records].sort((x, y) => y.value - x.value);
  const look = {measured: "#0072b2", recorded: "#56b4e9", simulated: "#cccccc"};
  const traces = Object.entries(look).flatMap(([provenance, color]) => {
    const there = sorted.filter(r => r.provenance === provenance);
    return there.length ? [{
      type: "bar", orientation: "h", name: provenance, x: there.map(r => r.value), y: there.map(nameOf),
      customdata: there.map(r => r.key), text: there.map(r => ms(r.value) + (r.gain ? ` (${r.gain.toFixed(2)}x)` : "")),
      textposition: "outside", cliponaxis: false, hovertext: there.map(r => r.from), hoverinfo: "text",
      marker: {color, line: {color: "#000", width: there.map(r => r === b ? 2.5 : 0)}},
    }] : [];
  });
  const inner = 15 + 24 * sorted.length, {right, below, legend} = legendOf("latencies", inner);
  Plotly.react("latencies", traces, {
    height: inner + 45 + below, margin: {l: 300, r: Math.max(right, 110), t: 5, b: 40 + below}, bargap: 0.25, barmode: "overlay",
    showlegend: true, legend, dragmode: false,
    xaxis: {title: {text: "ms"}, rangemode: "tozero", gridcolor: "#eee"},
    yaxis: {categoryorder: "array", categoryarray: sorted.map(nameOf), tickfont: {size: 12}},
  }, {responsive: true, displayModeBar: false});
  byId("latencies").removeAllListeners("plotly_click");
  byId("latencies").on("plotly_click", event => {
    byId("b").value = event.points[0].customdata;
    showSchedules();
  });
}

const ofCase = () => withTimeline.filter(r => caseOf(r) === byId("case").value);
const chosen = id => withTimeline.find(r => r.key === byId(id).value);

async function showSchedules() {
  const records = [chosen("a"), chosen("b")];
  const timelines = await Promise.all(records.map(r => timelineOf(r.timeline)));
  await drawTimelines(records, timelines);
  showDifference(timelines.map(factsOf), timelines);
  showLatencies(ofCase(), records[1]);
  document.body.dataset.ready = records.map(r => r.key).join(" | ");
}

/** Of a case A is its sequential schedule on one GPU, if there is one, and B the fastest. */
function chooseCase() {
  const records = ofCase().sort((x, y) => x.value - y.value);
  for (const id of ["a", "b"])
    fill(byId(id), records.map(r => [r.key, `${nameOf(r)}: ${ms(r.value)} (${r.provenance})`]));
  byId("b").value = records[0].key;
  byId("a").value = (records.find(r => r.scheduler === "sequential") ?? records[records.length - 1]).key;
}

function openSchedule(record) {
  byId("case").value = caseOf(record);
  chooseCase();
  byId("b").value = record.key;
  byId("schedules").scrollIntoView();
  return showSchedules();
}

function setUpSchedules() {
  byId("no-timelines").hidden = withTimeline.length > 0;
  for (const part of [byId("shown"), document.querySelector("#schedules .controls")]) part.hidden = !withTimeline.length;
  if (!withTimeline.length) {
    document.body.dataset.ready = "no timelines";
    return;
  }
  fill(byId("case"), [...new Set(withTimeline.map(caseOf))].map(name => [name, name]));
  byId("case").addEventListener("input", () => { chooseCase(); showSchedules(); });
  for (const id of ["a", "b"]) byId(id).addEventListener("input", showSchedules);
  byId("swap").addEventListener("click", () => {
    [byId("a").value, byId("b").value] = [byId("b").value, byId("a").value];
    showSchedules();
  });
  chooseCase();
  showSchedules();
}

setUpTable();
showFigures();
showOrigin();
setUpSchedules();
