/** The shelf of data images, and an image of one's own. */

import { drawImage, makeCanvas } from "explorer/pictures";
import { element } from "explorer/text";

/** Builds a row of images to choose from; returns what marks the chosen one. */
export function makeShelf(place, shelf, shape, name, onChoose) {
  const group = element("div", "thumbs");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", name);
  const inputs = shelf.labels.map((label, i) => {
    const thumb = element("label", "thumb");
    const input = element("input");
    input.type = "radio";
    input.name = name;
    input.value = i;
    input.setAttribute("aria-label", label);
    thumb.title = label;
    input.addEventListener("change", () => onChoose(i));
    const canvas = makeCanvas(shape[1], shape[0]);
    drawImage(canvas, shelf.pixels, shape, { index: i });
    thumb.append(input, canvas);
    group.append(thumb);
    return input;
  });
  place.append(group);
  return (chosen) => {
    inputs.forEach((input, i) => {
      input.checked = i === chosen;
    });
  };
}

/**
 * Returns a file as the model takes images, Uint8Array [H * W * C]: its middle, in the
 * proportions of the data, resized by the browser.
 */
export async function readImage(file, [height, width, channels]) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(
      `${file.name} is not an image that this browser can read. PNG, JPEG, WebP and GIF work.`,
    );
  }
  const scale = Math.min(bitmap.width / width, bitmap.height / height);
  const [w, h] = [width * scale, height * scale];
  const canvas = makeCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, width, height);
  const corner = [(bitmap.width - w) / 2, (bitmap.height - h) / 2];
  context.drawImage(bitmap, ...corner, w, h, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i += 1) {
    const [r, g, b] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 3) pixels.set([r, g, b], 3 * i);
    // The luma of ITU-R 601, as Pillow's conversion to grey.
    else pixels.fill(Math.round(0.299 * r + 0.587 * g + 0.114 * b), i * channels, (i + 1) * channels);
  }
  return pixels;
}
