// Making elements. Text is set as text and never as HTML, so what a capture holds cannot become markup.

const DRAWN = ["svg", "line", "path", "g", "circle", "title"];

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

/** A link to the section of an RFC that a source names, or its words. @param {string} source */
export function sourceLink(source) {
  const match = /^RFC (\d+)(?: section ([\dA-Z.]+\d))?/.exec(source);
  if (!match) return make("span", {}, source);
  const section = match[2] ? `#section-${match[2]}` : "";
  return make("a", { href: `https://www.rfc-editor.org/rfc/rfc${match[1]}${section}`, rel: "noreferrer" }, source);
}

/** Group of a protocol, for colours: each has a label beside it. @param {string} name of a layer or protocol */
export function layerOf(name) {
  if (name.startsWith("Chat") || name.startsWith("inside")) return "chat";
  if (name.startsWith("TLS")) return "tls";
  if (name.startsWith("TCP") || name.startsWith("UDP")) return "tcp";
  if (name.startsWith("IP") || name.startsWith("ICMP")) return "ip";
  return name.startsWith("Data") || name.startsWith("Padding") ? "data" : "link";
}

/** Wireshark's picture of bits in a byte or two: ".... 1...". */
export function bitDiagram(bytes, field) {
  const start = 8 * Math.floor(field.firstBit / 8),
    end = 8 * Math.ceil((field.firstBit + field.bits) / 8);
  let picture = "";
  for (let bit = start; bit < end; bit++) {
    if (bit > start && bit % 4 === 0) picture += " ";
    const isOwn = bit >= field.firstBit && bit < field.firstBit + field.bits;
    picture += isOwn ? (bytes[bit >> 3] >> (7 - (bit & 7))) & 1 : ".";
  }
  return picture;
}

/** Scroll an element into view without moving the page. */
export function scrollWithin(box, element) {
  const inner = element.getBoundingClientRect(),
    outer = box.getBoundingClientRect();
  if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top;
  if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
}
