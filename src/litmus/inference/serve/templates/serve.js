// The page to play with: sends what is drawn, chosen or typed, and shows the answers of one run or two.
"use strict";

const play = document.getElementById("play");
const kind = play.dataset.kind;
const largest = Number(play.dataset.largest);
const problem = document.getElementById("problem");
const said = document.getElementById("said");
const BARS = 10; // classes that are shown
const MOST_PARTS = 16; // bars of an explanation; the rest are summed up
const SVG = "http://www.w3.org/2000/svg";

const runs = [...document.querySelectorAll(".run")].map((element) => ({
  element,
  prefix: element.dataset.prefix,
  result: element.querySelector(".result"),
  why: element.querySelector(".why"),
  reasons: element.querySelector(".why-result"),
  layers: element.querySelector(".layers"),
  facts: null,
}));

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;
const number = (value) => (value === null ? "" : rounded(value, 5));
const rounded = (value, digits) => {
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e7)) return value.toExponential(Math.min(digits - 1, 2));
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
};

// ---- Asking. Only the newest question of each run counts: an answer to an older one is dropped.

let asked = null; // what the last question sent: { body, type }
let turn = 0;
let settled = Promise.resolve(); // when the answer to the newest drawing is there

async function send(address, content) {
  const headers = content.type ? { "content-type": content.type } : {};
  let response;
  try {
    response = await fetch(address, { method: "POST", headers, body: content.body });
  } catch {
    throw new Error("The server cannot be reached. Is it still running?");
  }
  const answer = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Error(answer.error || `The server answered ${response.status}.`);
  return answer;
}

async function ask(content, live = false) {
  const own = ++turn;
  if (content.body.size > largest) {
    show_problem(`The image has more than ${largest / 1e6} MB. Choose a smaller one.`);
    return;
  }
  asked = content;
  for (const run of runs) if (run.reasons) run.reasons.replaceChildren();
  const answers = await Promise.allSettled(runs.map((run) => send(address_of(run), content)));
  if (own !== turn) return;
  show_problem(answers.filter((each) => each.status === "rejected").map((each) => each.reason.message)[0] || "");
  const sentences = [];
  answers.forEach((each, place) => {
    const run = runs[place];
    if (each.status === "rejected") {
      run.result.replaceChildren();
      run.layers.replaceChildren();
      if (run.why) run.why.disabled = true;
      return;
    }
    if (run.why) run.why.disabled = false;
    sentences.push(show_answer(run, each.value));
    show_layers(run, each.value.layers || []);
  });
  say(sentences.join(" "), live);
}

function address_of(run) {
  if (kind === "series") return `${run.prefix}/api/predict`;
  const name = run.facts && run.facts.activations ? "activations" : "predict";
  return `${run.prefix}/api/${name}?topk=${BARS}`;
}

function show_problem(sentence) {
  problem.textContent = sentence;
  if (sentence) said.textContent = "";
}

let saying = 0;
function say(sentence, live) {
  clearTimeout(saying); // while one draws, only what it comes to is read out
  saying = setTimeout(() => { if (sentence !== said.textContent) said.textContent = sentence; }, live ? 500 : 0);
}

// ---- Answers.

function show_answer(run, answer) {
  const shown = document.createDocumentFragment();
  const who = runs.length > 1 && run.facts ? `${run.facts.model}: ` : "";
  let sentence = "";
  if (kind === "series") {
    sentence = show_forecast(shown, answer);
  } else {
    const prediction = answer.predictions[0];
    const figures = prediction.probabilities || prediction.scores;
    if (prediction.boxes) sentence = show_boxes(run, shown, prediction.boxes);
    else if (prediction.values) sentence = show_values(shown, prediction.values);
    else if (figures) sentence = show_classes(run, shown, prediction, figures);
    if (prediction.note) {
      shown.append(make("p", { class: "soft", text: `Note: ${prediction.note}.` }));
      sentence += ` Note: ${prediction.note}.`;
    }
  }
  run.result.replaceChildren(shown);
  return who + sentence.trim();
}

