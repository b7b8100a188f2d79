// Display filters in Wireshark's words: text to a function of a frame's number. See filter_fields.js for the fields.
//
//     or    = and   { ("||" | "or") and }
//     and   = not   { ("&&" | "and") not }
//     not   = ("!" | "not") not | "(" or ")" | field [ relation value | "contains" value | "in" "{" value {"," value} "}" ]

import { FIELDS, inCharacters, readValues } from "./filter_fields.js";

const MOST_NEAR = 4; // fields that are named beside an unknown one
const TOKEN = /\s*(?:(\|\||&&|[!=]=|[<>]=?|!|[(){},])|"((?:[^"\\]|\\.)*)"|([A-Za-z0-9_.:\/-]+))/y;
const WORDS = new Map([
  ...Object.entries({ or: "||", and: "&&", not: "!", eq: "==", ne: "!=", gt: ">", lt: "<", ge: ">=", le: "<=" }),
  ...["contains", "in"].map(word => [word, word]),
]);
/** Whether a value fits, from the sign of the difference to what it is compared with. */
const RELATIONS = {
  "==": sign => sign === 0,
  "!=": sign => sign !== 0,
  ">": sign => sign > 0,
  "<": sign => sign < 0,
  ">=": sign => sign >= 0,
  "<=": sign => sign <= 0,
};
const order = wanted => value => (value < wanted ? -1 : value > wanted ? 1 : 0);

/** By a field's type: what stands behind a relation, and how it is read, as a function that compares a value with it. */
const LITERALS = {
  uint: ["a number", text => /^(0x[0-9a-fA-F]+|\d+)$/.test(text) && order(Number(text))],
  float: ["a number", text => /^\d+(\.\d+)?$/.test(text) && order(Number(text))],
  address: ["an IPv4 address", readBlock],
  address6: ["an IPv6 address", text => address6(text) && (value => (address6(value) === address6(text) ? 0 : 1))],
  mac: [
    "a MAC address",
    text => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(text) && order(text.toLowerCase().replaceAll("-", ":")),
  ],
};

/** A filter that cannot be read. ``place`` is the character at which reading stopped. */
export class FilterError extends Error {
  constructor(message, place) {
    super(message);
    this.place = place;
  }
}

/** @param {string} text @returns {{kind: string, text: string, place: number}[]} */
function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (text.slice(TOKEN.lastIndex).trim()) {
    const start = TOKEN.lastIndex + text.slice(TOKEN.lastIndex).search(/\S/);
    const match = TOKEN.exec(text);
    if (!match) throw new FilterError(`cannot read ${text[start]}`, start);
    const [, symbol, string, word] = match;
    if (symbol ?? WORDS.get(word)) found.push({ kind: "symbol", text: symbol ?? WORDS.get(word), place: start });
    else if (string !== undefined) found.push({ kind: "string", text: unescape(string, start), place: start });
    else found.push({ kind: "word", text: word, place: start });
  }
  found.push({ kind: "end", text: "the end", place: text.length });
  return found;
}

function unescape(text, place) {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_, code) => {
    if (code[0] === "x" && code.length === 3) return String.fromCharCode(parseInt(code.slice(1), 16));
    const plain = { n: "\n", r: "\r", t: "\t", "\\": "\\", '"': '"' }[code];
    if (plain === undefined) throw new FilterError(`unknown escape \\${code}`, place);
    return plain;
  });
}

/** Say that a field is unknown, and which known ones begin most like it. */
function unknownField(name) {
  let near = [];
  for (let end = name.length; end > 2 && !near.length; end--) {
    near = Object.keys(FIELDS).filter(known => known.startsWith(name.slice(0, end)));
  }
  const here = near.length ? `here: ${near.slice(0, MOST_NEAR).join(", ")}; ` : "";
  return `unknown field ${name} (${here}Wireshark has more)`;
}

/** Read a filter. @param {string} text
 * @returns {(capture: import("./capture.js").Capture, number: number) => boolean}
 * Throws FilterError. An empty filter lets every frame through. */
