// What the two sides of a flow wrote, and the twin view: one conversation, recorded twice.

import { asText } from "./capture.js";
import { make, makeButton } from "./elements.js";

const MOST_PIECES = 2000; // shown of one flow

/** One flow as two voices. @param {import("./capture.js").Capture} capture @param {number} flow
 * @param {(number: number) => void} onFrame @returns {HTMLElement} */
export function drawStream(capture, flow, onFrame) {
  const { initiator, responder, closing, pieces, excluded } = capture.data.flows[flow];
  const toFrame = frame => makeButton(`frame ${frame}`, () => onFrame(frame));
  const opened = capture.unlocked ? openedPieces(capture, flow) : [];
  const decoder = opened.length ? null : [new TextDecoder(), new TextDecoder()]; // a character may be cut between pieces
  const shown = opened.length ? opened : pieces;
  const more = shown.length - MOST_PIECES;
  const voices = shown.slice(0, MOST_PIECES).map(([way, frame, start, length, missing, bytes]) => {
    const data = bytes ?? (frame ? capture.bytes(frame).subarray(start, start + length) : new Uint8Array());
    const text = decoder ? decoder[way].decode(data, { stream: true }) : new TextDecoder().decode(data);
    const gap = missing ? [make(`p.gap.way-${way}`, `${missing} bytes were not captured`)] : [];
    if (!frame) return gap;
    const name = make("span.only-read", `${way ? responder : initiator}: `);
    return [...gap, make(`p.voice.way-${way}`, name, toFrame(frame), make("span", isReadable(text) ? text : inDots(data)))];
  });
  const repeated = excluded.map(([way, frame, length, reason]) =>
    make("li", `${way ? responder : initiator}: ${length} bytes left out (${reason}), `, toFrame(frame)),
  );
  return make(
    "div.stream",
    make("p.ends", make("span.way-0", `${initiator} (opened the connection)`), make("span.way-1", responder)),
    voices,
    more > 0 ? make("p", `... and ${more} more pieces.`) : "",
    make("p.soft", `This connection: ${closing}.`),
    repeated.length ? make("ul.soft", repeated) : "",
  );
}

/** What the keys show of a flow, as pieces that bring their own bytes. */
function openedPieces(capture, flow) {
  const found = [];
  for (const [frame, records] of Object.entries(capture.data.inner)) {
    if (!records.some(record => record.flow === flow)) continue;
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

function inDots(data) {
  return `${asText(data.subarray(0, 48))}${data.length > 48 ? " ..." : ""} (${data.length} bytes)`;
}

function isReadable(text) {
  return !/[^\P{C}\t\n\r]|[\u2028\u2029\ufffd]/u.test(text); // no control or invisible character but white space
}

/** Two recordings of one conversation, line by line. @param {object[]} captures
 * @param {(capture: number, frame: number) => void} onFrame @returns {HTMLElement} */
export function drawTwin(captures, onFrame) {
  const said = captures.map(capture => capture.data.said);
  const count = Math.max(...said.map(lines => lines.length));
  if (!count) return make("p", "No line of a conversation was recognised.");
  const note = said.every(lines => lines.length === count)
    ? `${count} lines, paired in the order in which they were said.`
    : `The recordings hold ${said.map(lines => lines.length).join(" and ")} lines, paired in order.`;
  const cell = (side, line) => {
    if (!line) return make("td", "none");
    const frames = [line.frame, ...line.copies].map(frame =>
      makeButton(String(frame), () => onFrame(side, frame), { "aria-label": `frame ${frame}` }),
    );
    const opened = captures[side].openedText(line.frame);
    const text = line.text ?? (opened ? `opened: ${opened}` : null);
    const said = text === null ? make("p.hidden-text", `hidden: ${line.length} bytes`) : make("p.read", text);
    return make("td", said, make("p", `${line.who}, frames `, frames));
  };
  const rows = Array.from({ length: count }, (_, i) => {
    const cells = said.map((lines, side) => cell(side, lines[i]));
    return make("tr", make("th", { scope: "row" }, String(i + 1)), cells);
  });
  const names = ["line", ...captures.map(capture => capture.name)];
  const head = make("tr", ...names.map(name => make("th", { scope: "col" }, name)));
  return make("div.twin", make("p", note), make("table", make("thead", head), make("tbody", rows)));
}
