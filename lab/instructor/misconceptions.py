"""Mistakes that students make, planted into the solutions one at a time. Each must fail its task's check.

Each is a piece of a solution and what a student wrote in its place; ``planted`` gives the whole sheet with it. What
students get wrong next year goes in here: that is how the checks learn.
"""

from dataclasses import dataclass

from lab.instructor.stubs import SOLUTIONS


@dataclass(frozen=True)
class Misconception:
    sheet: str
    task: str
    name: str
    right: str
    wrong: str

    @property
    def id(self) -> str:
        return f"{self.sheet}.{self.task}: {self.name}"


def planted(one: Misconception) -> str:
    """The text of the sheet with this mistake in it."""
    text = (SOLUTIONS / f"sheet_{one.sheet}.py").read_text(encoding="utf-8")
    start = min(at for at in (text.find(f"def {one.task}("), text.find(f"class {one.task}:")) if at >= 0)
    assert one.right in text[start:], f"{one.id}: the solution does not hold {one.right!r} any more"
    return text[:start] + text[start:].replace(one.right, one.wrong, 1)


def _of(sheet: str, task: str, *mistakes: tuple[str, str, str]) -> list[Misconception]:
    return [Misconception(sheet, task, *mistake) for mistake in mistakes]


_RETURN = 'return syn["frame"], syn_ack["frame"], segment["frame"]\n    return None'  # of find_handshake

