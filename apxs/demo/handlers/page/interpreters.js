// Who answers whom: fifty requests for each of four configurations.

const TOTAL = 50;  // requests for each panel
const AT_ONCE = 8; // in flight at a time
const WAIT = 40;   // milliseconds each handler waits, so that requests overlap

class Panel {
  constructor(section) {
    this.id = section.id;
    this.title = section.querySelector("h3").textContent;
    this.brief = section.querySelector(".brief");
    const live = section.querySelector(".live");
    this.targets = [...live.querySelectorAll("a")].map(link => {
      const dots = el("div", { class: "dots", role: "img" });
      link.parentNode.append(dots);
      return { url: link.href, name: link.textContent, dots };
    });
    const button = el("button", { class: "send", type: "button" }, `Send ${TOTAL} requests`);
    onClick(button, () => run([this]));
    this.result = el("div");
    this.charts = el("div", { class: "charts" });
    live.prepend(el("p", { class: "key" }, "Colour and letter: the child. Number: its thread. Shape: the interpreter."));
    live.append(button, this.result);
    section.querySelector(".inner").append(this.charts);
    this.clear();
  }

  open() {
    $(this.id).open = true;
  }

  target(n) {
    return this.targets[n % this.targets.length];
  }

  clear() {
    this.answers = [];
    this.shapes = new Map();
    this.result.replaceChildren();
    this.charts.replaceChildren();
    this.brief.textContent = "";
    for (const target of this.targets) {
      target.trouble = null;
      target.places = [];
      target.dots.replaceChildren();
      target.dots.setAttribute("aria-label", "no answers yet");
    }
    for (let n = 0; n < TOTAL; n++) {
      const { places, dots } = this.target(n);
      places.push(dots.appendChild(el("span", { class: "dot open" })));
    }
  }

