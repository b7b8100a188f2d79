// The explorer: puts the parts together. ``new Explorer(root, captures)`` is all that a page needs.

import { Capture } from "./capture.js";
import { Detail } from "./detail.js";
import { make, makeButton, makeGroup, press } from "./elements.js";
import { FilterError, readFilter } from "./filter.js";
import { FrameList } from "./frames.js";
import { Help } from "./help.js";
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
const VIEWS = { frames: "Frames", streams: "Streams", twin: "Side by side", summary: "Summary" };

export class Explorer {
  /** @param {HTMLElement} root @param {object[]} data one or more captures, as lab/explorer/data.py makes them
   * @param {HTMLElement | null} summary the part of the page that needs no script */
  constructor(root, data, summary = null) {
    this.root = root;
    this.captures = data.map(one => new Capture(one));
    this.current = 0;
    this.lists = this.captures.map(capture => new FrameList(capture, number => this.select(number)));
    this.detail = new Detail();
    this.help = new Help(this.makeKeys());
    this.views = { frames: this.makeFrames(), streams: this.makeStreams() };
    if (data.length > 1) this.views.twin = makeGroup("div", "Both recordings");
    if (summary) this.views.summary = summary;
    root.classList.add("explorer");
    this.note = make("p.note", { role: "status" }); // what is wrong with the recording, and what is unlocked
    const views = Object.values(this.views);
    root.replaceChildren(this.makeBar(), this.note, this.makeTour(), ...views, this.help.element);
    root.addEventListener("keydown", event => this.onKey(event));
    this.showCapture(0);
    this.showView("frames");
  }

  get capture() {
    return this.captures[this.current];
  }
  get list() {
    return this.lists[this.current];
  }

  // The parts of the page

