// What a field means, in words: its path and value, a sentence, its place, its source.

import { make, makeButton } from "./elements.js";

/** @param {{fields: object[], bytes: Uint8Array, parts?: [number, number][]}} source @param {number} place of the field
 * @param {number[]} shared places of other fields in the same byte @param {(place: number) => void} choose
 * @returns {HTMLElement[]} */
export function explainField({ fields, bytes, parts }, place, shared, choose) {
  const field = fields[place];
  const first = Math.floor(field.firstBit / 8),
    last = Math.floor((field.firstBit + field.bits - 1) / 8);
  const span = !field.bits ? "no bytes" : first === last ? `byte ${first}` : `bytes ${first} to ${last}`;
  const isBits = field.bits % 8 || field.firstBit % 8;
  const where = make("p.place", isBits ? `${bitDiagram(bytes, field)} (${span})` : span);
  const frameOf = byte => parts.findLast(([start]) => start <= byte)[1];
  if (parts) where.append(frameOf(first) === frameOf(last) ? `, in frame ${frameOf(first)}` : ", in several frames");
  if (field.source) where.append(" | ", sourceLink(field.source));
  const said = [
    make("p.path", make("strong", field.path), ` ${field.text}`),
    make("p", field.meaning || "A group of the fields below it."),
    where,
  ];
  if (shared.length) {
    const names = shared.map(other => makeButton(fields[other].name, () => choose(other)));
    said.push(make("p", "Also in this byte: ", names));
  }
  return said;
}

/** A link to the section of an RFC that a source names, or its words. @param {string} source */
function sourceLink(source) {
  const match = /^RFC (\d+)(?: section ([\dA-Z.]+\d))?/.exec(source);
  if (!match) return make("span", source);
  const section = match[2] ? `#section-${match[2]}` : "";
  return make(
    "a",
    { href: `https://www.rfc-editor.org/rfc/rfc${match[1]}${section}`, target: "_blank", rel: "noopener noreferrer" },
    source,
  );
}

/** Wireshark's picture of the bits of a field, in the bytes that hold them: ".... 1...". */
function bitDiagram(bytes, field) {
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
