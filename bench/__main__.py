"""`python -m bench NAME [--json]`: each measurement prints its ratio to a bare machine first."""

import importlib
import sys

MEASUREMENTS = {
    "ner": ("bench.ner", "main", "texts per second of the service, the bare model, and peers"),
    "processor": ("bench.processor", "main", "what the service adds to the model, by thread"),
    "latency": ("bench.latency", "main", "one client, half of the peak, and overload"),
    "jobs": ("bench.jobs", "main", "a job of one document by the official client"),
    "scaling": (
        "bench.scaling",
        "main",
        "document length, clients, sessions, size of the ledger; with plots",
    ),
    "startup": ("bench.startup", "main", "from the command to /ready"),
    "pages": ("bench.pages", "main", "first paint of each page in Chromium, its weight, what it waits for"),
    "memory": ("bench.startup", "main_memory", "resident memory under load"),
    "image": ("bench.image", "main", "documented docker lines with podman and docker; sizes of the image"),
    "general": ("bench.general", "main", "the two bundled general models beside each other"),
    "fleet": ("bench.fleet", "main", "1, 2, 4 workers on one port beside the bare model"),
    "models": ("bench.models", "main", "more models than memory holds: first answers, and what each takes"),
    "graph": ("bench.graph", "main", "each rewrite of onnxruntime, for each bundled graph"),
    "engine": ("bench.engine", "main", "the engine alone beside the bare model"),
    "fairness": ("bench.fairness", "main", "short requests beside a huge job"),
    "ledger": ("bench.ledger", "main", "durable entries beside bare SQLite commits"),
    "audit": ("bench.audit", "main", "start, report and verification of a large log"),
    "speech": ("bench.speech", "main", "live streams beside the bare model"),
    "custom": ("bench.custom", "main", "both qualities of `appliance train` on labelled corpora"),
    "languages": ("bench.languages", "main", "custom models in other languages, from either encoder"),
    "finetune": ("bench.finetune", "main", "a plain torch fine-tune, beside `appliance train`"),
    "spacy": ("bench.spacy", "main", "spaCy's quickstart, beside `appliance train`"),
}


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in MEASUREMENTS:
        print("usage: python -m bench NAME [options]\n")
        for known, (_, _, what) in MEASUREMENTS.items():
            print(f"  {known:<9} {what}")
        sys.exit(0 if name in ("", "--help", "-h") else 2)
    module, function, _ = MEASUREMENTS[name]
    sys.argv = [f"python -m bench {name}", *sys.argv[2:]]
    getattr(importlib.import_module(module), function)()


if __name__ == "__main__":
    main()