function show_classes(run, shown, prediction, figures) {
  const likely = Boolean(prediction.probabilities);
  const chosen = prediction.labels || [prediction.label];
  const label = chosen.join(", ") || "no label";
  const names = run.facts ? run.facts.names : [];
  let values = Object.entries(figures).sort((a, b) => b[1] - a[1]);
  // All of a few classes keep their places while one draws; of many, the best come first.
  if (values.length === names.length) values = names.map((name) => [name, figures[name]]);
  const most = likely ? 1 : Math.max(...values.map(([, value]) => Math.abs(value)), 1e-9);
  shown.append(make("p", { class: "answer", text: label }));
  shown.append(bars(values.map(([name, value]) => ({
    name, share: Math.abs(value) / most, figure: likely ? percent(value) : rounded(value, 3), lowers: value < 0,
    strong: chosen.includes(name),
  }))));
  const sure = likely && !prediction.labels ? `, with a probability of ${percent(figures[label])}` : "";
  return `The answer is ${label}${sure}.`;
}

function show_values(shown, values) {
  const parts = Object.entries(values).map(([name, value]) => {
    shown.append(make("p", { class: "answer", text: number(value) }, make("span", { class: "unit", text: ` ${name}` })));
    return `${name} is ${number(value)}`;
  });
  return `${parts.join(", ")}.`;
}

function show_boxes(run, shown, boxes) {
  const found = boxes.length === 1 ? "1 box" : `${boxes.length} boxes`;
  shown.append(make("p", { class: "answer", text: found }));
  const image = document.querySelector("#preview img");
  if (image && image.naturalWidth) shown.append(boxed(image, boxes));
  shown.append(bars(boxes.slice(0, 20).map((box) => ({ name: box.label, share: box.score, figure: percent(box.score) }))));
  return boxes.length ? `${found}: ${boxes.map((box) => box.label).join(", ")}.` : "There are no boxes.";
}

function boxed(image, boxes) {
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const figure = make("figure", { class: "boxed" }, make("img", { src: image.src, alt: "The image with its boxes" }));
  const over = draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  Object.assign(over.style, { position: "absolute", inset: "0", width: "100%", height: "100%" });
  const line = Math.max(width, height) / 160;
  for (const { box: [left, top, right, bottom], label } of boxes) {
    over.append(draw("rect", {
      x: left, y: top, width: right - left, height: bottom - top, fill: "none", stroke: "#ffb000", "stroke-width": line,
    }));
    over.append(draw("text", { x: left + line, y: Math.max(top - line, 8 * line), fill: "#ffb000", "font-size": 8 * line }, label));
  }
  figure.append(over);
  return figure;
}

function bars(items) {
  const list = make("ol", { class: "bars" });
  for (const { name, share, figure, lowers, strong } of items) {
    const fill = make("span", { class: lowers ? "fill lowers" : "fill" });
    fill.style.width = `${Math.min(100, 100 * share)}%`;
    list.append(make("li", strong ? { class: "strong" } : {},
      make("span", { class: "name", text: name }),
      make("span", { class: "track", "aria-hidden": "true" }, fill),
      make("span", { class: "figure", text: figure })));
  }
  return list;
}

// ---- Forecasts.

function show_forecast(shown, answer) {
  const groups = answer.history.map((own) => own.group);
  for (const own of answer.history.slice(0, 3)) {
    const rows = answer.predictions.filter((row) => groups.length < 2 || row.group === own.group);
    const name = value_name(rows[0]);
    if (own.group) shown.append(make("p", { text: own.group }));
    shown.append(chart(own, rows, name));
  }
  const first = answer.predictions[0];
  shown.append(forecast_table(answer.predictions));
  for (const note of answer.notes) shown.append(make("p", { class: "soft", text: note }));
  const name = value_name(first);
  const range = first.low === null ? "" : `, between ${number(first.low)} and ${number(first.high)} in 9 of 10 cases`;
  return `Next, ${first.date ? `on ${first.date}, ` : ""}${name} is ${number(first[name])}${range}.`;
}

function value_name(row) {
  return Object.keys(row).find((key) => !["group", "date", "step", "low", "high"].includes(key));
}

