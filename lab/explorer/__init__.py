"""The explorer: a page that explains every byte of a capture.

    data      a capture as plain data: frames, fields, streams, what the keys open
    tls_data  TLS records, and what is inside them once the keys have opened them
    book      texts and fields, each stored once
    tour      the steps of a guided tour, made from the capture
    summary   the facts, a ladder and the transcript: readable without any script
    page      puts all of it, the style sheet and the script into one HTML file
    widget    the same in a notebook: ``explorer.explore("captures/chat/plain.pcapng")``
    web/      the script, as modules; the style sheet; the templates

``course_site`` makes a web site of the notebooks, the sheets and these pages. ``live`` shows a room in a lecture, frame
by frame as it is recorded.

The page needs no network and no server. Python decides what a byte means, with ``dissect_frame``; the script only
shows it, and evaluates display filters.
"""

from lab.explorer.widget import explore

__all__ = ["explore"]
