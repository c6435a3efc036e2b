/** The pictures of each run: the edited one, the data image, its reconstruction. */

import { drawHeat, drawImage, makeCanvas } from "explorer/pictures";

function figure(canvas, className, caption = "") {
  const element = document.createElement("figure");
  element.className = className;
  const words = document.createElement("figcaption");
  words.textContent = caption;
  element.append(canvas, words);
  return { element, canvas, words };
}

/** Builds the stage; returns what draws on it. */
export function makeStage(place, runs) {
  const [height, width] = runs[0].image_shape;
  place.style.setProperty("--shape", `${width} / ${height}`);
  place.closest(".bench").style.setProperty("--runs", runs.length);
  place.classList.toggle("several", runs.length > 1);
  const canvas = (label) => makeCanvas(width, height, label);
  const panels = runs.map((run) => {
    const panel = document.createElement("div");
    panel.className = "panel";
    const hyphenated = run.decoded_as.replace("nst", "n\u00adst");
    const parts = {
      edited: figure(canvas(`Drawn by ${run.name} from the values set`), "large"),
      original: figure(canvas("The chosen image"), "original", "data image"),
      again: figure(canvas(`The chosen image, ${run.name}'s`), "again", hyphenated),
      heat: figure(canvas(`What the latent in hand moves in ${run.name}`), "heat"),
    };
    const small = document.createElement("div");
    small.className = "small";
    small.append(parts.original.element, parts.again.element, parts.heat.element);
    if (runs.length > 1) {
      const title = document.createElement("h2");
      title.textContent = run.name;
      panel.append(title);
    }
    panel.append(parts.edited.element, small);
    place.append(panel);
    return parts;
  });
  const shape = runs[0].image_shape;
  return {
    canvasOf: (run) => panels[run].edited.canvas,
    drawEdited: (run, images) => drawImage(panels[run].edited.canvas, images, shape),
    /** The chosen image in each panel; needs no model. */
    drawOriginal(pixels, caption) {
      for (const { original } of panels) {
        if (pixels) drawImage(original.canvas, pixels, shape);
        else original.canvas.getContext("2d").clearRect(0, 0, width, height);
        original.words.textContent = caption;
      }
    },
    drawAgain: (run, images) => drawImage(panels[run].again.canvas, images, shape),
    drawHeat(run, pixels, caption) {
      drawHeat(panels[run].heat.canvas, pixels);
      panels[run].heat.words.textContent = caption;
    },
  };
}
