"""All formats, in the order in which they are tried: by content, never by a file's name alone."""

from collections.abc import Mapping
from typing import Final

from appliance.datasets.formats.format import Format, SourceFile
from appliance.datasets.formats.json_values import why_no_json
from appliance.datasets.formats.spans.azure_project import PROJECT
from appliance.datasets.formats.spans.brat import BRAT
from appliance.datasets.formats.spans.cas_xmi import CAS_XMI
from appliance.datasets.formats.spans.doccano import DOCCANO
from appliance.datasets.formats.spans.jsonl import JSONL
from appliance.datasets.formats.spans.label_studio import LABEL_STUDIO
from appliance.datasets.formats.spans.prodigy import PRODIGY
from appliance.datasets.formats.spans.sagemaker import SAGEMAKER
from appliance.datasets.formats.spans.spacy_json import SPACY_JSON
from appliance.datasets.formats.tokens.conll import BILOU, BIOES, CONLL
from appliance.datasets.formats.tokens.conllu import CONLLU
from appliance.datasets.formats.tokens.hugging_face import HUGGING_FACE
from appliance.datasets.formats.tokens.spacy_docbin import SPACY_DOCBIN
from appliance.datasets.formats.tokens.token_csv import TOKEN_CSV
from appliance.datasets.formats.tokens.webanno_tsv import WEBANNO
from appliance.datasets.formats.unsupported import refusal
from appliance.datasets.label_errors import DatasetError

FORMATS: Final[tuple[Format, ...]] = (
    PROJECT,
    LABEL_STUDIO,
    SAGEMAKER,
    PRODIGY,
    DOCCANO,
    SPACY_JSON,
    SPACY_DOCBIN,
    HUGGING_FACE,
    JSONL,
    BRAT,
    CAS_XMI,
    WEBANNO,
    CONLLU,
    TOKEN_CSV,
    CONLL,
    BIOES,
    BILOU,
)
BY_NAME: Final[Mapping[str, Format]] = {one.name: one for one in FORMATS}
READABLE: Final = tuple(one.name for one in FORMATS)
WRITABLE: Final = tuple(one.name for one in FORMATS if one.write is not None)


__all__ = ["BY_NAME", "FORMATS", "PROJECT", "READABLE", "WRITABLE", "recognise", "require", "unknown"]


def recognise(file: SourceFile) -> Format | None:
    """Return the first format that a file's content fits."""
    return next((one for one in FORMATS if one.sniff(file)), None)


def require(file: SourceFile) -> Format:
    """Return the format of a file.

    Raises:
        DatasetError: None fits; where it is a known one that is not read here, with what would work.
    """
    found = recognise(file)
    if found is not None:
        return found
    raise unknown(file, f"name it with --from, one of: {', '.join(READABLE)}")


def unknown(file: SourceFile, hint: str) -> DatasetError:
    """Return why no format fits a file: a known kind that is not read, another encoding, or neither."""
    if not file.data.strip():
        return DatasetError(f"{file.name} is empty", hint="leave it out, or export it again")
    found = refusal(file)
    try:
        text = file.text
    except DatasetError as error:
        # XML that is text of another encoding may well be read once it is UTF-8.
        return found if found and not file.data.lstrip().startswith(b"<") else error
    if found:
        return found
    if said := why_no_json(text):
        return DatasetError(f"{file.name} begins as JSON, and is none: {said}", hint="export it again")
    return DatasetError(f"{file.name}: no format of labelled text fits its content", hint=hint)
