// One frame: its fields as a tree, its bytes, and what the chosen field or byte means.

import { asText, covers } from "./capture.js";
import { layerOf, make, makeButton, makeGroup, press, scrollWithin } from "./elements.js";
import { explainField } from "./meaning.js";

const PIECE = 2048; // bytes of a frame that are shown at a time
const WIDEST_ROW_EM = 44; // of 16 bytes with their text; where there is less room, a row has 8

export class Detail {
  constructor() {
    this.tabs = makeGroup("div.tabs", "Which bytes");
    this.tree = make("ul.tree", {
      role: "tree",
      tabindex: "0",
      "aria-label": "Fields",
      onkeydown: event => this.onTreeKey(event),
      onclick: event => this.onTreeClick(event),
    });
    this.bytes = make("div.bytes", {
      role: "grid",
      tabindex: "0",
      "aria-label": "Bytes",
      onkeydown: event => this.onByteKey(event),
      onclick: event => this.onByte(event, byte => this.chooseByte(byte)),
      onmouseover: event => this.onByte(event, byte => this.explain(this.fieldsAt(byte)[0], byte)),
      onmouseleave: () => this.explain(this.chosen),
    });
    this.pieces = makeGroup("div.pieces", "Which part of the bytes");
    this.meaning = make("div.meaning", { role: "status", "aria-live": "polite" });
    const side = make("div.side", this.bytes, this.pieces, this.meaning);
    this.element = makeGroup("div", "The chosen frame", this.tabs, make("div.panes", this.tree, side));
    this.source = { fields: [], bytes: new Uint8Array() };
    this.chosen = this.byte = null;
    this.turned = new Set(); // paths of layers that are closed and of other fields that are open; kept from frame to frame
    new ResizeObserver(() => this.width !== this.drawnWidth && this.redrawBytes()).observe(this.bytes);
  }

  /** @param {import("./capture.js").Capture} capture @param {number} number of the frame; 0 for none */
  show(capture, number, title = `Frame ${number}`) {
    this.sources = number
      ? [{ title, fields: capture.fields(number), bytes: capture.bytes(number) }]
      : [{ title: "", fields: [], bytes: new Uint8Array() }];
    this.sources.push(...capture.opened(number));
    this.tabs.replaceChildren(...this.sources.map((source, i) => makeButton(source.title, () => this.showSource(i))));
    this.tabs.hidden = this.sources.length === 1;
    this.showSource(0);
  }

  showSource(i) {
    this.meaning.replaceChildren();
    for (const box of [this.tree, this.bytes]) box.removeAttribute("aria-activedescendant");
    this.source = this.sources[i];
    press([...this.tabs.children], i);
    const { fields } = this.source;
    this.chosen = this.byte = null;
    this.drawTree();
    this.drawBytes(0);
    const first = fields.findLast(field => field.depth === 0);
    if (first) this.choose(fields.indexOf(first));
  }

  // The tree

  isOpen(field) {
    return this.turned.has(field.path) !== (field.depth === 0);
  }

  setOpen(field, open) {
    if (this.isOpen(field) === open) return;
    if (!this.turned.delete(field.path)) this.turned.add(field.path);
  }

  drawTree() {
    let hiddenBelow = Infinity;
    const items = this.source.fields.map((field, place) => {
      if (field.depth <= hiddenBelow) hiddenBelow = Infinity;
      const isHidden = field.depth > hiddenBelow;
      if (!isHidden && !field.isLeaf && !this.isOpen(field)) hiddenBelow = field.depth;
      return make(
        field.depth === 0 ? `li.layer.${layerOf(field.name)}` : "li",
        {
          role: "treeitem",
          id: `field-${place}`,
          "aria-level": field.depth + 1,
          "data-place": place,
          hidden: isHidden,
          "aria-expanded": field.isLeaf ? null : String(this.isOpen(field)),
          "aria-selected": String(place === this.chosen),
          "data-bits": `${field.firstBit} ${field.bits}`,
          style: { "--depth": field.depth },
        },
        make("span.name", field.name),
        make("span.value", field.text),
      );
    });
    this.tree.replaceChildren(...items);
  }

  /** Open every field, or close all but the layers. */
  toggleAll() {
    const groups = this.source.fields.filter(field => !field.isLeaf),
      open = groups.some(field => !this.isOpen(field));
    for (const field of groups) this.setOpen(field, open || field.depth === 0);
  }

  onTreeClick(event) {
    const item = event.target.closest("[data-place]");
    if (!item) return;
    const place = Number(item.dataset.place),
      field = this.source.fields[place];
    if (!field.isLeaf && (place === this.chosen || !this.isOpen(field))) this.setOpen(field, !this.isOpen(field));
    this.choose(place);
  }