function forecast_table(rows) {
  const keys = Object.keys(rows[0]);
  const head = make("tr", {}, ...keys.map((key) => make("th", { scope: "col", text: key })));
  const body = rows.slice(0, 60).map((row) => make("tr", {}, ...keys.map((key) => make("td", {
    text: typeof row[key] === "number" ? number(row[key]) : row[key] ?? "",
  }))));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Forecast" }, table);
}

function chart(past, rows, name) {
  const [width, height, left, right, top, bottom] = [560, 240, 52, 10, 10, 24];
  const values = rows.map((row) => row[name]);
  const all = [...past.values, ...values, ...rows.flatMap((row) => (row.low === null ? [] : [row.low, row.high]))];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 1;
  const steps = past.values.length + values.length - 1;
  const x = (place) => left + (width - left - right) * place / Math.max(steps, 1);
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / span);
  const line = (points) => points.map(([place, value]) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `The last ${past.values.length} values of ${name}, and ${values.length} that are forecast` });
  for (const share of [0, 0.5, 1]) {
    const value = low + share * span;
    svg.append(draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value)));
  }
  const first = past.dates ? past.dates[0] : `${1 - past.values.length}`;
  const last = rows[rows.length - 1];
  svg.append(draw("text", { x: left, y: height - 6 }, first));
  svg.append(draw("text", { x: width - right, y: height - 6, "text-anchor": "end" }, last.date || `+${last.step}`));
  const begin = past.values.length;
  if (rows[0].low !== null) {
    const upper = rows.map((row, step) => [begin + step, row.high]);
    const lower = rows.map((row, step) => [begin + step, row.low]).reverse();
    svg.append(draw("polygon", { points: line([[begin - 1, past.values[begin - 1]], ...upper, ...lower]), class: "band" }));
  }
  svg.append(draw("polyline", { points: line(past.values.map((value, place) => [place, value])), class: "past" }));
  svg.append(draw("polyline", { class: "next",
    points: line([[begin - 1, past.values[begin - 1]], ...values.map((value, step) => [begin + step, value])]) }));
  return make("figure", { class: "chart" }, svg,
    make("figcaption", { text: `${name}: its last values, the forecast in color, and an interval of 90 %.` }));
}

// ---- Layers.

function show_layers(run, layers) {
  if (!layers.length) {
    run.layers.replaceChildren();
    return;
  }
  const figures = layers.map((layer) => {
    const is_maps = layer.height > 1;
    const what = is_maps ? `${layer.units} maps of ${layer.height} x ${layer.width}` : `${layer.units} units`;
    const some = layer.maps < layer.units ? `, of which ${layer.maps} are shown` : "";
    const caption = `${layer.name}: ${what}${some}; white is ${number(layer.high)}, black ${number(layer.low)}`;
    const image = make("img", { src: layer.png, alt: `${layer.name}: ${what}` });
    const across = layer.columns * (is_maps ? layer.width + 1 : 1);
    image.style.width = `${Math.min(is_maps ? 2 * across : Math.max(12 * across, 60), 480)}px`;
    return make("figure", {}, image, make("figcaption", { text: caption }));
  });
  const head = run.layers.querySelector("h4") || make("h4", { text: "What each layer gives" });
  run.layers.replaceChildren(head, ...figures);
}

// ---- Explanations.

async function why(run) {
  if (!asked || run.why.getAttribute("aria-busy")) return;
  run.why.setAttribute("aria-busy", "true"); // not disabled, or whoever presses it by keyboard loses their place
  run.why.textContent = "Thinking ...";
  try {
    await settled;
    let [own, answer] = [-1, null];
    while (asked && own !== turn) { // until it is the newest question's
      own = turn;
      answer = await send(`${run.prefix}/api/explain`, asked);
    }
    if (asked) run.reasons.replaceChildren(...answer.explanations.map(reason));
  } catch (error) {
    show_problem(error.message);
  } finally {
    run.why.textContent = "Why?";
    run.why.removeAttribute("aria-busy");
  }
}

