// The table of records, and the figures.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function fill(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => element("option", text, {value})));
}

const isNumber = value => typeof value === "number";
const shown = value => isNumber(value) ? (Number.isInteger(value) ? String(value) : value.toPrecision(4)) : value ?? "";

const COLUMNS = [["network", "network"], ["software", "software"], ["scheduler", "scheduler"], ["batch", "batch"],
                 ["image", "image"], ["precision", "precision"], ["gpus", "GPUs"], ["labels", "labels"], ["value", "value"],
                 ["unit", "unit"], ["gain", "over sequential"], ["provenance", "provenance"], ["mark", ""],
                 ["numbers", "more"]];
const NUMBERS = new Set(["batch", "gpus", "value", "gain"]);
const sorting = {column: null, descending: false};

function compareValues(a, b) {
  if (isNumber(a) && isNumber(b)) return a - b;
  if (a === null || a === "") return b === null || b === "" ? 0 : 1;  // what is not there stands last
  if (b === null || b === "") return -1;
  return String(a).localeCompare(String(b), undefined, {numeric: true});
}

function chosenRecords() {
  const quantity = byId("quantity").value, provenance = byId("provenance").value;
  const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = DATA.records.filter(r => (!quantity || r.quantity === quantity) &&
      (!provenance || r.provenance === provenance) && words.every(word => r.key.toLowerCase().includes(word)));
  if (sorting.column !== null)
    rows.sort((a, b) => (sorting.descending ? -1 : 1) * compareValues(a[sorting.column], b[sorting.column]));
  return rows;
}

function rowOf(record, columns) {
  const row = element("tr", undefined, {title: record.from});
  for (const [name] of columns) {
    const cell = element("td", name === "gain" && record.gain ? `${record.gain.toFixed(2)}x` : shown(record[name]));
    if (NUMBERS.has(name)) cell.className = "number";
    if (name === "numbers") cell.className = "more";
    row.append(cell);
  }
  if (record.timeline) {
    row.className = "opens";
    row.firstChild.textContent = `\u25b8 ${record.network}`;
    row.addEventListener("click", () => openSchedule(record));
  }
  return row;
}

function showTable() {
  const rows = chosenRecords();
  const columns = COLUMNS.filter(([name]) => name === "value" || rows.some(r => r[name] !== null && r[name] !== ""));
  const head = element("tr");
  for (const [name, title] of columns) {
    const sign = sorting.column === name ? (sorting.descending ? " \u25bc" : " \u25b2") : "";
    const cell = element("th", title + sign, {class: NUMBERS.has(name) ? "number" : "", "data-column": name});
    cell.addEventListener("click", () => {
      sorting.descending = sorting.column === name && !sorting.descending;
      sorting.column = name;
      showTable();
    });
    head.append(cell);
  }
  byId("table").tHead.replaceChildren(head);
  byId("table").tBodies[0].replaceChildren(...rows.map(r => rowOf(r, columns)));
  byId("count").textContent = `${rows.length} of ${DATA.records.length} records`;
}

function setUpTable() {
  const distinct = name => [...new Set(DATA.records.map(r => r[name]))];
  fill(byId("quantity"), [["", "all"], ...distinct("quantity").map(q => [q, q])]);
  fill(byId("provenance"), [["", "all"], ...distinct("provenance").map(p => [p, p])]);
  byId("quantity").value = DATA.records.some(r => r.quantity === "latency") ? "latency" : "";
  for (const id of ["quantity", "provenance", "words"]) byId(id).addEventListener("input", showTable);
  showTable();
}

function showFigures() {
  byId("figures").hidden = document.querySelector("nav a[href='#figures']").hidden = DATA.figures.length === 0;
  for (const figure of DATA.figures) {
    const made = element("figure", undefined, {id: `figure-${figure.name}`});
    made.append(element("h3", figure.title));
    made.append(element("img", undefined, {src: figure.picture, alt: figure.title, loading: "lazy"}));
    made.append(element("figcaption", `${figure.agrees} ${figure.differs} (${figure.state}.)`));
    byId("pictures").append(made);
  }
}

function showOrigin() {
  byId("places").replaceChildren(...DATA.places.map(place => element("li", place)));
  byId("commands").textContent = DATA.commands;
}
