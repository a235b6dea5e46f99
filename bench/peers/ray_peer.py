"""Ray Serve with `serve.batch`."""

import sys
import time
from pathlib import Path

from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=2, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})
class Ner:
    def __init__(self, model: str, here: str) -> None:
        sys.path.insert(0, here)
        from plain import Plain

        self.model = Plain(Path(model), threads=1)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.005)
    async def answer(self, batch: list[list[str]]) -> list[list]:
        found = self.model.answer([text for texts in batch for text in texts])
        answers = []
        for texts in batch:
            answers.append(found[: len(texts)])
            found = found[len(texts) :]
        return answers

    async def __call__(self, request: Request) -> dict:
        return {"entities": await self.answer((await request.json())["texts"])}


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Ner.bind(sys.argv[1], str(Path(__file__).parent)), name="ner")
    while True:
        time.sleep(3600)
