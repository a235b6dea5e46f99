"""The model as a peer uses it: onnxruntime and tokenizers, labels by argmax, words by their first token.

Needs numpy, onnxruntime and tokenizers only, so that it runs in every peer's environment.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


class Plain:
    """One session with onnxruntime's options, but for the rewrites that `PEER_WITHOUT` names.

    Args:
        model: Model folder.
        threads: Threads inside of a call; 0 leaves it to onnxruntime.
    """

    def __init__(self, model: Path, threads: int = 0) -> None:
        config = json.loads((model / "config.json").read_text())
        self._labels = [config["id2label"][str(n)] for n in range(len(config["id2label"]))]
        self._tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(config.get("max_position_embeddings", 512))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        without = os.environ.get("PEER_WITHOUT", "").split()
        self._session = onnxruntime.InferenceSession(
            model / "model.onnx", options, disabled_optimizers=without
        )
        self._inputs = [node.name for node in self._session.get_inputs()]

    def answer(self, texts: list[str]) -> list[list[dict[str, Any]]]:
        """Return the entities of each text."""
        encodings = self._tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([encoding.ids for encoding in encodings]),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
        }
        logits = self._session.run(["logits"], {name: feed[name] for name in self._inputs})[0]
        chosen = logits.argmax(-1)
        return [self._spans(encoding, row) for encoding, row in zip(encodings, chosen, strict=True)]

    def _spans(self, encoding: Any, row: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        last_word = None
        for word, (start, end), number in zip(encoding.word_ids, encoding.offsets, row, strict=True):
            if word is None:
                continue
            if word == last_word:
                if found and found[-1]["word"] == word:
                    found[-1]["end"] = end
                continue
            last_word = word
            label = self._labels[number]
            if label == "O":
                continue
            kind = label.partition("-")[2]
            if (
                label.startswith("I-")
                and found
                and found[-1]["kind"] == kind
                and found[-1]["word"] == word - 1
            ):
                found[-1].update(end=end, word=word)
            else:
                found.append({"kind": kind, "start": start, "end": end, "word": word})
        return found
