/** Numbers to pixels: images, heat maps, strips, and what is saved of them. */

/** Returns a canvas of a size in pixels, which the style enlarges. */
export function makeCanvas(width, height, label) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else {
    canvas.setAttribute("aria-hidden", "true");
  }
  return canvas;
}

/** Returns the pixels of image `index`; bytes, or floats in [0, 1]. */
export function toImageData(values, shape, index = 0) {
  const [height, width, channels] = shape;
  const pixels = new ImageData(width, height);
  const scale = values instanceof Uint8Array ? 1 : 255;
  const start = index * height * width * channels;
  for (let i = 0; i < height * width; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      const channel = channels === 3 ? c : 0;
      // Rounded and cut to 0..255 by the array itself.
      pixels.data[4 * i + c] = scale * values[start + i * channels + channel];
    }
    pixels.data[4 * i + 3] = 255;
  }
  return pixels;
}

/** Draws image `index` with its upper left corner at (x, y). */
export function drawImage(canvas, values, shape, { index = 0, x = 0, y = 0 } = {}) {
  canvas.getContext("2d").putImageData(toImageData(values, shape, index), x, y);
}

/**
 * Returns, for each of several traversals, the variance of every pixel along it.
 * `rows` are [n * H * W * C] arrays of n images each.
 */
export function pixelVariances(rows, shape) {
  const [height, width, channels] = shape;
  const size = height * width * channels;
  return rows.map((images) => {
    const count = images.length / size;
    const variance = new Float32Array(height * width);
    for (let i = 0; i < size; i += 1) {
      let sum = 0;
      let squares = 0;
      for (let n = 0; n < count; n += 1) {
        const value = images[n * size + i];
        sum += value;
        squares += value * value;
      }
      const of = squares / count - (sum / count) ** 2;
      variance[Math.floor(i / channels)] += Math.max(0, of);
    }
    return variance;
  });
}

/**
 * Returns the share of one traversal in what all change: `pixels` in [0, 1], faded
 * where hardly anything changes, and `all`, its share in the whole image.
 */
export function shares(variances, latent) {
  const size = variances[latent].length;
  const totals = new Float32Array(size);
  for (const variance of variances) {
    for (let i = 0; i < size; i += 1) totals[i] += variance[i];
  }
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const most = Math.max(...totals);
  const pixels = totals.map((total, i) =>
    total > 0 ? (variances[latent][i] / total) * Math.sqrt(total / most) : 0,
  );
  return { pixels, all: sum(variances[latent]) / (sum(totals) || 1) };
}

/** Returns a colour of the style sheet as [red, green, blue]. */
export function colour(name) {
  const canvas = makeCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  context.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  context.fillRect(0, 0, 1, 1);
  return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

/** Draws values in [0, 1] as the accent colour over the ground, small ones raised. */
export function drawHeat(canvas, values) {
  const [ground, accent] = [colour("sunken"), colour("accent")];
  const pixels = new ImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    for (let c = 0; c < 3; c += 1) {
      pixels.data[4 * i + c] = ground[c] + value ** 0.6 * (accent[c] - ground[c]);
    }
    pixels.data[4 * i + 3] = 255;
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** Returns a canvas enlarged by a whole number, to at least 512 pixels. */
export function enlarged(canvas) {
  const factor = Math.max(1, Math.ceil(512 / Math.max(canvas.width, canvas.height)));
  const large = makeCanvas(canvas.width * factor, canvas.height * factor);
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  return large;
}

/** Offers bytes as a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
