"""spaCy's JSON: version 2 for training, its tuples `[text, {"entities": …}]`, and `{"text", "ents"}`.

NER Annotator writes the tuples too, below `annotations`. Offsets are code points, ends exclusive.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile, Span
from appliance.datasets.formats.json_values import Record, Records, dump, each, fits, items, named, string
from appliance.datasets.formats.spans.span_values import other_labels, require_records, spans_of
from appliance.datasets.formats.tokens.token_rows import Sentence, assemble
from appliance.datasets.label_errors import RELATIONS, Mistake
from appliance.datasets.tag_schemes import Scheme, runs

_EXAMPLE: Final = '["text", {"entities": [[0, 4, "Person"]]}]'
_BILUO: Final = Scheme("BILOU", prefixed=True)


def sniff(file: SourceFile) -> bool:
    """Whether most records are of one of the three kinds."""
    return fits(_unwrapped(file.records), _fits)


def _unwrapped(records: Records | None) -> Records | None:
    """Return the tuples below `annotations`, as NER Annotator writes them."""
    if records is None or not isinstance(records.whole, dict):
        return records
    found = records.whole.get("annotations")
    if not isinstance(found, list):
        return records
    values = [one for one in found if one is not None]  # of texts that nobody looked at
    return Records([Record(number, 0, value) for number, value in enumerate(values, 1)], [], values)


def _fits(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and isinstance(value[0], str) and isinstance(value[1].get("entities"), list)
    return isinstance(value.get("paragraphs"), list) or (
        isinstance(value["text"], str) and isinstance(value["ents"], list)
    )


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the documents of a file."""
    records = _unwrapped(require_records(file, "spaCy's JSON"))
    made, mistakes = each(records or Records([], []), file.name, _documents, _EXAMPLE)
    untold = [mistake for _, found in made for mistake in found]
    return Contents(documents=[one for found, _ in made for one in found], mistakes=[*mistakes, *untold])


def _documents(record: Record, called: str) -> tuple[list[RawDocument], list[Mistake]]:
    value = record.value
    if isinstance(value, list):
        text, marks = value
        untold = _untold(marks, called)
        return [_document(called, text, marks.get("entities"))], untold
    if "paragraphs" not in value:
        untold = [*_untold(value, called), *other_labels(value, "ents", called)]
        return [_document(named(called, value.get("id")), value["text"], value["ents"])], untold
    paragraphs = items(value["paragraphs"], "paragraphs")
    return [
        _paragraph(f"{named(called, value.get('id'))}, paragraph {number}", paragraph)
        for number, paragraph in enumerate(paragraphs, 1)
    ], []


def _document(name: str, text: Any, found: Any) -> RawDocument:
    return RawDocument(name=name, text=string(text, "text"), spans=spans_of(items(found, "entities")))


def _untold(marks: dict[str, Any], called: str) -> list[Mistake]:
    """Return what spaCy can say beside entities: links, categories of texts, and groups of spans."""
    kinds = [key for key in ("relations", "links", "cats", "spans") if marks.get(key)]
    return [
        Mistake(
            document=called,
            line=0,
            reason=f"its {key} are no entities, and cannot be carried",
            remedy="take them out",
            kind=RELATIONS,
        )
        for key in kinds
    ]


def _paragraph(name: str, paragraph: dict[str, Any]) -> RawDocument:
    sentences = list(_sentences(paragraph))
    raw = paragraph.get("raw")
    if isinstance(raw, str) and (placed := _placed(raw, sentences)) is not None:
        return RawDocument(name=name, text=string(raw, "raw"), spans=tuple(placed))
    return assemble(name, sentences)


def _sentences(paragraph: dict[str, Any]) -> Iterator[Sentence]:
    for sentence in items(paragraph["sentences"], "sentences"):
        tokens = items(sentence["tokens"], "tokens")
        words = [string(token["orth"], "orth") for token in tokens]
        tags = [string(token.get("ner", "O"), "ner") for token in tokens]
        found, _ = runs(["O" if tag in ("-", "") else tag for tag in tags], _BILUO)
        yield Sentence(words, found)


def _placed(raw: str, sentences: Sequence[Sentence]) -> list[Span] | None:
    """Find the words in the text of the paragraph, one after the other; None where one is not there."""
    found: list[Span] = []
    at = 0
    for sentence in sentences:
        places = []
        for word in sentence.words:
            start = raw.find(word, at)
            if start < 0 or raw[at:start].strip():
                return None
            at = start + len(word)
            places.append((start, at))
        found += [Span(places[run.start][0], places[run.end - 1][1], run.category) for run in sentence.runs]
    return found


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write the tuples of version 2, which spaCy 3 still reads with a few lines, a document a line."""
    lines = []
    for document in documents:
        triples = [[one.start, one.end, one.category] for one in document.labels]
        lines.append(dump([document.text, {"entities": triples}]))
    return {f"{stem}.jsonl": b"".join(lines)}


SPACY_JSON: Final = Format(
    name="spacy-json",
    title="spaCy JSON",
    sniff=sniff,
    read=read,
    write=write,
    note='`[text, {"entities"}]`, `{"text", "ents"}`, version 2 for training; the first is written',
)
