"""The pages of the service in front of a service that takes requests and says nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import appliance.api

STATIC = Path(appliance.api.__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}
PAGES = {"/": "index.html", "/label": "label/label.html", "/listen": "listen/listen.html"}


@contextmanager
def hanging_service() -> Iterator[str]:
    """Give the address of such a service; its pages call it silent after one second, not after a minute."""
    done = threading.Event()

    class Hanging(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path not in PAGES and not path.startswith("/static/"):
                done.wait(30)
                return
            file = STATIC / PAGES.get(path, path.removeprefix("/static/"))
            body = file.read_bytes().replace(b'data-patience="60"', b'data-patience="1"')
            self.send_response(200)
            self.send_header("Content-Type", TYPES[file.suffix])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            done.wait(30)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        done.set()
        server.shutdown()
