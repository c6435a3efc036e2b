/** An animated GIF of frames of one size (GIF89a, LZW codes). */

/** Returns 216 evenly spaced colours and 40 greys, and the index of a colour. */
function palette() {
  const colours = [];
  for (let r = 0; r < 6; r += 1) {
    for (let g = 0; g < 6; g += 1) {
      for (let b = 0; b < 6; b += 1) colours.push([51 * r, 51 * g, 51 * b]);
    }
  }
  for (let i = 0; i < 40; i += 1) colours.push(Array(3).fill(Math.round((255 * i) / 39)));
  const index = (r, g, b) => {
    if (r === g && g === b) return 216 + Math.round((39 * r) / 255);
    const level = (value) => Math.round(value / 51);
    return 36 * level(r) + 6 * level(g) + level(b);
  };
  return { colours, index };
}

/** Returns pixels' indices compressed as GIF has it, in blocks of at most 255. */
function compress(indices) {
  const out = [8];
  let block = [];
  let buffer = 0;
  let held = 0;
  const emit = (code, width) => {
    buffer |= code << held;
    held += width;
    while (held >= 8) {
      block.push(buffer & 255);
      buffer >>>= 8;
      held -= 8;
      if (block.length === 255) {
        out.push(255, ...block);
        block = [];
      }
    }
  };
  const [clear, end] = [256, 257];
  let table = new Map();
  let next = 258;
  let width = 9;
  emit(clear, width);
  let prefix = indices[0];
  for (const index of indices.subarray(1)) {
    const key = prefix * 256 + index;
    if (table.has(key)) {
      prefix = table.get(key);
      continue;
    }
    emit(prefix, width);
    prefix = index;
    if (next === 4096) {
      emit(clear, width);
      [table, next, width] = [new Map(), 258, 9];
      continue;
    }
    if (next === 1 << width) width += 1;
    table.set(key, next);
    next += 1;
  }
  emit(prefix, width);
  emit(end, width);
  if (held > 0) block.push(buffer & 255);
  if (block.length) out.push(block.length, ...block);
  out.push(0);
  return out;
}

const short = (value) => [value & 255, value >> 8];

/** Returns a GIF that repeats for ever, of frames that are `ImageData`. */
export function encodeGif(frames, hundredths = 6) {
  const { colours, index } = palette();
  const { width, height } = frames[0];
  const text = (word) => Array.from(word, (letter) => letter.charCodeAt(0));
  const parts = [text("GIF89a"), short(width), short(height), [0xf7, 0, 0]];
  parts.push(colours.flat());
  parts.push([0x21, 0xff, 11], text("NETSCAPE2.0"), [3, 1, 0, 0, 0]);
  for (const { data } of frames) {
    const indices = new Uint8Array(width * height);
    for (let i = 0; i < indices.length; i += 1) {
      indices[i] = index(data[4 * i], data[4 * i + 1], data[4 * i + 2]);
    }
    parts.push([0x21, 0xf9, 4, 0], short(hundredths), [0, 0]);
    parts.push([0x2c, 0, 0, 0, 0], short(width), short(height), [0]);
    parts.push(compress(indices));
  }
  parts.push([0x3b]);
  return new Blob(parts.map((part) => Uint8Array.from(part)), { type: "image/gif" });
}