MISCONCEPTIONS = [
    *_of(
        "02_handshake",
        "parse_ethernet",
        ("the source first", "destination, source, kind =", "source, destination, kind ="),
        ("little-endian type", '">6s6sH"', '"<6s6sH"'),
        ("the type counted as payload", "frame[14:],", "frame[12:],"),
        ("a preamble that is not recorded", "frame[14:],", "frame[22:],"),
        ("a check sequence cut off that is not recorded", "frame[14:],", "frame[14:-4],"),
        ("addresses without leading zeros", 'f"{byte:02x}" for byte in source', 'f"{byte:x}" for byte in source'),
        ("addresses in capitals", 'f"{byte:02x}" for byte in destination', 'f"{byte:02X}" for byte in destination'),
    ),
    *_of(
        "02_handshake",
        "parse_ipv4",
        ("header length in words", "(first & 0x0F) * 4", "(first & 0x0F)"),
        ("the version as header length", "(first & 0x0F) * 4", "(first >> 4) * 4"),
        ("the header has always 20 bytes", "(first & 0x0F) * 4", "20"),
        ("filling taken for payload", "packet[header_length:total_length]", "packet[header_length:]"),
        ("the header counted twice", "packet[header_length:total_length]", "packet[header_length:header_length + total_length]"),
        ("payload of total length less 20", "packet[header_length:total_length]", "packet[header_length:header_length + total_length - 20]"),
        ("little-endian length", '">BBHHHBBH4s4s"', '"<BBHHHBBH4s4s"'),
        ("the destination first", "protocol, _, source, destination", "protocol, _, destination, source"),
        ("protocol and time to live exchanged", "ttl, protocol, _, source", "protocol, ttl, _, source"),
    ),
    *_of(
        "02_handshake",
        "parse_tcp",
        ("little-endian ports", '">HHIIBBH"', '"<HHIIBBH"'),
        ("the destination port first", "source, destination, seq", "destination, source, seq"),
        ("seq and ack exchanged", "seq, ack, offset", "ack, seq, offset"),
        ("signed numbers", '">HHIIBBH"', '">HHiiBBH"'),
        ("header length in words", "(offset >> 4) * 4", "(offset >> 4)"),
        ("the low four bits", "(offset >> 4) * 4", "(offset & 0x0F) * 4"),
        ("the header has always 20 bytes", "segment[header_length:]", "segment[20:]"),
        ("flags from the high bit", "bits >> place & 1", "bits << place & 32"),
        ("PSH and RST exchanged", '"RST", "PSH"', '"PSH", "RST"'),
        ("the window scaled", '"window": window,', '"window": window * 128,'),
    ),
    *_of(
        "02_handshake",
        "find_handshake",
        ("the SYN-ACK acknowledges the SYN's own number", 'segment["ack"] == (syn["seq"] + 1) % 2**32', 'segment["ack"] == syn["seq"]'),
        ("the answer's number is not looked at", 'if syn and segment["ack"] == (syn["seq"] + 1) % 2**32', "if syn"),
        ("any SYN will do", "open_syns.get(ends[::-1])", "next(iter(open_syns.values()), None)"),
        ("a SYN-ACK taken for a SYN", 'if "SYN" in segment["flags"] and "ACK" not in segment["flags"]', 'if "SYN" in segment["flags"] and not open_syns'),
        ("the first SYN counts", "open_syns[ends] = segment", "open_syns.setdefault(ends, segment)"),
        ("the third frame may come from anyone", 'opened = ends == (syn["source"], syn["destination"])', "opened = True"),
        ("the third frame is the next one", "if opened and", "if True or"),
        ("the SYN that came first counts, not the ACK", _RETURN, 'syn_ack.setdefault("third", segment["frame"])\n    return min(((syn["frame"], one["frame"], one["third"]) for syn, one in answered if "third" in one), default=None)'),
        ("the SYN-ACK that came first counts, not the ACK", _RETURN, 'syn_ack.setdefault("third", segment["frame"])\n    return next(((syn["frame"], one["frame"], one["third"]) for syn, one in answered if "third" in one), None)'),
        ("a handshake that never finishes hides the others", "in answered:", "in answered[:1]:"),
        ("of two SYN-ACKs the last", "answered.append((syn, segment))", "answered.insert(0, (syn, segment))"),
        ("a RST with ACK establishes", ' and "RST" not in segment["flags"]', ""),
        ("numbers do not wrap around", 'syn and segment["ack"] == (syn["seq"] + 1) % 2**32', 'syn and segment["ack"] == syn["seq"] + 1'),
        ("ports do not matter", 'ends = segment["source"], segment["destination"]', 'ends = segment["source"].split(":")[0], segment["destination"].split(":")[0]'),
    ),
    *_of(
        "03_psh_and_payloads",
        "relative_numbers",
        ("one base for both sides", "first[ends[::-1]]) % 2**32 if", "first[ends]) % 2**32 if"),
        ("the ack is not relative", '(segment["ack"] - first[ends[::-1]]) % 2**32 if', 'segment["ack"] if'),
        ("the SYN takes no number", 'first[ends] = segment["seq"]', 'first[ends] = segment["seq"] + 1'),
        ("negative numbers", 'relative_seq = (segment["seq"] - first[ends]) % 2**32', 'relative_seq = segment["seq"] - first[ends]'),
        ("numbers kept positive by abs", 'relative_seq = (segment["seq"] - first[ends]) % 2**32', 'relative_seq = abs(segment["seq"] - first[ends])'),
        ("modulo 2**32 - 1", 'relative_seq = (segment["seq"] - first[ends]) % 2**32', 'relative_seq = (segment["seq"] - first[ends]) % (2**32 - 1)'),
        ("an ack without the flag", 'if "ACK" in segment["flags"] else 0', ""),
        ("one base for a host", 'ends = segment["source"], segment["destination"]', 'ends = segment["source"].split(":")[0], segment["destination"].split(":")[0]'),
    ),
    *_of(
        "03_psh_and_payloads",
        "round_trip_times",
        ("whatever comes next from the other side", 'and (other["ack"] - end) % 2**32 < 2**31', ""),
        ("only an ACK of just that number", '(other["ack"] - end) % 2**32 < 2**31', 'other["ack"] == end % 2**32'),
        ("numbers do not wrap around", '(other["ack"] - end) % 2**32 < 2**31', 'other["ack"] >= end'),
        ("the first byte is enough", 'end = one["seq"] + len(one["payload"])', 'end = one["seq"] + 1'),
        ("segments sent twice are measured too", "if times_sent[one[\"seq\"]] > 1:\n            continue", "pass"),
        ("milliseconds", 'other["time_us"] - one["time_us"]', '(other["time_us"] - one["time_us"]) // 1000'),
        ("pure ACKs are measured too", 'if one["source"] == host and one["payload"]]', 'if one["source"] == host]'),
        ("both sides are measured", 'if one["source"] == host and one["payload"]]', 'if one["payload"]]'),
    ),
    *_of(
        "03_psh_and_payloads",
        "tcp_checksum",
        ("the field is part of its own sum", 'segment[16:18] = b"\\0\\0"', "pass"),
        ("no pseudo-header", "packet[12:20] + bytes([0, 6]) + len(segment).to_bytes(2, \"big\") + segment", "bytes(segment)"),
        ("the packet's length in the pseudo-header", "len(segment).to_bytes(2", "total_length.to_bytes(2"),
        ("padding summed", "packet[header_length:total_length]", "packet[header_length:]"),
        ("padding counted", 'len(segment).to_bytes(2, "big")', '(len(packet) - header_length).to_bytes(2, "big")'),
        ("the IP header has always 20 bytes", "(packet[0] & 0x0F) * 4", "20"),
        ("a zero in front of an odd byte", 'summed += b"\\0"', 'summed = summed[:-1] + b"\\0" + summed[-1:]'),
        ("an odd last byte left out", 'summed += b"\\0"', "summed = summed[:-1]"),
        ("carries dropped", "total = total % 0x10000 + total // 0x10000", "total &= 0xFFFF"),
        ("carries added once", "while total > 0xFFFF:", "if total > 0xFFFF:"),
        ("modulo 2**16", "0xFFFF - total", "-total % 2**16"),
        ("the sum itself", "return 0xFFFF - total", "return total"),
        ("little-endian words", 'int.from_bytes(summed[at : at + 2], "big")', 'int.from_bytes(summed[at : at + 2], "little")'),
        ("what the packet carries", "return 0xFFFF - total", 'return int.from_bytes(packet[header_length + 16 : header_length + 18], "big")'),
    ),
    *_of(
        "03_psh_and_payloads",
        "decode_report",
        ("a name may be a command", "if place == 0:", "if place == 0 and read not in commands:"),
        ("a name is an ordinary line", "if place == 0:", "if False:"),
        ("Latin-1", '("say", read.decode("utf-8", errors="replace"))', '("say", read.decode("latin-1"))'),
        ("broken bytes dropped", '("say", read.decode("utf-8", errors="replace"))', '("say", read.decode("utf-8", errors="ignore"))'),
        ("broken bytes raise", '("say", read.decode("utf-8", errors="replace"))', '("say", read.decode("utf-8"))'),
        ("blanks stripped", "elif read in commands", "elif (read := read.strip()) in commands"),
        ("commands in any letters", "elif read in commands:\n            events.append((commands[read],))", 'elif read.lower() == b"!exit":\n            events.append(("leave",))\n        elif read in commands:\n            events.append((commands[read],))'),
        ("what begins like a command", "elif read in commands:\n            events.append((commands[read],))", 'elif [c for c in commands if read.startswith(c)]:\n            events.append((commands[[c for c in commands if read.startswith(c)][0]],))'),
    ),
    *_of(
        "04_byte_stream",
        "another_reading",
        ("the same again", 'return ["".join(messages)]', "return list(messages)"),
        ("blanks between", '"".join(messages)', '" ".join(messages)'),
        ("newlines between", '"".join(messages)', '"\\n".join(messages)'),
        ("another order", 'return ["".join(messages)]', "return messages[::-1]"),
        ("an empty message", 'return ["".join(messages)]', 'return [*messages, ""]'),
        ("there is none for one message", "return [text[:1], text[1:]] if len(text) > 1 else None", "return None"),
        ("cut inside a character", "[text[:1], text[1:]] if len(text) > 1", '[text.encode()[:1].decode(errors="replace"), text.encode()[1:].decode(errors="replace")] if len(text.encode()) > 1'),
    ),
    *_of(
        "04_byte_stream",
        "frames_carrying",
        ("the byte behind the end", "first_new < start + length", "first_new <= start + length"),
        ("the byte before the start", "end > start:", "end >= start:"),
        ("only the first frame", "return frames", "return frames[:1]"),
        ("the SYN takes no number", 'syn["seq"] - 1)', 'syn["seq"])'),
        ("bytes sent twice count twice", "first_new = max(offset, received)\n        if end > received:\n            received = end", "first_new = offset\n        if True:"),
        ("numbers do not wrap around", 'syn["seq"] - 1) % 2**32 if', 'syn["seq"] - 1) if'),
    ),
    *_of(
        "04_byte_stream",
        "LineDecoder",
        ("nothing is kept", "(self.rest + data).split", "data.split"),
        ("what was kept is never let go", "*lines, self.rest = (self.rest + data).split(b\"\\n\")", "self.rest = self.rest + data\n        *lines, _ = self.rest.split(b\"\\n\")"),
        ("every piece is decoded by itself", "self.rest + data", 'self.rest + data.decode("utf-8", errors="replace").encode()'),
        ("one message a call", "return messages\n", "return messages[:1]\n"),
        ("lines end at every line break that Unicode has", "for line in lines:", 'for line in [piece.encode() for line in lines for piece in line.decode("utf-8", "surrogateescape").splitlines()]:'),
        ("no limit on a line without its end", "if len(self.rest) >= self.limit:", "if False:"),
        ("no limit on a whole line", "if len(line) + 1 > self.limit:", "if False:"),
        ("the limit does not count the newline", "if len(line) + 1 > self.limit:", "if len(line) > self.limit:"),
        ("the limit counts characters", "if len(line) + 1 > self.limit:", 'if len(line.decode("utf-8", "replace")) + 1 > self.limit:'),
        ("the limit is on what was received", "messages = []\n", "messages = []\n        if len(data) > self.limit:\n            raise ValueError\n"),
        ("anything that is JSON", "if not isinstance(message, dict):", "if False:"),
        ("broken characters let through", 'line.decode("utf-8")', 'line.decode("utf-8", "replace")'),
        ("errors let through", "message = json.loads(line.decode(\"utf-8\"))", "try:\n                message = json.loads(line.decode(\"utf-8\"))\n            except ValueError:\n                continue"),
    ),
    *_of(
        "05_plaintext_or_tls",
        "parse_records",
        ("little-endian length", 'int.from_bytes(stream[at + 3 : at + 5], "big")', 'int.from_bytes(stream[at + 3 : at + 5], "little")'),
        ("the header counted into the length", "at += 5 + length", "at += length"),
        ("the fragment with its header", "stream[at + 5 : at + 5 + length],", "stream[at : at + 5 + length],"),
        ("only the first one", "at += 5 + length", "break"),
        ("an incomplete record is given", "if at + 5 + length > len(stream):", "if False:"),
        ("the last one is lost", "if at + 5 + length > len(stream):", "if at + 5 + length >= len(stream):"),
        ("only application data", "at += 5 + length\n", "at += 5 + length\n    records = [one for one in records if one['type'] == 23]\n"),
        ("a version of one byte", "int.from_bytes(stream[at + 1 : at + 3], \"big\")", "stream[at + 2]"),
    ),
    *_of(
        "05_plaintext_or_tls",
        "infer_lengths",
        ("nothing taken off", "length - overhead", "length"),
        ("the tag only", '"TLS 1.3": 1 + 16', '"TLS 1.3": 16'),
        ("no nonce in 1.2", '"TLS 1.2": 8 + 16', '"TLS 1.2": 16'),
        ("1.2 as 1.3", '"TLS 1.2": 8 + 16', '"TLS 1.2": 1 + 16'),
        ("the record's header taken off too", "length - overhead", "length - overhead - 5"),
        ("every record is a message", " if kind == 23", ""),
    ),
    *_of(
        "05_plaintext_or_tls",
        "find_finished",
        ("the last handshake record", "if records[place - 1][0] == 20:", "if records[place][0] == 23:"),
        ("change cipher spec itself", "return place if kind == 22 else None", "return place - 1 if kind == 22 else None"),
        ("whatever follows change cipher spec", "return place if kind == 22 else None", "return place"),
        ("TLS 1.2 shows it in type 23", "return place if kind == 22 else None", "return place if kind == 23 else None"),
        ("TLS 1.3 as TLS 1.2", 'if version == "TLS 1.3":', "if False:"),
        ("the first encrypted record is data", "if kind == 23:", "if kind == 23 and place > 2:"),
        ("any first encrypted record", "return place if length in (4 + 32 + 17, 4 + 48 + 17) else None", "return place"),
        ("any record of that length", "if kind == 23:", "if kind == 23 and length in (53, 69):"),
        ("SHA-384 only", "(4 + 32 + 17, 4 + 48 + 17)", "(4 + 48 + 17,)"),
        ("SHA-256 only", "(4 + 32 + 17, 4 + 48 + 17)", "(4 + 32 + 17,)"),
        ("the content type forgotten", "(4 + 32 + 17, 4 + 48 + 17)", "(4 + 32 + 16, 4 + 48 + 16)"),
        ("counted from 1", "return place if length", "return place + 1 if length"),
    ),
    *_of(
        "05_plaintext_or_tls",
        "exposure",
        ("a line said twice counts once", "left = list(said)", "left = list(set(said))"),
        ("a line heard twice counts twice", "left.remove((who, text))", "pass"),
        ("the speaker does not matter", "if (who, text) in left:\n            left.remove((who, text))", "if text in [one[1] for one in left]:\n            del left[[one[1] for one in left].index(text)]"),
        ("what was made up costs nothing", "wrong += 1", "pass"),
        ("share of what was read", "right / len(said) if said else 0.0", "right / len(read) if read else 0.0"),
        ("dividing by nothing", "right / len(said) if said else 0.0", "right / len(said)"),
        ("capital letters do not matter", "if (who, text) in left:\n            left.remove((who, text))", "if (who, text.lower()) in [(w, t.lower()) for w, t in left]:\n            del left[[(w, t.lower()) for w, t in left].index((who, text.lower()))]"),
        ("a part of the line is enough", "if (who, text) in left:\n            left.remove((who, text))", "if [1 for w, t in left if w == who and text in t]:\n            left.remove([(w, t) for w, t in left if w == who and text in t][0])"),
        ("blanks stripped", "read.append((names[connection], text))", "read.append((names[connection], text.strip()))"),
        ("broken bytes dropped", 'errors="replace"', 'errors="ignore"'),
        ("everything was right", 'return {"right": right, "wrong": wrong,', 'return {"right": right, "wrong": 0,'),
        ("commands are lines", 'elif not text.startswith("!"):', "else:"),
    ),
    *_of(
        "06_bad_weather",
        "reassemble",
        ("in order of arrival", "for place in sorted(stream):", "for place in stream:"),
        ("numbers do not wrap around", '(segment["seq"] - start - 1) % 2**32 if', '(segment["seq"] - start - 1) if'),
        ("the last one wins", "stream.setdefault(first + place, byte)", "stream[first + place] = byte"),
        ("gaps filled with zeros", "gaps.append((len(data), place - expected))", "gaps.append((len(data), place - expected))\n            data += bytes(place - expected)"),
        ("the SYN takes no number", '(segment["seq"] - start - 1) % 2**32 if', '(segment["seq"] - start) % 2**32 if'),
        ("nothing behind a gap", "gaps.append((len(data), place - expected))", "gaps.append((len(data), place - expected))\n            break"),
        ("gaps are not told", "gaps.append((len(data), place - expected))", "pass"),
        ("gaps counted in the stream", "gaps.append((len(data), place - expected))", "gaps.append((expected, place - expected))"),
        ("a segment of a number seen is dropped whole", 'for place, byte in enumerate(segment["payload"]):', 'for place, byte in enumerate(b"" if first in stream else segment["payload"]):'),
        ("what comes too early is dropped", 'for place, byte in enumerate(segment["payload"]):', 'for place, byte in enumerate(segment["payload"] if first <= len(stream) else b""):'),
    ),
    *_of(
        "06_bad_weather",
        "find_retransmissions",
        ("everything behind the highest number", "if brought and brought <= seen.setdefault(side, set()):", "if brought and first < max(seen.get(side) or {0}):"),
        ("a pure ACK again", "if brought and brought <= seen.setdefault(side, set()):", "again = first in seen.setdefault((side, 1), set())\n        seen[side, 1].add(first)\n        if again and 'SYN' not in segment['flags']:"),
        ("a number seen before", "if brought and brought <= seen.setdefault(side, set()):", "again = first in seen.setdefault((side, 1), set())\n        seen[side, 1].add(first)\n        if brought and again:"),
        ("only the very same segment", "if brought and brought <= seen.setdefault(side, set()):", "key = (first, len(brought))\n        seen.setdefault((side, 1), set())\n        again = key in seen[side, 1]\n        seen[side, 1].add(key)\n        if brought and again:"),
        ("any old byte is enough", "if brought and brought <= seen.setdefault(side, set()):", "if brought & seen.setdefault(side, set()):"),
        ("one set for both sides", 'side = segment["source"]', "side = 0"),
        ("the first one is meant", "found.append(segment[\"frame\"])", "found.append(segment[\"frame\"] - 1)"),
    ),
    *_of(
        "07_threads",
        "broadcast",
        ("sendall waits", "sent = member.send(bytes(member.pending))\n                del member.pending[:sent]", "member.sendall(bytes(member.pending))\n                member.pending.clear()"),
        ("a short send is taken for a whole one", "del member.pending[:sent]", "member.pending.clear()"),
        ("who is slow loses the message", "except BlockingIOError:\n            pass", "except BlockingIOError:\n            member.pending.clear()"),
        ("who is slow is dropped at once", "except BlockingIOError:\n            pass", "except BlockingIOError:\n            dropped.append(member.name)\n            continue"),
        ("one who has gone ends it for all", "except OSError:\n            dropped.append(member.name)\n            continue", "except OSError:\n            dropped.append(member.name)\n            break"),
        ("one who has gone is not dropped", "except OSError:\n            dropped.append(member.name)\n            continue", "except OSError:\n            continue"),
        ("one who has gone raises", "except OSError:", "except ZeroDivisionError:"),
        ("the message overtakes what was pending", "member.pending += message", "member.pending[:0] = message"),
        ("what was pending is forgotten", "member.pending += message", "member.pending[:] = message"),
        ("no limit", "if len(member.pending) > limit:", "if False:"),
        ("dropped at the limit already", "if len(member.pending) > limit:", "if len(member.pending) >= limit:"),
        ("the limit on the message", "if len(member.pending) > limit:", "if len(message) > limit:"),
        ("the list is changed while it is walked", "dropped.append(member.name)\n            continue", "dropped.append(member.name)\n            members.remove(member)\n            continue"),
        ("a full socket is tried for ever", "except BlockingIOError:\n            pass", "except BlockingIOError:\n            while True:\n                try:\n                    member.send(bytes(member.pending))\n                except BlockingIOError:\n                    continue\n                break"),
    ),
    *_of(
        "07_threads",
        "next_batch",
        ("a message is cut", "return batch, waiting[place:]", "return (batch + message)[:limit], waiting[place:]"),
        ("a long message waits for ever", "if batch and len(batch)", "if len(batch)"),
        ("one too many", "if batch and len(batch) + len(message) > limit:", "if len(batch) > limit:"),
        ("small ones overtake", "return batch, waiting[place:]", "rest = [m for m in waiting[place:] if len(m) > limit - len(batch)]\n            return batch + b''.join(m for m in waiting[place:] if m not in rest), rest"),
        ("what just fits is left", "> limit:", ">= limit:"),
    ),
]
