// Making elements. Text is set as text and never as HTML, so what a capture holds cannot become markup.

const DRAWN = ["svg", "line", "path"];

/** @param {string} tag @param {Record<string, any>} attributes ``onclick`` and the like are listeners; false and
 * null leave an attribute out @param {...(Node | string)} children */
export function make(tag, attributes = {}, ...children) {
  const element = DRAWN.includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Group of a protocol, for colours: each has a label beside it. @param {string} name of a layer or protocol */
export function layerOf(name) {
  if (name.startsWith("Chat") || name === "Application Data") return "chat";
  if (name.startsWith("TLS") || ["Handshake", "Alert"].includes(name)) return "tls";
  if (name.startsWith("TCP") || name.startsWith("UDP")) return "tcp";
  if (name.startsWith("IP") || name.startsWith("ICMP")) return "ip";
  return name.startsWith("Data") || name.startsWith("Padding") ? "data" : "link";
}

/** Scroll an element into view without moving the page. */
export function scrollWithin(box, element) {
  const inner = element.getBoundingClientRect(),
    outer = box.getBoundingClientRect();
  if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top;
  if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}
