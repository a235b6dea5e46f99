"""Run with web-anno-tsv in the path: `read FILE` prints sentences and labels, `write FILE` writes its own."""

import json
import re
import sys

from web_anno_tsv import Annotation, open_web_anno_tsv
from web_anno_tsv.web_anno_tsv import AnnotatedSentence, Span


def main(command: str, path: str) -> None:
    if command == "read":
        with open_web_anno_tsv(path) as file:
            found = [[one.text, [[a.label, a.text] for a in one.annotations]] for one in file]
        sys.stdout.write(json.dumps(found))
        return
    text = "👩🏽‍🔬 Anna Lee [1] sang_for *Acme* Corp."
    labels = [("PER", "Anna Lee"), ("ORG", "Acme")]
    made = AnnotatedSentence(
        text=text,
        tokens=[Span(text=one[0], start=one.start(), stop=one.end()) for one in re.finditer(r"\S+", text)],
        annotations=[
            Annotation(start=text.index(word), stop=text.index(word) + len(word), text=word, label=label)
            for label, word in labels
        ],
    )
    with open_web_anno_tsv(path, "w") as file:
        file.write(made)


main(*sys.argv[1:])
