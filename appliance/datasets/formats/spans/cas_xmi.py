"""UIMA CAS XMI, as INCEpTION, WebAnno and dkpro-cassis export it: one text a file, annotations as elements.

    <cas:Sofa xmi:id="1" … sofaString="Anna works."/>
    <ner:NamedEntity xmi:id="7" sofa="1" begin="0" end="4" value="PER"/>

Offsets are UTF-16 units, as Java counts. The layer Named entity is read, else a project's own layers. The
type system beside the file is not needed for that. A file that declares a document type, and with it
entities, is refused before anything of it is expanded.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from appliance.datasets.document import LabelledDocument, utf16_length
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile, Span
from appliance.datasets.label_errors import RELATIONS, DatasetError, Mistake
from appliance.datasets.offset_units import UTF16

_TYPES: Final = "TypeSystem.xml"
_NAMED: Final = "de.tudarmstadt.ukp.dkpro.core.api.ner.type."
_OWN: Final = ("webanno.custom.", "custom.")
_SOFA: Final = "uima.cas.Sofa"
_ABOUT: Final = "DocumentAnnotation"
_HEAD: Final = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:\w+:)?XMI\b", re.DOTALL)
_VERSION: Final = re.compile(r"\A(\s*<\?xml[^>]*?version\s*=\s*[\"'])1\.1([\"'])")
_ENCODING: Final = re.compile(r"\A(\s*<\?xml[^>]*?)\s+encoding\s*=\s*([\"'])[^\"']*\2")
_TIES: Final = frozenset({"Governor", "Dependent", "next", "referenceType"})
_OFFSET: Final = re.compile(r"\d{1,12}")
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHOWN: Final = 8


@dataclass(slots=True)
class _Cas:
    """What the elements say: texts by their id, languages of them, and annotations."""

    texts: dict[str, str] = field(default_factory=dict)
    languages: dict[str, str] = field(default_factory=dict)
    annotations: list[tuple[int, str, Mapping[str, str]]] = field(default_factory=list)
    """Line, type and features."""


def sniff(file: SourceFile) -> bool:
    """Whether the first element is that of XMI."""
    return file.readable and _HEAD.match(file.text[:4096]) is not None


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read a file.

    Raises:
        DatasetError: It is damaged, declares entities, or has no layer of labels.
    """
    file.beside(_TYPES)  # where it is there, it is no file of labels
    cas = _parse(file)
    chosen = _chosen(cas, file.name)
    spans: dict[str, list[Span]] = {sofa: [] for sofa in cas.texts}
    mistakes: list[Mistake] = []
    bare: Counter[str] = Counter()
    for line, kind, features in cas.annotations:
        if kind not in chosen:
            continue
        short = kind.rpartition(".")[2]
        if not _TIES.isdisjoint(features):
            reason = f"the {short} ties labels, and labels here stand alone"
            mistakes.append(_wrong(file.name, line, reason, kind=RELATIONS))
            continue
        offsets = features["begin"], features["end"]
        sofa = spans.get(features["sofa"])
        if sofa is None or not all(map(_OFFSET.fullmatch, offsets)):
            reason = f"the {short} has no text, or offsets that are no numbers"
            mistakes.append(_wrong(file.name, line, reason))
            continue
        category = _category(features)
        bare[short] += category is None
        sofa.append(Span(int(offsets[0]), int(offsets[1]), category or short))
    documents = [
        RawDocument(
            name=file.name if len(cas.texts) == 1 else f"{file.name} [{number}]",
            text=text,
            spans=tuple(spans[sofa]),
            language=cas.languages.get(sofa, ""),
        )
        for number, (sofa, text) in enumerate(cas.texts.items(), 1)
    ]
    return Contents(
        documents=documents, mistakes=mistakes, notes=_notes(cas, chosen, bare), unit=UTF16, unit_sure=True
    )


def _wrong(name: str, line: int, reason: str, kind: str = "") -> Mistake:
    remedy = "take it out" if kind else "export it again"
    return Mistake(document=name, line=line, reason=reason, remedy=remedy, kind=kind)


