/** Puts the page together and draws it again when the state changes. */

import { pageBackend, serverBackend } from "explorer/backends";
import { makeBetween } from "explorer/between";
import { unpack } from "explorer/bytes";
import { showCard, showScores } from "explorer/facts";
import { makeControls } from "explorer/latents";
import { enlarged, pixelVariances, save, shares } from "explorer/pictures";
import { makePlane } from "explorer/plane";
import { makeShelf, readImage } from "explorer/shelf";
import { makeStage } from "explorer/stage";
import { parse, serialize, Store } from "explorer/state";
import { called, element, percent, python } from "explorer/text";
import { cycle, makeGrid, makeStrip, steps, traversal } from "explorer/traversals";

const $$ = (id) => document.getElementById(id);
const { runs, shelf, server } = JSON.parse($$("contents").textContent);
const shape = runs[0].image_shape;
const size = shape[0] * shape[1] * shape[2];
const PAUSE = 120; // ms without a change before the slower pictures are drawn

let backend = null;
let own = null; // the user's image: its pixels, and its codes by each run
let controls = null;
let shownLead = null;
let shownStart = "";
let drawnStart = "";

// ---- The state.

const startOf = (r, image = store.state.image) =>
  image === "own" && own ? own.codes[r] : runs[r].shelf_codes[image === "own" ? 0 : image];

const free = (run) => run.order.filter((i) => run.latents[i].kind !== "categorical");

/** The state of a run in the lead before anything was touched. */
function fresh(lead) {
  const run = runs[lead];
  const [x = 0, next = x] = free(run);
  // Two factors say more than one twice.
  const { factor } = run.latents[x];
  const y = free(run).find((i) => run.latents[i].factor !== factor) ?? next;
  return { lead, hand: run.order[0], axes: [x, y] };
}

const initial = { image: 0, other: Math.min(1, shelf.labels.length - 1), ...fresh(0) };
initial.codes = runs.map((run) => run.shelf_codes[0].slice());
const store = new Store(initial, runs, shelf.labels.length);

function choose(image) {
  const codes = runs.map((_, r) => startOf(r, image).slice());
  between.restart();
  store.change({ image, codes });
  store.commit();
}

function report(error) {
  $$("message").hidden = !error;
  $$("message").textContent = error ? error.message : "";
}

const say = (text) => {
  $$("said").textContent = text;
};

// ---- The parts of the page.

const stage = makeStage($$("stage"), runs);
const strip = makeStrip($$("strip"), $$("strip-title"), store, runs);
const grid = makeGrid($$("grid"), store);
const plane = makePlane($$("plane"), [$$("axis-x"), $$("axis-y")], store, runs);
shelf.pixels = await unpack("shelf");
const markShelf = makeShelf($$("shelf"), shelf, shape, "Data image", choose);
const between = makeBetween($$("between"), shelf, shape, store, runs, startOf);

function showTexts() {
  const run = runs[store.state.lead];
  $$("name").textContent = runs.map((one) => one.name).join(" · ");
  $$("facts").textContent = runs.length > 1
    ? `${runs.length} runs on ${run.data}`
    : `${run.objective} on ${run.data}, ${run.step.toLocaleString("en")} steps`;
  const count = runs.length > 1 ? "a few" : run.latents.length;
  $$("lead").textContent =
    `${runs.length > 1 ? "Each" : "This"} model describes a picture by ${count} numbers, ` +
    "its latents. Nobody told it what they should mean. Move one and see what changes.";
  $$("shelf-note").textContent = shelf.note;
  $$("runs-where").textContent = server
    ? `The model runs at ${server}.`
    : "The model runs in this page and needs no server.";
  $$("plane-section").hidden = free(run).length < 2;
  $$("copy-link").hidden = location.protocol === "about:";
}

/** Builds what belongs to the run whose sliders are shown. */
function showLead(state) {
  if (shownLead === state.lead) return;
  shownLead = state.lead;
  const run = runs[state.lead];
  controls = makeControls($$("controls"), run, store);
  grid.build(run);
  plane.build(run);
  showTexts();
}

