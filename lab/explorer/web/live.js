// The page of lab live: three chat panels, and what somebody on the cable sees of them while it happens.

import { Capture } from "./capture.js";
import { Detail } from "./detail.js";
import { make, makeButton, makeGroup, press } from "./elements.js";
import { FrameList } from "./frames.js";

const MACHINES = ["Brandon", "John", "Alice", "server"];
const MOST_FRAMES = 20_000,
  FEWER_FRAMES = 15_000; // kept when there were more
const MOST_LINES = 300;

/** The rows of the frames that the page holds; their fields are the server's. */
class LiveFrames {
  rows = [];
  numbers = []; // that the list begins with
  machines = new Map(); // by address and port

  get count() {
    return this.rows.length;
  }
  get last() {
    return this.rows.at(-1)?.number ?? 0;
  }
  frame(number) {
    return this.rows[number - this.rows[0].number];
  }
  add(rows) {
    for (const { from, to, lanes } of rows) this.machines.set(from, lanes[0]).set(to, lanes[1]);
    this.rows.push(...rows);
    if (this.rows.length > MOST_FRAMES) this.rows.splice(0, this.rows.length - FEWER_FRAMES);
  }
}

/** The explorer's list, which grows; its ladder has a lifeline for each machine. */
class LiveList extends FrameList {
  laneOf(end) {
    return MACHINES.indexOf(this.capture.machines.get(end));
  }
  /** Take in what the frames hold by now, and show the end of it. */
  grow() {
    const first = this.capture.rows[0].number;
    if (this.numbers[0] < first) this.show(this.numbers.filter(number => number >= first));
    for (let number = (this.numbers.at(-1) ?? 0) + 1; number <= this.capture.last; number++) this.numbers.push(number);
    this.element.setAttribute("aria-rowcount", String(this.numbers.length + 1));
    this.draw();
    this.element.scrollTop = this.element.scrollHeight;
  }
}

class Live {
  constructor(root, about) {
    this.about = about;
    this.frames = new LiveFrames();
    this.list = new LiveList(this.frames, number => this.look(number), MACHINES);
    this.detail = new Detail();
    this.following = true;
    this.newest = null; // the newest frame with a payload
    this.panels = {};
    for (const [name, where] of Object.entries(about.where)) this.panels[name] = makePanel(this, name, where);
    this.chapters = new Map();
    this.known = make("section", { "aria-label": "The eavesdropper" }, make("h2", "What the eavesdropper knows"));
    this.status = make("p.soft", { role: "status" });
    const panels = Object.values(this.panels).map(panel => panel.element);
    const cable = make("section", { "aria-label": "The cable" }, this.makeSteps(), this.list.element, this.detail.element);
    root.append(this.makeSwitches(), make("div.panels", panels), make("div.seen", cable, this.known));
    this.socket = new WebSocket(`ws://${location.host}${location.pathname}socket`);
    this.socket.onmessage = event => this.take(JSON.parse(event.data));
    this.socket.onclose = () => this.state?.ended || (this.status.textContent = "lab live has gone.");
  }

