"""Run with dkpro-cassis in the path: `read FILE TYPES` prints what it holds, `write FOLDER` writes."""

import json
import sys
from pathlib import Path

from cassis import Cas, TypeSystem, load_cas_from_xmi, load_typesystem

NAMED = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
TEXT = '👩🏽‍🔬 Anna Lee\r\nworks at <Acme> & "Co".'
LABELS = [("PER", "Anna Lee"), ("ORG", '<Acme> & "Co"')]


def main(command: str, path: str, types: str = "") -> None:
    if command == "read":
        with Path(types).open("rb") as file:
            known = load_typesystem(file)
        with Path(path).open("rb") as file:
            cas = load_cas_from_xmi(file, typesystem=known)
        found = [[one.value, one.get_covered_text()] for one in cas.select(NAMED)]
        sys.stdout.write(json.dumps([cas.sofa_string, found]))
        return
    known = TypeSystem()
    for name in (NAMED, "webanno.custom.Role"):
        made = known.create_type(name=name)
        known.create_feature(domainType=made, name="value", rangeType="uima.cas.String")
    for kind in (NAMED, "webanno.custom.Role"):
        cas = Cas(typesystem=known)
        cas.sofa_string = TEXT
        cas.sofa_mime = "text/plain"
        layer = known.get_type(kind)
        for category, words in LABELS:
            start = TEXT.index(words)
            cas.add(layer(begin=start, end=start + len(words), value=category))
        cas.to_xmi(Path(path) / f"{kind.rpartition('.')[2]}.xmi", pretty_print=True)
    known.to_xml(Path(path) / "TypeSystem.xml")


main(*sys.argv[1:])
