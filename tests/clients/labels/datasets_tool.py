"""Run with Hugging Face datasets in the path: `read FILE`, or `write FOLDER` with tags as ClassLabel."""

import json
import sys
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Sequence, Value, disable_progress_bars, load_dataset

NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"]
ROWS = {
    "id": ["0", "1"],
    "tokens": [["Anna", "Lee", "👩🏽‍🔬", "sings", "."], ["שלום", "Acme", "Corp"]],
    "ner_tags": [[1, 2, 0, 0, 0], [0, 3, 4]],
}


def main(command: str, path: str) -> None:
    disable_progress_bars()
    if command == "read":
        found = load_dataset("json", data_files=path, cache_dir=str(Path(path).parent / "cache"))["train"]
        sys.stdout.write(json.dumps([[row["tokens"], row["ner_tags"]] for row in found]))
        return
    tags = Sequence(ClassLabel(names=NAMES))
    features = Features({"id": Value("string"), "tokens": Sequence(Value("string")), "ner_tags": tags})
    made = Dataset.from_dict(ROWS, features=features)
    for name in ("bare", "described"):
        Path(path, name).mkdir()
        made.to_json(Path(path, name, "train.jsonl"))
    made.save_to_disk(Path(path, "saved"))
    described = Path(path, "saved", "dataset_info.json").read_text()
    Path(path, "described", "dataset_info.json").write_text(described)


main(*sys.argv[1:])
