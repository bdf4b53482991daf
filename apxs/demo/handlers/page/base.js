// What the sections share: elements, who has answered, and the map.

const LATEST = 15000; // milliseconds until an answer is given up
const BOXES = matchMedia("(max-width: 30rem)").matches ? 2 : 4; // children in the map, unfolded

const $ = id => document.getElementById(id);

function el(tag, attributes, ...content) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...content);
  return node;
}

function svg(tag, attributes, ...content) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...content);
  return node;
}

const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

function grouped(things, key) {
  const groups = new Map();
  for (const thing of things) {
    if (!groups.has(key(thing))) groups.set(key(thing), []);
    groups.get(key(thing)).push(thing);
  }
  return groups;
}

// An interpreter per directory is named by its path: the end tells it apart.
function named(name) {
  const brief = name.replace(/^.*(?=\/by-direct(ory|ive)\/)/, "…");
  const parts = brief.split(/(?<=[/.])/).flatMap(part => [part, el("wbr")]);
  return el("span", { class: "name", title: name }, ...parts);
}

// What has been seen of the server. A child keeps its letter and colour, and a
// thread its number, in the whole page.
const children = new Map();
const names = [];
const files = new Map();
let stored = null; // the number in the store

function letters(n) {
  return (n < 26 ? "" : letters(Math.floor(n / 26) - 1)) + String.fromCharCode(65 + n % 26);
}

function meet(answer, panel) {
  const { name, id } = answer.interpreter;
  let child = children.get(answer.child);
  if (!child) {
    const n = children.size;
    child = { pid: answer.child, letter: letters(n), colour: "c" + n % 8, threads: new Map(), interpreters: new Map() };
    children.set(answer.child, child);
  }
  if (!child.threads.has(answer.thread)) child.threads.set(answer.thread, child.threads.size + 1);
  if (!names.includes(name)) names.push(name);
  const before = child.interpreters.get(name) || { count: 0 };
  child.interpreters.set(name, { id, count: Math.max(answer.globals, before.count) });
  if ("file" in answer) files.set(panel, Math.max(answer.file, files.get(panel) || 0));
  if ("store" in answer) stored = Math.max(answer.store, stored);
  return { ...answer, name, of: child, number: child.threads.get(answer.thread) };
}

const letterOf = child => el("span", { class: "letter" }, child.letter);
const count = number => el("span", { class: "count" }, String(number));

function box(child) {
  const inside = names.filter(name => child.interpreters.has(name)).map(name => {
    const seen = child.interpreters.get(name);
    return el("li", {}, named(name), " ", el("small", {}, "id " + seen.id), " ", count(seen.count));
  });
  const state = child.ended ? " ended" : child.fresh ? " fresh" : "";
  const word = child.ended ? "ended" : child.fresh ? "new" : "";
  return el("div", { class: "box " + child.colour + state },
    el("h3", {}, letterOf(child), " child " + child.pid, ...(word ? [" ", el("em", {}, word)] : [])),
    el("ul", {}, ...inside));
}

function redrawMap() {
  // Where not all are shown, those that have ended or begun are.
  const rank = child => (child.ended ? 0 : child.fresh ? 1 : 2);
  const shown = [...children.values()];
  if (shown.length > BOXES + 1) shown.sort((one, other) => rank(one) - rank(other));
  const boxes = shown.map(box);
  const rest = boxes.length > BOXES + 1 ? boxes.splice(BOXES) : [];
  const parts = [el("div", { class: "boxes" }, ...boxes)];
  if (rest.length) {
    const more = el("details", { class: "more" },
      el("summary", {}, plural(rest.length, "more child", "more children")),
      el("div", { class: "boxes" }, ...rest));
    more.open = $("map").querySelector("details[open]") !== null;
    parts.push(more);
  }
  const rows = [...files].map(([name, number]) => el("li", {}, named(name), " ", count(number)));
  if (stored !== null) rows.push(el("li", {}, el("span", { class: "name" }, "store"), " ", count(stored)));
  const title = stored === null ? "Files, one for all" : "Files and the store, one for all";
  parts.push(el("div", { class: "floor" }, el("h3", {}, title), el("ul", {}, ...rows)));
  $("map").replaceChildren(...parts);
}

let mapIsDue = false;
function drawMap() {
  if (mapIsDue) return;
  mapIsDue = true;
  requestAnimationFrame(() => {
    mapIsDue = false;
    redrawMap();
  });
}

// A bar of coloured parts, each given as [colour, number], to the scale of `most`.
function bar(parts, most) {
  const pieces = parts.map(([colour, n]) => el("i", { class: colour, style: `width:${100 * n / most}%` }));
  return el("span", { class: "bar", "aria-hidden": "true" }, ...pieces);
}

function sum(number, note) {
  return el("span", { class: "sum" }, number + " ", el("small", {}, note));
}

// One answer of a probe, or an error that says what went wrong.
async function ask(url, options = {}) {
  const reply = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(LATEST), ...options });
  if (!reply.ok) throw new Error(`the server answered with status ${reply.status}`);
  return reply.json();
}

// What a button does, once at a time in the whole page: two loads would measure each other.
let busy = false;
function onClick(button, work) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    const buttons = [...document.querySelectorAll("button")];
    for (const other of buttons) other.setAttribute("aria-disabled", "true");
    try {
      await work();
    } finally {
      for (const other of buttons) other.removeAttribute("aria-disabled");
      busy = false;
    }
  });
}

// Brings what is about to happen into view.
function show(element) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
}
