/** The sliders of the continuous latents and the buttons of the categorical ones. */

import { element, number, percent } from "explorer/text";

/** What is known of a latent, in a few words. */
function notes(latent) {
  const said = [];
  if (latent.factor && latent.share !== null) {
    said.push(`${percent(latent.share)} of its ${latent.votes} votes`);
  } else if (latent.votes && latent.moves !== false) {
    said.push(`${latent.votes} votes, too few for a name`);
  }
  if (latent.kl !== null) said.push(`${latent.measure} ${latent.kl.toFixed(2)} nats`);
  return said.join(" · ");
}

function title(latent) {
  const parts = [element("span", "latent-name", latent.name)];
  if (latent.factor) parts.unshift(element("strong", "factor", latent.factor));
  return parts;
}

function slider(latent, index, store) {
  const row = element("div", "latent");
  const label = element("label", "latent-title");
  const input = element("input");
  const output = element("output", "value");
  input.type = "range";
  input.id = `latent-${index}`;
  label.htmlFor = input.id;
  output.htmlFor = input.id;
  label.append(...title(latent));
  const margin = 0.1 * (latent.high - latent.low);
  input.min = latent.low - margin;
  input.max = latent.high + margin;
  input.step = (latent.high - latent.low) / 500;
  input.addEventListener("input", () => store.set(index, Number(input.value)));
  input.addEventListener("change", () => store.commit());
  input.addEventListener("focus", () => store.change({ hand: index }));
  const quiet = element("span", "notes quiet", notes(latent));
  row.append(label, output, input, quiet);
  return {
    row,
    show(value, start) {
      const at = (start - input.min) / (input.max - input.min);
      // Where the chosen image stands, as the style draws it.
      input.style.setProperty("--start", Math.min(1, Math.max(0, at)));
      // A value beyond the range stays as it is; the handle stands at the end.
      if (document.activeElement !== input || Number(input.value) !== value) {
        input.value = value;
      }
      const beyond = value < input.min || value > input.max;
      const text = `${number(value)}${beyond ? ", beyond the range" : ""}`;
      input.setAttribute("aria-valuetext", text);
      output.textContent = text;
    },
  };
}

function buttons(latent, index, store) {
  const row = element("fieldset", "latent");
  const legend = element("legend", "latent-title");
  legend.append(...title(latent));
  const choices = element("div", "choices");
  const inputs = Array.from({ length: latent.num_values }, (_, value) => {
    const label = element("label");
    const input = element("input");
    input.type = "radio";
    input.name = `latent-${index}`;
    input.value = value;
    input.addEventListener("change", () => {
      store.set(index, value);
      store.commit();
    });
    input.addEventListener("focus", () => store.change({ hand: index }));
    label.append(input, element("span", "", String(value)));
    choices.append(label);
    return input;
  });
  row.append(legend, choices, element("span", "notes quiet", notes(latent)));
  return {
    row,
    show(value) {
      inputs.forEach((input, i) => {
        input.checked = i === value;
      });
    },
  };
}

/** Builds the controls of the leading run; returns what shows a state in them. */
export function makeControls(place, run, store) {
  const controls = run.latents.map((latent, i) =>
    (latent.kind === "categorical" ? buttons : slider)(latent, i, store),
  );
  place.replaceChildren();
  const unused = [];
  for (const i of run.order) {
    if (run.latents[i].moves === false) unused.push(controls[i].row);
    else place.append(controls[i].row);
  }
  if (unused.length) {
    const folded = element("details", "unused");
    const count = unused.length === 1 ? "1 latent" : `${unused.length} latents`;
    const summary = element("summary", "", `${count} that change${unused.length === 1 ? "s" : ""} nothing`);
    folded.append(summary, ...unused);
    place.append(folded);
  }
  const shown = controls.map(() => "");
  return (state, start) => {
    controls.forEach((control, i) => {
      const value = state.codes[state.lead][i];
      const key = [value, start[i], i === state.hand].join();
      if (key === shown[i]) return;
      shown[i] = key;
      control.show(value, start[i]);
      control.row.classList.toggle("in-hand", i === state.hand);
    });
  };
}
