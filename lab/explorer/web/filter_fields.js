// The fields that a display filter knows, under Wireshark's names, and where their values come from.

/** @typedef {{type: string, keys?: string[], scale?: number, values?: (capture: any, number: number) => any[]}} FilterField
 * ``keys``: fields of the tree with these names; ``scale``: what their number is multiplied by. */

const uint = (...keys) => ({ type: "uint", keys });
const words = (...keys) => ({ type: "uint", keys, scale: 4 }); // Wireshark shows these lengths in bytes
const bool = (...keys) => ({ type: "bool", keys });
const none = (...keys) => ({ type: "none", keys });
const computed = (type, values) => ({ type, values });
const ofSegment = place =>
  computed("uint", (capture, number) => capture.segment(number)?.slice(place, place + 1) ?? []);
const judged = name =>
  computed("none", (capture, number) =>
    capture
      .judgements(number)
      .filter(one => one === name || (name === "retransmission" && one.endsWith("_retransmission"))),
  );

const FLAGS = ["fin", "syn", "reset", "push", "ack", "urg", "ece", "cwr", "ae"];
const JUDGEMENTS = [
  "retransmission",
  "fast_retransmission",
  "spurious_retransmission",
  "duplicate_ack",
  "lost_segment",
  "ack_lost_segment",
  "out_of_order",
  "zero_window",
  "zero_window_probe",
  "zero_window_probe_ack",
  "window_full",
  "window_update",
  "keep_alive",
  "keep_alive_ack",
  "reused_ports",
];