function makeRunChoice() {
  if (runs.length < 2) return;
  const choice = element("fieldset", "choices");
  choice.append(element("legend", "quiet", "Sliders of"));
  runs.forEach((run, r) => {
    const label = element("label");
    const input = element("input");
    Object.assign(input, { type: "radio", name: "lead", value: r });
    input.addEventListener("change", () => {
      store.change(fresh(r));
      store.commit();
    });
    label.append(input, element("span", "", run.name));
    choice.append(label);
  });
  const matched =
    "Moving a latent also moves the latents of the other runs that stand for the same " +
    "factor. The values of categorical ones are matched by the images that have them.";
  $$("runs").append(choice, element("p", "quiet", matched));
}

// ---- Drawing: at once what changed, the slower pictures in a pause.

const decode = (r, rows) => backend.decode(runs[r], rows);

async function drawAtOnce(state) {
  const rows = strip.rows(state);
  const isNew = startKey(state) !== drawnStart;
  for (const [r, run] of runs.entries()) {
    const batch = [state.codes[r]];
    if (r === state.lead) batch.push(...rows);
    if (isNew) batch.push(startOf(r, state.image));
    const images = await backend.decode(run, batch);
    stage.drawEdited(r, images.subarray(0, size));
    if (r === state.lead && rows.length) {
      strip.draw(images.subarray(size, (1 + rows.length) * size), shape);
    }
    if (isNew) stage.drawAgain(r, images.subarray(-size));
  }
  drawnStart = startKey(state);
}

const startKey = ({ image }) => [image, own?.name].join();

function showOriginal(state) {
  if (shownStart === startKey(state)) return;
  shownStart = startKey(state);
  const { image } = state;
  markShelf(image);
  if (image !== "own") {
    stage.drawOriginal(shelf.pixels.subarray(image * size, (image + 1) * size), "data image");
  } else {
    stage.drawOriginal(own?.pixels, own ? "your image" : "your image; not in the link");
  }
}

const surveys = runs.map(() => ({ key: "", rows: [], variances: [] }));

/** Decodes the traversals of all latents of a run: its grid and its heat map. */
async function survey(r, state, isStale) {
  const [run, known] = [runs[r], surveys[r]];
  const key = state.codes[r].join();
  if (known.key !== key) {
    const rows = [];
    for (const i of run.latents.keys()) {
      rows.push(await decode(r, traversal(state.codes[r], i, steps(run.latents[i]))));
      if (isStale()) return;
    }
    Object.assign(known, { key, rows, variances: pixelVariances(rows, shape) });
  }
  const matches = runs[state.lead].matches[state.hand] ?? [];
  const match = matches.find((one) => one.run === r);
  const latent = r === state.lead ? state.hand : match?.latent;
  if (latent === undefined) {
    const { factor } = runs[state.lead].latents[state.hand];
    const text = factor ? `no latent of ${factor}` : "no latent that matches";
    stage.drawHeat(r, new Float32Array(shape[0] * shape[1]), text);
  } else {
    const { pixels, all } = shares(known.variances, latent);
    const text = `moved by ${run.latents[latent].name}: ${percent(all)} of all change`;
    stage.drawHeat(r, pixels, text);
  }
  if (r === state.lead && $$("grid-section").open) {
    for (const i of run.latents.keys()) {
      grid.draw(i, known.rows[i], shape);
      grid.show(i, percent(shares(known.variances, i).all), i === state.hand);
    }
  }
}

async function drawInPause(isStale) {
  const { state } = store;
  for (const r of runs.keys()) {
    await survey(r, state, isStale);
    if (isStale()) return;
  }
  if ($$("plane-section").open) await plane.refresh(state, decode, isStale);
  if ($$("between-section").open) await between.refresh(state, decode, isStale);
}

let asked = 0; // the frame of the screen that will show what changed
let shown = null; // the state that is shown
let drawing = false;
let version = 0;
let pause = 0;

/** What needs no model: the controls, and the marks on the pictures. */
function showState(state, before) {
  showLead(state);
  const isOther = (name) => state[name] !== before?.[name];
  showOriginal(state);
  if (isOther("other")) between.show(state);
  if (isOther("lead")) {
    document.querySelectorAll("input[name=lead]").forEach((input, r) => {
      input.checked = r === state.lead;
    });
  }
  controls(state, startOf(state.lead));
  if (!$$("code").hidden) $$("code").textContent = code(state);
  strip.show(state);
  if ($$("plane-section").open) plane.show(state);
}

