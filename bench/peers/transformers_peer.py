"""The `transformers` pipeline on torch, in a thread pool behind Starlette.

The architecture is the model's, its weights are random and float32: the time does not depend on their values.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast, pipeline

folder = Path(sys.argv[1])
config = BertConfig(**json.loads((folder / "config.json").read_text()))
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=str(folder / "tokenizer.json"),
    pad_token="[PAD]",
    model_max_length=config.max_position_embeddings,
)
ner = pipeline(
    "token-classification",
    BertForTokenClassification(config).eval(),
    tokenizer=tokenizer,
    aggregation_strategy="first",
)
pool = ThreadPoolExecutor(1)


def compute(texts: list[str]) -> list[list[dict]]:
    return [
        [{"kind": one["entity_group"], "start": one["start"], "end": one["end"]} for one in found]
        for found in ner(texts)
    ]


async def answer(request: Request) -> JSONResponse:
    body = await request.json()
    return JSONResponse(
        {"entities": await asyncio.get_running_loop().run_in_executor(pool, compute, body["texts"])}
    )


uvicorn.run(
    Starlette(routes=[Route("/", answer, methods=["POST"])]),
    port=int(sys.argv[2]),
    log_level="warning",
    access_log=False,
)
