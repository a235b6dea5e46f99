"""LitServe with its batching."""

import sys
from pathlib import Path

import litserve
from plain import Plain


class Ner(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = Plain(Path(sys.argv[1]))

    def decode_request(self, request: dict) -> list[str]:
        return request["texts"]

    def predict(self, batch: list[list[str]]) -> list[list]:
        found = self.model.answer([text for texts in batch for text in texts])
        answers = []
        for texts in batch:
            answers.append(found[: len(texts)])
            found = found[len(texts) :]
        return answers

    def encode_response(self, output: list) -> dict:
        return {"entities": output}


if __name__ == "__main__":
    api = Ner(max_batch_size=8, batch_timeout=0.005, api_path="/predict")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