  send(action, more = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ do: action, ...more }));
  }

  // The switches

  makeSwitches() {
    const number = (id, label, max) => [
      make("label", { for: id }, label),
      make("input", { type: "number", id, min: 0, max, value: 0, onchange: () => this.sendWeather() }),
    ];
    const { modes, servers } = this.about,
      [own, ...stages] = servers.map(server => make("option", { value: server }, server));
    this.stages = make("optgroup", { label: "Stages: plaintext only" }, stages);
    this.modes = modes.map(mode => makeButton(mode, () => this.send("switch", { mode, server: this.state.server })));
    this.server = make(
      "select",
      { id: "server", onchange: () => this.send("switch", { mode: this.state.mode, server: this.server.value }) },
      own,
      this.stages,
    );
    const lose = makeButton("Lose the next copy", () => this.send("lose"));
    this.weather = make("div", number("delay", "Delay (ms)", 2000), number("loss", "Loss (%)", 50), lose);
    this.reading = makeButton("Alice stops reading", () => this.send("read", { reads: !this.state.reads }));
    const attacks = { reset: "Reset Brandon", speak: "Speak as Brandon", between: "Stand in the middle" };
    this.attacks = Object.entries(attacks).map(([how, label]) => makeButton(label, () => this.send("attack", { how })));
    this.reasons = make("p.soft");
    return make(
      "div.switches",
      makeGroup("div", "Encryption", this.modes),
      make("div", make("label", { for: "server" }, "Server"), this.server),
      this.weather,
      this.reading,
      makeGroup("div", "Mallory acts", make("span", "Mallory acts"), this.attacks),
      this.reasons,
      this.status,
    );
  }

  sendWeather() {
    const [delay_ms, loss_percent] = [...this.weather.querySelectorAll("input")].map(input => Number(input.value));
    this.send("weather", { delay_ms, loss_percent });
  }

  /** @param {object} state as lab/explorer/live/lecture.py sends it */
  showState(state) {
    const off = Boolean(!state.drives || state.busy || state.ended),
      { tls, weather } = state.reasons;
    this.state = state;
    press(this.modes, this.about.modes.indexOf(state.mode));
    this.modes.forEach((button, i) => (button.disabled = off || Boolean(tls && i)));
    this.stages.disabled = state.mode !== this.about.modes[0];
    this.server.value = state.server;
    const [delay, loss, lose] = this.weather.querySelectorAll("input, button");
    [delay.value, loss.value] = [state.delay_ms, state.loss_percent];
    for (const control of [delay, loss, lose, ...this.attacks]) control.disabled = off || Boolean(weather);
    press([this.attacks[2]], state.between ? 0 : -1);
    for (const control of [this.server, this.reading]) control.disabled = off;
    press([this.reading], state.reads ? -1 : 0);
    for (const [name, panel] of Object.entries(this.panels)) panel.set(off, name === "Alice" && !state.reads);
    this.reasons.textContent = Object.values(state.reasons).join(" ");
    this.showStatus();
  }

  showStatus() {
    const { drives, busy, remark, ended } = this.state,
      held = this.frames.last - (this.list.numbers.at(-1) ?? 0);
    const notes = [ended || `${this.frames.last} frames recorded`, held && `${held} of them not shown yet`, busy, remark];
    this.status.textContent = [...notes, !drives && "This tab only watches"].filter(Boolean).join(". ");
  }

  // Pause, step back, follow

  makeSteps() {
    const step = by => {
      const { numbers, selected } = this.list;
      const place = numbers.indexOf(selected || numbers.at(-1)) + by;
      this.look(numbers[Math.max(0, Math.min(place, numbers.length - 1))]);
    };
    this.pause = makeButton("Pause", () => this.follow(!this.following), { "aria-pressed": "false" });
    return makeGroup(
      "div.steps",
      "Steps",
      this.pause,
      makeButton("Step back", () => step(-1)),
      makeButton("Step on", () => step(1)),
      makeButton("Follow", () => this.follow(true)),
    );
  }

  follow(following) {
    this.following = following;
    press([this.pause], following ? -1 : 0);
    if (following && this.frames.count) this.list.grow();
    if (following && this.newest) this.showNewest();
    this.showStatus();
  }

  /** Select a frame and ask for its fields and bytes; stop following. */
  look(number) {
    if (!number) return;
    if (this.following) this.follow(false);
    this.list.select(number);
    this.send("frame", { number });
  }

  showNewest() {
    this.list.select(this.newest.number);
    this.list.element.scrollTop = this.list.element.scrollHeight;
    this.show(this.newest);
  }

  /** Show a frame, which comes as a capture of its own, if it is still the selected one. */
  show({ number, data }) {
    if (data && number === this.list.selected) this.detail.show(new Capture(data), 1, `Frame ${number}`);
  }

  // What the server sends

  take({ frames, newest, frame, lines, state, known }) {
    if (frames) this.frames.add(frames);
    if (frames && this.following) this.list.grow();
    if (newest) this.newest = newest;
    if (newest && this.following) this.showNewest();
    if (frame) this.show(frame);
    for (const { who, kind, text } of lines ?? []) this.panels[who].add(kind, text);
    if (state) this.showState(state);
    for (const one of known ?? []) this.showChapter(one);
    if (frames) this.showStatus();
  }

  /** @param {object} one what is known of three connections, as lab/explorer/live/feed.py says it */
  showChapter(one) {
    const old = this.chapters.get(one.chapter),
      text = JSON.stringify(one);
    if (old?.text === text) return;
    const element = makeChapter(one, number => this.look(number));
    if (old) old.element.replaceWith(element);
    else this.known.firstChild.after(element);
    this.chapters.set(one.chapter, { text, element });
    element.lastChild.scrollTop = element.lastChild.scrollHeight;
  }
}

/** One user's window: what that user's client has received, and a line to type in. */
function makePanel(live, name, where) {
  const log = make("div.log", { role: "log", tabindex: "0", "aria-label": `What ${name} sees` });
  const input = make("input", { type: "text", maxlength: 400, autocomplete: "off", "aria-label": `${name} says` });
  const button = make("button", "Send"),
    note = make("small.note");
  const onsubmit = event => {
    event.preventDefault();
    live.send("say", { who: name, text: input.value });
    input.value = "";
  };
  const heading = make("h2", name, make("small", where), note);
  return {
    element: make("section.panel", { "aria-label": name }, heading, log, make("form", { onsubmit }, input, button)),
    add(kind, text) {
      log.append(make(`p.${kind}`, text));
      if (log.children.length > MOST_LINES) log.firstChild.remove();
      log.scrollTop = log.scrollHeight;
    },
    set(off, isSilent) {
      input.disabled = button.disabled = off;
      note.textContent = isSilent ? "does not read" : "";
      this.element.classList.toggle("silent", isSilent);
    },
  };
}

function makeChapter({ protocol, names, padding, said, read, lines }, look) {
  const items = lines.map(({ frame, who, to, text, length, secret }) =>
    make(
      text === null ? "p" : secret ? "p.known.secret" : "p.known",
      `${who}: ${text ?? `a message of ${length} bytes`} `,
      make("small", secret ? "perhaps a secret; " : "", `to ${to.join(", ") || "nobody"} `, makeButton(`frame ${frame}`, () => look(frame))),
    ),
  );
  const blocks = padding ? `; padded to blocks of ${padding} bytes` : "";
  return make(
    "div.chapter",
    make("h3", `${protocol}: ${read} of ${said} lines read`),
    make("p", `${names.join(", ") || "nobody yet"}${blocks}`),
    make("div.lines", { role: "log", tabindex: "0", "aria-label": `Lines, ${protocol}` }, items),
  );
}

new Live(document.getElementById("live"), JSON.parse(document.getElementById("about").textContent));
