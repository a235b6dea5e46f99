"""A plain fine-tune beside `appliance train`: what anybody would write with torch and transformers.

    python -m bench finetune PROJECT.json --documents DIR
        [--base multi] [--epochs 20] [--batch 16] [--rate 2e-4] [--seed 1] [--json]

The weights of a bundled encoder in `BertForTokenClassification`, AdamW, linear warm-up and decay, cross
entropy on the first token of each word, every training document, no early stop, labels by argmax, float32.
The split is the one `appliance train` makes, and F1 is counted by the same code. Needs torch and
transformers.
"""

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np

from appliance.datasets.document import Label, LabelledDocument, categories_of
from appliance.datasets.project import read_project
from appliance.datasets.split import split
from appliance.ner.tokenizer import tokenizer_of
from appliance.training.base.open_base import BUNDLED, ENGLISH, Base, bundled_base
from appliance.training.best.examples import IGNORED, Example, encode
from appliance.training.encoder import labels_for
from appliance.training.evaluation.scoring import Scores, score
from bench.compared import parser_of, tell


def network(base: Base, labels: Sequence[str]) -> Any:
    """Return the encoder with a new head, as transformers builds it."""
    import torch  # noqa: PLC0415  (not installed everywhere)
    from transformers import BertConfig, BertForTokenClassification  # noqa: PLC0415

    weights = base.weights()
    arrays = weights.arrays
    tables = "encoder.embeddings"
    words = arrays[f"{tables}.word_embeddings.weight"]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=words.shape[1],
        num_hidden_layers=weights.shape.layers,
        num_attention_heads=weights.shape.heads,
        intermediate_size=len(arrays["encoder.encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(arrays[f"{tables}.position_embeddings.weight"]),
        type_vocab_size=len(arrays[f"{tables}.token_type_embeddings.weight"]),
        layer_norm_eps=weights.shape.epsilon,
        num_labels=len(labels),
    )
    made = BertForTokenClassification(config)
    state = {f"bert.{name.removeprefix('encoder.')}": torch.tensor(np.array(a)) for name, a in arrays.items()}
    missing, unexpected = made.load_state_dict(state, strict=False)
    assert not unexpected and all(name.startswith("classifier.") for name in missing), (missing, unexpected)
    return made


def batches(examples: Sequence[Example], size: int, random: Random) -> Iterator[list[Example]]:
    order = list(examples)
    random.shuffle(order)
    for start in range(0, len(order), size):
        yield order[start : start + size]


def tensors(batch: Sequence[Example]) -> tuple[dict[str, Any], Any]:
    import torch  # noqa: PLC0415

    shape = len(batch), max(len(one.targets) for one in batch)
    ids, mask, types = (np.zeros(shape, np.int64) for _ in range(3))
    targets = np.full(shape, IGNORED, np.int64)
    for row, one in enumerate(batch):
        size = len(one.targets)
        ids[row, :size], mask[row, :size], targets[row, :size] = one.window.ids, 1, one.targets
        if one.window.types is not None:
            types[row, :size] = one.window.types
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(part) for name, part in named.items()}, torch.from_numpy(targets)


def fine_tune(
    made: Any, learnt: Sequence[Example], *, epochs: int, batch: int, rate: float, seed: int
) -> None:
    import torch  # noqa: PLC0415
    from transformers import get_linear_schedule_with_warmup  # noqa: PLC0415

    random = Random(seed)  # noqa: S311
    optimizer = torch.optim.AdamW(made.parameters(), lr=rate, weight_decay=0.01)
    total = epochs * -(-len(learnt) // batch)
    schedule = get_linear_schedule_with_warmup(optimizer, total // 10, total)
    made.train()
    for _ in range(epochs):
        for part in batches(learnt, batch, random):
            inputs, targets = tensors(part)
            made(**inputs, labels=targets).loss.backward()
            torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    made.eval()


def examine(base: Base, made: Any, documents: Sequence[LabelledDocument], labels: Sequence[str]) -> Scores:
    import torch  # noqa: PLC0415

    cuts = tokenizer_of(base.folder).cut([document.text for document in documents])
    found = []
    for examples, cut in zip(encode(documents, labels, base.folder), cuts, strict=True):
        numbers: list[int] = []
        for one in examples:
            inputs, _ = tensors([one])
            with torch.no_grad():
                best = made(**inputs).logits[0].argmax(-1).numpy()
            numbers += best[one.targets != IGNORED].tolist()
        found.append(spans([labels[number] for number in numbers], cut.starts, cut.ends))
    return score(zip((document.labels for document in documents), found, strict=True))


def spans(tags: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> list[Label]:
    """Join B and I of one category; an I that follows nothing of its category begins one."""
    made: list[Label] = []
    before = "O"
    for tag, start, end in zip(tags, starts, ends, strict=True):
        if tag.startswith("I-") and before[2:] == tag[2:]:
            made[-1] = Label(made[-1].start, int(end), tag[2:])
        elif tag != "O":
            made.append(Label(int(start), int(end), tag[2:]))
        before = tag
    return made


def main() -> None:
    import torch  # noqa: PLC0415

    parser = parser_of("finetune", __doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16, help="windows")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--base", choices=tuple(BUNDLED), default=ENGLISH, help="encoder to start from")
    given = parser.parse_args()
    base = bundled_base(given.base)
    torch.manual_seed(given.seed)
    parts = split(read_project(given.project, given.documents).documents)
    labels = labels_for(sorted(categories_of(parts.train)))
    learnt = [one for examples in encode(parts.train, labels, base.folder) for one in examples]
    began = time.process_time()
    made = network(base, labels)
    fine_tune(made, learnt, epochs=given.epochs, batch=given.batch, rate=given.rate, seed=given.seed)
    seconds = time.process_time() - began
    micro = examine(base, made, parts.test, labels).micro
    tell("plain fine-tune", micro, parts.how, seconds, as_json=given.json)


if __name__ == "__main__":
    main()
