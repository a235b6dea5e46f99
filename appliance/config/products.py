"""The services that this software can be: each has a name, a licence of its own, and a meter.

One process is one service, as one container image is. `Service=` chooses it; the licence must name its
product, so that a licence for text opens no speech and the reverse.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What one service is called, and how it is metered.

    Attributes:
        name: In `/status`, in usage reports, and as directory below the output mount.
        product: Product that a licence must name.
        meter: Meter that every answer counts on.
        units: Units of that meter, in words for people.
        page: File of its home page.
    """

    name: str
    product: str
    meter: str
    units: str
    page: str = "index.html"


CUSTOM_NER: Final = Product(
    name="customner",
    product="ner",
    meter="CognitiveServices.Ner.Container.TextRecords",  # 1,000 text elements or part of it, per document
    units="text records",
)
SPEECH_TO_TEXT: Final = Product(
    name="speechtotext",
    product="speech",
    meter="CognitiveServices.SpeechToText.Container.AudioSeconds",  # seconds of audio, each answer rounded up
    units="seconds of audio",
    page="speech.html",
)
SERVICES: Final = {service.name: service for service in (CUSTOM_NER, SPEECH_TO_TEXT)}
