"""Sends each request once, in one piece, and never again: what is repeated behind this client, a proxy repeats."""
import socket
import sys
import urllib.parse

address = urllib.parse.urlsplit(sys.argv[1])


def sent(stream, method, path, key="-", body="-"):
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    head += [] if key == "-" else [f'Idempotency-Key: "{key}"']
    head += [f"Content-Length: {0 if body == '-' else len(body)}"] if method in ("POST", "PUT") else []
    stream.sendall("\r\n".join([*head, "", "" if body == "-" else body]).encode())
    answer = b""
    while b"arrival " not in answer and b"</html>" not in answer and (more := stream.recv(4096)):
        answer += more


for line in sys.stdin:
    prime, method, path, key, body = line.split()
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        try:
            if prime != "-":
                sent(connection, "GET", prime)
            sent(connection, method, path, key, body)
        except OSError as error:
            print(path, repr(error))
