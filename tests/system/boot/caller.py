"""Callers that never pause: each asks, on a fresh connection, and counts what was not answered.

caller.py CALLERS → one JSON object, once there is a file /srv/enough
"""

import http.client
import json
import sys
import threading
from collections import Counter
from pathlib import Path

callers, enough = int(sys.argv[1]), Path("/srv/enough")
text = "Angela Merkel met reporters from Reuters in Berlin. " * 40
body = json.dumps({"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": text}]}})
outcomes: Counter[str] = Counter()
receipts: list[str] = []


def call() -> None:
    while not enough.exists():
        connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=60)
        try:
            connection.request(
                "POST",
                "/language/:analyze-text?api-version=2023-04-01",
                body,
                {"Content-Type": "application/json", "Connection": "close"},
            )
            reply = connection.getresponse()
            reply.read()
            outcomes[str(reply.status)] += 1
            receipts.append(reply.headers.get("Usage-Record", ""))
        except OSError as error:
            outcomes[repr(error)] += 1
        finally:
            connection.close()


threads = [threading.Thread(target=call) for _ in range(callers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"outcomes": outcomes, "receipts": len(set(receipts) - {""})}))  # noqa: T201
