// The explorer: puts the parts together. ``new Explorer(root, captures)`` is all that a page needs.

import { Capture } from "./capture.js";
import { Detail } from "./detail.js";
import { make } from "./elements.js";
import { FilterError, readFilter } from "./filter.js";
import { FrameList } from "./frames.js";
import { makeHelp } from "./help.js";
import { drawStream, drawTwin } from "./streams.js";

const EXAMPLES = [
  "tcp.len > 0",
  "tcp.flags.syn == 1",
  "tcp.flags.push == 1",
  "tcp.stream == 0",
  "tcp.analysis.retransmission",
  "tls.handshake.type == 1",
  "tls.record.opaque_type == 23",
  'frame contains "hello"',
  'chat.text contains "no"',
  "!(tcp.len == 0) && tcp.port == 9898",
];

export class Explorer {
  /** @param {HTMLElement} root @param {object[]} data one or more captures, as lab/explorer/data.py makes them
   * @param {HTMLElement | null} summary the part of the page that needs no script */
  constructor(root, data, summary = null) {
    this.root = root;
    this.captures = data.map(one => new Capture(one));
    this.current = 0;
    this.step = -1;
    this.lists = this.captures.map(capture => new FrameList(capture, number => this.select(number)));
    this.detail = new Detail();
    this.views = { frames: this.makeFrames(), streams: make("section", { "aria-label": "Streams" }) };
    if (data.length > 1) this.views.twin = make("section", { "aria-label": "Both recordings" });
    if (summary) this.views.summary = summary;
    root.classList.add("explorer");
    this.help = makeHelp();
    this.note = make("p", { role: "status", class: "soft" }); // what is wrong with the recording
    root.replaceChildren(this.makeBar(), this.note, this.makeTour(), ...Object.values(this.views), this.help);
    root.addEventListener("keydown", event => this.onKey(event));
    this.showCapture(0);
    this.showView("frames");
    this.select(1);
  }

  get capture() {
    return this.captures[this.current];
  }
  get list() {
    return this.lists[this.current];
  }

  // The parts of the page

  makeBar() {
    const button = (text, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, text);
    const names = { frames: "Frames", streams: "Streams", twin: "Side by side", summary: "Summary" };
    this.tabs = Object.keys(this.views).map(name =>
      button(names[name], () => this.showView(name), { "data-view": name, "aria-pressed": "false" }),
    );
    this.files = this.captures.map((capture, i) =>
      button(capture.name, () => this.showCapture(i), { "aria-pressed": "false" }),
    );
    this.lock = button("Unlock", () => this.toggleLock(), {
      "aria-pressed": "false",
      class: "lock",
      hidden: !this.captures.some(one => one.hasKeys),
    });
    return make(
      "div",
      { class: "bar" },
      make("div", { role: "group", "aria-label": "Recording", class: "files" }, ...this.files),
      make("div", { role: "group", "aria-label": "View" }, ...this.tabs),
      make(
        "div",
        { role: "group", "aria-label": "Tools" },
        button("Tour", () => this.showStep(this.step < 0 ? 0 : -1), { class: "tour-button" }),
        this.lock,
        button("Large type", () => this.toggleLarge(), { class: "large-button", "aria-pressed": "false" }),
        button("Keys (?)", () => this.help.showModal()),
      ),
    );
  }

  makeFrames() {
    this.input = make("input", {
      type: "text",
      id: "filter",
      spellcheck: "false",
      autocomplete: "off",
      "aria-describedby": "filter-answer",
      placeholder: "a display filter, as in Wireshark",
      oninput: () => this.applyFilter(this.input.value),
    });
    this.answer = make("output", { id: "filter-answer", for: "filter" });
    const examples = make(
      "details",
      { class: "examples" },
      make("summary", {}, "Examples"),
      ...EXAMPLES.map(text => make("button", { type: "button", onclick: () => this.setFilter(text) }, text)),
    );
    this.holder = make("div", { class: "holder" });
    return make(
      "section",
      { "aria-label": "Frames", class: "frames-view" },
      make("div", { class: "filter" }, make("label", { for: "filter" }, "Filter"), this.input, this.answer, examples),
      this.holder,
      this.detail.element,
    );
  }

  makeTour() {
    this.tour = make("section", { class: "tour", "aria-label": "Tour", hidden: true });
    return this.tour;
  }

  // What a click or a key does

  showView(name) {
    for (const [other, view] of Object.entries(this.views)) view.hidden = other !== name;
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
    if (name === "streams") this.drawStreams(this.flow ?? 0);
    if (name === "twin")
      this.views.twin.replaceChildren(drawTwin(this.captures, (side, frame) => this.goTo(side, frame)));
    if (name === "frames") this.list.draw();
  }

