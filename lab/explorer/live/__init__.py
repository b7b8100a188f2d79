"""The lecture: a room that people type into, and what somebody on the cable sees of it at that moment.

    room        the server and three clients on the report's LAN, recorded; what can be switched
    feed        the recording, read and dissected while it grows; what an eavesdropper knows by now
    lecture     both, kept for everyone who looks; a script that speaks
    web_server  the page on 127.0.0.1, and a WebSocket for each tab that shows it

The web server's process enters no namespace, since no browser could reach a listener in there. It holds sockets that
were made on the LAN's hosts, and calls the LAN's processes over socket pairs.
"""
