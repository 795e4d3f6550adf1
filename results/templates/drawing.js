// Draws the run on a canvas: faults, clients, nodes, on one axis of time.

const GUTTER = 112, AXIS = 24, OVERVIEW = 14, FAULT = 17, NODE = 17, GAP = 8;

/** Where each row of the timeline stands, for a number of lanes. */
function layOut(run) {
  const kinds = [];
  for (const fault of run.faults) {
    let row = kinds.find((candidate) => candidate.kind === fault.kind && candidate.faults.every((other) => other.to <= fault.from || fault.to <= other.from));
    if (!row) {
      row = { kind: fault.kind, faults: [] };
      kinds.splice(kinds.findLastIndex((candidate) => candidate.kind === fault.kind) + 1 || kinds.length, 0, row);
    }
    row.faults.push(fault);
  }
  const lanes = run.rowsOf.length;
  const lane = lanes <= 12 ? 22 : lanes <= 30 ? 18 : lanes <= 60 ? 14 : 8;
  let y = OVERVIEW + AXIS + 4;
  for (const row of kinds) { row.y = y; y += FAULT; }
  const laneTop = kinds.length ? y + GAP : y;
  const nodeTop = laneTop + lanes * lane + GAP;
  const height = nodeTop + run.nodes.length * NODE + (run.phases.length ? 18 : GAP);
  return { kinds, lane, laneTop, nodeTop, height };
}

/** Colours of the style sheet, as the canvas needs them: it does not know variables. */
function readColours() {
  const probe = document.createElement("span");
  probe.className = "probe";
  document.body.append(probe);
  const colours = {};
  for (const name of ["ground", "panel", "line", "faint", "ink", "muted", "ok", "ok-ink", "info", "info-ground", "info-edge", "fail", "proof", "proof-ink", "badge", "bad", "leader", "leader-ink", "candidate", "candidate-ink", "follower", "follower-ink", "down", "down-line", "down-ink", "fault", "fault-ink", "fault-edge", "leader-edge", "link"]) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.style.font = "11px var(--text)";
  colours.font = getComputedStyle(probe).fontFamily;
  probe.style.font = "11px var(--mono)";
  colours.mono = getComputedStyle(probe).fontFamily;
  probe.remove();
  return colours;
}

/** A hatch of device pixels, so that it is as fine on every screen. */
function hatch(context, ground, line, size, ratio) {
  const tile = document.createElement("canvas");
  const side = Math.round(size * ratio);
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = line;
  pen.lineWidth = side / 3;
  pen.beginPath();
  for (const shift of [-side, 0, side]) { pen.moveTo(shift, side); pen.lineTo(shift + side, 0); }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

/** The first of the rows that starts at or after a time. */
function firstAt(rows, start, time) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start[rows[middle]] < time) low = middle + 1; else high = middle;
  }
  return low;
}

class Drawing {
  constructor(run, canvas) {
    this.run = run;
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.layout = layOut(run);
    this.view = { from: 0, to: Math.max(run.end, run.tick) };
    this.selected = -1;
    this.letters = new Map();
    this.canvas.style.height = `${this.layout.height}px`;
    this.theme();
  }

  theme() {
    this.colours = readColours();
    this.ratio = 0;
  }

