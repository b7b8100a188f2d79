// The list of keys.

import { make } from "./elements.js";

const KEYS = [
  ["/", "to the filter"],
  ["f", "to the frames"],
  ["b", "to the bytes"],
  ["t", "to the fields"],
  ["up, down, page up, page down", "another frame, field or row of bytes"],
  ["left, right", "close or open a field; the next byte"],
  ["*", "in the fields: open all, close all"],
  ["n, p", "the tour: next, back"],
  ["u", "unlock or lock"],
  ["l", "large type, for a projector"],
  ["?", "this list"],
];

/** @returns {HTMLElement} the dialog with the keys; showModal() opens it */
export function makeHelp() {
  const rows = KEYS.map(([key, what]) =>
    make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, key)), make("td", {}, what)),
  );
  const dialog = make(
    "dialog",
    { "aria-label": "Keys" },
    make("h2", {}, "Keys"),
    make("table", {}, make("tbody", {}, ...rows)),
  );
  dialog.append(make("button", { type: "button", onclick: () => dialog.close() }, "Close"));
  return dialog;
}
