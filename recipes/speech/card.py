"""A speech model's card and the notices of its sources: who was heard, how well, and what not to expect."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from recipes.speech.evaluate import Tally, evaluate

TEMPLATES: Final = Path(__file__).parent / "card_texts"
CARD, NOTICES = "MODEL_CARD.md", "NOTICES.txt"
_TITLES: Final = {
    "digits-fsdd": "single digits (FSDD)",
    "commands-an4": "names spelled, digits, dates, commands (AN4)",
    "orders-barista": "coffee orders (Picovoice)",
    "letters-moonshine": "single letters and digits (Moonshine)",
    "strings": "connected digits, 1 to 12",
}
_HEADLINE: Final = "commands-an4"
_HEAD: Final = "| {0} | recordings | words | WER greedy | WER word list | wholly right, word list |"


def scores(results: Mapping[str, Mapping[str, Tally]]) -> str:
    """Lay scores out in Markdown: every set, then by speaker, and connected digits by their number."""
    lines = [_HEAD.format("set"), "|---|---|---|---|---|---|"]
    for name, speakers in results.items():
        title, _, noise = name.partition(", ")
        shown = _TITLES.get(title, title) + (f", {noise} noise" if noise else "")
        lines.append(_row(shown, sum(speakers.values(), Tally())))
    for name, speakers in results.items():
        if len(speakers) > 1 and "," not in name:
            lines += [
                "",
                f"By {'length' if name == 'strings' else 'speaker'}, {_TITLES.get(name, name)}:",
                "",
            ]
            lines += [_HEAD.format("digits" if name == "strings" else "speaker"), "|---|---|---|---|---|---|"]
            lines += [_row(speaker.strip(), tally) for speaker, tally in sorted(speakers.items())]
    return "\n".join(lines)


def _row(name: str, tally: Tally) -> str:
    rates = tally.rates()
    return (
        f"| {name} | {tally.recordings} | {tally.words} | {rates['wer_greedy']:.1f} % "
        f"| {rates['wer_words']:.1f} % | {rates['right_words']:.1f} % |"
    )


def headline(results: Mapping[str, Mapping[str, Tally]]) -> str:
    """Return the one score that lists of models show, as `appliance.models.folder_facts` reads it."""
    speakers = results.get(_HEADLINE)
    if not speakers:
        return "not measured"
    rates = sum(speakers.values(), Tally()).rates()
    return f"WER {rates['wer_words']:.1f} %: {_TITLES[_HEADLINE]}"


def card(template: str, *, release: str, megabytes: float, table: str, score: str) -> str:
    """Fill the model card in."""
    filled = template.replace("{release}", release).replace("{megabytes}", f"{megabytes:.1f}")
    return filled.replace("<!-- scores -->", table).replace("<!-- score -->", score)


def write_card(folder: Path, data: Path, *, release: str) -> None:
    """Score a model folder on the dev parts under `data`, and write its card and notices into it.

    Raises:
        ModelError: The folder is not one that is served.
    """
    results = evaluate(folder, data)
    table = scores(results) if results else "Not measured: no dev part was there."
    size = (folder / "model.onnx").stat().st_size / 1e6
    template = (TEMPLATES / CARD).read_text(encoding="utf-8")
    text = card(template, release=release, megabytes=size, table=table, score=headline(results))
    (folder / CARD).write_text(text, encoding="utf-8")
    (folder / NOTICES).write_bytes((TEMPLATES / NOTICES).read_bytes())
