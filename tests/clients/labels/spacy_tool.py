"""Run with spaCy in the path: `hashes WORD…`, `symbols`, `read FILE`, `write FOLDER`."""

import json
import sys
from pathlib import Path

import spacy
from spacy.strings import StringStore
from spacy.tokens import Doc, DocBin

WORDS = ["Anna", "Lee", "from", "東京", "\r\n", "met", "mark", "of", "Acme", "👩🏽‍🔬", "Corp", "."]
SPACES = [True, True, True, False, False, True, True, True, True, True, False, False]
TAGS = ["B-PERSON", "I-PERSON", "O", "B-GPE", "O", "O", "B-PERSON", "O", "B-ORG", "I-ORG", "I-ORG", "O"]


def document() -> Doc:
    return Doc(spacy.blank("en").vocab, words=WORDS, spaces=SPACES, ents=TAGS)


def labels(doc: Doc) -> dict[str, object]:
    found = [[one.start_char, one.end_char, one.label_] for one in doc.ents]
    return {"text": doc.text, "labels": found}


def main(command: str, *words: str) -> None:
    if command == "hashes":
        sys.stdout.write(json.dumps([StringStore().add(word) for word in words]))
    elif command == "symbols":
        sys.stdout.write(json.dumps(dict(spacy.symbols.IDS)))
    elif command == "read":
        docs = DocBin().from_disk(words[0]).get_docs(spacy.blank("en").vocab)
        sys.stdout.write(json.dumps([labels(doc) for doc in docs]))
    else:
        folder = Path(words[0])
        doc = document()
        DocBin(docs=[doc, doc]).to_disk(folder / "all.spacy")
        DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=[doc]).to_disk(folder / "few.spacy")
        (folder / "doc.json").write_text(json.dumps([doc.to_json()]))
        from spacy.training import biluo_tags_to_offsets, offsets_to_biluo_tags

        offsets = [(one.start_char, one.end_char, one.label_) for one in doc.ents]
        (folder / "tuples.json").write_text(json.dumps([[doc.text, {"entities": offsets}]]))
        tags = offsets_to_biluo_tags(doc, offsets)
        assert biluo_tags_to_offsets(doc, tags) == offsets
        tokens = [
            {"id": i, "orth": one.text, "ner": tag}
            for i, (one, tag) in enumerate(zip(doc, tags, strict=True))
        ]
        version2 = [{"id": 0, "paragraphs": [{"raw": doc.text, "sentences": [{"tokens": tokens}]}]}]
        (folder / "version2.json").write_text(json.dumps(version2))
        sys.stdout.write(json.dumps(labels(doc)))


main(*sys.argv[1:])
