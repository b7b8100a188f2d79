// One frame: its fields as a tree, its bytes, and what the chosen field or byte means.

import { asText, covers } from "./capture.js";
import { layerOf, make, scrollWithin } from "./elements.js";
import { explainField } from "./meaning.js";

const MOST_BYTES = 2048; // of a frame, shown at first

export class Detail {
  constructor() {
    this.tabs = make("div", { class: "tabs", role: "group", "aria-label": "Which bytes" });
    this.tree = make("ul", {
      role: "tree",
      class: "tree",
      tabindex: "0",
      "aria-label": "Fields",
      onkeydown: event => this.onTreeKey(event),
      onclick: event => this.onTreeClick(event),
    });
    this.bytes = make("div", {
      role: "grid",
      class: "bytes",
      tabindex: "0",
      "aria-label": "Bytes",
      onkeydown: event => this.onByteKey(event),
      onclick: event => this.onByte(event),
      onmouseover: event => this.onHover(event),
      onmouseleave: () => this.explain(this.chosen),
    });
    this.meaning = make("div", { class: "meaning", role: "status", "aria-live": "polite" });
    this.element = make(
      "section",
      { class: "detail", "aria-label": "The chosen frame" },
      this.tabs,
      make("div", { class: "panes" }, this.tree, make("div", { class: "side" }, this.bytes, this.meaning)),
    );
    this.source = { fields: [], bytes: new Uint8Array() };
    this.chosen = this.byte = null;
    this.open = new Set(); // paths of fields whose children are shown; kept from frame to frame
    this.closed = new Set();
  }

  /** @param {import("./capture.js").Capture} capture @param {number} number */
  show(capture, number) {
    if (!number) return this.clear();
    const frame = { title: `Frame ${number}`, fields: capture.fields(number), bytes: capture.bytes(number) };
    this.sources = [frame, ...capture.opened(number)];
    this.tabs.replaceChildren(
      ...this.sources.map((source, i) =>
        make("button", { type: "button", "aria-pressed": "false", onclick: () => this.showSource(i) }, source.title),
      ),
    );
    this.tabs.hidden = this.sources.length === 1;
    this.showSource(0);
  }

  /** Show nothing: the recording has no frames. */
  clear() {
    this.sources = [{ title: "", fields: [], bytes: new Uint8Array() }];
    this.tabs.replaceChildren();
    this.tabs.hidden = true;
    this.showSource(0);
  }

  showSource(i) {
    this.meaning.replaceChildren();
    for (const box of [this.tree, this.bytes]) box.removeAttribute("aria-activedescendant");
    this.source = this.sources[i];
    [...this.tabs.children].forEach((tab, place) => tab.setAttribute("aria-pressed", String(place === i)));
    const { fields } = this.source;
    this.length = MOST_BYTES;
    this.chosen = this.byte = null;
    this.drawTree();
    this.drawBytes();
    const first = fields.findLast(field => field.depth === 0);
    if (first) this.choose(fields.indexOf(first));
  }

  // The tree

  isOpen(field) {
    return !this.closed.has(field.path) && (field.depth === 0 || this.open.has(field.path));
  }

  drawTree() {
    const items = [];
    let hiddenBelow = Infinity;
    this.source.fields.forEach((field, place) => {
      if (field.depth <= hiddenBelow) hiddenBelow = Infinity;
      const isHidden = field.depth > hiddenBelow;
      if (!isHidden && !field.isLeaf && !this.isOpen(field)) hiddenBelow = field.depth;
      const item = make(
        "li",
        {
          role: "treeitem",
          id: `field-${place}`,
          "aria-level": field.depth + 1,
          "data-place": place,
          hidden: isHidden,
          "aria-expanded": field.isLeaf ? null : String(this.isOpen(field)),
          "aria-selected": String(place === this.chosen),
          class: field.depth === 0 ? `layer ${layerOf(field.name)}` : null,
          "data-bits": `${field.firstBit} ${field.bits}`,
        },
        make("span", { class: "name" }, field.name),
        make("span", { class: "value" }, field.text),
      );
      item.style.paddingInlineStart = `${0.5 + 1.1 * field.depth}rem`;
      items.push(item);
    });
    this.tree.replaceChildren(...items);
  }

