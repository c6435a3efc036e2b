/** What is known of the runs: their scores and their model cards. */

import { element } from "explorer/text";

const shown = (value) => {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.map(shown).join(", ") || "none";
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(4));
};

function cell(tag, content, scope) {
  const made = element(tag);
  made.append(content);
  if (scope) made.scope = scope;
  return made;
}

/** A bar from 0 to 1 with the score, and the floor and ceiling as limits. */
function scale({ score, floor, ceiling }) {
  const bar = element("div", "scale");
  if (score === null || score < 0 || score > 1) return bar;
  const reach = element("div", "reach");
  const [low, high] = [floor ?? 0, ceiling ?? 1];
  reach.style.left = `${100 * Math.max(0, low)}%`;
  reach.style.right = `${100 * (1 - Math.min(1, high))}%`;
  const point = element("div", "point");
  point.style.left = `${100 * score}%`;
  bar.append(reach, point);
  return bar;
}

function scoreTable(run) {
  const table = element("table");
  const caption = element("caption", "", `Scores of ${run.name}`);
  const head = element("tr");
  for (const name of ["Metric", "Score", "Floor", "Ceiling", "0 to 1"]) {
    head.append(cell("th", name, "col"));
  }
  const body = element("tbody");
  for (const [name, result] of Object.entries(run.scores)) {
    const row = element("tr");
    const title = cell("th", name, "row");
    if (result.protocol) title.append(element("small", "quiet", ` ${result.protocol}`));
    row.append(title);
    for (const key of ["score", "floor", "ceiling"]) row.append(cell("td", shown(result[key])));
    row.append(cell("td", scale(result)));
    body.append(row);
  }
  const header = element("thead");
  header.append(head);
  table.append(caption, header, body);
  return table;
}

const scroller = (table, run) => {
  const around = element("div", "scroller");
  around.tabIndex = 0;
  around.setAttribute("role", "region");
  around.setAttribute("aria-label", `${table.caption.textContent}: ${run.name}`);
  around.append(table);
  return around;
};

/** Shows each run's scores between floor and ceiling. */
export function showScores(place, runs) {
  const scored = runs.filter((run) => Object.keys(run.scores).length);
  if (!scored.length) {
    const hint = "This run has no scores yet. bin/evaluate RUN adds them.";
    place.append(element("p", "quiet", hint));
    return;
  }
  place.append(...scored.map((run) => scroller(scoreTable(run), run)));
  const text =
    "The floor is what untrained networks, or noise, score under the same protocol; " +
    "the ceiling is what the factors themselves score as codes. A score means " +
    "something only between the two.";
  place.append(element("p", "quiet", text));
}

/** A name that may be broken after its dots and underscores. */
function breakable(name) {
  const parts = name.split(/(?<=[._])/);
  return parts.flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
}

function facts(title, entries, run) {
  const table = element("table", "facts");
  table.append(element("caption", "", title));
  const body = element("tbody");
  for (const [name, value] of Object.entries(entries)) {
    const row = element("tr");
    const head = cell("th", "", "row");
    head.append(...breakable(name));
    row.append(head, cell("td", shown(value)));
    body.append(row);
  }
  table.append(body);
  return scroller(table, run);
}

/** Shows what each run is, how it was made and how it ended. */
export function showCard(place, runs) {
  for (const run of runs) {
    if (runs.length > 1) place.append(element("h3", "", run.name));
    const what = {
      model: run.model,
      objective: run.objective,
      data: run.data,
      image: run.image_shape.join(" × "),
      latents: run.latents.length,
      parameters: run.num_parameters,
      steps: `${shown(run.step)} of ${shown(run.steps)}`,
    };
    const cards = element("div", "cards");
    cards.append(facts("The model", what, run));
    if (Object.keys(run.terms).length) {
      cards.append(facts("Last terms, nats per image", run.terms, run));
    }
    cards.append(facts("Versions", run.versions, run));
    const settings = facts("Settings", run.settings, run);
    settings.classList.add("wide");
    cards.append(settings);
    place.append(cards);
  }
}
