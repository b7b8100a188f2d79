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
  const shown = opened.length ? opened : pieces;
  const more = shown.length - MOST_PIECES;
  const voices = shown.slice(0, MOST_PIECES).map(([way, frame, start, length, missing, bytes]) => {
    const data = bytes ?? (frame ? capture.bytes(frame).subarray(start, start + length) : new Uint8Array());
    const text = decoder ? decoder[way].decode(data, { stream: true }) : new TextDecoder().decode(data);
    const gap = missing ? [make("p", { class: `gap way-${way}` }, `${missing} bytes were not captured`)] : [];
    if (!frame) return gap;
    return [
      ...gap,
      make(
        "p",
        { class: `voice way-${way}` },
        make("span", { class: "only-read" }, `${way ? responder : initiator}: `),
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
  const repeated = excluded.map(([way, frame, length, reason]) =>
    make(
      "li",
      {},
      `${way ? responder : initiator}: ${length} bytes left out (${reason}), `,
      make("button", { type: "button", onclick: () => onFrame(frame) }, `frame ${frame}`),
    ),
  );
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
  for (const [frame, records] of Object.entries(capture.data.inner)) {
    if (!records.some(record => record[7] === flow)) continue;
    for (const one of capture.opened(Number(frame))) {
      const kind = one.fields.find(field => field.key === "tls.record.content_type");
      const bytes = one.bytes.subarray(0, kind ? kind.firstBit / 8 : one.bytes.length);
      if (one.flow === flow && one.type === 23 && bytes.length) {
        found.push([one.way, Number(frame), 0, bytes.length, 0, bytes]);
      }
    }
  }
  return found;
}

function isReadable(text) {
  return !/[^\P{C}\t\n\r]|[\u2028\u2029\ufffd]/u.test(text); // no control or invisible character but white space
}

/** Two recordings of one conversation, line by line. @param {object[]} captures
 * @param {(capture: number, frame: number) => void} onFrame @returns {HTMLElement} */
export function drawTwin(captures, onFrame) {
  const said = captures.map(capture => capture.data.said);
  const count = Math.max(...said.map(lines => lines.length));
  if (!count) return make("p", {}, "No line of a conversation was recognised.");
  const note = said.every(lines => lines.length === count)
    ? `${count} lines, paired in the order in which they were said.`
    : `The recordings hold ${said.map(lines => lines.length).join(" and ")} lines, paired in order.`;
  const cell = (side, line) => {
    if (!line) return make("td", {}, "none");
    const frames = [line.frame, ...line.copies].map(frame =>
      make(
        "button",
        { type: "button", "aria-label": `frame ${frame}`, onclick: () => onFrame(side, frame) },
        String(frame),
      ),
    );
    return make(
      "td",
      {},
      make("p", { class: line.text === null ? "hidden-text" : "read" }, line.text ?? `hidden: ${line.length} bytes`),
      make("p", {}, `${line.who}, frames `, ...frames),
    );
  };
  const rows = Array.from({ length: count }, (_, i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, String(i + 1)),
      ...captures.map((_, side) => cell(side, said[side][i])),
    ),
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
