// The page: the captures are in it, and the address may name a frame or a filter (#frame-17, #filter-tcp.len > 0).

import { Explorer } from "./explorer.js";

const root = document.getElementById("explorer"),
  data = JSON.parse(document.getElementById("captures").textContent);
root.hidden = false;
const page = new Explorer(root, data, document.getElementById("summary"));
root.explorer = page;

function followAddress() {
  const [, kind, value] = /^#(frame|filter)-(.*)$/.exec(location.hash) ?? [];
  if (kind === "frame" && Number(value)) page.goTo(page.current, Number(value));
  if (kind === "filter") {
    page.showView("frames");
    try {
      page.setFilter(decodeURIComponent(value));
    } catch {
      page.setFilter(value); // not an encoded address
    }
  }
}

page.onSelect = number => history.replaceState(null, "", `#frame-${number}`);
document.body.addEventListener("keydown", event => event.target === document.body && page.onKey(event));
addEventListener("hashchange", followAddress);
followAddress();
