// The list of keys, and a switch for those that are one character, which the browser remembers.

import { make, makeButton } from "./elements.js";

const SWITCH = "explorer-keys";

/** What the browser keeps; it may refuse to, in a frame or by its settings. */
function storage() {
  try {
    return localStorage;
  } catch {
    return {};
  }
}

export class Help {
  /** @param {[string, string, (() => void)?][]} keys each key, what it does, and the function that does it */
  constructor(keys) {
    this.keys = keys;
    const kept = storage();
    const onchange = () => (kept[SWITCH] = this.isOn.checked ? "on" : "off");
    this.isOn = make("input", { type: "checkbox", checked: kept[SWITCH] !== "off", onchange });
    const rows = keys.map(([key, what]) =>
      make("tr", make("th", { scope: "row" }, make("kbd", key)), make("td", what)),
    );
    this.element = make(
      "dialog",
      { "aria-label": "Keys" },
      make("h2", "Keys"),
      make("table", make("tbody", rows)),
      make("p", make("label", this.isOn, " Keys of one character are on")),
      makeButton("Close", () => this.element.close()),
    );
  }

  show() {
    this.element.showModal();
  }

  /** @param {string} key @returns {(() => void) | undefined} what a key does, unless keys are off (WCAG 2.2, 2.1.4) */
  action(key) {
    return this.isOn.checked ? this.keys.find(([name]) => name === key)?.[2] : undefined;
  }
}