/** @type {Record<string, FilterField>} */
export const FIELDS = Object.assign(Object.create(null), {
  frame: computed("bytes", (capture, number) => [text(capture.bytes(number))]),
  "frame.number": computed("uint", (capture, number) => [number]),
  "frame.len": computed("uint", (capture, number) => [capture.cell("length", number)]),
  "frame.cap_len": computed("uint", (capture, number) => [capture.bytes(number).length]),
  "frame.time_relative": computed("float", (capture, number) => [capture.cell("time_us", number) / 1e6]),
  eth: none("eth"),
  "eth.src": { type: "mac", keys: ["eth.src"] },
  "eth.dst": { type: "mac", keys: ["eth.dst"] },
  "eth.addr": { type: "mac", keys: ["eth.dst", "eth.src"] },
  "eth.type": uint("eth.type"),
  arp: none("arp"),
  "arp.opcode": uint("arp.opcode"),
  "arp.src.proto_ipv4": { type: "address", keys: ["arp.src.proto_ipv4"] },
  "arp.dst.proto_ipv4": { type: "address", keys: ["arp.dst.proto_ipv4"] },
  ip: none("ip"),
  "ip.src": { type: "address", keys: ["ip.src"] },
  "ip.dst": { type: "address", keys: ["ip.dst"] },
  "ip.addr": { type: "address", keys: ["ip.src", "ip.dst"] },
  "ip.version": uint("ip.version"),
  "ip.hdr_len": words("ip.hdr_len"),
  "ip.len": uint("ip.len"),
  "ip.id": uint("ip.id"),
  "ip.flags.df": bool("ip.flags.df"),
  "ip.flags.mf": bool("ip.flags.mf"),
  "ip.ttl": uint("ip.ttl"),
  "ip.proto": uint("ip.proto"),
  "ip.checksum": uint("ip.checksum"),
  ipv6: none("ipv6"),
  "ipv6.src": { type: "address6", keys: ["ipv6.src"] },
  "ipv6.dst": { type: "address6", keys: ["ipv6.dst"] },
  "ipv6.addr": { type: "address6", keys: ["ipv6.src", "ipv6.dst"] },
  udp: none("udp"),
  "udp.port": uint("udp.srcport", "udp.dstport"),
  "udp.srcport": uint("udp.srcport"),
  "udp.dstport": uint("udp.dstport"),
  tcp: none("tcp"),
  "tcp.port": uint("tcp.srcport", "tcp.dstport"),
  "tcp.srcport": uint("tcp.srcport"),
  "tcp.dstport": uint("tcp.dstport"),
  "tcp.stream": ofSegment(0),
  "tcp.seq": ofSegment(1),
  "tcp.ack": ofSegment(2),
  "tcp.len": ofSegment(3),
  "tcp.window_size": ofSegment(4),
  "tcp.seq_raw": uint("tcp.seq_raw"),
  "tcp.ack_raw": uint("tcp.ack_raw"),
  "tcp.hdr_len": words("tcp.hdr_len"),
  "tcp.flags": uint("tcp.flags"),
  ...Object.fromEntries(FLAGS.map(name => [`tcp.flags.${name}`, bool(`tcp.flags.${name}`)])),
  "tcp.window_size_value": uint("tcp.window_size_value"),
  "tcp.checksum": uint("tcp.checksum"),
  "tcp.urgent_pointer": uint("tcp.urgent_pointer"),
  "tcp.options.mss_val": uint("tcp.options.mss_val"),
  "tcp.options.wscale.shift": uint("tcp.options.wscale.shift"),
  "tcp.options.sack_perm": none("tcp.options.sack_perm"),
  "tcp.options.timestamp.tsval": uint("tcp.options.timestamp.tsval"),
  "tcp.options.timestamp.tsecr": uint("tcp.options.timestamp.tsecr"),
  "tcp.payload": computed("bytes", (capture, number) => {
    const length = capture.segment(number)?.[3];
    const start = capture.segment(number)?.[5];
    return length ? [text(capture.bytes(number).subarray(start, start + length))] : [];
  }),
  ...Object.fromEntries(JUDGEMENTS.map(name => [`tcp.analysis.${name}`, judged(name)])),
  tls: computed("none", records),
  "tls.record.content_type": computed("uint", (capture, number) => [
    ...records(capture, number)
      .filter(([, , hidden]) => !hidden)
      .map(record => record[1]),
    ...hiddenOpened(capture, number).map(one => one.type),
  ]),
  "tls.record.opaque_type": computed("uint", (capture, number) =>
    records(capture, number)
      .filter(([, , hidden]) => hidden)
      .map(record => record[1]),
  ),
  "tls.record.version": computed("uint", (capture, number) => records(capture, number).map(record => record[3])),
  "tls.record.length": computed("uint", (capture, number) => records(capture, number).map(record => record[4])),
  "tls.handshake.type": computed("uint", (capture, number) => [
    ...records(capture, number).flatMap(record => record[5]),
    ...capture.opened(number).flatMap(one => one.kinds),
  ]),
  "tls.handshake.extensions_server_name": { type: "string", keys: ["tls.handshake.extensions_server_name"] },
  "tls.handshake.ciphersuite": uint("tls.handshake.ciphersuite"),
  "chat.text": computed("string", (capture, number) => [
    ...(capture.cell("protocol", number) === "Chat" ? partsOf(capture.fields(number), "Chat") : []),
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
  return records(capture, number).some(record => record[2]) ? capture.opened(number) : [];
}

/** One character a byte, so that texts and bytes are searched alike. */
function text(bytes) {
  return Array.from(bytes, byte => String.fromCharCode(byte)).join("");
}

/** @param {string} name of a field @returns {any[]} its values in one frame; a field may occur more than once */
export function readValues(name, capture, number) {
  const field = FIELDS[name];
  if (field.values) return field.values(capture, number);
  return field.keys.flatMap(key =>
    capture.places(number, key).map(place => {
      const { text, firstBit, bits } = capture.fieldAt(number, place);
      if (["none", "string", "mac", "address6"].includes(field.type))
        return ["mac", "address6"].includes(field.type) ? text.toLowerCase() : text;
      return numberAt(capture.bytes(number), firstBit, bits) * (field.scale ?? 1);
    }),
  );
}

/** @param {Uint8Array} bytes @returns {number} the ``bits`` bits from ``firstBit`` on, most significant first */
export function numberAt(bytes, firstBit, bits) {
  let value = 0;
  for (let bit = firstBit; bit < firstBit + bits; bit++) value = value * 2 + ((bytes[bit >> 3] >> (7 - (bit & 7))) & 1);
  return value;
}
