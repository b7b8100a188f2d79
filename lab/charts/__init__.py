"""Charts of what the captures say, each with its twin in words.

    draw_exposure        describe_exposure       what an eavesdropper recovers, by class and variant
    draw_ladder          describe_ladder         a flow's segments as arrows between its two ends
    draw_time_sequence   describe_time_sequence  how one direction moves through its sequence numbers
    draw_round_trips     describe_round_trips    how long each acknowledgement took
    draw_in_flight       describe_in_flight      what was sent and not yet acknowledged
    draw_byte_strip      describe_byte_strip     a payload's bytes, and who can read them
    draw_entropy         describe_entropy        byte values and entropy of plaintext and ciphertext
    draw_length_leak     describe_length_leak    true lengths against those inferred
    draw_page            describe_page           several of them as one figure

Axes-level: data first, options by keyword, an Axes comes back; nothing is shown or saved in here. The only modules that
import matplotlib. A twin (``describe_``) is made from the same data and serves as alt text for those who cannot see the
picture.
"""

from lab.charts.byte_strip import Span, describe_byte_strip, draw_byte_strip, frame_spans, payload_spans
from lab.charts.entropy import describe_entropy, draw_entropy
from lab.charts.exposure import describe_exposure, draw_exposure
from lab.charts.figure import describe_page, draw_page, new_axes, to_png
from lab.charts.in_flight import describe_in_flight, draw_in_flight
from lab.charts.ladder import describe_ladder, draw_ladder
from lab.charts.length_leak import describe_length_leak, draw_length_leak
from lab.charts.round_trips import describe_round_trips, draw_round_trips
from lab.charts.time_sequence import describe_time_sequence, draw_time_sequence
from lab.dissect.tcp.flow_rows import plain_text

__all__ = [
    "Span",
    "describe_byte_strip",
    "describe_entropy",
    "describe_exposure",
    "describe_in_flight",
    "describe_ladder",
    "describe_length_leak",
    "describe_page",
    "describe_round_trips",
    "describe_time_sequence",
    "draw_byte_strip",
    "draw_entropy",
    "draw_exposure",
    "draw_in_flight",
    "draw_ladder",
    "draw_length_leak",
    "draw_page",
    "draw_round_trips",
    "draw_time_sequence",
    "frame_spans",
    "new_axes",
    "payload_spans",
    "plain_text",
    "to_png",
]