  toggle(place, open) {
    const { path, depth } = this.source.fields[place];
    if (open) this.closed.delete(path);
    else this.closed.add(path);
    if (open && depth) this.open.add(path);
    if (!open) this.open.delete(path);
    this.drawTree();
  }

  /** Open every field, or close all but the layers. */
  toggleAll() {
    const groups = this.source.fields.filter(field => !field.isLeaf),
      open = groups.some(field => !this.isOpen(field));
    for (const { path, depth } of groups) {
      if (open) this.open.add(path) && this.closed.delete(path);
      else if (depth) this.open.delete(path);
    }
    this.drawTree();
    this.choose(this.chosen ?? 0);
  }

  onTreeClick(event) {
    const item = event.target.closest("[data-place]");
    if (!item) return;
    const place = Number(item.dataset.place),
      field = this.source.fields[place];
    if (!field.isLeaf && (place === this.chosen || !this.isOpen(field))) this.toggle(place, !this.isOpen(field));
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
      else this.toggle(place, true);
    } else if (event.key === "ArrowLeft") {
      if (!field.isLeaf && this.isOpen(field)) this.toggle(place, false);
      else target = fields.findLastIndex((other, i) => i < place && other.depth < field.depth);
    } else if (event.key === "*") this.toggleAll();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(target >= 0 ? target : place);
  }

  // The bytes

  get width() {
    return matchMedia("(max-width: 40rem)").matches ? 8 : 16;
  }

  drawBytes() {
    const { bytes, fields } = this.source,
      width = this.width,
      rows = [];
    const shown = Math.min(bytes.length, this.length);
    const layers = fields.filter(field => field.depth === 0);
    for (let start = 0; start < shown; start += width) {
      const cells = [],
        end = Math.min(shown, start + width);
      for (let i = start; i < end; i++) {
        const layer = layers.find(one => covers(one, i));
        cells.push(
          make(
            "span",
            { role: "gridcell", id: `byte-${i}`, "data-byte": i, class: `byte ${layer ? layerOf(layer.name) : ""}` },
            bytes[i].toString(16).padStart(2, "0"),
          ),
        );
      }
      rows.push(
        make(
          "div",
          { role: "row", class: "line" },
          make("span", { role: "rowheader", class: "offset" }, start.toString(16).padStart(4, "0")),
          ...cells,
          make("span", { role: "gridcell", class: "text" }, asText(bytes.subarray(start, end))),
        ),
      );
    }
    this.bytes.replaceChildren(...rows);
    if (shown < bytes.length) {
      const more = make(
        "button",
        { type: "button", onclick: () => this.showAllBytes() },
        `Show the other ${bytes.length - shown} bytes`,
      );
      this.bytes.append(make("div", { role: "row" }, make("span", { role: "gridcell" }, more)));
    }
  }

  showAllBytes() {
    this.length = Infinity;
    this.drawBytes();
    if (this.chosen !== null) this.choose(this.chosen);
  }

  onByte(event) {
    const cell = event.target.closest("[data-byte]");
    if (cell) this.chooseByte(Number(cell.dataset.byte));
  }

  onHover(event) {
    const cell = event.target.closest("[data-byte]");
    if (cell) this.explain(this.fieldsAt(Number(cell.dataset.byte))[0], Number(cell.dataset.byte));
  }

  onByteKey(event) {
    if (!this.source.bytes.length) return;
    const step = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: this.width,
      ArrowUp: -this.width,
      Home: -Infinity,
      End: Infinity,
    }[event.key];
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
    if (byte >= this.length) this.showAllBytes();
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
        this.open.add(fields[i].path);
        this.closed.delete(fields[i].path);
      }
    }
    this.chosen = place;
    this.byte = byte;
    this.drawTree();
    this.tree.setAttribute("aria-activedescendant", `field-${place}`);
    scrollWithin(this.tree, this.tree.children[place]);
    for (const cell of this.bytes.querySelectorAll("[data-byte]")) {
      cell.setAttribute("aria-selected", String(covers(field, Number(cell.dataset.byte))));
    }
    const first = byte ?? Math.floor(field.firstBit / 8),
      cell = this.bytes.querySelector(`#byte-${first}`);
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
