/**
 * What is shown, as data: the chosen image, the codes, the latent in hand. Its text is
 * what the URL holds and what undo goes back to.
 */

const round = (value) => Number(value.toPrecision(6));

/** Returns a state as text; `parse` reads it again. */
export function serialize(state, runs) {
  const name = (i) => runs[state.lead].latents[i].name;
  return new URLSearchParams({
    image: state.image,
    other: state.other,
    lead: state.lead,
    hand: name(state.hand),
    axes: state.axes.map(name).join(" "),
    codes: state.codes.map((codes) => codes.map(round).join(" ")).join("~"),
  }).toString();
}

/** Returns the parts of a state that a text gives; what makes no sense is left out. */
export function parse(text, runs, numImages) {
  const fields = new URLSearchParams(text);
  const part = {};
  const whole = (name, end) => {
    const value = Number(fields.get(name));
    return fields.get(name) && Number.isInteger(value) && value >= 0 && value < end
      ? { [name]: value }
      : {};
  };
  Object.assign(part, whole("image", numImages), whole("other", numImages));
  if (fields.get("image") === "own") part.image = "own";
  Object.assign(part, whole("lead", runs.length));
  const latents = runs[part.lead ?? 0].latents;
  const index = (name) => latents.findIndex((latent) => latent.name === name);
  if (index(fields.get("hand")) >= 0) part.hand = index(fields.get("hand"));
  const axes = (fields.get("axes") ?? "").split(" ").map(index);
  if (axes.length === 2 && axes.every((axis) => axis >= 0)) part.axes = axes;
  const codes = (fields.get("codes") ?? "")
    .split("~")
    .map((row) => row.split(" ").map((number) => (number ? Number(number) : NaN)));
  const fits = (row, run) =>
    row.length === run.latents.length && row.every((v, i) => isValue(v, run.latents[i]));
  if (codes.length === runs.length && runs.every((run, r) => fits(codes[r], run))) {
    part.codes = codes;
  } else if (Number.isInteger(part.image)) {
    part.codes = runs.map((run) => run.shelf_codes[part.image].slice());
  }
  return part;
}

function isValue(value, latent) {
  if (latent.kind !== "categorical") return Number.isFinite(value);
  return Number.isInteger(value) && value >= 0 && value < latent.num_values;
}

/** Holds the state, tells listeners of changes, and goes back. */
export class Store {
  constructor(state, runs, numImages) {
    Object.assign(this, { state, runs, numImages });
    this.listeners = [];
    this.past = [];
    this.committed = serialize(state, runs);
    window.addEventListener("hashchange", () => this.restore(location.hash.slice(1)));
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /** Changes parts of the state; a gesture ends with `commit`. */
  change(part) {
    this.state = { ...this.state, ...part };
    for (const listener of this.listeners) listener(this.state);
  }

  /** Sets one latent of the leading run, and those that match it in the others. */
  set(latent, value) {
    const { codes, lead } = this.state;
    const change = value - codes[lead][latent];
    const all = codes.map((row) => row.slice());
    all[lead][latent] = value;
    for (const match of this.runs[lead].matches[latent] ?? []) {
      const row = all[match.run];
      if (match.values) row[match.latent] = match.values[value] ?? row[match.latent];
      else row[match.latent] += change * match.ratio;
    }
    this.change({ codes: all, hand: latent });
  }

  /** Makes the present state one that undo comes back to, and shows it in the URL. */
  commit() {
    const text = serialize(this.state, this.runs);
    if (text === this.committed) return;
    this.past.push(this.committed);
    this.show(text);
  }

  /** Goes back to the state before the last gesture. */
  undo() {
    if (serialize(this.state, this.runs) === this.committed) {
      if (this.past.length === 0) return false;
      this.committed = this.past.pop();
    }
    this.restore(this.committed);
    this.show(this.committed);
    return true;
  }

  restore(text) {
    this.change(parse(text, this.runs, this.numImages));
  }

  show(text) {
    this.committed = text;
    try {
      history.replaceState(null, "", `#${text}`);
    } catch {
      // A page inside a notebook has no URL of its own.
    }
  }
}
