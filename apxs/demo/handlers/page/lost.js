// Many visits at once, and what three counters have seen of them.

const VISITS = 60;

// A counter's card: how many visits it has seen, and how many it has lost.
class Counting {
  constructor(card) {
    this.numbers = el("p", { class: "numbers" });
    this.bar = el("div", { class: "visits" });
    this.note = el("p", { class: "note" });
    card.querySelector("h3").after(this.numbers, this.bar, this.note);
    this.draw(0, []);
  }

  // The parts, [colour, number] each, are what was counted; where it is in several, the first one is what is seen.
  draw(answered, parts, note = "") {
    const seen = parts.length ? parts[0][1] : 0;
    const lost = Math.max(0, answered - seen);
    const kept = parts.map(([colour, n], which) => el("i", { class: colour + (which ? " other" : ""), style: `width:${100 * n / VISITS}%` }));
    const gone = Math.max(0, answered - parts.reduce((total, [, n]) => total + n, 0));
    this.numbers.replaceChildren(
      el("b", {}, String(seen)), " seen", el("b", { class: lost ? "lost-some" : "" }, String(lost)), " lost");
    this.bar.replaceChildren(...kept, el("i", { class: "gone", style: `width:${100 * gone / VISITS}%` }));
    this.note.textContent = note;
    return lost;
  }
}

const countings = {};
for (const card of document.querySelectorAll("[data-counter]")) countings[card.dataset.counter] = new Counting(card);

class Visits {
  constructor() {
    this.answered = 0;
    this.copies = new Map(); // of the globals: the lowest and the highest number that each has given
  }

  async send() {
    const from = await ask("/lost/one?add=0");
    this.before = from;
    this.highest = from;
    const urls = Array.from({ length: VISITS }, (_, n) => n % 2 ? "/lost/two" : "/lost/one");
    // All at once; the browser has them wait for a connection.
    await Promise.all(urls.map(async url => this.heard(await ask(url))));
    // The file may have been set back since.
    this.highest = await ask("/lost/one?add=0");
    return this.draw();
  }

  heard(answer) {
    const { of, name } = meet(answer, "lost");
    const copy = this.copies.get(of.letter + name) || { colour: of.colour, low: answer.globals, high: answer.globals };
    copy.low = Math.min(copy.low, answer.globals);
    copy.high = Math.max(copy.high, answer.globals);
    this.copies.set(of.letter + name, copy);
    this.answered++;
    for (const counter of ["unlocked", "store"]) {
      if (answer[counter] > this.highest[counter]) this.highest = { ...this.highest, [counter]: answer[counter] };
    }
    this.draw();
    drawMap();
  }

  // How many each counter has lost.
  draw() {
    const parts = [...this.copies.values()].map(({ colour, low, high }) => [colour, high - low + 1]).sort((one, other) => other[1] - one[1]);
    const one = counter => [["all", this.highest[counter] - this.before[counter]]];
    const copies = parts.length > 1 ? `by the best of ${parts.length} copies` : "by one copy";
    return {
      globals: countings.globals.draw(this.answered, parts, copies),
      unlocked: countings.unlocked.draw(this.answered, one("unlocked"), "by one file for all"),
      store: countings.store.draw(this.answered, one("store"), "by one store for all"),
      more: this.highest.store - this.before.store - VISITS,
    };
  }
}

onClick($("count"), async () => {
  show($("lost"));
  const said = $("lost-said");
  said.textContent = "";
  try {
    const lost = await new Visits().send();
    const where = { globals: "in globals", unlocked: "in the file", store: "in the store" };
    const words = Object.entries(where).map(([counter, place], n) => `${lost[counter] || "none"} ${n ? "" : "were lost "}${place}`);
    said.replaceChildren(
      el("b", {}, `Of ${VISITS} visits, ${listed(words)}.`),
      lost.more > 0 ? " Somebody else was counted meanwhile, and the numbers are of both: try again." : "");
  } catch (error) {
    said.textContent = `The visits could not be counted: ${error.message}. The server's error log says why.`;
  }
});
