"""The API over a unix socket with as little of Python in the way as possible."""

import json
import socket


class Connection:
    """One kept-alive HTTP connection."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(300)
        self.socket.connect(path)
        self.rest = b""

    def raw(self, request):
        """Send bytes, read one answer, give back status and body."""
        self.socket.sendall(request)
        data = self.rest
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, data = data.split(b"\r\n\r\n", 1)
        lower = head.lower()
        status = int(head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" in lower:
            body = b""
            while True:
                while b"\r\n" not in data:
                    data += self._more()
                size, data = data.split(b"\r\n", 1)
                size = int(size, 16)
                while len(data) < size + 2:
                    data += self._more()
                body, data = body + data[:size], data[size + 2:]
                if size == 0:
                    break
        else:
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            while len(data) < length:
                data += self._more()
            body, data = data[:length], data[length:]
        self.rest = data
        return status, body

    def _more(self):
        more = self.socket.recv(1 << 18)
        if not more:
            raise ConnectionError("the connection ended within an answer")
        return more

    def call(self, method, path, body=None):
        """A request with an optional JSON body; the parsed answer."""
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: lxd\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        status, answer = self.raw(head.encode() + payload)
        parsed = json.loads(answer)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {parsed.get('error')}")
        return parsed

    def operation(self, method, path, body=None):
        """A request that becomes an operation; waits for its end."""
        answer = self.call(method, path, body)
        ended = self.call("GET", answer["operation"] + "/wait")["metadata"]
        if ended["status_code"] != 200:
            raise RuntimeError(f"{method} {path}: {ended['err']}")
        return ended

    def close(self):
        self.socket.close()
