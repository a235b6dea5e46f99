"""The corpora in several languages, beside the English ones: Universal NER, as its texts were written."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from recipes.ner.corpora import BLOCK, MERGED, TUNE_BLOCKS, Corpora, Rows, Sentence, Span, read_corpora

LANGUAGES = {
    "da-ddt": "da",
    "hr-set": "hr",
    "pt-bosque": "pt",
    "sk-snk": "sk",
    "sr-set": "sr",
    "sv-talbanken": "sv",
    "zh-gsd": "zh-Hant",
    "zh-gsdsimp": "zh-Hans",
}
_TEXT = "# text = "


def read_texts(path: Path, source: str) -> Iterator[Sentence]:
    """Yield the sentences of a file with a line `# text = …` before the tokens and their BIO tags.

    Raises:
        ValueError: A token is not in its text.
    """
    text, rows = "", []
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        if line.startswith(_TEXT):
            text = line.removeprefix(_TEXT)
        elif line:
            token, _, tag = line.rpartition("\t")
            rows.append((token, tag))
        elif rows:
            yield Sentence(source=source, text=text, spans=tuple(_spans(text, rows)))
            text, rows = "", []


def _spans(text: str, rows: Rows) -> Iterator[Span]:
    place, current = 0, None
    for token, tag in rows:
        start = text.index(token, place)
        place = start + len(token)
        prefix, _, label = tag.partition("-")
        kind = MERGED.get(label)
        if current and prefix == "I" and kind == current.kind:
            current = current._replace(end=place)
            continue
        if current:
            yield current
        current = Span(start, place, kind) if kind else None
    if current:
        yield current


def read_multilingual(root: Path) -> Corpora:
    """Read the English corpora and those in `multi/`, and split them.

    The dev parts are held out whole. Of every 25 blocks of 25 sentences of a training part one is kept for
    tuning. Training sentences that also occur in a held or tuning set are dropped.
    """
    english = read_corpora(root)
    held, tune, train = dict(english.held), list(english.tune), list(english.train)
    for source in LANGUAGES:
        folder = root / "multi" / source
        held[source] = list(read_texts(folder / "dev.conll", source))
        for index, item in enumerate(read_texts(folder / "train.conll", source)):
            (tune if index // BLOCK % TUNE_BLOCKS == TUNE_BLOCKS // 2 else train).append(item)
    seen = _keys(tune, *held.values())
    return Corpora(train=[item for item in train if item.key not in seen], tune=tune, held=held)


def _keys(*parts: Sequence[Sentence]) -> set[str]:
    return {item.key for part in parts for item in part}
