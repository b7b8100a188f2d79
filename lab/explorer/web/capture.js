// A capture as the page holds it: lab/explorer/data.py says what the lists mean.

/** @typedef {{place: number, depth: number, firstBit: number, bits: number, name: string, key: string, source: string,
 *             text: string, meaning: string, isLeaf: boolean, path: string}} Field */
/** @typedef {{title: string, fields: Field[], bytes: Uint8Array, kinds: number[], type: number, way: number,
 *             flow: number, parts?: [number, number][]}} Opened  what the keys show inside one TLS record, or a whole
 *             message; ``parts``: first byte and frame of each */

const NUMBERS_A_FIELD = 6;

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0));
}

/** @param {Uint8Array} bytes @returns {string} printable ASCII, and a dot for any other byte */
export function asText(bytes) {
  return Array.from(bytes, byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
}

export class Capture {
  constructor(data) {
    this.data = data;
    this.name = data.name;
    this.count = data.lengths.length;
    this.numbers = data.lengths.map((_, i) => i + 1);
    this.unlocked = false;
    this.hasKeys = Object.keys(data.inner).length > 0;
    this.all = fromBase64(data.bytes);
    this.starts = [0];
    for (const length of data.lengths) this.starts.push(this.starts.at(-1) + length);
    this.recordsOf = Map.groupBy(data.records, record => record.frame);
    this.beginnings = new Set(data.records.map(record => record.begins));
    this.shapes = []; // those that have been read
  }

  /** @param {number} number from 1 @returns {Uint8Array} the captured bytes of a frame */
  bytes(number) {
    return this.all.subarray(this.starts[number - 1], this.starts[number]);
  }

  /** The row of a frame in the frame list. @param {number} number from 1 */
  frame(number) {
    const row = this.data.frames[number - 1];
    const opened = this.openedText(number);
    return opened ? { ...row, info: `[opened: ${opened}] ${row.info}` } : row;
  }

  /** What a frame's records hold, while the page is unlocked; the trees are not read yet. */
  inside(number) {
    return (this.unlocked && this.data.inner[number]) || [];
  }

  /** @returns {string} what a frame's records hold, in a line */
  openedText(number) {
    return this.inside(number)
      .map(one => one.info)
      .join(", ");
  }

  /** @param {number} number @param {string} [key] @returns {Field[]} the fields of a frame, each behind the one that
   * holds it; or only those with a key, which is far quicker */
  fields(number, key) {
    return this.readTree(this.frame(number).tree, key);
  }

  /** @returns {Opened[]} messages that are complete in a frame and, while the page is unlocked, what its records hold */
  opened(number) {
    const found = [...(this.data.whole[number] ?? []), ...this.inside(number)];
    return found.map(one => ({ ...one, fields: this.readTree(one.tree), bytes: fromBase64(one.bytes) }));
  }

  /** @returns {Field[]} */
  readTree([shape, phrases], key) {
    const { words, phrases: known, shapes } = this.data;
    this.shapes[shape] ??= readShape(shapes[shape], words);
    const wanted = key ? this.shapes[shape].filter(field => field.key === key) : this.shapes[shape];
    return wanted.map(field => {
      const [text, meaning] = known[phrases[field.place]];
      return { ...field, text: words[text], meaning: words[meaning] };
    });
  }
}

/** The fields of a shape, without what differs from frame to frame. */
function readShape(numbers, words) {
  const fields = [],
    path = [];
  for (let i = 0; i < numbers.length; i += NUMBERS_A_FIELD) {
    const [depth, firstBit, bits, ...terms] = numbers.slice(i, i + NUMBERS_A_FIELD);
    const [name, key, source] = terms.map(place => words[place]);
    const isLeaf = !(numbers[i + NUMBERS_A_FIELD] > depth);
    path.length = depth;
    path.push(name);
    fields.push({ place: fields.length, depth, firstBit, bits, name, key, source, isLeaf, path: path.join(" › ") });
  }
  return fields;
}

/** @param {Field} field @param {number} byte @returns {boolean} whether the field covers a byte, or a part of it */
export function covers(field, byte) {
  return field.bits > 0 && field.firstBit < 8 * byte + 8 && field.firstBit + field.bits > 8 * byte;
}