  showCapture(i) {
    this.current = i;
    this.files.forEach((button, place) => button.setAttribute("aria-pressed", String(place === i)));
    this.holder.replaceChildren(this.list.element);
    this.list.redraw();
    this.flow = 0;
    this.applyFilter(this.input.value);
    if (!this.views.streams.hidden) this.drawStreams(0);
    if (this.step >= 0) this.showStep(-1);
    this.note.textContent = [this.capture.data.truncated, ...this.capture.data.problems].filter(Boolean).join("; ");
    if (this.capture.count) this.select(this.list.selected || 1);
    else this.detail.show(this.capture, 0);
  }

  drawStreams(flow) {
    this.flow = flow;
    const { flows } = this.capture.data;
    const choices = flows.map((one, i) =>
      make("option", { value: i, selected: i === flow }, `${i}: ${one.initiator} to ${one.responder}`),
    );
    const choice = make(
      "select",
      { id: "flow", onchange: event => this.drawStreams(Number(event.target.value)) },
      ...choices,
    );
    this.views.streams.replaceChildren(
      ...(flows.length
        ? [
            make("label", { for: "flow" }, "Connection "),
            choice,
            drawStream(this.capture, flow, frame => this.goTo(this.current, frame)),
          ]
        : [make("p", {}, "This recording holds no TCP connection.")]),
    );
  }

  /** Show a frame of one of the captures in the frame list. */
  goTo(side, frame) {
    if (side !== this.current) this.showCapture(side);
    if (!this.list.numbers.includes(frame)) this.setFilter("");
    this.showView("frames");
    this.select(frame);
    this.list.element.focus();
  }

  /** @param {number} number of a frame; ignored if there is no such frame */
  select(number) {
    if (!Number.isInteger(number) || number < 1 || number > this.capture.count) return;
    this.list.select(number);
    this.detail.show(this.capture, number);
    if (this.onSelect) this.onSelect(number);
  }

  setFilter(text) {
    this.input.value = text;
    this.applyFilter(text);
  }

  /** @param {string} text @returns {number[] | null} the frames that are shown now; null if the filter cannot be read */
  applyFilter(text) {
    let filter;
    try {
      filter = readFilter(text);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.input.setAttribute("aria-invalid", "true");
      this.answer.replaceChildren(
        make(
          "span",
          { class: "error" },
          `${error.message}, at character ${error.place + 1}: `,
          make("code", {}, text.slice(0, error.place), make("mark", {}, text.slice(error.place) || "?")),
        ),
      );
      return null;
    }
    this.input.removeAttribute("aria-invalid");
    const shown = [];
    for (let number = 1; number <= this.capture.count; number++) if (filter(this.capture, number)) shown.push(number);
    this.answer.textContent = text.trim()
      ? `${shown.length} of ${this.capture.count} frames`
      : `${this.capture.count} frames`;
    this.list.show(shown);
    return shown;
  }

  toggleLock() {
    for (const capture of this.captures) capture.unlocked = capture.hasKeys && !capture.unlocked;
    const unlocked = this.captures.some(capture => capture.unlocked);
    this.lock.setAttribute("aria-pressed", String(unlocked));
    this.lock.textContent = unlocked ? "Lock" : "Unlock";
    this.applyFilter(this.input.value);
    this.detail.show(this.capture, this.list.selected);
    if (!this.views.streams.hidden) this.drawStreams(this.flow);
  }

  toggleLarge() {
    const large = this.root.classList.toggle("large");
    this.root.querySelector(".large-button").setAttribute("aria-pressed", String(large));
    this.list.redraw();
  }

  /** @param {number} step of the tour; -1 ends it */
  showStep(step) {
    const steps = this.capture.data.tour;
    if (step >= steps.length) return;
    this.step = step;
    this.tour.hidden = step < 0;
    this.root.querySelector(".tour-button").textContent = step < 0 ? "Tour" : "End the tour";
    if (step < 0) return;
    const { frame, title, text } = steps[step];
    const move = (label, to) =>
      make(
        "button",
        { type: "button", disabled: to < 0 || to >= steps.length, onclick: () => this.showStep(to) },
        label,
      );
    this.tour.replaceChildren(
      make("h2", {}, `${step + 1} of ${steps.length}: ${title}`),
      make("p", { role: "status" }, text),
      move("Back (p)", step - 1),
      move("Next (n)", step + 1),
    );
    this.goTo(this.current, frame);
  }

  onKey(event) {
    if (event.key === "Escape" && event.target === this.input) return this.list.element.focus();
    if (event.ctrlKey || event.metaKey || event.altKey || this.help.open) return;
    if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
    const focus = element => {
      this.showView("frames");
      element.focus();
    };
    const actions = {
      "/": () => focus(this.input),
      f: () => focus(this.list.element),
      b: () => focus(this.detail.bytes),
      t: () => focus(this.detail.tree),
      n: () => this.showStep(this.step + 1),
      p: () => this.step > 0 && this.showStep(this.step - 1),
      u: () => this.lock.hidden || this.toggleLock(),
      l: () => this.toggleLarge(),
      "?": () => this.help.showModal(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}
