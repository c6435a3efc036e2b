/** Two latents as a plane: pictures behind, the shelf's codes as dots, one to drag. */

import { drawImage, makeCanvas } from "explorer/pictures";
import { called, element, number } from "explorer/text";
import { steps } from "explorer/traversals";

const SIDE = 7;

export function makePlane(container, selects, store, runs) {
  const canvas = makeCanvas(1, 1);
  const dots = element("div", "dots");
  const dot = element("div", "dot");
  container.append(canvas, dots, dot);
  container.tabIndex = 0;
  container.setAttribute("role", "application");
  const lead = () => runs[store.state.lead];
  const axes = () => store.state.axes.map((axis) => lead().latents[axis]);

  /** Where a value stands along an axis of cell middles, in [0, 1]. */
  const along = (value, { low, high }) =>
    (0.5 + ((SIDE - 1) * (value - low)) / (high - low || 1)) / SIDE;
  const back = (share, { low, high }) =>
    low + ((share * SIDE - 0.5) / (SIDE - 1)) * (high - low);

  function move(values) {
    const [x, y] = store.state.axes;
    const { hand } = store.state;
    if (x !== y) store.set(y, values[1]);
    store.set(x, values[0]);
    // What was in hand stays there, and so does the strip.
    store.change({ hand });
  }

  const take = (event) => {
    const box = container.getBoundingClientRect();
    const cut = (share) => Math.min(1, Math.max(0, share));
    const [x, y] = axes();
    move([
      back(cut((event.clientX - box.left) / box.width), x),
      back(cut(1 - (event.clientY - box.top) / box.height), y),
    ]);
  };
  container.addEventListener("pointerdown", (event) => {
    container.setPointerCapture(event.pointerId);
    take(event);
  });
  container.addEventListener("pointermove", (event) => {
    if (event.buttons) take(event);
  });
  container.addEventListener("pointerup", () => store.commit());
  container.addEventListener("keydown", (event) => {
    const by = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    }[event.key];
    if (!by) return;
    event.preventDefault();
    const { state } = store;
    const codes = state.codes[state.lead];
    move(state.axes.map((axis, i) => {
      const { low, high } = lead().latents[axis];
      return codes[axis] + (by[i] * (high - low)) / 40;
    }));
  });
  container.addEventListener("keyup", () => store.commit());

  selects.forEach((select, i) => {
    select.addEventListener("change", () => {
      const chosen = store.state.axes.slice();
      chosen[i] = Number(select.value);
      store.change({ axes: chosen });
      store.commit();
    });
  });

  return {
    build(run) {
      for (const select of selects) {
        select.replaceChildren();
        for (const i of run.order) {
          if (run.latents[i].kind === "categorical") continue;
          const option = element("option", "", called(run.latents[i]));
          option.value = i;
          select.append(option);
        }
      }
      dots.replaceChildren(...run.shelf_codes.map(() => element("i")));
    },
    show(state) {
      const [x, y] = axes();
      const codes = state.codes[state.lead];
      selects.forEach((select, i) => {
        select.value = state.axes[i];
      });
      const put = (one, row) => {
        one.style.left = `${100 * along(row[state.axes[0]], x)}%`;
        one.style.top = `${100 * (1 - along(row[state.axes[1]], y))}%`;
      };
      put(dot, codes);
      const key = [state.lead, ...state.axes].join();
      if (dots.dataset.key !== key) {
        lead().shelf_codes.forEach((row, i) => put(dots.children[i], row));
        dots.dataset.key = key;
      }
      const [u, v] = state.axes.map((axis) => number(codes[axis]));
      const text = `Plane of ${called(x)}, now ${u}, and ${called(y)}, now ${v}. Arrow keys move.`;
      container.setAttribute("aria-label", text);
    },
    /** Decodes the pictures behind the plane, a row at a time. */
    async refresh(state, decode, isStale) {
      const run = runs[state.lead];
      const [height, width, channels] = run.image_shape;
      const codes = state.codes[state.lead];
      const [x, y] = state.axes;
      const key = [state.lead, x, y, ...codes.filter((_, i) => i !== x && i !== y)].join();
      if (canvas.dataset.key === key) return;
      if (canvas.width !== SIDE * width) canvas.width = SIDE * width;
      if (canvas.height !== SIDE * height) canvas.height = SIDE * height;
      const columns = steps(run.latents[x], SIDE);
      const rows = steps(run.latents[y], SIDE).reverse();
      for (const [j, above] of rows.entries()) {
        const batch = columns.map((value) => {
          const row = codes.slice();
          row[y] = above;
          row[x] = value;
          return row;
        });
        const images = await decode(state.lead, batch);
        if (isStale()) return;
        for (let i = 0; i < SIDE; i += 1) {
          const at = { index: i, x: i * width, y: j * height };
          drawImage(canvas, images, [height, width, channels], at);
        }
      }
      canvas.dataset.key = key;
    },
  };
}