/** Shows the state as it is now; what changes meanwhile is shown by the next frame. */
async function showFrame() {
  asked = 0;
  const { state } = store;
  showState(state, shown);
  shown = state;
  if (!backend) return;
  drawing = true;
  try {
    await drawAtOnce(state);
    document.dispatchEvent(new Event("explorer:drawn"));
  } catch (error) {
    report(error);
  }
  drawing = false;
  if (store.state !== state) ask();
  else pause = setTimeout(showInPause, PAUSE);
}

function ask() {
  if (!asked && !drawing) asked = requestAnimationFrame(showFrame);
}

async function showInPause() {
  const mine = version;
  try {
    await drawInPause(() => mine !== version);
    if (mine === version) document.dispatchEvent(new Event("explorer:settled"));
  } catch (error) {
    report(error);
  }
}

function changed() {
  version += 1;
  clearTimeout(pause);
  ask();
}

// ---- Buttons.

async function takeFile(file) {
  if (!file) return;
  try {
    const pixels = await readImage(file, shape);
    const codes = [];
    for (const run of runs) codes.push(await backend.encode(run, pixels));
    own = { name: `${file.name} ${file.lastModified}`, pixels, codes };
    report(null);
    choose("own");
  } catch (error) {
    report(error);
  }
}

/** Draws from the prior of the leading run; the others encode its picture. */
async function randomise() {
  const { lead } = store.state;
  const run = runs[lead];
  const pick = run.prior_codes[Math.floor(Math.random() * run.prior_codes.length)];
  const codes = store.state.codes.slice();
  codes[lead] = pick.slice();
  if (runs.length > 1) {
    const pixels = Uint8Array.from(await decode(lead, [pick]), (v) => Math.round(255 * v));
    for (const r of runs.keys()) {
      if (r !== lead) codes[r] = await backend.encode(runs[r], pixels);
    }
  }
  store.change({ codes });
  store.commit();
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    say("This browser does not let pages copy; select the text instead.");
  }
}

async function saveGif() {
  const { state } = store;
  const run = runs[state.lead];
  const film = await cycle(run, state, decode);
  const { name } = run.latents[state.hand];
  save(film, `${run.name}-${name}.gif`);
  say(`Saved ${called(run.latents[state.hand])} over its range.`);
}

function savePng() {
  const run = runs[store.state.lead];
  enlarged(stage.canvasOf(store.state.lead)).toBlob((blob) => save(blob, `${run.name}.png`));
  say("Saved the picture.");
}

const code = (state) => python(runs[state.lead], state.codes[state.lead], server);

function copyCode() {
  $$("code").hidden = false;
  $$("code").textContent = code(store.state);
  copy(code(store.state), "Copied the code.");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Then it lasts as long as the page.
  }
}

function connect() {
  const on = (id, action) => $$(id).addEventListener("click", action);
  on("undo", () => say(store.undo() ? "" : "Nothing to undo."));
  on("reset", () => choose(store.state.image));
  on("randomise", () => randomise().catch(report));
  on("copy-code", copyCode);
  on("copy-link", () => copy(location.href, "Copied the link."));
  on("save-png", savePng);
  on("save-gif", () => saveGif().catch(report));
  on("theme", () => {
    const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
    setTheme(isDark ? "light" : "dark");
    store.change({});
  });
  $$("file").addEventListener("change", (event) => {
    takeFile(event.target.files[0]);
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    takeFile(event.dataTransfer.files[0]);
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault();
      store.undo();
    }
  });
  for (const id of ["grid-section", "plane-section", "between-section"]) {
    $$(id).addEventListener("toggle", () => store.change({}));
  }
}

// ---- Start.

store.onChange(changed);
makeRunChoice();
connect();
showScores($$("scores"), runs);
showCard($$("card"), runs);
store.change(parse(location.hash.slice(1), runs, shelf.labels.length));
store.show(serialize(store.state, runs));
showState(store.state, null);
try {
  backend = server ? serverBackend(server) : await pageBackend();
  await drawAtOnce(store.state);
  document.documentElement.dataset.ready = "true";
  performance.mark("ready");
  store.change({});
} catch (error) {
  report(error);
}
/** For scripts and for the console. */
window.explorer = { store, runs, backend };
