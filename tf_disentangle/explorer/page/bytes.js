/** What the file carries beside its text: gzipped bytes in base 85. */

// That of Python's b85encode, but for three characters that mean something in HTML.
const DIGITS =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=/?@^_`{|}~";

/** Five digits are four bytes; of the last ones the digits that are missing count 84. */
function fromBase85(text) {
  const value = new Uint8Array(128);
  Array.from(DIGITS).forEach((digit, i) => {
    value[digit.charCodeAt(0)] = i;
  });
  const missing = (5 - (text.length % 5)) % 5;
  const full = text + "~".repeat(missing);
  const bytes = new DataView(new ArrayBuffer((full.length / 5) * 4));
  for (let i = 0, word = 0; i < full.length; i += 1) {
    word = 85 * word + value[full.charCodeAt(i)];
    if (i % 5 === 4) {
      bytes.setUint32(((i - 4) / 5) * 4, word);
      word = 0;
    }
  }
  return new Uint8Array(bytes.buffer, 0, bytes.byteLength - missing);
}

/** Returns the bytes that the file carries under this name. */
export async function unpack(name) {
  const packed = fromBase85(document.getElementById(`blob-${name}`).textContent);
  const stream = new Blob([packed])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
