/** Traversals: the strip of the latent in hand, and the grid of all. */

import { encodeGif } from "explorer/gif";
import { drawImage, enlarged, makeCanvas } from "explorer/pictures";
import { called, element, number } from "explorer/text";

const STEPS = 9;

/** The values of a traversal of one latent. */
export function steps(latent, count = STEPS) {
  if (latent.kind === "categorical") {
    return Array.from({ length: latent.num_values }, (_, value) => value);
  }
  const size = (latent.high - latent.low) / (count - 1);
  return Array.from({ length: count }, (_, i) => latent.low + i * size);
}

/** Codes that differ in one latent only. */
export function traversal(codes, latent, values) {
  return values.map((value) => codes.map((v, i) => (i === latent ? value : v)));
}

/**
 * Draws images side by side into a canvas that fits them. A few images take no more
 * room each than those of a traversal.
 */
export function drawRow(canvas, images, shape) {
  const [height, width, channels] = shape;
  const count = images.length / (height * width * channels);
  if (canvas.width !== count * (width + 1) - 1) canvas.width = count * (width + 1) - 1;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${Math.min(100, (100 * count) / STEPS)}%`;
  for (let i = 0; i < count; i += 1) {
    drawImage(canvas, images, shape, { index: i, x: i * (width + 1) });
  }
}

/** Returns the latent in hand over its range and back, as a GIF. */
export async function cycle(run, { codes, hand, lead }, decode) {
  const latent = run.latents[hand];
  const isChoice = latent.kind === "categorical";
  const there = steps(latent, 24);
  const values = isChoice ? there : [...there, ...there.slice(1, -1).reverse()];
  const images = await decode(lead, traversal(codes[lead], hand, values));
  const [height, width] = run.image_shape;
  const frames = values.map((_, index) => {
    const canvas = makeCanvas(width, height);
    drawImage(canvas, images, run.image_shape, { index });
    const large = enlarged(canvas);
    return large.getContext("2d").getImageData(0, 0, large.width, large.height);
  });
  return encodeGif(frames, isChoice ? 60 : 6);
}

/** Which image of a row of `count` a pointer is over. */
const place = (event, count) => {
  const box = event.currentTarget.getBoundingClientRect();
  const at = Math.floor((count * (event.clientX - box.left)) / box.width);
  return Math.min(count - 1, Math.max(0, at));
};

/** The strip under the stage; a click takes the value of the image under it. */
export function makeStrip(container, heading, store, runs) {
  const canvas = makeCanvas(1, 1, "Traversal of the latent in hand");
  const mark = element("div", "mark");
  const ends = element("div", "ends quiet");
  container.append(canvas, mark, ends);
  const held = ({ lead, hand }) => runs[lead].latents[hand];
  const take = (event) => {
    const values = steps(held(store.state));
    store.set(store.state.hand, values[place(event, values.length)]);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    take(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) take(event);
  });
  canvas.addEventListener("pointerup", () => store.commit());
  let drawn = "";
  let shown = "";
  return {
    /** The rows to decode; none if the strip shows them already. */
    rows(state) {
      const codes = state.codes[state.lead];
      const values = steps(held(state));
      const others = codes.filter((_, i) => i !== state.hand);
      const key = [state.lead, state.hand, ...others].join();
      if (key === drawn) return [];
      drawn = key;
      return traversal(codes, state.hand, values);
    },
    draw(images, shape) {
      drawRow(canvas, images, shape);
    },
    show(state) {
      const latent = held(state);
      const values = steps(latent);
      const [first, last] = [values[0], values[values.length - 1]];
      const value = state.codes[state.lead][state.hand];
      const share = (value - first) / (last - first || 1);
      const cell = 1 / values.length;
      const at = Math.min(1, Math.max(0, cell / 2 + share * (1 - cell)));
      const part = Math.min(1, values.length / STEPS);
      mark.style.left = `${100 * at * part}%`;
      // A value that no image of the strip is near: the mark points out of it.
      mark.classList.toggle("below", share < -cell);
      mark.classList.toggle("above", share > 1 + cell);
      const named = [state.lead, state.hand].join();
      if (named === shown) return;
      shown = named;
      ends.style.width = `${100 * part}%`;
      heading.textContent = `${called(latent)}, over its range`;
      const show = latent.kind === "categorical" ? String : number;
      ends.replaceChildren(element("span", "", show(first)), element("span", "", show(last)));
    },
    canvas,
  };
}

/** The grid of all traversals of the leading run, drawn when it is open. */
export function makeGrid(container, store) {
  const rows = new Map();
  let of = null;
  return {
    build(run) {
      if (of === run) return;
      of = run;
      rows.clear();
      container.replaceChildren();
      for (const i of run.order) {
        const latent = run.latents[i];
        const row = element("button", "grid-row");
        row.type = "button";
        row.setAttribute("aria-label", `Take ${called(latent)} in hand`);
        const canvas = makeCanvas(1, 1);
        const words = element("span", "grid-label");
        if (latent.factor) words.append(element("strong", "", latent.factor));
        words.append(element("span", "quiet", latent.name));
        const share = element("span", "grid-share quiet");
        row.append(words, canvas, share);
        row.addEventListener("click", () => store.change({ hand: i }));
        container.append(row);
        rows.set(i, { row, canvas, share });
      }
    },
    draw(i, images, shape) {
      drawRow(rows.get(i).canvas, images, shape);
    },
    show(i, text, inHand) {
      rows.get(i).share.textContent = text;
      rows.get(i).row.classList.toggle("in-hand", inHand);
    },
  };
}
