// Making elements. Text is set as text and never as HTML, so what a capture holds cannot become markup.

/** @param {string} tag with its classes: "p.soft" @param {...any} rest attributes, if the first is a plain object, then
 * children; ``onclick`` and the like are listeners; ``style`` holds custom properties; false and null leave one out */
export function make(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  const attributes = rest[0]?.constructor === Object ? rest.shift() : {};
  const element = document.createElement(name);
  if (classes.length) element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") for (const each of Object.entries(value)) element.style.setProperty(...each);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...rest.flat(2));
  return element;
}

/** @param {string} text @param {() => void} onclick @param {Record<string, any>} attributes */
export function makeButton(text, onclick, attributes = {}) {
  return make("button", { type: "button", onclick, ...attributes }, text);
}

/** A part of the page with a name that is read aloud. @param {string} tag @param {string} name @param {...any} children */
export function makeGroup(tag, name, ...children) {
  return make(tag, { role: "group", "aria-label": name }, ...children);
}

/** @param {HTMLElement[]} buttons @param {number} place of the one that is pressed */
export function press(buttons, place) {
  buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === place)));
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
