// The frame list with its ladder: one row per frame, with an arrow from the sender's lifeline to the receiver's.
// Only the rows in view exist, so that 20,000 frames scroll as easily as twenty.

import { layerOf, make } from "./elements.js";

const MOST_LANES = 6; // lifelines
const SPARE_ROWS = 6; // made beyond the edges of what is in view
const COLUMNS = ["No.", "Time (s)", "From", "To", "Ladder", "Protocol", "Length", "Info"];

export class FrameList {
  /** @param {(number: number) => void} onSelect is called with the number of the frame that was chosen
   * @param {string[]} lanes who has a lifeline */
  constructor(capture, onSelect, lanes = findLanes(capture)) {
    this.capture = capture;
    this.onSelect = onSelect;
    this.lanes = lanes;
    this.selected = 0;
    this.rows = make("div.rows", { role: "rowgroup" });
    const attributes = {
      role: "grid",
      tabindex: "0",
      "aria-label": "Frames",
      "aria-colcount": COLUMNS.length,
      style: { "--count": capture.count, "--lanes": lanes.length },
      onkeydown: event => this.onKey(event),
      onscroll: () => this.draw(),
      onclick: event => this.onClick(event),
    };
    this.element = make("div.frames", attributes, make("div.head", { role: "rowgroup" }, makeHead(lanes)), this.rows);
    this.show([...capture.numbers]);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** @param {number[]} numbers of the frames that the list holds from now on */
  show(numbers) {
    this.numbers = numbers;
    this.element.setAttribute("aria-rowcount", String(numbers.length + 1));
    this.drawn = new Map();
    this.rows.replaceChildren();
    this.element.scrollTop = 0;
    this.draw();
    if (numbers.includes(this.selected)) this.select(this.selected);
  }

  /** In pixels. A list that is not on the page yet has none. */
  get rowHeight() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 30;
  }

  draw() {
    const height = this.rowHeight,
      shown = Math.ceil(this.element.clientHeight / height);
    const first = Math.max(0, Math.floor(this.element.scrollTop / height) - SPARE_ROWS);
    const last = Math.min(this.numbers.length, first + shown + 2 * SPARE_ROWS);
    this.rows.style.setProperty("--shown", this.numbers.length);
    for (const [place, row] of this.drawn) {
      if (place < first || place >= last) {
        row.remove();
        this.drawn.delete(place);
      }
    }
    for (let place = first; place < last; place++) {
      if (!this.drawn.has(place)) this.drawn.set(place, this.rows.appendChild(this.makeRow(place)));
    }
  }

  makeRow(place) {
    const number = this.numbers[place];
    const { time_us, from, to, protocol, length, info, judgements } = this.capture.frame(number);
    const judged = judgements.map(name => name.replaceAll("_", " ")).join(", ");
    const layer = layerOf(protocol);
    const cells = [
      number,
      (time_us / 1e6).toFixed(6),
      from,
      to,
      makeArrow(this.laneOf(from), this.laneOf(to), layer),
      make(`span.badge.${layer}`, protocol),
      length,
      judged ? `[${judged}] ${info}` : info,
    ];
    const attributes = {
      role: "row",
      id: `row-${number}`,
      "aria-rowindex": place + 2,
      "aria-selected": String(number === this.selected),
      "data-frame": number,
      style: { "--place": place },
    };
    const inColumns = cells.map((cell, i) => make(`span.${className(COLUMNS[i])}`, { role: "gridcell" }, cell));
    return make(judged ? "div.row.judged" : "div.row", attributes, inColumns);
  }

  laneOf(end) {
    const lane = this.lanes.indexOf(end);
    return lane >= 0 ? lane : this.lanes.indexOf("others");
  }

  /** Select a frame and bring it into view. @param {number} number */
  select(number) {
    this.selected = number;
    const place = this.numbers.indexOf(number);
    for (const [other, row] of this.drawn) row.setAttribute("aria-selected", String(other === place));
    if (place < 0) return this.element.removeAttribute("aria-activedescendant");
    const height = this.rowHeight,
      top = place * height,
      room = this.element.clientHeight - 2 * height;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    if (top > this.element.scrollTop + room) this.element.scrollTop = top - room;
    this.draw();
    this.element.setAttribute("aria-activedescendant", `row-${number}`);
  }

  onClick(event) {
    const row = event.target.closest("[data-frame]");
    if (row) this.onSelect(Number(row.dataset.frame));
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 2);
    const last = this.numbers.length - 1,
      place = this.numbers.indexOf(this.selected);
    const target = {
      ArrowDown: place + 1,
      ArrowUp: place - 1,
      PageDown: place + page,
      PageUp: place - page,
      Home: 0,
      End: last,
    }[event.key];
    if (target === undefined || last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.onSelect(this.numbers[Math.min(last, Math.max(0, target))]);
  }
}

function makeHead(lanes) {
  const labels = lanes.map((lane, place) => make("span.lane", { title: lane, style: { "--place": place } }, shortName(lane, lanes)));
  const ladder = [make("span.only-read", "Ladder"), ...labels];
  const heads = COLUMNS.map(name =>
    make(`span.${className(name)}`, { role: "columnheader" }, name === "Ladder" ? ladder : name),
  );
  return make("div.row", { role: "row" }, heads);
}

/** The arrow of one frame between two lifelines, or nothing; the lifelines are the background of all rows. */
function makeArrow(from, to, layer) {
  if (from < 0 || to < 0) return [];
  return make(`span.arrow.${layer}${to < from ? ".left" : ""}`, { style: { "--from": from, "--to": to } });
}

/** The ends that have a lifeline, in order of appearance: all, or the busiest and one for the others. */
function findLanes(capture) {
  const counts = new Map();
  for (const number of capture.numbers) {
    const { from, to } = capture.frame(number);
    for (const end of [from, to]) {
      if (end) counts.set(end, (counts.get(end) ?? 0) + 1);
    }
  }
  const lanes = [...counts.keys()];
  if (lanes.length <= MOST_LANES) return lanes;
  const busiest = [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, MOST_LANES - 1)
    .map(([end]) => end);
  return [...lanes.filter(end => busiest.includes(end)), "others"];
}

const MAC = /^(..:){5}..$/;

/** Ends on one address differ in their ports alone. */
function shortName(lane, lanes) {
  const [address, port] = split(lane);
  const alike = lanes.every(other => other === "others" || split(other)[0] === address);
  if (port) return alike ? `:${port}` : `.${address.split(".").at(-1)}\n:${port}`;
  return MAC.test(lane) ? `…${lane.slice(-5)}` : lane;
}

function split(end) {
  const match = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(end);
  return match ? [match[1] ?? match[2], match[3]] : [end, ""];
}

function className(column) {
  return column.toLowerCase().replace(/[^a-z]/g, "");
}
