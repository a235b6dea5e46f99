"""Small files as each tool's documents describe them: Anna Lee is a PER and Acme an ORG, in each of them."""

import json
from typing import Any

TEXT = "Anna Lee joined Acme ."
SPANS = [(0, 8, "PER"), (16, 20, "ORG")]
WORDS = TEXT.split()


def tags(single: str = "B-ORG", *, first: str = "B-PER", last: str = "I-PER") -> list[str]:
    return [first, last, "O", single, "O"]


def rows(*columns: list[str], between: str = "\t") -> bytes:
    return ("\n".join(between.join(cells) for cells in zip(*columns, strict=True)) + "\n\n").encode()


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def as_line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


NUMBERS = ["1", "2", "3", "4", "5"]
DASHES = ["_"] * 5
OBJECTS = [{"start": start, "end": end, "label": kind} for start, end, kind in SPANS]
TRIPLES = [[start, end, kind] for start, end, kind in SPANS]
STUDIO = [{"start": s, "end": e, "text": TEXT[s:e], "labels": [kind]} for s, e, kind in SPANS]
RESULTS = [
    {"id": str(s), "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    for (s, _, _), value in zip(SPANS, STUDIO, strict=True)
]
AZURE_LABELS = [{"category": kind, "offset": s, "length": e - s} for s, e, kind in SPANS]
OLD_LABELS = [{"extractorName": kind, "offset": s, "length": e - s} for s, e, kind in SPANS]
TSV_HEAD = (
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue\n"
    "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n\n"
)
TSV = (
    f"{TSV_HEAD}#Text={TEXT}\n1-1\t0-4\tAnna\tNNP\t*[1]\tPER[1]\t\n1-2\t5-8\tLee\tNNP\t*[1]\tPER[1]\t\n"
    "1-3\t9-15\tjoined\tVBD\t_\t_\t\n1-4\t16-20\tAcme\tNNP\t*\tORG\t\n1-5\t21-22\t.\t.\t_\t_\t\n"
)
NER_SPACE = "http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore"
XMI = (
    '<?xml version="1.1" encoding="UTF-8"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI" '
    f'xmlns:cas="http:///uima/cas.ecore" xmlns:tcas="http:///uima/tcas.ecore" xmlns:t="{NER_SPACE}" '
    'xmlns:custom="http:///webanno/custom.ecore" xmi:version="2.0"><cas:NULL xmi:id="0"/>'
    '<tcas:DocumentAnnotation xmi:id="8" sofa="1" begin="0" end="22" language="en"/>'
    '<t:NamedEntity xmi:id="9" sofa="1" begin="0" end="8" value="PER"/>'
    '<t:NamedEntity xmi:id="10" sofa="1" begin="16" end="20" value="ORG"/>'
    '<custom:Role xmi:id="11" sofa="1" begin="9" end="15" role="verb"/>'
    f'<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="{TEXT}"/>'
    '<cas:View sofa="1" members="8 9 10 11"/></xmi:XMI>'
)
ANN = b"T1\tPER 0 8\tAnna Lee\nT2\tORG 16 20\tAcme\n"

SAMPLES: dict[str, tuple[str, bytes]] = {
    "jsonl": ("jsonl", as_line({"id": 7, "text": TEXT, "entities": OBJECTS})),
    "jsonl triples": ("jsonl", as_line({"text": TEXT, "entities": TRIPLES})),
    "json array": ("jsonl", as_json([{"text": TEXT, "entities": OBJECTS}, {"text": "x", "entities": []}])),
    "doccano 1": ("doccano", as_line({"id": 1, "text": TEXT, "label": TRIPLES, "Comments": []})),
    "doccano labels": ("doccano", as_line({"id": 1, "text": TEXT, "labels": TRIPLES})),
    "doccano 2": (
        "doccano",
        as_line(
            {
                "id": 1,
                "text": TEXT,
                "entities": [
                    {"id": n, "label": kind, "start_offset": s, "end_offset": e}
                    for n, (s, e, kind) in enumerate(SPANS)
                ],
                "relations": [],
                "Comments": [],
            }
        ),
    ),
    "label studio": (
        "label-studio",
        as_json([{"id": 1, "data": {"text": TEXT}, "annotations": [{"id": 1, "result": RESULTS}]}]),
    ),
    "label studio min": ("label-studio", as_json([{"id": 1, "text": TEXT, "label": STUDIO, "annotator": 1}])),
    "label studio csv": (
        "label-studio",
        f'text,id,label,annotator,annotation_id\n{TEXT},1,"{json.dumps(STUDIO)}",1,1\n'.replace(
            f'"{json.dumps(STUDIO)}"', '"' + json.dumps(STUDIO).replace('"', '""') + '"'
        ).encode(),
    ),
    "label studio conll": (
        "conll",
        b"-DOCSTART- -X- O\n" + rows(WORDS, ["-X-"] * 5, DASHES, tags(), between=" "),
    ),
    "prodigy": (
        "prodigy",
        as_line({"text": TEXT, "_task_hash": 1, "tokens": [], "spans": OBJECTS, "answer": "accept"}),
    ),
    "spacy tuples": ("spacy-json", as_json([[TEXT, {"entities": TRIPLES}]])),
    "spacy tuple line": ("spacy-json", as_line([TEXT, {"entities": TRIPLES}])),
    "ner annotator": (
        "spacy-json",
        as_json({"classes": ["PER"], "annotations": [[TEXT, {"entities": TRIPLES}]]}),
    ),
    "spacy ents": ("spacy-json", as_json([{"text": TEXT, "ents": OBJECTS, "tokens": []}])),
    "spacy 2": (
        "spacy-json",
        as_json(
            [
                {
                    "id": 0,
                    "paragraphs": [
                        {
                            "raw": TEXT,
                            "sentences": [
                                {
                                    "tokens": [
                                        {"id": n, "orth": word, "ner": tag}
                                        for n, (word, tag) in enumerate(
                                            zip(WORDS, tags("U-ORG", last="L-PER"), strict=True)
                                        )
                                    ]
                                }
                            ],
                        }
                    ],
                }
            ]
        ),
    ),
    "hugging face": ("hugging-face", as_line({"id": "0", "tokens": WORDS, "ner_tags": tags()})),
    "hugging face tags": ("hugging-face", as_json([{"tokens": WORDS, "tags": tags()}])),
    "hugging face features": (
        "hugging-face",
        as_json(
            {
                "features": [
                    {"name": "ner_tags", "type": {"feature": {"names": ["O", "B-PER", "I-PER", "B-ORG"]}}}
                ],
                "rows": [{"row_idx": 0, "row": {"tokens": WORDS, "ner_tags": [1, 2, 0, 3, 0]}}],
            }
        ),
    ),
    "sagemaker": (
        "sagemaker",
        as_line(
            {
                "source": TEXT,
                "job": {
                    "annotations": {
                        "entities": [
                            {"label": kind, "startOffset": s, "endOffset": e} for s, e, kind in SPANS
                        ],
                        "labels": [{"label": "PER", "shortDisplayName": "P"}],
                    }
                },
                "job-metadata": {"type": "groundtruth/text-span", "human-annotated": "yes"},
            }
        ),
    ),
    "conll 2003": ("conll", rows(WORDS, ["NNP"] * 5, ["I-NP"] * 5, tags(), between=" ")),
    "conll 2002": ("conll", rows(WORDS, tags(), between=" ")),
    "iob1": ("conll", rows(WORDS, tags("I-ORG", first="I-PER"))),
    "bioes": ("conll", rows(WORDS, tags("S-ORG", last="E-PER"))),
    "bilou": ("conll", rows(WORDS, tags("U-ORG", last="L-PER"))),
    "bmewo": ("conll", rows(WORDS, tags("W-ORG", last="E-PER"))),
    "no prefix": ("conll", rows(WORDS, ["PER", "PER", "O", "ORG", "O"])),
    "tag first": ("conll", rows(tags(), WORDS)),
    "numbered words": ("conll", rows(NUMBERS, WORDS, tags())),
    "uner": (
        "conll",
        b"# sent_id = 1\n# text = "
        + TEXT.encode()
        + b"\n"
        + rows(NUMBERS, WORDS, tags(), ["-"] * 5, ["-"] * 5),
    ),
    "germeval": ("conll", b"#\thttp://x [2009-10-17]\n" + rows(NUMBERS, WORDS, tags(), ["O"] * 5)),
    "multiconer": ("conll", b"# id a1\tdomain=train\n" + rows(WORDS, DASHES, DASHES, tags(), between=" ")),
    "conllu misc": (
        "conllu",
        b"# newdoc id = a\n"
        + rows(NUMBERS, WORDS, *[DASHES] * 7, ["_" if t == "O" else f"NER={t}|X=1" for t in tags()]),
    ),
    "conllu plus": (
        "conllu",
        b"# global.columns = ID FORM UPOS PARSEME:NE\n"
        + rows(NUMBERS, WORDS, DASHES, [t.replace("O", "*") if t == "O" else t for t in tags()]),
    ),
    "kaggle": (
        "token-csv",
        b"Sentence #,Word,POS,Tag\n"
        + rows(["Sentence: 1", "", "", "", ""], WORDS, DASHES, tags(), between=","),
    ),
    "token tsv": ("token-csv", b"sentence_id\ttoken\tner_tag\n" + rows(["1"] * 5, WORDS, tags())),
    "webanno": ("webanno", TSV.encode()),
    "cas xmi": ("cas-xmi", XMI.encode()),
    "cas xmi own layer": (
        "cas-xmi",
        XMI.replace("t:NamedEntity", "custom:Name")
        .replace("custom:Role", "t:Other")
        .replace(NER_SPACE, "http:///x.ecore")
        .encode(),
    ),
}

FOLDERS: dict[str, dict[str, bytes]] = {
    "brat": {
        "a.txt": TEXT.encode(),
        "a.ann": ANN,
        "b.txt": b"nobody",
        "b.ann": b"",
        "annotation.conf": b"[entities]",
    },
    "azure 2022-05-01": {
        "p.json": as_json(
            {
                "projectFileVersion": "2022-05-01",
                "stringIndexType": "Utf16CodeUnit",
                "metadata": {"projectKind": "CustomEntityRecognition", "projectName": "p", "language": "en"},
                "assets": {
                    "projectKind": "CustomEntityRecognition",
                    "entities": [{"category": "PER"}, {"category": "ORG"}],
                    "documents": [
                        {
                            "location": "1.txt",
                            "language": "en",
                            "dataset": "Train",
                            "entities": [{"regionOffset": 0, "regionLength": 22, "labels": AZURE_LABELS}],
                        }
                    ],
                },
            }
        ),
        "documents/1.txt": TEXT.encode(),
    },
    "azure 2022-03-01-preview": {
        "p.json": as_json(
            {
                "projectFileVersion": "2022-03-01-preview",
                "stringIndexType": "Utf16CodeUnit",
                "metadata": {"projectKind": "CustomEntityRecognition", "projectName": "p"},
                "assets": {
                    "extractors": [{"category": "PER"}, {"category": "ORG"}],
                    "documents": [{"location": "1.txt", "extractors": [{"labels": AZURE_LABELS}]}],
                },
            }
        ),
        "1.txt": TEXT.encode(),
    },
    "azure 2021-11-01-preview": {
        "p.json": as_json(
            {
                "api-version": "2021-11-01-preview",
                "metadata": {"name": "p", "multiLingual": True, "modelType": "Extraction"},
                "assets": {
                    "extractors": [{"name": "PER"}, {"name": "ORG"}],
                    "documents": [{"location": "1.txt", "extractors": [{"labels": OLD_LABELS}]}],
                },
            }
        ),
        "1.txt": TEXT.encode(),
    },
    "azure labels of documents": {
        "p.json": as_json(
            {
                "metadata": {},
                "assets": {
                    "entities": [{"category": "PER"}, {"category": "ORG"}],
                    "documents": [{"location": "1.txt", "labels": AZURE_LABELS}],
                },
            }
        ),
        "1.txt": TEXT.encode(),
    },
    "sagemaker by reference": {
        "output.manifest": as_line(
            {
                "source-ref": "s3://bucket/in/1.txt",
                "job": {
                    "annotations": {
                        "entities": [
                            {"label": kind, "startOffset": s, "endOffset": e} for s, e, kind in SPANS
                        ]
                    }
                },
                "job-metadata": {},
            }
        ),
        "1.txt": TEXT.encode(),
    },
}
