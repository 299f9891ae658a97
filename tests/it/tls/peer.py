"""An HTTPS server or a CONNECT proxy for the tests, on a free port of 127.0.0.1 that it prints first.

    peer.py https LOG CERT KEY      answers every POST with 204 and appends it to LOG
    peer.py proxy LOG PORT          tunnels every CONNECT to that port of loopback, whatever host was asked for

What is appended to LOG are whole requests, heads and bodies; of a tunnel only the CONNECT.
"""

import socket
import ssl
import sys
import threading


def listen():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    return listener


def head_of(stream):
    got = b""
    while b"\r\n\r\n" not in got:
        more = stream.recv(4096)
        if not more:
            return None
        got += more
    return got


def log(path, got):
    with open(path, "ab") as file:
        file.write(got + b"\n")


def serve(stream, context, path):
    try:
        with context.wrap_socket(stream, server_side=True) as tls:
            got = head_of(tls)
            if got is None:
                return
            head, body = got.split(b"\r\n\r\n", 1)
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
            while len(body) < length:
                body += tls.recv(4096)
            log(path, head + b"\r\n\r\n" + body)
            tls.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    except OSError:
        pass  # the client did not like our certificate


def pump(one, other):
    try:
        while data := one.recv(4096):
            other.sendall(data)
    except OSError:
        pass
    other.close()


def tunnel(stream, port, path):
    got = head_of(stream)
    if got is None:
        return
    log(path, got)
    server = socket.create_connection(("127.0.0.1", port))
    stream.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    threading.Thread(target=pump, args=(server, stream), daemon=True).start()
    pump(stream, server)


def main():
    mode, path = sys.argv[1:3]
    listener = listen()
    if mode == "https":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
    while True:
        stream, _ = listener.accept()
        work = (serve, (stream, context, path)) if mode == "https" else (tunnel, (stream, int(sys.argv[3]), path))
        threading.Thread(target=work[0], args=work[1], daemon=True).start()


main()