export function readFilter(text) {
  const list = tokens(text);
  let at = 0;
  const next = () => list[at];
  const take = () => list[at++];
  const accept = symbol => next().kind === "symbol" && next().text === symbol && take();
  const expect = symbol => {
    if (!accept(symbol)) throw new FilterError(`expected ${symbol}, not ${next().text}`, next().place);
  };

  /** Read filters with a symbol between them. */
  function readSeries(symbol, read, join) {
    let left = read();
    while (accept(symbol)) left = join(left, read());
    return left;
  }
  const readOr = () => readSeries("||", readAnd, either);
  const readAnd = () => readSeries("&&", readNot, both);

  function readNot() {
    if (accept("!")) {
      const inner = readNot();
      return (capture, number) => !inner(capture, number);
    }
    if (accept("(")) {
      const inner = readOr();
      expect(")");
      return inner;
    }
    return readTest();
  }

  function readTest() {
    const token = take();
    if (token.kind !== "word") throw new FilterError(`expected a field, not ${token.text}`, token.place);
    const field = FIELDS[token.text];
    if (!field) throw new FilterError(unknownField(token.text), token.place);
    const values = (capture, number) => readValues(token.text, capture, number);
    const relation = next().text;
    if (next().kind === "symbol" && relation in RELATIONS) {
      take();
      return compare(values, relation, literal(field, take(), relation));
    }
    if (accept("contains")) {
      const wanted = needle(field, take());
      return (capture, number) => values(capture, number).some(value => value.includes(wanted));
    }
    if (accept("in")) {
      expect("{");
      const wanted = [literal(field, take(), "==")];
      while (accept(",")) wanted.push(literal(field, take(), "=="));
      expect("}");
      const tests = wanted.map(one => compare(values, "==", one));
      return (capture, number) => tests.some(test => test(capture, number));
    }
    return (capture, number) => values(capture, number).length > 0;
  }

  if (next().kind === "end") return () => true;
  const filter = readOr();
  if (next().kind !== "end") throw new FilterError(`expected && or ||, not ${next().text}`, next().place);
  return filter;
}

const either = (left, right) => (capture, number) => left(capture, number) || right(capture, number);
const both = (left, right) => (capture, number) => left(capture, number) && right(capture, number);

/** Read the value behind a relation, in the field's type. @returns {(value: any) => number} below, equal, above: -1, 0, 1 */
function literal(field, token, relation) {
  const wrong = what => new FilterError(`${token.text} is not ${what}`, token.place);
  if (token.kind !== "word" && token.kind !== "string") throw wrong("a value");
  if (field.type === "none") throw new FilterError("this field has no value: leave out the relation", token.place);
  if (field.type === "bytes") return order(needle(field, token));
  if (field.type === "string") {
    if (token.kind === "string") return order(token.text);
    throw wrong('a text in double quotes, as "text"');
  }
  if (token.kind === "string") throw wrong("a number or an address");
  if (["address6", "mac"].includes(field.type) && !["==", "!="].includes(relation)) {
    throw new FilterError("an address here is equal or not: == or !=", token.place);
  }
  const [what, read] = LITERALS[field.type];
  const against = read(token.text);
  if (!against) throw wrong(what);
  return against;
}

/** Read an IPv4 address, or a block of them: 10.0.0.0/8. */
function readBlock(text) {
  const [address, bits = "32"] = text.split("/"),
    parts = address.split(".").map(Number);
  const isWritten = /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/.test(text);
  if (!isWritten || parts.some(part => part > 255) || bits > 32) return null;
  const block = number => Math.floor(number / 2 ** (32 - bits));
  const wanted = parts.reduce((sum, part) => sum * 256 + part, 0);
  return value => block(value) - block(wanted);
}

/** An IPv6 address in its one canonical form, or null. @param {string} text */
function address6(text) {
  try {
    return new URL(`http://[${text}]/`).hostname;
  } catch {
    return null;
  }
}

/** Wireshark's rules: one matching value is enough, but "!=" requires every value to differ. */
function compare(values, relation, against) {
  const fits = value => RELATIONS[relation](against(value));
  return (capture, number) => {
    const found = values(capture, number);
    return relation === "!=" ? found.length > 0 && found.every(fits) : found.some(fits);
  };
}

/** @returns {string} what "contains" looks for */
function needle(field, token) {
  if (!["bytes", "string"].includes(field.type)) {
    throw new FilterError("contains needs a field of bytes or text, such as frame or tcp.payload", token.place);
  }
  if (token.kind === "string") return field.type === "string" ? token.text : inCharacters(new TextEncoder().encode(token.text));
  if (field.type === "bytes" && /^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2})*$/.test(token.text)) {
    return inCharacters(token.text.split(/[:-]/).map(part => parseInt(part, 16)));
  }
  throw new FilterError(`${token.text} is not a text in double quotes or bytes as 68:69`, token.place);
}
