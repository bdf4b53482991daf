// A child is killed, as the kernel does when memory is short, and the server goes on.

const PATIENCE = 15000; // milliseconds until a new child should have answered

async function look() {
  const answer = meet(await ask("/by-directory/one/?wait=10"), "by-directory");
  drawMap();
  return answer;
}

// Who is there: children that have not answered yet would be taken for new ones.
async function everybody() {
  for (let round = 0; round < 8; round++) await Promise.all(Array.from({ length: 6 }, look));
}

function clock() {
  return new Date().toLocaleTimeString("en-GB");
}

onClick($("end"), async () => {
  show($("map-section"));
  const said = $("end-said");
  const line = (...content) => said.append(el("li", {}, clock() + " ", ...content));
  said.replaceChildren();
  await everybody();
  const { child } = await ask("/end", { method: "POST", headers: { "X-Demo": "end" } });
  const began = performance.now();
  const gone = children.get(child) || meet({ child, thread: 0, interpreter: { name: "?", id: 0 }, globals: 0, file: 0 }, "page").of;
  const copies = gone.interpreters.size;
  gone.ended = true;
  drawMap();
  line(el("b", {}, `Child ${gone.letter} (${child}) is killed`), `, and with it ${plural(copies, "copy", "copies")} of the globals.`);
  const known = new Set(children.keys());
  const file = files.get("by-directory");
  while (performance.now() - began < PATIENCE) {
    const answers = await Promise.allSettled(Array.from({ length: 4 }, look));
    const fresh = answers.map(answer => answer.value).find(answer => answer && !known.has(answer.child));
    if (fresh) {
      fresh.of.fresh = true;
      drawMap();
      line(
        el("b", {}, `Child ${fresh.of.letter} (${fresh.child}) has taken its place`),
        ` ${((performance.now() - began) / 1000).toFixed(1)} s later. Its globals begin at ${fresh.globals}; the file, which was at ${file}, goes on at ${fresh.file}.`);
      return;
    }
    await pause(150);
  }
  line("The other children go on. httpd starts another one when it needs it.");
});
