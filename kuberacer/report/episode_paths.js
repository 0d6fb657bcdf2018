// Draws the episode that the reader chooses, from the data beside this script. Without scripts a picture stands here.
(() => {
  const here = document.currentScript.parentElement;
  const data = JSON.parse(here.querySelector("script[type='application/json']").textContent);
  if (!data.episodes.length) return;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const packed = new DataView(bytes(data.places).buffer);
  const place = (i) => [0, 1].map((k) => data.corner[k] + data.unit * packed.getUint16(4 * i + 2 * k, true));
  const scales = { speed: { ...data.speed, unit: "m/s" }, reward: { ...data.reward, unit: "a step" } };
  for (const scale of Object.values(scales)) scale.values = bytes(scale.bytes);
  let start = 0;
  for (const episode of data.episodes) {
    episode.start = start;
    start += episode.steps;
  }

  const make = (parent, name, attributes = {}, text = "") => {
    const space = ["svg", "path", "circle", "title"].includes(name) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
    const made = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return parent.appendChild(made);
  };
  const controls = here.querySelector(".controls");
  const labelled = (text, name, attributes) => make(make(controls, "label", {}, text), name, attributes);
  const iterations = labelled("Iteration ", "select");
  const choice = labelled("Episode ", "select");
  const colour = labelled("Colour ", "select");
  const step = labelled("Step ", "input", { type: "range", min: 0 });
  const said = make(controls, "p", { role: "status" });
  const legend = make(controls, "p", { class: "legend" });
  const drawing = make(here.querySelector(".drawing"), "svg", { role: "img" });
  const title = make(drawing, "title");

  const border = (numbers) => "M" + numbers.map((v, i) => (i % 2 ? -v : v)).join(" ");
  const flat = [...data.inner, ...data.outer];
  for (let i = 0; i < start; i += 1) flat.push(...place(i));
  const range = (k) => {
    let low = Infinity, high = -Infinity;
    for (let i = k; i < flat.length; i += 2) { low = Math.min(low, flat[i]); high = Math.max(high, flat[i]); }
    return [low, high];
  };
  const [x, y] = [range(0), range(1)];
  const size = Math.max(x[1] - x[0], y[1] - y[0]);
  const margin = 0.03 * size;
  drawing.setAttribute("viewBox", [x[0] - margin, -y[1] - margin, x[1] - x[0] + 2 * margin, y[1] - y[0] + 2 * margin].join(" "));
  for (const line of [data.inner, data.outer]) make(drawing, "path", { class: "border", d: border(line) });
  const strokes = data.colors.map((stroke) => make(drawing, "path", { class: "way", stroke }));
  const car = make(drawing, "circle", { class: "car", r: 0.012 * size });

  const resets = new Set(data.resets);
  const of = (scale, i) => scale.low + (scale.values[i] / 255) * (scale.high - scale.low);
  const draw = () => {
    const episode = data.episodes[choice.value];
    const scale = scales[colour.value];
    const parts = data.colors.map(() => "");
    for (let i = episode.start + 1; i < episode.start + episode.steps; i += 1) {
      if (resets.has(i)) continue;
      const [from, to] = [place(i - 1), place(i)];
      const bin = Math.min(parts.length - 1, Math.floor((scale.values[i] / 256) * parts.length));
      parts[bin] += `M${from[0].toFixed(3)} ${(-from[1]).toFixed(3)}L${to[0].toFixed(3)} ${(-to[1]).toFixed(3)}`;
    }
    strokes.forEach((stroke, k) => stroke.setAttribute("d", parts[k] || "M0 0"));
    legend.textContent = `${colour.options[colour.selectedIndex].text}, from dark to light: ${scale.low.toFixed(2)} to ${scale.high.toFixed(2)} ${scale.unit}`;
    at();
  };
  const at = () => {
    const episode = data.episodes[choice.value];
    const i = episode.start + Number(step.value);
    const [cx, cy] = place(i);
    car.setAttribute("cx", cx);
    car.setAttribute("cy", -cy);
    const whole = `${episode.progress} % in ${episode.seconds} s, return ${episode.return}, ${episode.status}`;
    said.textContent = `${whole}. Step ${Number(step.value) + 1} of ${episode.steps}: ${of(scales.speed, i).toFixed(2)} m/s, reward ${of(scales.reward, i).toFixed(2)}`;
    title.textContent = `Path of an episode: ${whole}`;
  };
  const chosen = () => {
    const { steps } = data.episodes[choice.value];
    step.max = steps - 1;
    step.value = steps - 1;
    draw();
  };
  const fill = () => {
    choice.replaceChildren();
    data.episodes.forEach((episode, k) => {
      if (String(episode.iteration) === iterations.value) make(choice, "option", { value: k }, `${episode.number}: ${episode.progress} %, ${episode.status}`);
    });
    chosen();
  };
  for (const number of [...new Set(data.episodes.map((episode) => episode.iteration))].sort((a, b) => a - b)) {
    make(iterations, "option", { value: number }, number ? String(number) : "evaluation");
  }
  for (const [value, text] of [["speed", "speed"], ["reward", "reward"]]) make(colour, "option", { value }, text);
  iterations.addEventListener("change", fill);
  choice.addEventListener("change", chosen);
  colour.addEventListener("change", draw);
  step.addEventListener("input", at);
  fill();
  here.querySelector(".still").remove();
  here.querySelector(".viewer").hidden = false;
})();