  onTreeKey(event) {
    if (!this.source.fields.length) return;
    const { fields } = this.source,
      place = this.chosen ?? 0,
      field = fields[place];
    const visible = [...this.tree.children].filter(item => !item.hidden).map(item => Number(item.dataset.place));
    const at = visible.indexOf(place);
    let target;
    if (event.key === "ArrowDown") target = visible[at + 1];
    else if (event.key === "ArrowUp") target = visible[at - 1];
    else if (event.key === "Home") target = visible[0];
    else if (event.key === "End") target = visible.at(-1);
    else if (event.key === "ArrowRight" && !field.isLeaf) {
      if (this.isOpen(field)) target = place + 1;
      else this.setOpen(field, true);
    } else if (event.key === "ArrowLeft") {
      if (!field.isLeaf && this.isOpen(field)) this.setOpen(field, false);
      else target = fields.findLastIndex((other, i) => i < place && other.depth < field.depth);
    } else if (event.key === "*") this.toggleAll();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(target >= 0 ? target : place);
  }

  // The bytes

  /** Bytes in a row. */
  get width() {
    const room = this.bytes.clientWidth / parseFloat(getComputedStyle(this.bytes).fontSize);
    return room && room < WIDEST_ROW_EM ? 8 : 16;
  }

  /** @param {number} byte the piece with it is drawn */
  drawBytes(byte) {
    const { bytes, fields } = this.source,
      width = (this.drawnWidth = this.width),
      layers = fields.filter(field => field.depth === 0);
    this.from = byte - (byte % PIECE);
    const until = Math.min(bytes.length, this.from + PIECE),
      rows = [];
    for (let start = this.from; start < until; start += width) {
      const line = bytes.subarray(start, Math.min(until, start + width));
      const cells = Array.from(line, (value, i) => {
        const layer = layers.find(one => covers(one, start + i));
        return make(
          layer ? `span.byte.${layerOf(layer.name)}` : "span.byte",
          { role: "gridcell", id: `byte-${start + i}`, "data-byte": start + i },
          value.toString(16).padStart(2, "0"),
        );
      });
      const offset = make("span.offset", { role: "rowheader" }, start.toString(16).padStart(4, "0"));
      const text = make("span.text", { role: "gridcell" }, asText(line));
      rows.push(make("div.line", { role: "row" }, offset, cells, text));
    }
    this.bytes.replaceChildren(...rows);
    this.drawPieces(until);
  }

  /** Say which part of the bytes is shown, with ways to the parts before and after it. */
  drawPieces(until) {
    const { length } = this.source.bytes;
    const move = (label, byte) =>
      makeButton(label, () => {
        this.chooseByte(byte);
        this.bytes.focus();
      });
    this.pieces.hidden = length <= PIECE;
    this.pieces.replaceChildren(`Bytes ${this.from} to ${until - 1} of ${length}. `);
    if (this.from) this.pieces.append(move("Earlier bytes", this.from - PIECE));
    if (until < length) this.pieces.append(move("Later bytes", until));
  }

  redrawBytes() {
    this.drawBytes(this.from);
    if (this.chosen !== null) this.choose(this.chosen, this.byte);
  }

  onByte(event, act) {
    const cell = event.target.closest("[data-byte]");
    if (cell) act(Number(cell.dataset.byte));
  }

  onByteKey(event) {
    if (!this.source.bytes.length) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.drawnWidth, ArrowUp: -this.drawnWidth };
    const step = { ...steps, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const from = this.byte ?? Math.floor((this.source.fields[this.chosen]?.firstBit ?? 0) / 8);
    this.chooseByte(Math.max(0, Math.min(this.source.bytes.length - 1, from + step)));
  }

  /** @returns {number[]} places of the leaves that have bits in a byte */
  fieldsAt(byte) {
    return this.source.fields.flatMap((field, place) => (field.isLeaf && covers(field, byte) ? [place] : []));
  }

  chooseByte(byte) {
    const [place] = this.fieldsAt(byte);
    if (place !== undefined) this.choose(place, byte);
  }

  // Both, and what is said about them

  /** @param {number} place of the field @param {number | null} byte the one that was pointed at */
  choose(place, byte = null) {
    const { fields } = this.source,
      field = fields[place];
    for (let i = place, depth = field.depth; i >= 0 && depth > 0; i--) {
      if (fields[i].depth < depth) {
        depth = fields[i].depth;
        this.setOpen(fields[i], true);
      }
    }
    this.chosen = place;
    this.byte = byte;
    this.drawTree();
    this.tree.setAttribute("aria-activedescendant", `field-${place}`);
    scrollWithin(this.tree, this.tree.children[place]);
    const first = byte ?? Math.floor(field.firstBit / 8);
    const isElsewhere = first < this.from || first >= this.from + PIECE;
    if (isElsewhere && first < this.source.bytes.length) this.drawBytes(first);
    for (const cell of this.bytes.querySelectorAll("[data-byte]")) {
      cell.setAttribute("aria-selected", String(covers(field, Number(cell.dataset.byte))));
    }
    const cell = this.bytes.querySelector(`#byte-${first}`);
    if (cell) {
      this.bytes.setAttribute("aria-activedescendant", cell.id);
      scrollWithin(this.bytes, cell);
    }
    this.explain(place, byte);
  }

  explain(place, byte = this.byte) {
    if (place === null || place === undefined) return;
    const shared = byte === null ? [] : this.fieldsAt(byte).filter(other => other !== place);
    const choose = other => {
      this.choose(other, byte);
      this.bytes.focus();
    };
    this.meaning.replaceChildren(...explainField(this.source, place, shared, choose));
  }
}
