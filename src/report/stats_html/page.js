"use strict";
// Sorts and filters the tables, and zooms into the tree of prefixes. Everything is in the page without this script.
// Text from the log is only ever set as text, never as markup.
document.documentElement.classList.add("js");

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The rows of each table in their first order; also those that are not shown. */
const rowsOfTables = new Map();

function rowsOf(table) {
  if (!rowsOfTables.has(table)) {
    rowsOfTables.set(table, Array.from(table.tBodies).flatMap((body) => Array.from(body.rows)));
  }
  return rowsOfTables.get(table);
}

/** The number of a cell; NaN if it is empty. */
function number(cell) {
  return Number.parseFloat(cell.dataset.v ?? cell.textContent.replaceAll(",", ""));
}

function compare(a, b) {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  if (Number.isNaN(a)) return -1;
  return Number.isNaN(b) || a > b ? 1 : -1;
}

/** Returns the rows in the order of a column. Rows that are equal stay in their order. */
function sorted(rows, column, isNumber, isDescending) {
  const key = (row) => (isNumber ? number(row.cells[column]) : row.cells[column].textContent.toLowerCase());
  const keyed = rows.map((row) => [key(row), row]);
  keyed.sort(([a], [b]) => (isDescending ? compare(b, a) : compare(a, b)));
  return keyed.map(([, row]) => row);
}

function upgradeTable(table) {
  const limit = Number(table.dataset.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const state = { column: -1, isDescending: false, filter: "", showsAll: false };
  const [status, all] = [element("p", { class: "status", "aria-live": "polite" }), element("button", { type: "button" })];
  const texts = new Map();

  function matches(row) {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row).includes(state.filter);
  }

  function report(shown, found) {
    const total = rowsOf(table).length.toLocaleString("en");
    const [some, of] = [shown.toLocaleString("en"), found.toLocaleString("en")];
    status.textContent = state.filter
      ? `${some} of ${of} rows that match, of ${total}`
      : `${some} of ${total} rows`;
    all.hidden = !state.showsAll && found <= limit;
    all.textContent = state.showsAll ? `Show ${limit}` : `Show all ${of}`;
  }

  function draw() {
    let rows = rowsOf(table);
    if (state.filter) rows = rows.filter(matches);
    if (state.column >= 0) {
      const head = heads[state.column];
      const isNumber = head.classList.contains("n") || rows.some((row) => row.cells[state.column].dataset.v);
      rows = sorted(rows, state.column, isNumber, state.isDescending);
    }
    const shown = state.showsAll ? rows : rows.slice(0, limit);
    const content = document.createDocumentFragment();
    for (const row of shown) content.append(row);
    for (const body of table.tBodies) body.replaceChildren();
    table.tBodies[0].append(content);
    report(shown.length, rows.length);
  }

  heads.forEach((head, column) => {
    if (head.textContent === "") return;
    const button = element("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isFirst = state.column !== column;
      state.isDescending = isFirst ? head.classList.contains("n") : !state.isDescending;
      state.column = column;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", state.isDescending ? "descending" : "ascending");
      draw();
    });
  });

  const rows = Array.from(table.tBodies).reduce((sum, body) => sum + body.rows.length, 0);
  if (rows <= 15) return;
  const input = element("input", { type: "search", "aria-label": `Filter: ${table.caption.textContent}`, placeholder: "Filter" });
  input.addEventListener("input", () => {
    state.filter = input.value.toLowerCase();
    draw();
  });
  all.addEventListener("click", () => {
    state.showsAll = !state.showsAll;
    draw();
  });
  all.hidden = rows <= limit;
  all.textContent = `Show all ${rows.toLocaleString("en")}`;
  status.textContent = `${Math.min(rows, limit).toLocaleString("en")} of ${rows.toLocaleString("en")} rows`;
  table.parentElement.before(element("div", { class: "controls" }, input, all, status));
}

// As in prefixes.rs.
const [LEVELS, LEVEL_HEIGHT, NARROW, NAMED, NAMED_ON_PHONES] = [7, 28, 0.002, 0.03, 0.12];

/** Returns the tree of prefixes from the rows of its table, each before those below it. */
function readTree(table) {
  const above = [];
  return rowsOf(table).map((row, index) => {
    const depth = Number(row.dataset.depth);
    const name = row.cells[0].querySelector(".name");
    const color = row.dataset.color ?? above[depth - 1].color;
    const node = { index, depth, row, color, path: name.textContent, label: name.lastChild.textContent };
    node.children = [];
    node.parent = depth > 0 ? above[depth - 1] : undefined;
    node.parent?.children.push(node);
    above[depth] = node;
    return node;
  });
}

/** Sets the weight of each node: its number in a column, or the sum of those below it if that is more. */
function weigh(tree, column) {
  for (const node of tree) node.weight = Math.max(0, number(node.row.cells[column]) || 0);
  for (const node of tree.toReversed()) {
    node.weight = Math.max(node.weight, node.children.reduce((sum, child) => sum + child.weight, 0));
  }
}

