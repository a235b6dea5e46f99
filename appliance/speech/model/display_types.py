"""The types of display models, and the task that a model of each has in its `model.json` and manifest."""

from typing import Final

DISPLAY_TASKS: Final = {
    "Punct": "speech-punct",
    "Rescore": "speech-rescore",
    "Resegment": "speech-resegment",
    "Wfstitn": "speech-wfstitn",
}
