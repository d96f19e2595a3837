"use strict";

// Colours follow the page's text, so that the charts are right in light, in dark and on paper.
const ink = "currentColor";
const config = {
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: { labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: ink, gridOpacity: 0.13,
    labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, labelLimit: 260 },
  legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, labelLimit: 400 },
  title: { color: ink, subtitleColor: ink, fontWeight: 600 },
  text: { color: ink },
  rule: { color: ink },
};

// The widths that charts may have in pixels, without labels; others may be 130 and as wide as the page.
const CELL = 96, NARROW_CELL = 34;
const SIZES = {
  cd: { most: 560, least: 70 },
  "cd-wilcoxon": { most: 560, least: 70 },
  cost: { least: 110 },
  scatter: { most: 480, square: true },
  hyperparameters: { most: 560 },
};
const views = [];

// Widths are set once a chart is drawn: only then is known how much its labels take.
async function fit({ name, target, view, width }) {
  const cells = name === "pairs" ? width / CELL : 0;
  const least = cells ? cells * NARROW_CELL : (SIZES[name] || {}).least || 130;
  const most = cells ? width : (SIZES[name] || {}).most || 1000;
  const names = Object.keys(view.getState({ signals: (each) => /^(width|childWidth|concat_\d+_width)$/.test(each) }).signals)
    .filter((each) => view.signal(each) > 0);
  for (let turn = 0; turn < 3; turn++) {
    const drawn = view.signal(names[0]);
    const labels = target.querySelector("svg.marks").getBoundingClientRect().width - drawn;
    const style = getComputedStyle(target);
    const room = target.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const wanted = Math.floor(Math.min(most, Math.max(least, room - labels)));
    if (Math.abs(wanted - drawn) < 2) return;
    names.forEach((each) => view.signal(each, wanted));
    if ((SIZES[name] || {}).square) view.height(wanted);
    await view.resize().runAsync();
    await view.runAsync(); // the picture itself is resized after the first run
  }
}

function draw(name, spec) {
  const target = document.getElementById("chart-" + name);
  const controls = document.getElementById("controls-" + name);
  const options = {
    mode: "vega-lite", renderer: "svg", config,
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: name,
  };
  if (controls) options.bind = controls;
  return vegaEmbed(target, spec, options).then(async ({ view }) => {
    const drawn = { name, target, view, width: spec.width };
    views.push(drawn);
    await fit(drawn);
    target.querySelector("summary").setAttribute("aria-label", "Save the figure");
    const picture = target.querySelector("svg.marks");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", target.dataset.summary);
  });
}

function number(text) {
  const value = parseFloat(text);
  return Number.isNaN(value) ? null : value;
}

// Missing values stay last whichever way a column is sorted.
function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === null || a === "") return 1;
  if (b === null || b === "") return -1;
  return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
}

function makeSortable(table) {
  const status = document.getElementById("status");
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const first = head.dataset.first || "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const key = (row) => {
        const value = row.cells[column].dataset.value;
        return head.dataset.kind === "text" ? value : number(value);
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b), sign)));
      status.textContent = "Sorted by " + button.textContent + ", " + order;
    });
  });
}

function makeFilter(table) {
  const text = document.getElementById("filter-text");
  const flagged = document.getElementById("filter-flagged");
  const count = document.getElementById("filter-count");
  const update = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const visible = row.dataset.task.toLowerCase().includes(wanted) && !(flagged && flagged.checked && row.dataset.flagged);
      row.hidden = !visible;
      shown += visible;
    }
    count.textContent = shown + " of " + table.tBodies[0].rows.length + " tasks";
  };
  text.addEventListener("input", update);
  if (flagged) flagged.addEventListener("change", update);
  update();
}

// One stop of the Tab key for the whole map; inside, the arrow keys move from score to score.
function makeGrid(table) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const show = (cell) => {
    const row = cell.parentElement;
    const score = cell.dataset.value ? cell.dataset.value : "missing";
    tip.textContent = row.dataset.task + "\n" + cell.dataset.model + ": " + score + "\nrank " + cell.dataset.rank;
    tip.hidden = false;
    const box = cell.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(box.left, innerWidth - size.width - 4)) + "px";
    tip.style.top = (box.bottom + size.height + 8 > innerHeight ? box.top - size.height - 4 : box.bottom + 4) + "px";
  };
  const cellOf = (event) => event.target.closest("td[data-model]");
  const hide = () => { tip.hidden = true; };
  table.addEventListener("mouseover", (event) => (cellOf(event) ? show(cellOf(event)) : hide()));
  table.addEventListener("mouseleave", hide);
  table.addEventListener("focusin", (event) => {
    const cell = cellOf(event);
    if (!cell) return hide();
    table.querySelectorAll("td[tabindex='0']").forEach((each) => { each.tabIndex = -1; });
    cell.tabIndex = 0;
    show(cell);
  });
  table.addEventListener("focusout", hide);
  table.addEventListener("keydown", (event) => {
    const cell = cellOf(event);
    if (!cell) return;
    if (event.key === "Escape") return hide();
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const place = rows.indexOf(cell.parentElement);
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (!steps[event.key]) return;
    event.preventDefault();
    const row = rows[place + steps[event.key][0]];
    const next = row && row.cells[cell.cellIndex + steps[event.key][1]];
    if (next && next.dataset.model !== undefined) next.focus();
  });
  const firstCell = table.querySelector("td[data-model]");
  if (firstCell) firstCell.tabIndex = 0;
}

function makeThemeSwitch() {
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const label = () => { button.textContent = now() === "dark" ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = now() === "dark" ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();
}

// Fades the edge of what goes on beyond it.
function markEdges() {
  for (const box of document.querySelectorAll(".scroll, .chart")) {
    box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  }
}

function makeSwitch(button, target, attribute) {
  button.addEventListener("click", () => {
    const on = target.classList.toggle("shown");
    button.setAttribute(attribute, on);
    markEdges();
  });
}

makeThemeSwitch();
const menu = document.getElementById("menu"), parts = document.getElementById("parts");
makeSwitch(menu, parts, "aria-expanded");
parts.addEventListener("click", () => {
  if (parts.classList.contains("shown")) menu.click();
});
makeSwitch(document.getElementById("columns"), document.getElementById("rank-table"), "aria-pressed");
document.addEventListener("scroll", markEdges, { capture: true, passive: true });
document.addEventListener("toggle", markEdges, true);
let pause;
addEventListener("resize", () => {
  clearTimeout(pause);
  pause = setTimeout(() => Promise.all(views.map(fit)).then(markEdges), 150);
});
document.querySelectorAll("table.sortable").forEach(makeSortable);
const map = document.getElementById("heat");
makeFilter(map);
makeGrid(map);
const specs = JSON.parse(document.getElementById("specs").textContent);
Promise.all(Object.entries(specs).map(([name, spec]) => draw(name, spec))).then(() => {
  markEdges();
  document.documentElement.dataset.ready = "true";
});
