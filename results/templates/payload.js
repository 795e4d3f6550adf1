// Reads the columns back. This file and timeline.rs alone know how they are written.

/**
 * @typedef {object} Run
 * @property {number} count how many operations
 * @property {number} end seconds
 * @property {number} tick the shortest time there is, in seconds
 * @property {Float64Array} index @property {Float64Array} start seconds @property {Float64Array} finish seconds, NaN if never
 * @property {Int32Array} lane @property {Uint8Array} outcome 0 ok, 1 fail, 2 info
 * @property {Int32Array} place among the rows of its lane
 * @property {number[][]} rowsOf the rows of each lane, by start
 * @property {(row: number) => string} short `w 7=5`
 */

function readRun() {
  const p = JSON.parse(byId("payload").textContent);
  const count = p.start.length;
  const tick = p.unit / 1e9;
  const seconds = (ticks) => ticks * tick;
  const index = new Float64Array(count), start = new Float64Array(count), finish = new Float64Array(count);
  const lane = new Int32Array(count), outcome = new Uint8Array(count);
  const laneOf = new Map(p.lanes.flatMap((processes, n) => processes.map((process) => [process, n])));
  const rowsOf = p.lanes.map(() => []);
  let at = 0, number = 0;
  for (let row = 0; row < count; row += 1) {
    number += p.index[row];
    at += p.start[row];
    index[row] = number;
    start[row] = seconds(at);
    finish[row] = p.length[row] < 0 ? NaN : seconds(at + p.length[row]);
    outcome[row] = "ofi".indexOf(p.outcome[row]);
    lane[row] = laneOf.get(p.process[row]) ?? 0;
    rowsOf[lane[row]].push(row);
  }
  for (const rows of rowsOf) rows.sort((a, b) => start[a] - start[b] || a - b);
  const place = new Int32Array(count);
  for (const rows of rowsOf) rows.forEach((row, n) => { place[row] = n; });
  const rowOf = new Map();
  for (let row = 0; row < count; row += 1) rowOf.set(index[row], row);
  let answered = 0;
  const answers = new Map(p.answered.row.map((by, n) => [answered += by, n]));
  const errors = new Map(p.error.row.map((row, n) => [row, p.strings[p.error.text[n]]]));

  const text = (column, row) => p.strings[p[column][row]];
  /** The value in words, as text.rs writes it. */
  const value = (row) => {
    const ok = outcome[row] === 0, asked = p.argument[row], got = p.result[row];
    if (!asked && (!ok || (!got && text("function", row) !== "read"))) return "";
    if (!asked) return got ? p.strings[got] : "nil";
    if (!ok || !got || got === asked) return p.strings[asked];
    if (p.strings[asked].startsWith("[") && p.strings[got].startsWith("[")) return p.strings[got];
    return `${p.strings[asked]} → ${p.strings[got]}`;
  };
  const label = (row, name) => {
    const key = text("key", row), said = value(row);
    return name + (key ? ` ${key}` : "") + (said ? (key ? "=" : " ") + said : "");
  };
  return {
    count, tick, end: seconds(p.end), index, start, finish, lane, place, outcome, rowsOf, rowOf,
    laneNames: p.lanes.map((processes) => (processes.length > 3 ? `p${processes[0]} … p${processes.at(-1)}` : processes.map((n) => `p${n}`).join(" "))),
    laneTitles: p.lanes.map((processes) => `process ${processes.join(", then ")}`),
    faults: p.faults.map((fault) => ({ ...fault, from: seconds(fault.from), to: seconds(fault.to) })),
    nodes: p.nodes.map((node) => ({ name: node.name, bands: node.bands.map(([from, to, paint, state, epoch]) => ({ from: seconds(from), to: seconds(to), paint, state, epoch })) })),
    phases: p.phases.map(([time, name]) => ({ time: seconds(time), name })),
    witnesses: p.witnesses,
    moment: p.moment === null ? null : seconds(p.moment),
    opens: p.opens && p.opens.map(seconds),
    short: (row) => {
      const name = text("function", row);
      return label(row, name === "read" ? "r" : name === "write" ? "w" : name);
    },
    long: (row) => label(row, text("function", row)),
    process: (row) => p.process[row],
    /** What is known of an operation: names and texts. */
    details: (row) => {
      const n = answers.get(row);
      const role = n === undefined ? "" : p.strings[p.answered.role[n]];
      const epoch = n === undefined ? "" : p.strings[p.answered.epoch[n]];
      const by = n === undefined ? "not recorded"
        : p.strings[p.answered.node[n]] + (role ? `, ${role}` : "") + (!epoch ? "" : role ? ` of ${epoch}` : `, in ${epoch}`);
      const rows = [
        ["operation", `#${index[row]}`], ["process", String(p.process[row])], ["function", text("function", row)],
        ["key", text("key", row)], ["argument", text("argument", row) || "nil"], ["result", text("result", row) || "nil"],
        ["outcome", ["ok: it happened", "fail: it did not happen", "info: nobody knows"][outcome[row]]],
        ["invoked", `${start[row].toFixed(3)} s`],
        ["completed", Number.isNaN(finish[row]) ? "never" : `${finish[row].toFixed(3)} s, after ${((finish[row] - start[row]) * 1000).toFixed(tick < 0.001 ? 3 : 0)} ms`],
        ["answered by", by], ["error", errors.get(row) ?? ""],
      ];
      return rows.filter(([, said]) => said !== "");
    },
  };
}
