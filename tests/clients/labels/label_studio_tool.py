"""Run with label-studio-sdk in the path: `export TASKS FOLDER` converts as Label Studio's own exports do."""

import sys
from pathlib import Path

from label_studio_sdk.converter import Converter

CONFIG = (
    """<View><Labels name="label" toName="text">{values}</Labels><Text name="text" value="$text"/></View>"""
)


def main(tasks: str, folder: str, *categories: str) -> None:
    values = "".join(f'<Label value="{one}"/>' for one in categories)
    converter = Converter(CONFIG.format(values=values), None, download_resources=False)
    for form in ("JSON", "JSON_MIN", "CSV", "TSV", "CONLL2003"):
        converter.convert(tasks, str(Path(folder, form)), form, is_dir=False)


main(*sys.argv[1:])
