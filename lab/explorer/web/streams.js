// What the two sides of a flow wrote, and the twin view: one conversation, recorded twice.

import { asText } from "./capture.js";
import { make } from "./elements.js";

const MOST_PIECES = 2000; // shown of one flow

/** One flow as two voices. @param {import("./capture.js").Capture} capture @param {number} flow
 * @param {(number: number) => void} onFrame @returns {HTMLElement} */
export function drawStream(capture, flow, onFrame) {
  const { initiator, responder, closing, pieces, excluded } = capture.data.flows[flow];
  const opened = capture.unlocked ? openedPieces(capture, flow) : [];
  const decoder = opened.length ? null : [new TextDecoder(), new TextDecoder()]; // a character may be cut between pieces
  const voices = (opened.length ? opened : pieces)
    .slice(0, MOST_PIECES)
    .map(([way, frame, start, length, missing, bytes]) => {
      const data = bytes ?? (frame ? capture.bytes(frame).subarray(start, start + length) : new Uint8Array());
      const text = decoder ? decoder[way].decode(data, { stream: true }) : new TextDecoder().decode(data);
      const gap = missing ? [make("p", { class: `gap way-${way}` }, `${missing} bytes were not captured`)] : [];
      if (!frame) return gap;
      return [
        ...gap,
        make(
          "p",
          { class: `voice way-${way}` },
          make(
            "button",
            { type: "button", title: `Show frame ${frame}`, onclick: () => onFrame(frame) },
            `frame ${frame}`,
          ),
          make(
            "span",
            {},
            isReadable(text)
              ? text
              : `${asText(data.subarray(0, 48))}${data.length > 48 ? " ..." : ""} (${data.length} bytes)`,
          ),
        ),
      ];
    });
  const repeated = excluded.map(([way, frame, , length, reason]) =>
    make(
      "li",
      {},
      `${way ? responder : initiator}: ${length} bytes left out (${reason}), `,
      make("button", { type: "button", onclick: () => onFrame(frame) }, `frame ${frame}`),
    ),
  );
  const more = pieces.length - MOST_PIECES;
  return make(
    "div",
    { class: "stream" },
    make(
      "p",
      { class: "ends" },
      make("span", { class: "way-0" }, `${initiator} (opened the connection)`),
      make("span", { class: "way-1" }, responder),
    ),
    ...voices.flat(),
    ...(more > 0 ? [make("p", {}, `... and ${more} more pieces.`)] : []),
    make("p", { class: "soft" }, `This connection: ${closing}.`),
    ...(repeated.length ? [make("ul", { class: "soft" }, ...repeated)] : []),
  );
}

/** What the keys show of a flow, as pieces that bring their own bytes. */
function openedPieces(capture, flow) {
  const found = [];
  for (let frame = 1; frame <= capture.count; frame++) {
    for (const one of capture.opened(frame)) {
      const padded = one.fields.find(field => field.name === "Content type");
      const bytes = one.bytes.subarray(0, padded ? padded.firstBit / 8 : one.bytes.length);
      if (one.flow === flow && one.type === 23 && bytes.length) found.push([one.way, frame, 0, bytes.length, 0, bytes]);
    }
  }
  return found;
}

function isReadable(text) {
  return !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffd\u202a-\u202e\u2066-\u2069]/.test(text);
}

/** Two recordings of one conversation, line by line. @param {object[]} captures
 * @param {(capture: number, frame: number) => void} onFrame @returns {HTMLElement} */
export function drawTwin(captures, onFrame) {
  const [first, second] = captures.map(capture => capture.data.said);
  const count = Math.max(first.length, second.length);
  const note =
    first.length === second.length
      ? `${count} lines, paired in the order in which they were said.`
      : `The recordings hold ${first.length} and ${second.length} lines: they are paired in order, and the last ones have no twin.`;
  const cell = (side, line) => {
    if (!line) return make("td", {}, "none");
    const frames = [line.frame, ...line.copies].map(frame =>
      make("button", { type: "button", onclick: () => onFrame(side, frame) }, String(frame)),
    );
    return make(
      "td",
      {},
      make("p", { class: line.text === null ? "hidden-text" : "read" }, line.text ?? `hidden: ${line.length} bytes`),
      make("p", {}, `${line.who}, frames `, ...frames),
    );
  };
  const rows = Array.from({ length: count }, (_, i) =>
    make("tr", {}, make("th", { scope: "row" }, String(i + 1)), cell(0, first[i]), cell(1, second[i])),
  );
  return make(
    "div",
    { class: "twin" },
    make("p", {}, note),
    make(
      "table",
      {},
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          ...["line", ...captures.map(capture => capture.name)].map(name => make("th", { scope: "col" }, name)),
        ),
      ),
      make("tbody", {}, ...rows),
    ),
  );
}