function reason(explanation) {
  const shown = make("div", {}, make("h4", { text: `What speaks for ${explanation.answer}` }));
  if (explanation.pixels) shown.append(heats(explanation));
  else if (kind === "texts") shown.append(words(explanation.parts));
  else shown.append(parts(explanation.parts));
  shown.append(make("p", { class: "soft", text: explanation.said }));
  if (explanation.note) shown.append(make("p", { class: "soft", text: `Note: ${explanation.note}.` }));
  return shown;
}

function legend(raises, lowers) {
  return make("p", { class: "legend" }, make("b", { text: raises }), " raises the output, ",
    make("b", { text: lowers }), " lowers it.");
}

function heats(explanation) {
  const found = [["what the network sees", explanation.pixels], ...Object.entries(explanation.heats)];
  const figures = found.map(([name, address]) => make("figure", {},
    make("img", { src: address, alt: `${name}: which pixels speak for ${explanation.answer}` }),
    make("figcaption", { text: name })));
  return make("div", {}, make("div", { class: "heats" }, ...figures), legend("Blue", "orange"));
}

function words(parts_of_text) {
  const most = Math.max(...parts_of_text.map((part) => Math.abs(part.value || 0)), 1e-12);
  const line = make("p", { class: "words" });
  for (const { name, value } of parts_of_text) {
    const word = make("span", { text: name });
    if (value === null) {
      word.className = "cut";
      word.title = "The network does not see this.";
    } else {
      word.title = `${name}: ${value >= 0 ? "+" : ""}${number(value)}`;
      if (Math.abs(value) > 0.03 * most) word.className = value > 0 ? "raises" : "lowers";
      const share = Math.round(38 * Math.abs(value) / most);
      word.style.background = `color-mix(in srgb, var(--${value > 0 ? "right" : "wrong"}) ${share}%, transparent)`;
    }
    line.append(word, " ");
  }
  return make("div", {}, line, legend("A blue word, underlined,", "an orange one, underlined with dashes,"));
}

function parts(found) {
  const ordered = [...found].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const least = Math.abs(ordered[0].value) / 1000;
  const large = ordered.filter((part, place) => place === 0 || Math.abs(part.value) > least);
  const shown = large.length > MOST_PARTS ? large.slice(0, MOST_PARTS - 1) : large;
  const rest = ordered.slice(shown.length);
  if (rest.length === 1) shown.push(rest[0]);
  else if (rest.length) {
    shown.push({ name: `${rest.length} others`, shown: "", value: rest.reduce((sum, part) => sum + part.value, 0) });
  }
  const most = Math.max(...shown.map((part) => Math.abs(part.value)), 1e-12);
  const list = bars(shown.map(({ name, shown: value, value: adds }) => ({
    name: value ? `${name} = ${value}` : name, share: Math.abs(adds) / most, lowers: adds < 0,
    figure: `${adds >= 0 ? "+" : "−"}${rounded(Math.abs(adds), 3)}`,
  })));
  return make("div", {}, list, legend("Blue, +,", "orange, −,"));
}

// ---- Inputs.

function image_of(blob) {
  return { body: blob, type: blob.type.startsWith("image/") ? blob.type : "application/octet-stream" };
}

function json(content) {
  return { body: new Blob([JSON.stringify(content)]), type: "application/json" };
}

function set_up_images() {
  const file = document.getElementById("file");
  const drop = document.getElementById("drop");
  const preview = document.getElementById("preview");
  const canvas = document.getElementById("canvas");
  let chosen = null;

  const choose = async (blob) => {
    chosen = blob;
    const address = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result));
      reader.readAsDataURL(blob);
    });
    const image = make("img", { src: address, alt: `The chosen image, ${blob.name || "without a name"}` });
    preview.className = "preview";
    preview.replaceChildren(image);
    await image.decode().catch(() => preview.replaceChildren()); // the server says what is wrong with it
    ask(image_of(blob));
  };
  file.addEventListener("change", () => { if (file.files.length) choose(file.files[0]); });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) choose(event.dataTransfer.files[0]);
  });
  const drawing = canvas ? set_up_canvas(canvas, () => { chosen = null; preview.replaceChildren(); file.value = ""; }) : null;
  return () => {
    if (chosen) ask(image_of(chosen));
    else if (drawing && drawing.is_drawn()) drawing.ask();
    else show_problem(drawing ? "Draw something, or choose an image." : "Choose an image.");
  };
}