function upgradeIcicle(svg, table) {
  const heads = Array.from(table.tHead.rows[0].cells);
  const measures = heads.flatMap((head, column) => ("measure" in head.dataset ? [column] : []));
  const names = heads.map((head) => head.textContent);
  const crumbs = element("nav", { class: "crumbs", "aria-label": "Zoom", "aria-live": "polite" });
  const state = { tree: undefined, focus: 0, column: measures[0] };

  function tree() {
    if (!state.tree) {
      state.tree = readTree(table);
      weigh(state.tree, state.column);
    }
    return state.tree;
  }

  function box(x, level, width, title, color, label) {
    const rect = drawn("rect", { class: color, width: "100%", height: "100%" });
    const place = { x: `${x * 100}%`, y: level * LEVEL_HEIGHT, width: `${width * 100}%`, height: LEVEL_HEIGHT - 1 };
    const made = drawn("svg", place, drawn("title", {}, title), rect);
    if (label && width >= NAMED) {
      made.append(drawn("text", { class: width < NAMED_ON_PHONES ? "small" : "", x: 6, y: 18 }, label));
    }
    return made;
  }

  function titleOf(node) {
    return [node.path, ...measures.map((column) => `${names[column]}: ${node.row.cells[column].textContent}`)].join("\n");
  }

  function draw() {
    const focus = tree()[state.focus];
    const made = [];
    let levels = 1;
    const left = [[focus, 0, 0]];
    while (left.length > 0) {
      const [node, x, level] = left.pop();
      const width = focus.weight > 0 ? node.weight / focus.weight : 1;
      const link = drawn("a", { href: `#p${node.index}` }, box(x, level, width, titleOf(node), node.color, node.label));
      if (width < NAMED) link.setAttribute("tabindex", "-1");
      made.push(link);
      levels = Math.max(levels, level + 1);
      if (level + 1 >= LEVELS || focus.weight === 0) continue;
      const children = node.children.filter((child) => child.weight > 0).sort((a, b) => b.weight - a.weight);
      const below = [];
      let at = x;
      for (const [index, child] of children.entries()) {
        if (child.weight / focus.weight < NARROW) {
          const rest = children.slice(index);
          const weight = rest.reduce((sum, other) => sum + other.weight, 0);
          made.push(box(at, level + 1, weight / focus.weight, `${rest.length.toLocaleString("en")} smaller prefixes`, "rest"));
          levels = Math.max(levels, level + 2);
          break;
        }
        below.push([child, at, level + 1]);
        at += child.weight / focus.weight;
      }
      left.push(...below.reverse());
    }
    const labels = Array.from(svg.children).filter((child) => ["title", "desc"].includes(child.localName));
    svg.replaceChildren(...labels, ...made);
    svg.setAttribute("height", levels * LEVEL_HEIGHT);
    labels[0].textContent = `Prefixes by ${names[state.column]}`;
  }

  function drawCrumbs() {
    const trail = [];
    for (let node = tree()[state.focus].parent; node; node = node.parent) {
      const button = element("button", { type: "button" }, node.label);
      const index = node.index;
      button.addEventListener("click", () => zoom(index));
      trail.unshift(button);
    }
    const focus = tree()[state.focus];
    const figure = focus.row.cells[state.column].textContent;
    crumbs.replaceChildren(...trail, element("span", { "aria-current": "location" }, `${focus.label} - ${names[state.column]}: ${figure}`));
  }

  function zoom(index) {
    state.focus = index;
    draw();
    drawCrumbs();
    svg.querySelector("a").focus({ preventScroll: true });
  }

  function up() {
    const parent = tree()[state.focus].parent;
    if (parent) zoom(parent.index);
  }

  const fieldset = element("fieldset", {}, element("legend", {}, "Width:"));
  for (const column of measures) {
    const input = element("input", { type: "radio", name: "measure", value: names[column] });
    input.checked = column === state.column;
    input.addEventListener("change", () => {
      state.column = column;
      weigh(tree(), column);
      draw();
      drawCrumbs();
    });
    fieldset.append(element("label", {}, input, names[column]));
  }
  svg.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    const index = Number(link.getAttribute("href").slice(2));
    if (index === state.focus) up();
    else zoom(index);
  });
  const section = svg.closest("section");
  section.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.type !== "search") up();
  });
  svg.parentElement.before(element("div", { class: "controls" }, fieldset, crumbs));
}

document.addEventListener("DOMContentLoaded", () => {
  const icicle = document.getElementById("icicle");
  // Before the headings become buttons.
  if (icicle) upgradeIcicle(icicle, document.getElementById("prefixes"));
  document.querySelectorAll("table").forEach(upgradeTable);
});
