// Two interpreters of one child compute, and each says all the time how far it has come.

const ALONE = 1200;    // milliseconds that the first one computes alone, before and after
const TOGETHER = 1600; // that the second one computes beside it
const LONGEST = 6000;  // that the first one computes if it is not stopped
const TRIES = 400;     // requests until one meets the child that is wanted

// Reads the lines of a stream as they come.
async function follow(url, heard, signal) {
  const reply = await fetch(url, { cache: "no-store", signal });
  if (!reply.ok) throw new Error(`the server answered with status ${reply.status}`);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = "";;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) heard(JSON.parse(line));
  }
}

class Load {
  constructor(figure) {
    this.kind = figure.id;
    this.status = figure.querySelector("figcaption .said");
    this.chart = figure.querySelector(".load");
    this.lines = ["one", "two"].map(name => svg("polyline", { class: "load-" + name, points: "" }));
    this.chart.prepend(svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, ...this.lines));
    this.clear();
  }

  clear() {
    this.slices = [[], []]; // of each interpreter: [when it ended, rounds a second, its milliseconds, and those without the GIL]
    this.began = 0;
  }

  heard(which, line) {
    this.began = this.began || line.at - line.took;
    this.slices[which].push([line.at - this.began, 1000 * line.rounds / line.took, line.took, line.blocked]);
    this.draw();
  }

  // The mean of three slices: what else the machine does makes a single one jump.
  draw() {
    const lines = this.slices.map(slices => slices.map(([at], n) => {
      const near = slices.slice(Math.max(0, n - 1), n + 2);
      return [at, near.reduce((sum, [, speed]) => sum + speed, 0) / near.length];
    }));
    const end = Math.max(2 * ALONE + TOGETHER, ...lines.flat().map(([at]) => at));
    const top = 1.15 * Math.max(...lines.flat().map(([, speed]) => speed));
    lines.forEach((points, which) => this.lines[which].setAttribute("points",
      points.map(([at, speed]) => `${(100 * at / end).toFixed(2)},${(100 - 100 * speed / top).toFixed(2)}`).join(" ")));
  }

  // Asks until that child has got the request: another child would be another process, with a GIL of its own.
  async inChild(name, ms, child, which, signal) {
    for (let tries = 0; tries < TRIES; tries++) {
      let met = 0;
      await follow(`/load/${this.kind}/${name}?ms=${ms}${child ? `&child=${child}` : ""}`, line => {
        met = met || line.child;
        // What else runs on this machine; the page's own loads are about two.
        if (line.load) this.isBusy = line.load > line.processors + 2;
        if (line.at && which !== undefined) this.heard(which, line);
      }, signal);
      if (met) return met;
    }
    throw new Error("no request has met the same child");
  }

  async run(threaded) {
    this.clear();
    // Both are made before: that takes time, too.
    this.status.textContent = "Two interpreters are made …";
    const child = await this.inChild("one", 1);
    const there = threaded ? child : 0;
    await this.inChild("two", 1, there);
    this.status.textContent = "The first one computes alone …";
    const end = new AbortController();
    const one = this.inChild("one", LONGEST, there, 0, end.signal).catch(() => {});
    await this.until(() => this.slices[0].length > 0);
    await pause(ALONE);
    this.status.textContent = "Now the second one computes too …";
    await this.inChild("two", TOGETHER, there, 1);
    await pause(ALONE);
    end.abort();
    await one;
    this.status.replaceChildren(...this.verdict(threaded));
  }

  async until(isSo) {
    for (const end = performance.now() + LATEST; !isSo() && performance.now() < end;) await pause(20);
  }

  verdict(threaded) {
    const second = this.slices[1];
    const mean = slices => slices.reduce((sum, [, speed]) => sum + speed, 0) / Math.max(1, slices.length);
    if (second.length < 3) return ["The machine is too busy to measure this: try again."];
    const [from, to] = [second[0][0], second[second.length - 1][0]];
    const inside = this.slices[0].filter(([at]) => at > from && at <= to);
    const outside = this.slices[0].filter(([at]) => at > 150 && at < from - 100);
    if (!inside.length) return ["The machine is too busy to measure this: try again."];
    const part = Math.round(100 * mean(inside) / mean(outside));
    return [
      el("b", {}, `Beside the second, the first one ran at ${part}\u00a0% of its speed.`),
      this.waited(inside),
      this.isBusy ? " This machine is busy with other work, which bends the lines." : this.meaning(part, threaded),
    ];
  }

  // What else the machine does slows it down, too, but has no part in this.
  waited(slices) {
    const total = which => slices.reduce((sum, slice) => sum + slice[which], 0);
    const part = Math.round(100 * total(3) / total(2));
    return Number.isFinite(part) ? ` It waited for the GIL for ${part}\u00a0% of the time.` : "";
  }

  meaning(part, threaded) {
    if (!threaded) return " They are two processes.";
    if (part >= 75) return " They computed at the same time.";
    return this.kind === "shared" ? " They took turns." : " There was no processor to spare.";
  }
}

const loads = [...document.querySelectorAll("figure.loads")].map(figure => new Load(figure));
onClick($("compute"), async () => {
  show($("gil"));
  for (const load of loads) {
    try {
      await load.run($("gil").dataset.threaded === "yes");
    } catch (error) {
      load.status.textContent = `It could not be measured: ${error.message}.`;
    }
  }
});