  async send() {
    this.clear();
    let next = 0;
    // Each target once in turn first, so that the shapes follow their order.
    while (next < this.targets.length) await this.ask(this.target(next++));
    const sender = async () => {
      while (next < TOTAL) await this.ask(this.target(next++));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
    this.draw();
  }

  async ask(target) {
    const place = target.places.shift();
    // A host that cannot be reached is asked once, one that fails is asked on.
    if (!(target.trouble instanceof TypeError)) {
      try {
        this.fill(place, meet(await ask(`${target.url}?wait=${WAIT}`), this.id), target);
        return;
      } catch (error) {
        target.trouble = await unheard(target, error);
      }
    }
    place.className = "dot bad";
    place.textContent = "×";
  }

  fill(place, answer, target) {
    if (!this.shapes.has(answer.name)) this.shapes.set(answer.name, this.shapes.size % 4);
    this.answers.push({ ...answer, target });
    const { id, gil } = answer.interpreter;
    place.className = `dot ${answer.of.colour} s${this.shapes.get(answer.name)}`;
    place.textContent = answer.of.letter + answer.number;
    place.title = `child ${answer.child}, thread ${answer.thread}, interpreter ${answer.name} (id ${id}, GIL ${gil}); `
      + `in globals ${answer.globals}, in the file ${answer.file}`;
    drawMap();
  }

  draw() {
    for (const target of this.targets) target.dots.setAttribute("aria-label", this.inWords(target));
    this.result.replaceChildren();
    if (this.answers.length) {
      const kids = new Set(this.answers.map(answer => answer.of)).size;
      const copies = plural(this.copies().length, "copy", "copies");
      this.brief.textContent = `${plural(kids, "child", "children")}, ${plural(this.shapes.size, "interpreter name")}: ${copies}`;
      this.result.append(this.verdict());
      this.charts.append(
        el("div", {}, ...this.byChild()),
        el("div", {}, ...this.byInterpreter(), ...this.byThread()),
        el("div", {}, ...this.counters()));
    }
    const failed = this.targets.filter(target => target.trouble);
    if (failed.length) this.result.append(el("div", { class: "trouble" }, ...explained(failed)));
  }

  inWords(target) {
    const answers = this.answers.filter(answer => answer.target === target);
    if (answers.length === 0) return "no answers";
    const shares = [...grouped(answers, answer => answer.of)].map(([child, of]) => `${of.length} by child ${child.letter}`);
    const interpreters = [...new Set(answers.map(answer => answer.name))];
    return `${plural(answers.length, "answer")}: ${listed(shares)}, in interpreter ${listed(interpreters)}`;
  }

  // The globals exist once for each interpreter of each child that answered.
  copies() {
    return [...grouped(this.answers, answer => `${answer.child} ${answer.name}`).values()];
  }

  verdict() {
    const kids = new Set(this.answers.map(answer => answer.of)).size;
    const sizes = this.copies().map(copy => copy.length).sort((a, b) => b - a);
    const numbers = this.answers.map(answer => answer.file);
    const inside = Math.max(...this.answers.map(answer => answer.inside));
    const copies = sizes.length === 1 ? `the globals exist once, and counted all ${sizes[0]}.`
      : `the globals exist ${sizes.length === 2 ? "twice" : sizes.length + " times"}, and the copies counted `
        + (sizes.length > 8 ? `between ${sizes[sizes.length - 1]} and ${sizes[0]}.` : `${listed(sizes)}.`);
    return el("p", { class: "verdict" },
      `${plural(kids, "child", "children")} and ${plural(this.shapes.size, "interpreter name")}: ${copies} `,
      el("b", {}, `The file went from ${Math.min(...numbers)} to ${Math.max(...numbers)}.`),
      inside === 1 ? " No two requests were inside one interpreter at once."
        : ` Up to ${inside} requests were inside one interpreter at once.`);
  }

  byChild() {
    const groups = [...grouped(this.answers, answer => answer.of)].sort((a, b) => b[1].length - a[1].length);
    const most = groups[0][1].length;
    const rows = groups.map(([child, of]) => el("li", {},
      el("span", { class: "who " + child.colour }, letterOf(child), "child " + child.pid),
      bar([[child.colour, of.length]], most),
      sum(of.length, "by " + plural(new Set(of.map(answer => answer.thread)).size, "thread"))));
    return [el("h3", {}, "By child"), el("ul", { class: "bars" }, ...rows)];
  }

  byInterpreter() {
    const groups = [...grouped(this.answers, answer => answer.name)];
    const most = Math.max(...groups.map(([, of]) => of.length));
    const rows = groups.map(([name, of]) => {
      const parts = [...grouped(of, answer => answer.of)].map(([child, its]) => [child.colour, its.length]);
      return el("li", {},
        el("span", { class: "who" }, el("i", { class: "mark s" + this.shapes.get(name) }), named(name)),
        bar(parts, most),
        sum(of.length, "GIL " + of[0].interpreter.gil));
    });
    return [el("h3", {}, "By interpreter"), el("ul", { class: "bars wide" }, ...rows)];
  }

  byThread() {
    const groups = [...grouped(this.answers, answer => answer.of.letter + answer.number)]
      .sort((a, b) => a[0].localeCompare(b[0], "en", { numeric: true }));
    const most = Math.max(...groups.map(([, of]) => of.length));
    const columns = groups.map(([who, of]) => el("i",
      { class: of[0].of.colour, style: `height:${100 * of.length / most}%`, title: `${who}: ${of.length}` }));
    const words = listed(groups.map(([who, of]) => `${who} ${of.length}`));
    return [
      el("h3", {}, `By thread: ${plural(groups.length, "thread")}, at most ${plural(most, "answer")} each`),
      el("div", { class: "columns-chart", role: "img", "aria-label": words }, ...columns)];
  }

  // The numbers from the file give the order in which all requests were counted.
  counters() {
    const order = [...this.answers].sort((a, b) => a.file - b.file);
    const before = order[0].file - 1;
    const top = order[order.length - 1].file - before;
    const across = Math.max(1, order.length - 1);
    const line = (look, points) => svg("polyline", {
      class: look,
      points: points.map(([x, y]) => `${(100 * x / across).toFixed(2)},${(100 - 100 * y / top).toFixed(2)}`).join(" "),
    });
    const lines = [line("in-file", order.map((answer, x) => [x, answer.file - before]))];
    for (const copy of this.copies()) {
      const steps = copy.map(answer => order.indexOf(answer)).sort((a, b) => a - b).map((x, y) => [x, y + 1]);
      const look = `in-globals ${copy[0].of.colour} d${this.shapes.get(copy[0].name)}`;
      // The first point twice: a copy that answered once is a dot.
      lines.push(line(look, [steps[0], ...steps]));
    }
    const words = "The counter in the file rises with every answer, each copy of the globals only with its own.";
    return [
      el("h3", {}, "The counters, answer by answer"),
      el("div", { class: "plot", role: "img", "aria-label": words },
        svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, ...lines),
        el("span", { class: "top" }, String(top)),
        el("span", { class: "file-label" }, "in the file")),
      el("p", { class: "axis" },
        el("span", {}, "first answer"), el("span", {}, "coloured: a copy of the globals"), el("span", {}, "last"))];
  }
}

// An error page of another origin is kept from scripts and looks like no answer.
async function unheard(target, error) {
  if (error instanceof TypeError) {
    const heard = await fetch(target.url, { mode: "no-cors", cache: "no-store" }).then(() => true, () => false);
    if (heard) return new Error("an answer was an error, or was cut off");
  }
  return error;
}

function explained(failed) {
  const who = listed(failed.map(target => target.name));
  if (!failed.every(target => target.trouble instanceof TypeError)) {
    return [el("p", {}, `${who}: ${failed[0].trouble.message}.`), el("p", {}, "The server's error log says why.")];
  }
  const said = el("p", {}, `This browser cannot reach ${who}.`);
  const hosts = failed.map(target => new URL(target.url).host);
  if (hosts.includes(location.host)) return [said, el("p", {}, "Is the server still running?")];
  const commands = hosts.map(host => `curl -H 'Host: ${host}' ${location.origin}/`).join("\n");
  return [said, $("unreachable").content.cloneNode(true), el("pre", { tabindex: "0" }, commands)];
}

async function run(chosen) {
  for (const panel of chosen) {
    $("status").textContent = `Asking: ${panel.title}`;
    await panel.send();
  }
  const answers = chosen.reduce((total, panel) => total + panel.answers.length, 0);
  $("status").textContent = `${plural(answers, "answer")} from ${plural(children.size, "child", "children")}.`;
}

const panels = [...document.querySelectorAll(".panel")].map(section => new Panel(section));
// Where there is room, one is open to begin with.
if (matchMedia("(min-width: 56rem)").matches) panels[0].open();
onClick($("send-all"), () => {
  show($("map-section"));
  return run(panels);
});
