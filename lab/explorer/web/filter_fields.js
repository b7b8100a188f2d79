// The fields that a display filter knows, under Wireshark's names, and where their values come from.

/** @typedef {{type: string, keys?: string[], scale?: number, values?: (capture: any, number: number) => any[]}} FilterField
 * ``keys``: fields of the tree with these names; ``scale``: what their number is multiplied by. */

// By type, the fields that are called as in the tree. ("none" has no value: it is there, or it is not.)
const AS_IN_THE_TREE = {
  none: "eth arp ip ipv6 udp tcp tcp.options.sack_perm tls.handshake.certificate",
  mac: "eth.src eth.dst",
  address: "arp.src.proto_ipv4 arp.dst.proto_ipv4 ip.src ip.dst",
  address6: "ipv6.src ipv6.dst",
  string: "tls.handshake.extensions_server_name",
  uint: `eth.type arp.opcode ip.version ip.len ip.id ip.flags.df ip.flags.mf ip.ttl ip.proto ip.checksum
    udp.srcport udp.dstport tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.flags.fin tcp.flags.syn
    tcp.flags.reset tcp.flags.push tcp.flags.ack tcp.flags.urg tcp.flags.ece tcp.flags.cwr tcp.flags.ae
    tcp.window_size_value tcp.checksum tcp.urgent_pointer tcp.options.mss_val tcp.options.wscale.shift
    tcp.options.timestamp.tsval tcp.options.timestamp.tsecr tls.handshake.ciphersuite
    tls.handshake.extensions_key_share_group tls.alert_message.level tls.alert_message.desc`,
};
const JUDGEMENTS = `retransmission fast_retransmission spurious_retransmission duplicate_ack lost_segment
  ack_lost_segment out_of_order zero_window zero_window_probe zero_window_probe_ack window_full window_update
  keep_alive keep_alive_ack reused_ports flags`;

const ALERT = 21; // a content type

const asInTheTree = Object.entries(AS_IN_THE_TREE).flatMap(([type, names]) =>
  names.split(/\s+/).map(name => [name, { type, keys: [name] }]),
);
const computed = (type, values) => ({ type, values });
const ofSegment = name =>
  computed("uint", (capture, number) => [capture.frame(number).segment?.[name]].filter(value => value !== undefined));
const isJudged = (one, name) =>
  name === one || name === "flags" || (name === "retransmission" && one.endsWith("_retransmission"));
const judged = name =>
  computed("none", (capture, number) => capture.frame(number).judgements.filter(one => isJudged(one, name)));

