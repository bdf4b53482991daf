// The same number in a file is counted up by everyone at once, without a lock and with one.

const VISITS = 60;  // requests for each of the two
const CROWD = 6;    // at a time; more connections to one host a browser does not make

class Count {
  constructor(row) {
    this.how = row.dataset.how;
    this.bars = Object.fromEntries([...row.querySelectorAll("[data-bar]")].map(cell => [cell.dataset.bar, cell]));
  }

  draw(name, number) {
    const part = el("i", { style: `width:${100 * number / VISITS}%` });
    this.bars[name].replaceChildren(el("span", { class: "bar", "aria-hidden": "true" }, part), count(number));
  }

  async run() {
    const url = `/lost?how=${this.how}`;
    const before = (await ask(url + "&add=0")).value;
    let sent = 0;
    let answered = 0;
    let highest = before;
    const visitor = async () => {
      while (sent++ < VISITS) {
        const { value } = await ask(url);
        highest = Math.max(highest, value);
        this.draw("visits", ++answered);
        this.draw("counted", highest - before);
      }
    };
    await Promise.all(Array.from({ length: CROWD }, visitor));
    const counted = (await ask(url + "&add=0")).value - before;
    this.draw("counted", counted);
    return VISITS - counted;
  }
}

onClick($("count"), async () => {
  show($("lost"));
  const said = $("lost-said");
  said.textContent = "";
  const lost = {};
  for (const row of document.querySelectorAll("[data-how]")) {
    const counting = new Count(row);
    lost[counting.how] = await counting.run();
  }
  said.replaceChildren(
    el("b", {}, `Without the lock ${plural(lost.plain, "visit")} of ${VISITS} got lost`),
    `: two read the same number, and both wrote the next one. With it ${lost.locked === 0 ? "none did" : lost.locked + " did"}.`);
});