def _parse(file: SourceFile) -> _Cas:
    cas = _Cas()
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise DatasetError(
            f"{file.name} declares a document type, whose entities are not expanded here",
            hint="export it again with INCEpTION or dkpro-cassis, which write none",
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        kind = _type(tag)
        features = {name.rpartition(" ")[2]: value for name, value in attributes.items()}
        if kind == _SOFA:
            if "sofaString" in features:
                cas.texts[features.get("id", "")] = features["sofaString"]
        elif {"sofa", "begin", "end"} <= features.keys():
            if kind.rpartition(".")[2] == _ABOUT or kind.endswith(".DocumentMetaData"):
                spoken = features.get("language", "x-unspecified")
                if not spoken.startswith("x-"):
                    cas.languages[features["sofa"]] = spoken
            else:
                cas.annotations.append((parser.CurrentLineNumber, kind, features))

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    text = _ENCODING.sub(r"\1", _VERSION.sub(r"\g<1>1.0\2", file.text))
    try:
        parser.Parse(text.encode("utf-8"), True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise DatasetError(
            f"{file.name} is no XML that can be read: {error}",
            hint="export it again; INCEpTION offers UIMA CAS XMI (XML 1.0)",
        ) from None
    if not cas.texts:
        raise DatasetError(f"{file.name} holds no text", hint="export the document with its text")
    return cas


def _type(tag: str) -> str:
    """Return the name of a type: its package is the name space of its element."""
    space, _, local = tag.rpartition(" ")
    package = space.removeprefix("http:///").removesuffix(".ecore").replace("/", ".")
    return f"{package}.{local}" if package else local


def _chosen(cas: _Cas, name: str) -> frozenset[str]:
    kinds = dict.fromkeys(kind for _, kind, _ in cas.annotations)
    named = [kind for kind in kinds if kind.startswith(_NAMED)]
    chosen = named or [kind for kind in kinds if kind.startswith(_OWN)]
    foreign = [kind for kind in kinds if ".ukp.dkpro.core." not in kind and kind not in chosen]
    if not chosen and foreign:
        shown = ", ".join(kind.rpartition(".")[2][:60] for kind in foreign[:_SHOWN])
        raise DatasetError(
            f"{name} has no layer of named entities, nor one of INCEpTION's own; its types are {shown}",
            hint=f"make annotations of {_NAMED}NamedEntity with a value of them, with dkpro-cassis",
        )
    return frozenset(chosen)


def _category(features: Mapping[str, str]) -> str | None:
    """Return the value of an annotation, else its first feature; None where it has none."""
    if "value" in features:
        return features["value"] or None
    own = [name for name in features if name not in {"id", "sofa", "begin", "end", "identifier"}]
    return features[own[0]] or None if own else None


def _notes(cas: _Cas, chosen: frozenset[str], bare: Counter[str]) -> list[str]:
    notes = [
        f"{count} labels of the layer {short} have no value: {short} is their category"
        for short, count in bare.items()
        if count
    ]
    passed = sorted({kind.rpartition(".")[2] for _, kind, _ in cas.annotations if kind not in chosen})
    if passed:
        more = ", …" if len(passed) > _SHOWN else ""
        notes.append(f"layers that are left out: {', '.join(passed[:_SHOWN])}{more}")
    return notes


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write an XMI file for each document, and the type system that they share.

    Raises:
        DatasetError: A text or a category holds a character that XML cannot.
    """
    files = {f"{stem}/{_TYPES}": _TYPE_SYSTEM}
    width = len(str(len(documents)))
    for number, document in enumerate(documents, 1):
        files[f"{stem}/{number:0{width}}.xmi"] = _xmi(document).encode("utf-8")
    return files


def _xmi(document: LabelledDocument) -> str:
    text = document.text
    for one in (text, *(label.category for label in document.labels)):
        if found := _FORBIDDEN.search(one):
            raise DatasetError(
                f"{document.name} holds the character U+{ord(found[0]):04X}, which XML cannot",
                hint="take it out, or choose another format with --to",
            )
    entities = []
    for number, label in enumerate(document.labels, 3):
        begin = utf16_length(text[: label.start])
        end = begin + utf16_length(text[label.start : label.end])
        entities.append(
            f'  <ner:NamedEntity xmi:id="{number}" sofa="1" begin="{begin}" end="{end}"'
            f" value={_quoted(label.category)}/>\n"
        )
    members = " ".join(str(number) for number in range(2, len(document.labels) + 3))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"'
        ' xmlns:tcas="http:///uima/tcas.ecore"\n'
        '    xmlns:ner="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" xmi:version="2.0">\n'
        '  <cas:NULL xmi:id="0"/>\n'
        f'  <tcas:DocumentAnnotation xmi:id="2" sofa="1" begin="0" end="{utf16_length(text)}"'
        f" language={_quoted(document.language or 'x-unspecified')}/>\n"
        f"{''.join(entities)}"
        '  <cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text"'
        f" sofaString={_quoted(text)}/>\n"
        f'  <cas:View sofa="1" members="{members}"/>\n'
        "</xmi:XMI>\n"
    )


def _quoted(text: str) -> str:
    return quoteattr(text, {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})


_TYPE_SYSTEM: Final = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier">
  <types>
    <typeDescription>
      <name>{_NAMED}NamedEntity</name>
      <description/>
      <supertypeName>uima.tcas.Annotation</supertypeName>
      <features>
        <featureDescription>
          <name>value</name>
          <description/>
          <rangeTypeName>uima.cas.String</rangeTypeName>
        </featureDescription>
        <featureDescription>
          <name>identifier</name>
          <description/>
          <rangeTypeName>uima.cas.String</rangeTypeName>
        </featureDescription>
      </features>
    </typeDescription>
  </types>
</typeSystemDescription>
""".encode()

CAS_XMI: Final = Format(
    name="cas-xmi",
    title="UIMA CAS XMI",
    sniff=sniff,
    read=read,
    write=write,
    gathers=True,
    note="of INCEpTION, WebAnno and dkpro-cassis; the layer Named entity, else the project's own layers",
)