/** @type {Record<string, FilterField>} */
export const FIELDS = Object.assign(Object.create(null), {
  ...Object.fromEntries(asInTheTree),
  frame: computed("bytes", (capture, number) => [inCharacters(capture.bytes(number))]),
  "frame.number": computed("uint", (capture, number) => [number]),
  "frame.len": computed("uint", (capture, number) => [capture.frame(number).length]),
  "frame.cap_len": computed("uint", (capture, number) => [capture.bytes(number).length]),
  "frame.time_relative": computed("float", (capture, number) => [capture.frame(number).time_us / 1e6]),
  "eth.addr": { type: "mac", keys: ["eth.dst", "eth.src"] },
  "ip.addr": { type: "address", keys: ["ip.src", "ip.dst"] },
  "ip.hdr_len": { type: "uint", keys: ["ip.hdr_len"], scale: 4 },
  "ipv6.addr": { type: "address6", keys: ["ipv6.src", "ipv6.dst"] },
  "udp.port": { type: "uint", keys: ["udp.srcport", "udp.dstport"] },
  "tcp.port": { type: "uint", keys: ["tcp.srcport", "tcp.dstport"] },
  "tcp.stream": ofSegment("flow"),
  "tcp.seq": ofSegment("seq"),
  "tcp.ack": ofSegment("ack"),
  "tcp.len": ofSegment("length"),
  "tcp.window_size": ofSegment("window"),
  "tcp.hdr_len": { type: "uint", keys: ["tcp.hdr_len"], scale: 4 },
  "tcp.payload": computed("bytes", (capture, number) => {
    const { start, length } = capture.frame(number).segment ?? {};
    return length ? [inCharacters(capture.bytes(number).subarray(start, start + length))] : [];
  }),
  ...Object.fromEntries(JUDGEMENTS.split(/\s+/).map(name => [`tcp.analysis.${name}`, judged(name)])),
  // Wireshark reads streams: TLS is where a record begins or ends.
  tls: computed("none", (capture, number) =>
    records(capture, number).length || capture.beginnings.has(number) ? [number] : [],
  ),
  "tls.record.content_type": computed("uint", (capture, number) => [
    ...records(capture, number).flatMap(one => (one.hidden ? [] : [one.type])),
    ...hiddenOpened(capture, number).map(one => one.type),
  ]),
  "tls.record.opaque_type": computed("uint", (capture, number) =>
    records(capture, number).flatMap(one => (one.hidden ? [one.type] : [])),
  ),
  "tls.record.version": computed("uint", (capture, number) => records(capture, number).map(one => one.version)),
  "tls.record.length": computed("uint", (capture, number) => records(capture, number).map(one => one.length)),
  "tls.alert_message": computed("none", (capture, number) =>
    readValues("tls.record.content_type", capture, number).filter(type => type === ALERT),
  ),
  "tls.handshake.type": computed("uint", (capture, number) =>
    [...records(capture, number), ...capture.opened(number)].flatMap(one => one.kinds),
  ),
  "chat.text": computed("string", (capture, number) => [
    ...(capture.frame(number).protocol === "Chat" ? partsOf(capture.fields(number), "Chat") : []),
    ...capture
      .opened(number)
      .filter(one => one.type === 23)
      .flatMap(one => partsOf(one.fields, "Application Data")),
  ]),
});

/** The texts of a layer's named parts. */
function partsOf(fields, layer) {
  const unnamed = ["Content", "Content type", "Padding", "Data"];
  return fields
    .filter(field => field.depth === 1 && field.path.startsWith(layer) && !unnamed.includes(field.name))
    .map(field => field.text);
}

function records(capture, number) {
  return capture.recordsOf.get(number) ?? [];
}

/** What is inside the records whose true type the wire hides (TLS 1.3). */
function hiddenOpened(capture, number) {
  return records(capture, number).some(one => one.hidden) ? capture.opened(number) : [];
}

/** One character a byte, so that texts and bytes are searched alike. */
export function inCharacters(bytes) {
  return Array.from(bytes, byte => String.fromCharCode(byte)).join("");
}

/** @param {string} name of a field @returns {any[]} its values in one frame; a field may occur more than once */
export function readValues(name, capture, number) {
  const field = FIELDS[name];
  if (field.values) return field.values(capture, number);
  return field.keys.flatMap(key =>
    occurrences(capture, number, key).map(({ text, firstBit, bits, bytes }) => {
      if (["none", "string"].includes(field.type)) return text;
      if (["mac", "address6"].includes(field.type)) return text.toLowerCase();
      return numberAt(bytes, firstBit, bits) * (field.scale ?? 1);
    }),
  );
}

/** The fields with a key. Those of TLS count where a record is complete, even if it began in an earlier frame. */
function occurrences(capture, number, key) {
  const sources = [{ fields: capture.fields(number, key), bytes: capture.bytes(number) }];
  if (key.startsWith("tls.")) {
    if (!records(capture, number).length) return [];
    sources.push(...capture.opened(number));
  }
  return sources.flatMap(({ fields, bytes }) =>
    fields.filter(field => field.key === key).map(field => ({ ...field, bytes })),
  );
}

/** @param {Uint8Array} bytes @returns {number} the ``bits`` bits from ``firstBit`` on, most significant first */
export function numberAt(bytes, firstBit, bits) {
  let value = 0;
  for (let bit = firstBit; bit < firstBit + bits; bit++) value = value * 2 + ((bytes[bit >> 3] >> (7 - (bit & 7))) & 1);
  return value;
}
