"""Run with conllu in the path: `FILE` prints the words of each sentence and its tags."""

import json
import sys
from pathlib import Path

import conllu

found = conllu.parse(Path(sys.argv[1]).read_text("utf-8"))  # takes the columns from the file's first line
sys.stdout.write(json.dumps([[[word["form"], word["ner"]] for word in sentence] for sentence in found]))
