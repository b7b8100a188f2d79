"""Sheet 07: one silent reader must not freeze the room.

Notebook: 07_threads. A member is an object with ``name``, ``pending`` (a bytearray: the bytes still to be
sent to it) and ``send(data)``, which behaves like that of a non-blocking socket: it sends some of the bytes
and returns how many; it raises BlockingIOError if nothing more fits now, and another OSError if the member is
gone. ``sendall`` exists too: it waits until everything has been sent, however long that takes.
"""


def broadcast(message, members, limit):
    """Send ``message`` (bytes) to every member without waiting; return the names of those to drop, as a list.

    Each member gets its bytes complete and in order: first what was pending, then this message. Call ``send``
    until all is sent or it raises BlockingIOError: a small number does not mean that nothing more fits. What
    does not fit now stays in its ``pending``. Drop members that are gone, and those with more than ``limit``
    bytes pending afterwards. Whatever happens to one of them, all others get the message. Do not change
    ``members`` itself.

    Time: 40 minutes. Source: RFC 9293 section 3.8.6. Notebook: 07_threads.
    """
    # Question: the report's server calls sendall for one client after another, under a lock. What does the third
    # one get when the second stops reading?
    raise NotImplementedError("broadcast")


def next_batch(waiting, limit):
    """Take as many whole messages from the front of ``waiting`` as fit into ``limit`` bytes.

    Return (bytes to send at once, messages left). ``waiting`` is a list of messages (bytes, none empty); do
    not change it. Never cut a message. Take the first one even if it is longer than ``limit``: otherwise it
    would wait forever. If nothing is waiting, return (b"", []).

    Time: 15 minutes. Source: RFC 896. Notebook: 07_threads.
    """
    # Question: a server's cost is the number of its sends. What happens to the size of these batches as the load
    # grows?
    raise NotImplementedError("next_batch")