  /** Takes the size of the element, if it has changed. */
  fit() {
    const width = this.canvas.clientWidth, ratio = devicePixelRatio || 1;
    if (width === this.width && ratio === this.ratio) return;
    this.width = width;
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.layout.height * ratio);
    const c = this.colours;
    this.infoHatch = hatch(this.pen, c["info-ground"], c.info, 6, ratio);
    this.downHatch = hatch(this.pen, c.down, c["down-line"], 5, ratio);
  }

  get plot() { return Math.max(1, this.width - GUTTER - 8); }
  x(time) { return GUTTER + ((time - this.view.from) / (this.view.to - this.view.from)) * this.plot; }
  time(x) { return this.view.from + ((x - GUTTER) / this.plot) * (this.view.to - this.view.from); }

  /** Where an operation is drawn to: what has no answer stays open until its client does something else. */
  until(rows, n) {
    const row = rows[n];
    if (this.run.outcome[row] !== 2 && !Number.isNaN(this.run.finish[row])) return this.run.finish[row];
    const next = n + 1 < rows.length ? this.run.start[rows[n + 1]] : this.run.end;
    return Number.isNaN(this.run.finish[row]) ? next : Math.min(Math.max(this.run.finish[row], this.run.start[row]), next);
  }

  draw() {
    this.fit();
    const { pen, run, layout, colours: c } = this;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.fillStyle = c.panel;
    pen.fillRect(0, 0, this.width, layout.height);
    pen.textBaseline = "middle";
    pen.direction = "ltr";
    this.overview();
    this.axis();
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, OVERVIEW + AXIS, this.plot, layout.height);
    pen.clip();
    this.tints();
    for (const row of layout.kinds) {
      for (const fault of row.faults) this.band(fault.from, fault.to, row.y, FAULT, c.fault, c["fault-ink"], fault.text, c["fault-edge"]);
    }
    run.nodes.forEach((node, n) => this.node(node, layout.nodeTop + n * NODE));
    run.rowsOf.forEach((rows, n) => this.lane(rows, layout.laneTop + n * layout.lane));
    this.marks();
    this.highlights();
    pen.restore();
    this.names();
  }

  font(size, weight = "", family = this.colours.font) { this.pen.font = `${weight} ${size}px ${family}`; }

  /** The whole run in a strip, and which part of it is shown. */
  overview() {
    const { pen, run, colours: c } = this;
    const at = (time) => GUTTER + (time / Math.max(run.end, run.tick)) * this.plot;
    pen.fillStyle = c.faint;
    pen.fillRect(GUTTER, 3, this.plot, 8);
    pen.fillStyle = c["fault-edge"];
    pen.globalAlpha = 0.45;
    for (const fault of run.faults) pen.fillRect(at(fault.from), 3, Math.max(1, at(fault.to) - at(fault.from)), 8);
    pen.globalAlpha = 1;
    pen.fillStyle = c.proof;
    for (const row of this.letters.keys()) pen.fillRect(at(run.start[row]) - 1, 2, 3, 10);
    if (run.moment !== null) pen.fillRect(at(run.moment) - 1, 2, 3, 10);
    pen.strokeStyle = c.ink;
    pen.lineWidth = 1.5;
    const left = Math.max(GUTTER, at(this.view.from)), right = Math.min(GUTTER + this.plot, at(this.view.to));
    pen.strokeRect(left + 0.5, 2, Math.max(3, right - left - 1), 10);
  }

  axis() {
    const { pen, colours: c, layout } = this;
    const span = this.view.to - this.view.from;
    let step = 10 ** Math.floor(Math.log10((span * 100) / this.plot));
    for (const factor of [1, 2, 5, 10]) {
      if (((step * factor) / span) * this.plot >= 80) { step *= factor; break; }
    }
    this.font(11);
    pen.textAlign = "center";
    pen.lineWidth = 1;
    const decimals = Math.max(3, -Math.floor(Math.log10(step)));
    for (let n = Math.ceil(Math.max(0, this.view.from) / step); n * step <= this.view.to; n += 1) {
      const x = Math.round(this.x(n * step)) + 0.5;
      pen.strokeStyle = c.faint;
      pen.beginPath();
      pen.moveTo(x, OVERVIEW + AXIS);
      pen.lineTo(x, layout.height);
      pen.stroke();
      if (x < GUTTER + 18 || x > this.width - 18) continue;
      pen.fillStyle = c.muted;
      pen.fillText((n * step).toFixed(Math.min(decimals, 6)), x, OVERVIEW + AXIS / 2);
    }
  }

  tints() {
    const { pen, colours: c, layout } = this;
    pen.globalAlpha = 0.28;
    pen.fillStyle = c.fault;
    for (const fault of this.run.faults) {
      const left = this.x(fault.from), right = this.x(fault.to);
      if (right >= GUTTER && left <= this.width) pen.fillRect(left, layout.laneTop - 3, Math.max(1, right - left), layout.nodeTop - layout.laneTop - 3);
    }
    pen.globalAlpha = 1;
  }

  band(from, to, y, height, fill, ink, text, edge, weight = "") {
    const { pen } = this;
    const left = Math.max(GUTTER - 4, this.x(from)), right = Math.min(this.width + 4, this.x(to));
    if (right < GUTTER || left > this.width) return;
    const width = Math.max(1.5, right - left);
    pen.fillStyle = fill;
    pen.fillRect(left, y + 1.5, width, height - 3);
    if (edge) {
      pen.fillStyle = edge;
      pen.fillRect(left, y + 1.5, 1.5, height - 3);
    }
    this.font(11, weight);
    const from2 = Math.max(left, GUTTER);
    this.write(text, from2 + 5, y + height / 2 + 0.5, right - from2 - 8, ink, fill === this.downHatch ? this.colours.down : null);
  }

  /** Text that fits into a width, cut where it does not; none where three letters do not. */
  write(text, x, y, room, ink, halo) {
    const { pen } = this;
    if (room < 14 || !text) return;
    let shown = text;
    if (pen.measureText(shown).width > room) {
      let length = Math.max(0, Math.floor((shown.length * room) / pen.measureText(shown).width));
      while (length > 0 && pen.measureText(`${shown.slice(0, length)}…`).width > room) length -= 1;
      if (length < 2) return;
      shown = `${shown.slice(0, length)}…`;
    }
    pen.textAlign = "left";
    if (halo) {
      pen.fillStyle = halo;
      pen.fillRect(x - 2, y - 7, pen.measureText(shown).width + 4, 13);
    }
    pen.fillStyle = ink;
    pen.fillText(shown, x, y);
  }

  node(node, y) {
    const { pen, colours: c } = this;
    pen.fillStyle = c.faint;
    pen.fillRect(GUTTER, y + NODE / 2, this.plot, 1);
    for (const band of node.bands) {
      const said = band.epoch ? `${band.state}, ${band.epoch}` : band.state;
      if (band.paint === "leader") this.band(band.from, band.to, y, NODE, c.leader, c["leader-ink"], said, c["leader-edge"], "600");
      else if (band.paint === "candidate") this.band(band.from, band.to, y, NODE, c.candidate, c["candidate-ink"], said, c["candidate-ink"]);
      else if (band.paint === "down") this.band(band.from, band.to, y, NODE, this.downHatch, c["down-ink"], said, c.down, "600");
      else this.band(band.from, band.to, y, NODE, c.follower, c["follower-ink"], said, null);
    }
  }

  /** One client. Where there are more operations than pixels, each pixel shows the worst of its own. */
  lane(rows, y) {
    const { run, view, pen, colours: c, layout } = this;
    const first = Math.max(0, firstAt(rows, run.start, view.from) - 1), last = firstAt(rows, run.start, view.to);
    const top = y + 2, height = layout.lane - 4;
    if (last - first > this.plot / 2) {
      this.bins(rows, first, last, top, height);
      return;
    }
    const size = Math.min(11, layout.lane - 6);
    for (let n = first; n < last; n += 1) {
      const row = rows[n];
      if (this.letters.has(row)) continue;
      this.bar(rows, n, top, height);
    }
    this.font(size, "", c.mono);
    if (size < 8) return;
    for (let n = first; n < last; n += 1) {
      const row = rows[n];
      if (this.letters.has(row)) continue;
      const left = Math.max(GUTTER, this.x(run.start[row])), right = this.x(this.until(rows, n));
      if (right - left > 26) this.write(run.short(row), left + 4, top + height / 2 + 0.5, right - left - 7, run.outcome[row] === 0 ? c["ok-ink"] : c.ink, run.outcome[row] === 2 ? c["info-ground"] : null);
    }
    pen.globalAlpha = 1;
  }

  bar(rows, n, top, height) {
    const { run, pen, colours: c } = this;
    const row = rows[n], outcome = run.outcome[row];
    const left = Math.max(GUTTER - 6, this.x(run.start[row])), right = Math.min(this.width + 6, this.x(this.until(rows, n)));
    const width = Math.max(2, right - left - 0.5);
    if (outcome === 0) {
      pen.fillStyle = c.ok;
      pen.fillRect(left, top, width, height);
    } else if (outcome === 1) {
      pen.fillStyle = c.panel;
      pen.fillRect(left, top, width, height);
      pen.strokeStyle = c.fail;
      pen.lineWidth = 1;
      pen.strokeRect(left + 0.5, top + 0.5, Math.max(1, width - 1), height - 1);
    } else {
      pen.fillStyle = this.infoHatch;
      pen.fillRect(left, top, width, height);
      pen.fillStyle = c["info-edge"];
      pen.fillRect(left, top, 1.5, height);
      pen.fillRect(left, top, width, 1);
      pen.fillRect(left, top + height - 1, width, 1);
      // Open-ended: the client gave up here, the operation may still happen.
      const next = n + 1 < rows.length ? run.start[rows[n + 1]] : run.end;
      const open = Math.min(this.width + 6, this.x(Math.max(next, this.until(rows, n))));
      for (let x = left + width + 2; x < open - 2; x += 5) pen.fillRect(x, top + height / 2 - 0.5, 2, 1.5);
    }
  }

  bins(rows, first, last, top, height) {
    const { run, pen, colours: c } = this;
    const width = Math.ceil(this.plot) + 1;
    const worst = new Uint8Array(width), count = new Uint16Array(width);
    for (let n = first; n < last; n += 1) {
      const row = rows[n];
      const from = Math.max(0, Math.floor(this.x(run.start[row]) - GUTTER));
      const to = Math.min(width - 1, Math.floor(this.x(this.until(rows, n)) - GUTTER));
      const severity = [1, 2, 3][run.outcome[row]];
      for (let x = from; x <= to; x += 1) {
        if (severity > worst[x]) worst[x] = severity;
        if (x === from) count[x] += 1;
      }
    }
    const fills = ["", c.ok, c.fail, c.info];
    for (let x = 0; x < width; ) {
      let end = x + 1;
      while (end < width && worst[end] === worst[x] && Math.min(3, count[end]) === Math.min(3, count[x])) end += 1;
      if (worst[x]) {
        pen.globalAlpha = [0.55, 0.7, 0.85, 1][Math.min(3, count[x])];
        pen.fillStyle = fills[worst[x]];
        pen.fillRect(GUTTER + x, top, end - x, height);
      }
      x = end;
    }
    pen.globalAlpha = 1;
  }

  marks() {
    const { pen, run, layout, colours: c } = this;
    this.font(11);
    run.phases.forEach((phase, n) => {
      const x = Math.round(this.x(phase.time)) + 0.5;
      if (x < GUTTER || x > this.width) return;
      pen.strokeStyle = c.muted;
      pen.setLineDash([2, 3]);
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x, OVERVIEW + AXIS);
      pen.lineTo(x, layout.height);
      pen.stroke();
      pen.setLineDash([]);
      pen.textAlign = n === 0 ? "right" : "left";
      pen.fillStyle = c.muted;
      pen.fillText(phase.name, x + (n === 0 ? -4 : 4), layout.height - 8);
    });
    if (run.moment !== null) {
      const x = this.x(run.moment);
      pen.fillStyle = c.proof;
      pen.fillRect(x - 1, OVERVIEW + AXIS, 2, layout.height);
    }
  }

  /** The witness and the selection, above everything and never merged. */
  highlights() {
    const { run, pen, layout, colours: c } = this;
    for (const [row, letter] of this.letters) {
      const rows = run.rowsOf[run.lane[row]], n = run.place[row];
      const top = layout.laneTop + run.lane[row] * layout.lane + 2, height = layout.lane - 4;
      const left = this.x(run.start[row]), right = this.x(this.until(rows, n));
      if (right < GUTTER - 8 || left > this.width + 8) continue;
      this.bar(rows, n, top, height);
      const shown = Math.max(left, GUTTER - 6), width = Math.max(3, Math.min(right, this.width + 6) - shown);
      pen.strokeStyle = c.proof;
      pen.lineWidth = 3;
      pen.strokeRect(shown, top, width, height);
      this.font(Math.min(11, height - 2), "700", c.mono);
      const letters = pen.measureText(letter).width + 7;
      const inside = width > letters + 12;
      const badge = inside ? Math.max(shown, GUTTER) : right + 3;
      pen.fillStyle = c.badge;
      pen.fillRect(badge, top, letters, height);
      pen.fillStyle = c["proof-ink"];
      pen.textAlign = "left";
      pen.fillText(letter, badge + 3.5, top + height / 2 + 0.5);
      this.font(Math.min(11, height - 2), "600", c.mono);
      const text = run.short(row);
      if (inside && width - letters > 40) this.write(text, badge + letters + 4, top + height / 2 + 0.5, width - letters - 8, run.outcome[row] === 0 ? c["ok-ink"] : c.ink, run.outcome[row] === 2 ? c["info-ground"] : null);
      else this.write(text, (inside ? right : badge + letters) + 4, top + height / 2 + 0.5, 160, c.ink, c.panel);
    }
    if (this.selected >= 0) {
      const row = this.selected, rows = run.rowsOf[run.lane[row]], n = run.place[row];
      const left = this.x(run.start[row]), right = Math.max(left + 3, this.x(this.until(rows, n)));
      pen.strokeStyle = c.ink;
      pen.lineWidth = 1.5;
      pen.setLineDash([4, 2]);
      pen.strokeRect(left - 3, layout.laneTop + run.lane[row] * layout.lane - 0.5, right - left + 6, layout.lane + 1);
      pen.setLineDash([]);
    }
  }

  names() {
    const { pen, run, layout, colours: c } = this;
    pen.strokeStyle = c.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(GUTTER - 0.5, 0);
    pen.lineTo(GUTTER - 0.5, layout.height);
    pen.stroke();
    this.font(11);
    const name = (text, y, ink = c.muted) => this.write(text, 8, y, GUTTER - 16, ink, null);
    name("seconds", OVERVIEW + AXIS / 2);
    layout.kinds.forEach((row, n) => { if (n === 0 || layout.kinds[n - 1].kind !== row.kind) name(row.kind, row.y + FAULT / 2); });
    if (layout.lane >= 12) run.laneNames.forEach((text, n) => name(text, layout.laneTop + (n + 0.5) * layout.lane, c.ink));
    run.nodes.forEach((node, n) => name(node.name, layout.nodeTop + (n + 0.5) * NODE, c.ink));
  }

  /** The operation at a point, or -1. */
  operationAt(x, y) {
    const { run, layout } = this;
    const n = Math.floor((y - layout.laneTop) / layout.lane);
    const rows = run.rowsOf[n];
    if (!rows || x < GUTTER) return -1;
    const at = firstAt(rows, run.start, this.time(x));
    let best = -1, nearest = 5;
    for (const place of [at - 1, at, at + 1]) {
      if (place < 0 || place >= rows.length) continue;
      const left = this.x(run.start[rows[place]]), right = Math.max(left + 2, this.x(this.until(rows, place)));
      const distance = Math.max(left - x, x - right, 0);
      if (distance < nearest) { nearest = distance; best = rows[place]; }
    }
    return best;
  }

  /** What lies at a point, in words. */
  wordsAt(x, y) {
    const { run, layout } = this;
    const row = this.operationAt(x, y);
    const span = (from, to) => `${from.toFixed(3)}..${Number.isNaN(to) ? "never" : to.toFixed(3)} s`;
    if (row >= 0) return `#${run.index[row]} p${run.process(row)} ${run.long(row)} · ${["ok", "fail", "info"][run.outcome[row]]} · ${span(run.start[row], run.finish[row])}`;
    const time = this.time(x);
    if (x < GUTTER) return run.laneTitles[Math.floor((y - layout.laneTop) / layout.lane)] ?? "";
    for (const kind of layout.kinds) {
      if (y < kind.y || y >= kind.y + FAULT) continue;
      const fault = kind.faults.find((candidate) => candidate.from <= time && time <= candidate.to);
      return fault ? `${fault.kind} ${fault.text} · ${span(fault.from, fault.to)}` : "";
    }
    const band = run.nodes[Math.floor((y - layout.nodeTop) / NODE)]?.bands.find((candidate) => candidate.from <= time && time < candidate.to);
    return band ? `${band.state}${band.epoch ? ` of ${band.epoch}` : ""} · ${span(band.from, band.to)}` : "";
  }
}
