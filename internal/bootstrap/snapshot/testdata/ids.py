# An app that draws random numbers of every kind at its start and at each GET /ids, where it tells them. POST /seed does what docs/snapstart.md says.
import http.server
import json
import multiprocessing
import os
import random
import secrets
import ssl
import tempfile
import uuid

own = random.Random()


class Forked:
    """A process as those of a prefork server: one that shares the memory of this one at its start."""

    def __init__(self):
        ask, self.ask = os.pipe()
        self.said, said = os.pipe()
        if os.fork() == 0:
            os.close(self.ask)  # so that it ends with its parent
            while os.read(ask, 1):
                os.write(said, ("%.17f" % random.random()).encode())
            os._exit(0)

    def id(self):
        os.write(self.ask, b"?")
        return os.read(self.said, 100).decode()


random.random()
forked = Forked()


def hello():
    """The random bytes of a client's first message."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="example.com")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()[11:43].hex()


def ids():
    return {
        "random": str(random.random()),
        "forked": forked.id(),
        "own": str(own.random()),
        "tempfile": next(tempfile._get_candidate_names()),
        "tls": hello(),
        "ssl": ssl.RAND_bytes(16).hex(),
        "authkey": bytes(multiprocessing.current_process().authkey).hex(),
        "hash": str(hash("a word")),
        "urandom": os.urandom(16).hex(),
        "secrets": secrets.token_hex(),
        "systemRandom": str(random.SystemRandom().random()),
        "uuid4": str(uuid.uuid4()),
    }


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(ids() if self.path.startswith("/ids") else {})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        own.seed()
        self.answer({})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ids()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
