"""What an encoder makes of labelled documents, for the check before a training."""

from collections import Counter

from appliance.datasets.check.encoder_facts import EncoderFacts, LanguageFacts
from appliance.datasets.document import Labelled
from appliance.datasets.label_errors import DatasetError
from appliance.ner.tokenizer import Reading, tokenizer_of
from appliance.training.base.open_base import ENGLISH, Base
from appliance.training.label_spans import fit_labels
from appliance.training.readable import check_readable, read_by_language


def encoder_facts(labelled: Labelled, base: Base) -> EncoderFacts:
    """Cut documents as a training from this encoder does, and count."""
    tokenizer = tokenizer_of(base.folder)
    documents = labelled.documents
    cuts = tokenizer.cut([document.text for document in documents])
    fitted = fit_labels(documents, tokenizer)
    readings = read_by_language(documents, tokenizer, labelled.language)
    counts = Counter(document.language or labelled.language for document in documents)
    return EncoderFacts(
        window_tokens=base.folder.window_tokens,
        words=tuple(len(cut.starts) for cut in cuts),
        windows=tuple(len(cut.windows) for cut in cuts),
        longest_words=tuple(
            max((end - start for start, end in zip(cut.starts, cut.ends, strict=True)), default=0)
            for cut in cuts
        ),
        languages={
            name: _facts(name, reading, counts[name], english=base.name == ENGLISH)
            for name, reading in readings.items()
        },
        trimmed=fitted.trimmed,
        widened=fitted.widened,
        lost=fitted.lost,
    )


def _facts(language: str, reading: Reading, documents: int, *, english: bool) -> LanguageFacts:
    refused, remedy, notes = "", "", []
    try:
        notes = check_readable({language: reading}, english=english)
    except DatasetError as error:
        refused, remedy = error.message, error.hint
    return LanguageFacts(
        documents=documents,
        unknown_share=reading.unknown_share,
        pieces=reading.pieces,
        refused=refused,
        remedy=remedy,
        note="; ".join(notes),
    )
