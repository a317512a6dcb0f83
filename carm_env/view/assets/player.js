"use strict";
const $ = (id) => document.getElementById(id);
const page = document.documentElement;

window.addEventListener("error", (event) => {
  page.dataset.error = event.message;
  $("trouble").textContent = "This page met a problem: " + event.message;
  $("trouble").hidden = false;
});

const data = JSON.parse($("data").textContent);
const steps = data.time.length;
const colour = Object.fromEntries(["a", "b", "lit", "target", "estimate", "quiet", "line", "text", "card"].map(
  (name) => [name, getComputedStyle(page).getPropertyValue("--" + name).trim()]));
const planeColours = [colour.a, colour.b];
let row = steps - 1, playing = false, clockStart = 0, timeStart = 0;

// ---- small vector help --------------------------------------------------------------------------------------------
const mix = (p, q, share) => p.map((value, i) => value + (q[i] - value) * share);
const add = (p, q, scale = 1) => p.map((value, i) => value + q[i] * scale);
const cross = (p, q) => [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
const unit = (p) => { const n = Math.hypot(...p); return p.map((value) => value / n); };
const fixed = (value, digits) => value === null || value === undefined ? "–" : value.toFixed(digits);

function surface(canvas) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

// ---- C-arm over the patient ---------------------------------------------------------------------------------------
function gantryAt(plane, at, share) {
  const now = plane.gantry[at], then = plane.gantry[Math.min(at + 1, steps - 1)];
  const value = mix(now, then, share);
  return { source: value.slice(0, 3), centre: value.slice(3, 6), u: unit(value.slice(6, 9)), v: unit(value.slice(9, 12)) };
}

function square(g, half) {
  return [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([i, j]) => add(add(g.centre, g.u, i * half), g.v, j * half));
}

function arc(g, plane) {
  const axis = add(g.centre, g.source, -1), middle = mix(g.source, g.centre, 0.5);
  const across = plane.arm === "head" ? g.v : cross(unit(axis), g.v), points = [];
  for (let i = 0; i <= 24; i++) {
    const angle = Math.PI * i / 24;
    points.push(add(add(middle, axis, Math.cos(angle) / 2), across, -plane.depth * Math.sin(angle)));
  }
  return points;
}

function hull(points) {
  const sorted = [...points].sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  const half = (list) => list.reduce((chain, p) => {
    while (chain.length > 1) {
      const [q, r] = chain.slice(-2);
      if ((r[0] - q[0]) * (p[1] - q[1]) - (r[1] - q[1]) * (p[0] - q[0]) > 0) break;
      chain.pop();
    }
    return [...chain, p];
  }, []);
  return [...half(sorted).slice(0, -1), ...half(sorted.reverse()).slice(0, -1)];
}

class Room {
  constructor(name, axis) {
    this.canvas = $(name);
    this.axis = axis;
    this.outline = data.body[name];
    this.range = data.bounds[name];
    if (data.backdrop[name]) this.load(data.backdrop[name]);
  }

  load(backdrop) {
    const image = new Image();
    image.onload = () => { this.backdrop = image; this.placement = backdrop.placement; draw(0); };
    image.src = "data:image/jpeg;base64," + backdrop.image;
  }

  prepare() {
    Object.assign(this, surface(this.canvas));
    const [[z0, z1], [y0, y1]] = this.range;
    this.scale = Math.min(this.width / (z1 - z0), this.height / (y1 - y0));
    this.left = (this.width - this.scale * (z1 - z0)) / 2 - this.scale * z0;
    this.topmost = (this.height - this.scale * (y1 - y0)) / 2 - this.scale * y0;
  }

  flat(z, across) { return [this.left + z * this.scale, this.topmost + across * this.scale]; }

  point(p) { return this.flat(p[2], p[this.axis]); }

  path(points, closed) {
    this.pen.beginPath();
    points.forEach(([x, y], i) => i ? this.pen.lineTo(x, y) : this.pen.moveTo(x, y));
    if (closed) this.pen.closePath();
  }

  draw(at, share) {
    this.prepare();
    this.patient();
    data.planes.forEach((plane, i) => this.plane(plane, planeColours[i], at, share));
    this.trail(at);
    this.marks(at, share);
  }

  patient() {
    const pen = this.pen, table = data.table[this.axis ? "side" : "top"];
    pen.fillStyle = colour.card;
    pen.fillRect(0, 0, this.width, this.height);
    const [x0, y0] = this.flat(table[0][0], table[1][0]), [x1, y1] = this.flat(table[0][1], table[1][1]);
    pen.fillStyle = "#26303b";
    pen.fillRect(x0, y0, x1 - x0, Math.max(y1 - y0, 3));
    this.path(this.outline.map(([z, across]) => this.flat(z, across)), true);
    pen.fillStyle = this.backdrop ? "#1d2630" : "#4a5866";
    pen.strokeStyle = this.backdrop ? "#8291a055" : "#8291a0";
    pen.lineWidth = 1;
    pen.fill();
    pen.stroke();
    if (this.backdrop) this.picture();
  }

  picture() {
    const pen = this.pen;
    pen.save();
    pen.transform(this.scale, 0, 0, this.scale, this.left, this.topmost);
    pen.transform(...this.placement);
    pen.globalCompositeOperation = "screen";
    pen.drawImage(this.backdrop, 0, 0);
    pen.restore();
  }

  plane(plane, paint, at, share) {
    if (plane.parked[at]) return;
    const pen = this.pen, g = gantryAt(plane, at, share), lit = plane.exposed[at];
    const shade = plane.ready[at] ? 1 : 0.45;
    pen.strokeStyle = paint;
    pen.lineCap = "round";
    pen.lineWidth = 4;
    pen.globalAlpha = shade * 0.3;
    this.path(arc(g, plane).map((p) => this.point(p)), false);
    pen.stroke();
    if (plane.ready[at]) this.beam(g, plane.field[at], lit ? colour.lit : paint, lit ? 0.5 : 0.1);
    pen.globalAlpha = shade;
    this.detector(g, plane, paint);
    const [x, y] = this.point(g.source);
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fillStyle = lit ? colour.lit : colour.card;
    pen.strokeStyle = paint;
    pen.lineWidth = 3;
    pen.fill();
    pen.stroke();
    pen.globalAlpha = 1;
  }

  beam(g, field, paint, alpha) {
    this.pen.globalAlpha = alpha;
    this.pen.fillStyle = paint;
    this.path(hull([g.source, ...square(g, field / 2)].map((p) => this.point(p))), true);
    this.pen.fill();
  }

  detector(g, plane, paint) {
    const pen = this.pen;
    this.path(hull(square(g, plane.detector / 2).map((p) => this.point(p))), true);
    pen.lineWidth = 5;
    pen.lineJoin = "round";
    const edgeOn = Math.abs(cross(g.u, g.v)[this.axis ? 0 : 1]) < 0.3;
    if (!edgeOn) pen.lineWidth = 2;
    pen.strokeStyle = paint;
    pen.stroke();
  }

  trail(at) {
    const pen = this.pen;
    this.path(data.position.slice(0, at + 1).map((p) => this.point(p)), false);
    pen.strokeStyle = "#ffffff88";
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  marks(at, share) {
    const pen = this.pen, guess = data.estimate[at], target = this.point(data.target[at]);
    pen.lineWidth = 2;
    if (guess) {
      const [x, y] = this.point(guess);
      const size = (sd) => Math.min(Math.max(sd * this.scale, 3), 400);
      pen.strokeStyle = colour.estimate;
      pen.beginPath();
      pen.ellipse(x, y, size(guess[5]), size(guess[3 + this.axis]), 0, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.strokeStyle = colour.target;
    pen.beginPath();
    pen.arc(...target, 6, 0, 2 * Math.PI);
    for (const [i, j] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(target[0] + 3 * i, target[1] + 3 * j);
      pen.lineTo(target[0] + 11 * i, target[1] + 11 * j);
    }
    pen.stroke();
    const iso = this.point(mix(data.position[at], data.position[Math.min(at + 1, steps - 1)], share));
    pen.fillStyle = "#fff";
    pen.beginPath();
    pen.arc(...iso, 3, 0, 2 * Math.PI);
    pen.fill();
  }
}

// ---- curves -------------------------------------------------------------------------------------------------------
class Chart {
  constructor(name, series, options) {
    this.canvas = $(name);
    this.series = series;
    this.log = options.log;
    this.line = options.line;
    const values = series.flatMap((s) => s.values).filter((v) => v !== null);
    this.high = Math.max(...values, this.line || 0, 1e-9) * (this.log ? 1.3 : 1.08);
    this.low = this.log ? Math.min(Math.max(Math.min(...values), 0.5), this.line / 2) : 0;
    const seek = (event) => {
      const share = (event.offsetX - this.pad) / (this.canvas.clientWidth - this.pad - 6);
      show(rowAt(share * data.time[steps - 1]), true);
    };
    this.canvas.addEventListener("pointerdown", (event) => { this.canvas.setPointerCapture(event.pointerId); seek(event); });
    this.canvas.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
  }

  pad = 34;

  y(value) {
    const share = this.log ? Math.log(Math.max(value, this.low) / this.low) / Math.log(this.high / this.low) : value / this.high;
    return this.height - 15 - share * (this.height - 21);
  }

  x(time) { return this.pad + time / (data.time[steps - 1] || 1) * (this.width - this.pad - 6); }

  ticks() {
    if (this.log) return [1, 10, 100, 1000].filter((v) => v >= this.low && v <= this.high);
    const raw = this.high / 3, base = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * base).find((k) => k >= raw);
    return [0, 1, 2, 3].map((k) => k * step).filter((v) => v <= this.high);
  }

  draw(at, time) {
    Object.assign(this, surface(this.canvas));
    const pen = this.pen;
    pen.font = "11px system-ui, sans-serif";
    this.grid();
    this.series.forEach((s) => this.curve(s, steps - 1, 0.28));
    this.series.forEach((s) => this.curve(s, at, 1));
    pen.strokeStyle = colour.text;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(this.x(time), 2);
    pen.lineTo(this.x(time), this.height - 14);
    pen.stroke();
  }

  grid() {
    const pen = this.pen;
    pen.fillStyle = colour.quiet;
    pen.strokeStyle = colour.line;
    pen.textAlign = "right";
    for (const value of this.ticks()) {
      pen.fillText(String(+value.toPrecision(3)), this.pad - 5, this.y(value) + 4);
      pen.beginPath();
      pen.moveTo(this.pad, this.y(value));
      pen.lineTo(this.width - 6, this.y(value));
      pen.stroke();
    }
    pen.fillText(data.time[steps - 1].toFixed(1) + " s", this.width - 6, this.height - 2);
    pen.textAlign = "left";
    pen.fillText("0", this.pad, this.height - 2);
    if (this.line) this.tolerance();
  }

  tolerance() {
    const pen = this.pen;
    pen.save();
    pen.setLineDash([4, 4]);
    pen.strokeStyle = colour.target;
    pen.beginPath();
    pen.moveTo(this.pad, this.y(this.line));
    pen.lineTo(this.width - 6, this.y(this.line));
    pen.stroke();
    pen.restore();
  }

  curve(series, upTo, alpha) {
    const pen = this.pen;
    pen.globalAlpha = alpha;
    pen.strokeStyle = series.paint;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let i = 0; i <= upTo; i++) {
      const x = this.x(data.time[i]), y = this.y(series.values[i] || 0);
      if (series.stairs && i) pen.lineTo(x, this.y(series.values[i - 1]));
      if (i) pen.lineTo(x, y); else pen.moveTo(x, y);
    }
    pen.stroke();
    pen.globalAlpha = 1;
  }
}

// ---- pictures, numbers --------------------------------------------------------------------------------------------
function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function makePlane(_plane, index) {
  const figure = element("figure", "plane " + "ab"[index]), caption = element("figcaption", "", "Plane " + "AB"[index]);
  const angles = element("span"), screen = element("div", "screen"), image = element("img");
  const live = element("div", "live"), none = element("div", "none", "no exposure yet"), technique = element("p", "technique");
  const left = element("div", "side");
  image.alt = "";
  caption.append(angles);
  screen.append(image, none, left, live);
  figure.append(caption, screen, technique);
  $("planes").append(figure);
  return { name: "Plane " + "AB"[index], angles, image, left, live, none, technique, shown: -1 };
}

function drawPlane(view, plane, at) {
  const held = plane.held[at], shot = plane.technique[held], has = held >= 0 && plane.images.length > held;
  if (held !== view.shown) {
    if (has) view.image.src = "data:image/jpeg;base64," + plane.images[held];
    view.shown = held;
  }
  view.image.hidden = !has;
  view.none.hidden = has;
  view.none.textContent = held < 0 ? "no exposure yet" : "images were not kept";
  view.image.alt = has ? view.name + ", last X-ray image" : "";
  view.left.textContent = has ? shot.left : "";
  const shotAt = plane.shots[held] ?? -1, age = shotAt < 0 ? null : data.time[at] - data.time[shotAt];
  view.live.textContent = shotAt < 0 ? "" : age === 0 ? "X-RAY ON" : "held " + age.toFixed(1) + " s";
  view.live.classList.toggle("on", age === 0);
  view.angles.textContent = plane.ready[at] ? angleText(plane.angles[at]) : plane.parked[at] ? "parked" : "swinging in";
  view.technique.textContent = shot ? techniqueText(shot, data.preset[shotAt]) : "";
}

function angleText([primary, secondary]) {
  return Math.abs(primary).toFixed(0) + "° " + (primary < 0 ? "RAO" : "LAO") + "  " +
    Math.abs(secondary).toFixed(0) + "° " + (secondary < 0 ? "CAU" : "CRA");
}

function techniqueText(t, preset) {
  const notes = (t.limited ? ", generator at its limit" : "") + (t.edge ? ", field leaves the CT" : "");
  return `${preset}: ${fixed(t.kv, 0)} kV, ${fixed(t.cu, 1)} mm Cu, ${fixed(t.mas, 2)} mAs, field ${fixed(t.field, 0)} mm; ` +
    `K_a,r ${fixed(t.ka * 1000, 1)} µGy, KAP ${fixed(t.kap, 2)} mGy·cm², detector ${fixed(t.nGy, 0)} nGy${notes}`;
}

function drawReward(at) {
  data.reward[at].forEach((value, i) => {
    const cell = $("reward-values").children[i];
    cell.textContent = value === 0 ? "0" : value.toFixed(3);
    cell.className = value < 0 ? "negative" : value > 0 ? "positive" : "";
  });
}

function fillTables() {
  $("badge").textContent = data.outcome.replace("_", " ");
  $("badge").classList.toggle("success", data.outcome === "success");
  for (const [name, value] of data.chips) {
    const pair = element("div");
    pair.append(element("dt", "", name), element("dd", "", value));
    $("chips").append(pair);
  }
  for (const [name, value] of data.summary) {
    const line = element("tr");
    line.append(element("th", "", name), element("td", "", value));
    $("summary").tBodies[0].append(line);
  }
  for (const name of data.rewardNames) {
    $("reward-names").append(element("th", "", name));
    $("reward-values").append(element("td"));
  }
  fillEpisodes();
}

function fillEpisodes() {
  if (!data.episodes) return;
  $("episodes").hidden = false;
  const table = $("episodes").querySelector("table");
  for (const name of data.episodes.names) table.tHead.rows[0].append(element("th", "", name));
  for (const values of data.episodes.rows) {
    const line = element("tr");
    for (const value of values) line.append(element("td", "", value));
    table.tBodies[0].append(line);
  }
}

// ---- time ---------------------------------------------------------------------------------------------------------
function rowAt(time) {
  let found = 0;
  while (found + 1 < steps && data.time[found + 1] <= time + 1e-9) found++;
  return found;
}

const rooms = [new Room("top", 0), new Room("side", 1)];
const views = data.planes.map(makePlane);
const charts = [
  new Chart("error", [{ values: data.error, paint: colour.target }], { log: true, line: data.tolerance }),
  new Chart("dose", data.planes.map((plane, i) => ({ values: plane.kap, paint: planeColours[i], stairs: true })), { log: false }),
];

function draw(share) {
  const next = Math.min(row + 1, steps - 1), time = data.time[row] + share * (data.time[next] - data.time[row]);
  rooms.forEach((room) => room.draw(row, share));
  charts.forEach((chart) => chart.draw(row, time));
  views.forEach((view, i) => drawPlane(view, data.planes[i], row));
  drawReward(row);
  $("error-now").textContent = fixed(data.error[row], 1) + " mm";
  $("dose-now").textContent = data.planes.map((plane, i) => "AB"[i] + " " + plane.kap[row].toFixed(1)).join(", ") + " mGy·cm²";
  $("clock").textContent = `${time.toFixed(1)} s of ${data.time[steps - 1].toFixed(1)} s, step ${row}`;
  $("slider").value = row;
  $("slider").setAttribute("aria-valuetext", `step ${row}, ${time.toFixed(1)} seconds, error ${fixed(data.error[row], 0)} mm`);
  page.dataset.step = row;
}

function show(at, stop) {
  if (stop) pause();
  row = Math.min(Math.max(at, 0), steps - 1);
  draw(0);
}

function pause() {
  playing = false;
  $("play").textContent = "Play";
  $("play").setAttribute("aria-label", "Play");
}

function play() {
  if (row === steps - 1) row = 0;
  playing = true;
  clockStart = performance.now();
  timeStart = data.time[row];
  $("play").textContent = "Pause";
  $("play").setAttribute("aria-label", "Pause");
  draw(0);
  requestAnimationFrame(tick);
}

function tick(now) {
  if (!playing) return;
  const time = timeStart + Math.max(now - clockStart, 0) / 1000 * Number($("speed").value);
  row = rowAt(time);
  if (row === steps - 1) { pause(); draw(0); return; }
  draw(Math.min((time - data.time[row]) / (data.time[row + 1] - data.time[row]), 1));
  requestAnimationFrame(tick);
}

function jump(direction) {
  const shots = data.planes.flatMap((plane) => plane.shots).sort((p, q) => p - q);
  const found = direction > 0 ? shots.find((at) => at > row) : shots.reverse().find((at) => at < row);
  if (found !== undefined) show(found, true);
}

function drawTicks() {
  const canvas = $("ticks"), { pen, width } = surface(canvas), knob = 8;
  data.planes.forEach((plane, i) => plane.shots.forEach((at) => {
    pen.fillStyle = planeColours[i];
    pen.fillRect(knob + at / Math.max(steps - 1, 1) * (width - 2 * knob) - 1, i * 3, 2, 3);
  }));
}

const keys = {
  " ": () => playing ? pause() : play(), ArrowLeft: () => show(row - 1, true), ArrowRight: () => show(row + 1, true),
  n: () => jump(1), p: () => jump(-1), Home: () => show(0, true), End: () => show(steps - 1, true),
};
document.addEventListener("keydown", (event) => {
  const own = ["BUTTON", "SELECT", "SUMMARY"].includes(event.target.tagName) && event.key === " ";
  if (event.ctrlKey || event.metaKey || event.altKey || own || event.target.tagName === "SELECT" || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
$("play").addEventListener("click", () => playing ? pause() : play());
$("back").addEventListener("click", () => jump(-1));
$("next").addEventListener("click", () => jump(1));
$("slider").addEventListener("input", () => show(Number($("slider").value), true));
$("speed").addEventListener("change", () => { clockStart = performance.now(); timeStart = data.time[row]; });
window.addEventListener("resize", () => { drawTicks(); draw(0); });
window.addEventListener("hashchange", fromHash);

function fromHash() {
  const step = /^#step=(\d+)$/.exec(location.hash);
  if (step) show(Number(step[1]), true);
  return Boolean(step);
}

$("slider").max = steps - 1;
$("error").setAttribute("aria-label", "True error over time, from " + fixed(data.error[0], 0) + " to " + fixed(data.error[steps - 1], 1) + " mm");
$("dose").setAttribute("aria-label", "Cumulated kerma-area product over time, " + data.planes.map((plane, i) => `plane ${"AB"[i]} ${plane.kap[steps - 1].toFixed(1)}`).join(", ") + " mGy cm²");
document.querySelector(".legend .b").hidden = data.planes.length < 2;
fillTables();
drawTicks();
if (!fromHash()) show(steps - 1, false);
page.dataset.frames = data.planes.reduce((count, plane) => count + plane.images.length, 0);
page.dataset.ready = "yes";
