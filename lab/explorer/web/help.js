// The list of keys, and a switch for those that are one character.

import { make, makeButton } from "./elements.js";

export class Help {
  /** @param {[string, string, (() => void)?][]} keys each key, what it does, and the function that does it */
  constructor(keys) {
    this.keys = keys;
    this.isOn = make("input", { type: "checkbox", checked: true });
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
