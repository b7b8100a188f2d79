// The frame list with its ladder: one row per frame, with an arrow from the sender's lifeline to the receiver's.
// Only the rows in view exist, so that 20,000 frames scroll as easily as twenty.

import { layerOf, make } from "./elements.js";

const MOST_LANES = 6; // lifelines
const SPARE_ROWS = 6; // made beyond the edges of what is in view
const COLUMNS = ["No.", "Time (s)", "From", "To", "Protocol", "Length", "Info"];

export class FrameList {
  /** @param {(number: number) => void} onSelect is called with the number of the frame that was chosen */
  constructor(capture, onSelect) {
    this.capture = capture;
    this.onSelect = onSelect;
    this.selected = 0;
    this.lanes = findLanes(capture);
    this.rows = make("div.rows", { role: "rowgroup" });
    this.head = make("div.head", { role: "rowgroup" });
    const attributes = {
      role: "grid",
      tabindex: "0",
      "aria-label": "Frames",
      "aria-colcount": COLUMNS.length + 1,
      onkeydown: event => this.onKey(event),
      onscroll: () => this.draw(),
      onclick: event => this.onClick(event),
    };
    this.element = make("div.frames", attributes, this.head, this.rows);
    this.element.style.setProperty("--count", capture.count);
    this.numbers = Array.from({ length: capture.count }, (_, i) => i + 1);
    this.redraw();
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  makeHead() {
    const names = COLUMNS.map(name => make(`span.${className(name)}`, { role: "columnheader" }, name));
    const labels = this.lanes.map((lane, i) => {
      const label = make("span.lane", { title: lane }, shortName(lane, this.lanes));
      label.style.left = `${i * this.laneWidth}px`;
      return label;
    });
    const ladder = make("span.ladder", { role: "columnheader" }, make("span.only-read", "Ladder"), labels);
    ladder.style.width = `${this.lanes.length * this.laneWidth}px`;
    return make("div.row", { role: "row" }, names.slice(0, 4), ladder, names.slice(4));
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

  /** Draw everything anew: the type may have become larger. */
  redraw() {
    this.head.replaceChildren(this.makeHead());
    this.show(this.numbers);
  }

  get laneWidth() {
    return this.pixels("--lane");
  }
  get rowHeight() {
    return this.pixels("--row");
  }
  /** A length of the style sheet. A list that is not on the page yet has none. */
  pixels(name) {
    return parseFloat(getComputedStyle(this.element).getPropertyValue(name)) || 30;
  }

  draw() {
    const height = this.rowHeight,
      shown = Math.ceil(this.element.clientHeight / height);
    const first = Math.max(0, Math.floor(this.element.scrollTop / height) - SPARE_ROWS);
    const last = Math.min(this.numbers.length, first + shown + 2 * SPARE_ROWS);
    this.rows.style.height = `${this.numbers.length * height}px`;
    for (const [place, row] of this.drawn) {
      if (place < first || place >= last) {
        row.remove();
        this.drawn.delete(place);
      }
    }
    for (let place = first; place < last; place++) {
      if (!this.drawn.has(place)) this.drawn.set(place, this.rows.appendChild(this.makeRow(place)));
      this.drawn.get(place).style.transform = `translateY(${place * height}px)`;
    }
  }

  makeRow(place) {
    const { capture } = this,
      number = this.numbers[place];
    const protocol = capture.cell("protocol", number),
      layer = layerOf(protocol);
    const judgements = capture.judgements(number).map(name => name.replaceAll("_", " "));
    const cell = (name, content) => make(`span.${className(name)}`, { role: "gridcell" }, content);
    const info = capture.cell("info", number);
    const attributes = {
      role: "row",
      id: `row-${number}`,
      "aria-rowindex": place + 2,
      "aria-selected": String(number === this.selected),
      "data-frame": number,
    };
    return make(
      judgements.length ? "div.row.judged" : "div.row",
      attributes,
      cell("No.", String(number)),
      cell("Time (s)", (capture.cell("time_us", number) / 1e6).toFixed(6)),
      cell("From", capture.cell("from", number)),
      cell("To", capture.cell("to", number)),
      cell("Ladder", this.drawArrow(number, layer)),
      cell("Protocol", make(`span.badge.${layer}`, protocol)),
      cell("Length", String(capture.cell("length", number))),
      cell("Info", judgements.length ? `[${judgements.join(", ")}] ${info}` : info),
    );
  }

  /** The arrow of one frame; the lifelines are the background of all rows. */
  drawArrow(number, layer) {
    const from = this.laneOf(this.capture.cell("from", number)),
      to = this.laneOf(this.capture.cell("to", number));
    const step = this.laneWidth,
      x = lane => lane * step + step / 2;
    const svg = make("svg", { width: this.lanes.length * step, height: "100%", "aria-hidden": "true" });
    if (from < 0 || to < 0) return svg;
    const middle = this.rowHeight / 2,
      way = Math.sign(x(to) - x(from)) || 1;
    const tip = x(to) - 2 * way,
      tail = from === to ? x(from) - 20 : x(from);
    svg.append(
      make(`line.arrow.${layer}`, { x1: tail, x2: tip - 6 * way, y1: middle, y2: middle }),
      make(`path.tip.${layer}`, { d: `M${tip} ${middle} l${-9 * way} -4.5 v9 z` }),
    );
    return svg;
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

/** The ends that have a lifeline, in order of appearance: all, or the busiest and one for the others. */
function findLanes(capture) {
  const counts = new Map();
  for (let number = 1; number <= capture.count; number++) {
    for (const end of [capture.cell("from", number), capture.cell("to", number)]) {
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

/** Ends on one address differ in their ports alone. */
function shortName(lane, lanes) {
  const [address, port] = split(lane);
  const alike = lanes.every(other => other === "others" || split(other)[0] === address);
  return port && alike ? `:${port}` : port ? `${address.split(".").at(-1)}:${port}` : lane;
}

function split(end) {
  const match = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(end);
  return match ? [match[1] ?? match[2], match[3]] : [end, ""];
}

function className(column) {
  return column.toLowerCase().replace(/[^a-z]/g, "");
}
