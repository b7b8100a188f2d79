// A capture as the page holds it: lab/explorer/data.py says what the lists mean.

/** @typedef {{depth: number, firstBit: number, bits: number, name: string, key: string, source: string,
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
    this.unlocked = false;
    this.hasKeys = Object.keys(data.inner).length > 0;
    this.all = fromBase64(data.bytes);
    this.starts = [0];
    for (const length of data.lengths) this.starts.push(this.starts.at(-1) + length);
    this.recordsOf = Map.groupBy(data.records, record => record.frame);
    this.beginnings = new Set(data.records.map(record => record.begins));
    this.placesOf = new Map();
  }

  /** @param {number} number from 1 @returns {Uint8Array} the captured bytes of a frame */
  bytes(number) {
    return this.all.subarray(this.starts[number - 1], this.starts[number]);
  }

  /** The row of a frame in the frame list. @param {number} number from 1 */
  frame(number) {
    return this.data.frames[number - 1];
  }

  /** @param {number} number @returns {Field[]} the fields of a frame, each behind the one that holds it */
  fields(number) {
    return this.readTree(this.frame(number).tree);
  }

  /** Where the fields with a key stand among the fields of a frame; far quicker than all of ``fields``. */
  places(number, key) {
    const [shape] = this.frame(number).tree,
      known = `${shape} ${key}`;
    if (!this.placesOf.has(known)) {
      const { words, shapes } = this.data,
        found = [];
      for (let i = 0; i * NUMBERS_A_FIELD < shapes[shape].length; i++) {
        if (words[shapes[shape][i * NUMBERS_A_FIELD + 4]] === key) found.push(i);
      }
      this.placesOf.set(known, found);
    }
    return this.placesOf.get(known);
  }

  /** @returns {{text: string, firstBit: number, bits: number, bytes: Uint8Array}} one field by its place */
  fieldAt(number, place) {
    const [shape, phrases] = this.frame(number).tree;
    const [, firstBit, bits] = this.data.shapes[shape].slice(place * NUMBERS_A_FIELD);
    return { text: this.data.words[this.data.phrases[phrases[place]][0]], firstBit, bits, bytes: this.bytes(number) };
  }

  /** @returns {Opened[]} messages that are complete in a frame and, while the page is unlocked, what its records hold */
  opened(number) {
    const { inner, whole } = this.data;
    const found = [...(whole[number] ?? []), ...((this.unlocked && inner[number]) || [])];
    return found.map(one => ({ ...one, fields: this.readTree(one.tree), bytes: fromBase64(one.bytes) }));
  }

  /** @returns {Field[]} */
  readTree([shape, phrases]) {
    const { words } = this.data,
      numbers = this.data.shapes[shape],
      fields = [],
      path = [];
    for (let i = 0; i < phrases.length; i++) {
      const [depth, firstBit, bits, ...terms] = numbers.slice(i * NUMBERS_A_FIELD, (i + 1) * NUMBERS_A_FIELD);
      const places = [...terms, ...this.data.phrases[phrases[i]]];
      const [name, key, source, text, meaning] = places.map(place => words[place]);
      const isLeaf = !(numbers[(i + 1) * NUMBERS_A_FIELD] > depth);
      path.length = depth;
      path.push(name);
      fields.push({ depth, firstBit, bits, name, key, source, text, meaning, isLeaf, path: path.join(" › ") });
    }
    return fields;
  }
}

/** @param {Field} field @param {number} byte @returns {boolean} whether the field covers a byte, or a part of it */
export function covers(field, byte) {
  return field.bits > 0 && field.firstBit < 8 * byte + 8 && field.firstBit + field.bits > 8 * byte;
}
