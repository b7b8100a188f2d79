// The explorer in a notebook, for anywidget: a shadow root keeps its ids, its styles and its keys apart from the notebook's.

import { Explorer } from "./explorer.js";
import { make } from "./elements.js";

function render({ model, el }) {
  const host = make("div", { onkeydown: event => event.stopPropagation() }), // else they were the notebook's, too
    root = make("div"),
    theme = document.body.dataset.jpThemeLight; // of JupyterLab; elsewhere the system decides
  if (theme) host.style.colorScheme = theme === "true" ? "light" : "dark";
  host.attachShadow({ mode: "open" }).append(make("style", model.get("style_sheet")), root);
  el.append(host);
  new Explorer(root, JSON.parse(model.get("captures"))).select(model.get("frame"));
  // A click elsewhere takes the focus away, even on what takes none itself: JupyterLab then takes it.
  const leave = event => event.composedPath().includes(host) || host.shadowRoot.activeElement?.blur();
  document.addEventListener("pointerdown", leave);
  return () => document.removeEventListener("pointerdown", leave);
}

export default { render };
