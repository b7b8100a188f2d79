// The page: the captures are in it, and the address may name a frame or a filter (#frame-17, #filter-tcp.len > 0).

import { Explorer } from "./explorer.js";

const root = document.getElementById("explorer"),
  data = JSON.parse(document.getElementById("captures").textContent);
root.hidden = false;
const page = new Explorer(root, data, document.getElementById("summary"));

/** Follow #frame-17, #frame-2-17 (of the second recording) or #filter-TEXT. */
function followAddress(hash) {
  const frame = /^#frame-(?:(\d+)-)?(\d+)$/.exec(hash),
    filter = /^#filter-(.*)$/s.exec(hash);
  const side = Number(frame?.[1] ?? 1) - 1;
  if (frame && page.captures[side]) page.goTo(side, Number(frame[2]));
  if (!filter) return;
  let text = filter[1];
  try {
    text = decodeURIComponent(text);
  } catch {
    // it is not encoded
  }
  page.showView("frames");
  page.setFilter(text);
}

let waiting = 0; // browsers refuse too many changes of the address
page.onSelect = number => {
  clearTimeout(waiting);
  const side = page.current ? `${page.current + 1}-` : "";
  const change = () => history.replaceState(null, "", `#frame-${side}${number}`);
  if (location.protocol !== "about:") waiting = setTimeout(change, 250); // a page in a frame has no address
};
document.body.addEventListener("keydown", event => event.target === document.body && page.onKey(event));
// By now, location.hash may be that of the frame chosen before, from the timer above.
addEventListener("hashchange", event => followAddress(new URL(event.newURL).hash));
followAddress(location.hash);
