/** From the chosen image to a second one: their codes mixed in even steps. */

import { makeCanvas } from "explorer/pictures";
import { makeShelf } from "explorer/shelf";
import { drawRow } from "explorer/traversals";
import { element, percent } from "explorer/text";

const STEPS = 9;

/** Codes on the way from one row to another; categories change in the middle. */
export function mix(run, from, to, share) {
  return from.map((value, i) => {
    if (run.latents[i].kind === "categorical") return share < 0.5 ? value : to[i];
    return (1 - share) * value + share * to[i];
  });
}

/** `startOf(run)` gives the codes of the chosen image. */
export function makeBetween(container, shelf, shape, store, runs, startOf) {
  const canvas = makeCanvas(1, 1, "From the chosen image to the second one");
  const row = element("div", "between");
  const input = element("input");
  const output = element("output", "value", percent(0));
  const label = element("label", "", "Part of the second image");
  Object.assign(input, { type: "range", id: "share", min: 0, max: 1, step: 0.01, value: 0 });
  label.htmlFor = input.id;
  output.htmlFor = input.id;
  row.append(label, input, output);
  container.append(canvas, row, element("h3", "", "The second image"));
  const mark = makeShelf(container, shelf, shape, "Second image", (i) => {
    store.change({ other: i });
    store.commit();
  });
  const mixed = (share, r, other) =>
    mix(runs[r], startOf(r), runs[r].shelf_codes[other], share);
  input.addEventListener("input", () => {
    const share = Number(input.value);
    output.textContent = percent(share);
    store.change({ codes: runs.map((_, r) => mixed(share, r, store.state.other)) });
  });
  input.addEventListener("change", () => store.commit());
  return {
    show: (state) => mark(state.other),
    restart() {
      input.value = 0;
      output.textContent = percent(0);
    },
    async refresh(state, decode, isStale) {
      const key = [state.lead, state.other, ...startOf(state.lead)].join();
      if (canvas.dataset.key === key) return;
      const ways = Array.from({ length: STEPS }, (_, i) => i / (STEPS - 1));
      const batch = ways.map((share) => mixed(share, state.lead, state.other));
      const images = await decode(state.lead, batch);
      if (isStale()) return;
      drawRow(canvas, images, shape);
      canvas.dataset.key = key;
    },
  };
}
