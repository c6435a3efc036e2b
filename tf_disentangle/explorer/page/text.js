/** Text and the elements that hold it. */

export const number = (value) => value.toFixed(2).replace("-", "−");
export const percent = (share) => `${Math.round(100 * share)}%`;

/** Returns an element with a class and a text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** What people call a latent: its factor, if it has one, and its name. */
export const called = (latent) =>
  latent.factor ? `${latent.factor} (${latent.name})` : latent.name;

/** Returns the code of the state as a Python program. */
export function python(run, codes, server) {
  const lines = ["import numpy as np", ""];
  const row = codes.map((value) => Number(value.toPrecision(6))).join(", ");
  const array = `codes = np.array([[${row}]], np.float32)`;
  if (server) {
    lines.push("from tf_disentangle.serving import Client", "");
    lines.push(`model = Client(${JSON.stringify(server)}, ${JSON.stringify(run.served_as)})`);
  } else {
    lines.push("import tf_disentangle", "");
    const options = run.checkpoint === "last" ? "" : `, ${JSON.stringify(run.checkpoint)}`;
    const folder = JSON.stringify(run.folder ?? "RUN");
    lines.push(`model = tf_disentangle.load(${folder}${options})  # the run's folder`);
  }
  const names = run.latents.map((latent) => latent.name).join(", ");
  lines.push(`# ${names}`, array);
  const shape = run.image_shape.join(", ");
  lines.push(`image = model.decode(codes)[0]  # float32 [${shape}] in [0, 1]`, "");
  return lines.join("\n");
}