function set_up_canvas(canvas, begun) {
  const context = canvas.getContext("2d");
  const pen = document.getElementById("pen");
  const width = Math.max(8, Number(canvas.dataset.pen) * canvas.width * 1.1);
  let [x, y] = [canvas.width / 2, canvas.height / 2];
  let [down, drawn, dirty, busy] = [false, false, false, false];

  const clear = () => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    drawn = false;
  };
  const stroke = (from, to) => {
    Object.assign(context, { strokeStyle: "#fff", lineWidth: width, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    if (!drawn) begun();
    [drawn, dirty] = [true, true];
    update();
  };
  const answer = async () => {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    await ask(image_of(blob), true);
  };
  const update = () => {
    if (busy) return; // the newest drawing is asked about as soon as the last answer is there
    busy = true;
    settled = (async () => {
      while (dirty) {
        dirty = false;
        await answer();
      }
      busy = false;
    })();
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.hidden = true;
    [down, [x, y]] = [true, at(event)];
    stroke([x, y], [x, y]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!down || !canvas.hasPointerCapture(event.pointerId)) return;
    const to = at(event);
    stroke([x, y], to);
    [x, y] = to;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { down = false; });

  const show_pen = () => {
    pen.hidden = false;
    pen.className = down ? "down" : "";
    Object.assign(pen.style, { left: `${100 * x / canvas.width}%`, top: `${100 * y / canvas.height}%` });
  };
  canvas.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 4 : 14;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === " ") {
      down = !down;
      if (down) stroke([x, y], [x, y]);
    } else if (moves[event.key]) {
      const inside = (value, size) => Math.min(Math.max(value, 0), size);
      const to = [inside(x + moves[event.key][0], canvas.width), inside(y + moves[event.key][1], canvas.height)];
      if (down) stroke([x, y], to);
      [x, y] = to;
    } else return;
    event.preventDefault();
    show_pen();
  });
  canvas.addEventListener("blur", () => { [down, pen.hidden] = [false, true]; });
  document.getElementById("clear").addEventListener("click", () => {
    clear();
    begun();
    turn += 1;
    asked = null;
    for (const run of runs) {
      [run.result, run.layers, run.reasons].forEach((each) => each && each.replaceChildren());
      if (run.why) run.why.disabled = true;
    }
    show_problem("");
    say("Nothing was asked yet.", false);
  });
  clear();
  return { is_drawn: () => drawn, ask: answer };
}

function set_up_texts() {
  const text = document.getElementById("text");
  const submit = () => {
    if (text.value.trim()) ask(json({ texts: [text.value] }));
    else show_problem("Type a text first.");
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
  });
  return submit;
}

function set_up_rows() {
  const fields = [...document.querySelectorAll("[data-column]")];
  const submit = () => {
    const row = {};
    for (const field of fields) {
      const is_number = "number" in field.dataset && field.value !== "";
      row[field.dataset.column] = is_number ? Number(field.value) : field.value || null;
    }
    ask(json({ rows: [row] }));
  };
  for (const field of fields) field.addEventListener("change", submit);
  submit();
  return submit;
}

function set_up_series() {
  const series = document.getElementById("series");
  const submit = () => {
    const text = series.value.trim();
    const values = text.split(/[\s,;]+/).map(Number);
    if (!text) ask(json({}));
    else if (values.every(Number.isFinite)) ask(json({ values }));
    else ask({ body: new Blob([series.value]), type: "text/csv" });
  };
  submit();
  return submit;
}

async function begin() {
  try {
    await Promise.all(runs.map(async (run) => { run.facts = await (await fetch(`${run.prefix}/api/run`)).json(); }));
  } catch {
    show_problem("The server cannot be reached. Is it still running?");
  }
  const set_up = { images: set_up_images, texts: set_up_texts, rows: set_up_rows, series: set_up_series };
  const submit = set_up[kind]();
  document.getElementById("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  for (const run of runs) if (run.why) run.why.addEventListener("click", () => why(run));
  document.documentElement.dataset.ready = "true";
}

begin();
