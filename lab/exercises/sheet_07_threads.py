"""Sheet 07: one reader who has fallen silent must not freeze the room.

Notebook: 07_threads. A member is an object with ``name``, ``pending`` (a bytearray: what is still to be sent to it)
and ``send(data)``, which is that of a non-blocking socket: it sends what fits now and gives the number of bytes that
did; it raises BlockingIOError where nothing fits, and another OSError where the member has gone. There is ``sendall``
too, which waits until all has been sent, however long that takes.
"""


def broadcast(message, members, limit):
    """Give ``message`` (bytes) to every member without ever waiting; give the list of the names of those to be
    dropped.

    Each member gets its bytes complete and in order: what was pending first, then this message; what does not fit now
    stays in its ``pending``. To be dropped are members that have gone, and those with more than ``limit`` bytes
    pending after this. Whatever happens to one of them, all others get the message. ``members`` itself stays as it
    is.

    Time: 40 minutes. Source: RFC 9293 section 3.8.6. Notebook: 07_threads.
    """
    # Question: the report's server calls sendall for one client after the other, under a lock. What does the third
    # one get when the second stops reading?
    raise NotImplementedError("broadcast")


def next_batch(waiting, limit):
    """Take as many whole messages off the front of ``waiting`` as fit into ``limit`` bytes: (bytes to send at once,
    messages left).

    ``waiting`` is a list of messages (bytes, none empty) and stays as it is. A message is never cut. The first one is
    taken even if it is longer than ``limit`` on its own: otherwise it would wait for ever. Nothing waiting gives
    (b"", []).

    Time: 15 minutes. Source: RFC 896. Notebook: 07_threads.
    """
    # Question: a server's cost is the number of its sends. What happens to the size of these batches when the load
    # grows?
    raise NotImplementedError("next_batch")