  makeBar() {
    const pressed = { "aria-pressed": "false" };
    this.tabs = Object.keys(this.views).map(name =>
      makeButton(VIEWS[name], () => this.showView(name), { "data-view": name }),
    );
    this.files = this.captures.map((capture, i) => makeButton(capture.name, () => this.showCapture(i)));
    const hasKeys = this.captures.some(one => one.hasKeys);
    this.lock = makeButton("Unlock", () => this.toggleLock(), { class: "lock", hidden: !hasKeys, ...pressed });
    this.tourButton = makeButton("Tour", () => this.showStep(this.step < 0 ? 0 : -1));
    this.large = makeButton("Large type", () => this.toggleLarge(), pressed);
    const help = makeButton("Keys (?)", () => this.help.show());
    return make(
      "div.bar",
      makeGroup("div.files", "Recording", this.files),
      makeGroup("div", "View", this.tabs),
      makeGroup("div", "Tools", this.tourButton, this.lock, this.large, help),
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
    const examples = EXAMPLES.map(text => makeButton(text, () => this.setFilter(text)));
    this.holder = make("div.holder");
    const filter = make(
      "div.filter",
      make("label", { for: "filter" }, "Filter"),
      this.input,
      this.answer,
      make("details.examples", make("summary", "Examples"), examples),
    );
    return makeGroup("div", "Frames", filter, this.holder, this.detail.element);
  }

  makeStreams() {
    this.flow = make("select", { id: "flow", onchange: () => this.drawStream() });
    this.stream = make("div");
    const label = make("label", { for: "flow" }, "Connection ");
    return makeGroup("div", "Streams", label, this.flow, this.stream);
  }

  makeTour() {
    this.step = -1;
    this.stepText = make("div", { role: "status" });
    this.back = makeButton("Back (p)", () => this.stepBack());
    this.next = makeButton("Next (n)", () => this.showStep(this.step + 1));
    this.tour = makeGroup("div.tour", "Tour", this.stepText, this.back, this.next);
    return this.tour;
  }

  /** @returns {[string, string, (() => void)?][]} each key, what it does, and a function if it works everywhere */
  makeKeys() {
    const focus = element => {
      this.showView("frames");
      element.focus();
    };
    return [
      ["/", "to the filter", () => focus(this.input)],
      ["f", "to the frames", () => focus(this.list.element)],
      ["b", "to the bytes", () => focus(this.detail.bytes)],
      ["t", "to the fields", () => focus(this.detail.tree)],
      ["up, down, page up, page down", "another frame, field or row of bytes"],
      ["left, right", "close or open a field; the next byte"],
      ["*", "in the fields: open all, close all"],
      ["n", "the tour: next", () => this.showStep(this.step + 1)],
      ["p", "the tour: back", () => this.stepBack()],
      ["u", "unlock or lock", () => this.lock.hidden || this.toggleLock()],
      ["l", "large type, for a projector", () => this.toggleLarge()],
      ["?", "this list", () => this.help.show()],
    ];
  }

  // What a click or a key does

  showView(name) {
    for (const [other, view] of Object.entries(this.views)) view.hidden = other !== name;
    press(this.tabs, Object.keys(this.views).indexOf(name));
    this.draw();
  }

  /** Draw the note, and what the view shows of the capture; the list of frames draws itself. */
  draw() {
    const opened = this.captures
      .filter(one => one.unlocked)
      .map(({ name, data }) => `${Object.values(data.inner).flat().length} records of ${name}`);
    const unlocked = opened.length ? [`Unlocked: the keys open ${opened.join(" and ")}.`] : [];
    this.note.textContent = [...this.capture.data.notes, ...unlocked].join("; ");
    const { streams, twin } = this.views;
    if (!streams.hidden) this.drawStream();
    if (twin && !twin.hidden) twin.replaceChildren(drawTwin(this.captures, (side, frame) => this.goTo(side, frame)));
  }

  showCapture(i) {
    const { flows } = this.captures[i].data;
    this.current = i;
    press(this.files, i);
    this.holder.replaceChildren(this.list.element);
    this.applyFilter(this.input.value);
    const names = flows.map(({ initiator, responder }, flow) => `${flow}: ${initiator} to ${responder}`);
    this.flow.replaceChildren(...names.map((name, flow) => make("option", { value: flow }, name)));
    this.draw();
    this.showStep(-1);
    if (this.capture.count) this.select(this.list.selected || 1);
    else this.detail.show(this.capture, 0);
  }

  drawStream() {
    const show = frame => this.goTo(this.current, frame);
    const has = this.capture.data.flows.length;
    this.stream.replaceChildren(
      has ? drawStream(this.capture, Number(this.flow.value), show) : "This recording holds no TCP connection.",
    );
  }

  /** Show a frame of one of the captures in the frame list. */
  showFrame(side, frame) {
    if (side !== this.current) this.showCapture(side);
    if (!this.list.numbers.includes(frame)) this.setFilter("");
    this.showView("frames");
    this.select(frame);
  }

  /** Show a frame, and continue there. */
  goTo(side, frame) {
    this.showFrame(side, frame);
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

  /** Show the frames that a filter lets through, or where it cannot be read. @param {string} text */
  applyFilter(text) {
    let filter;
    try {
      filter = readFilter(text);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      const { message, place } = error;
      const code = make("code", text.slice(0, place), make("mark", text.slice(place) || "?"));
      this.input.setAttribute("aria-invalid", "true");
      this.answer.replaceChildren(make("span.error", `${message}, at character ${place + 1}: `, code));
      return;
    }
    this.input.removeAttribute("aria-invalid");
    const { capture } = this,
      shown = capture.numbers.filter(number => filter(capture, number));
    const frames = capture.count === 1 ? "1 frame" : `${capture.count} frames`;
    this.answer.textContent = text.trim() ? `${shown.length} of ${frames}` : frames;
    this.list.show(shown);
  }

  toggleLock() {
    for (const capture of this.captures) capture.unlocked = capture.hasKeys && !capture.unlocked;
    press([this.lock], this.captures.some(capture => capture.unlocked) ? 0 : -1);
    this.applyFilter(this.input.value);
    this.detail.show(this.capture, this.list.selected);
    this.draw();
  }

  toggleLarge() {
    press([this.large], this.root.classList.toggle("large") ? 0 : -1);
    this.list.show(this.list.numbers);
    this.detail.redrawBytes();
  }

  /** @param {number} step of the tour; -1 ends it */
  showStep(step) {
    const steps = this.capture.data.tour;
    if (step >= steps.length) return;
    this.step = step;
    this.tour.hidden = step < 0;
    this.tourButton.textContent = step < 0 ? "Tour" : "End the tour";
    if (step < 0) return;
    const [frame, title, text] = steps[step];
    this.stepText.replaceChildren(make("h2", `${step + 1} of ${steps.length}: ${title}`), make("p", text));
    this.back.setAttribute("aria-disabled", String(step === 0)); // disabled, it would lose the focus
    this.next.setAttribute("aria-disabled", String(step === steps.length - 1));
    this.showFrame(this.current, frame);
  }

  stepBack() {
    if (this.step > 0) this.showStep(this.step - 1);
  }

  onKey(event) {
    if (event.key === "Escape" && event.target === this.input) return this.list.element.focus();
    if (event.ctrlKey || event.metaKey || event.altKey || this.help.element.open) return;
    if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
    const action = this.help.action(event.key);
    if (!action) return;
    event.preventDefault();
    action();
  }
}
