"""What can keep a recording from being transcribed, beside what its audio and the licence say."""

from appliance.errors import ApplianceError


class NotTranscribed(ApplianceError):
    """A recording could not be transcribed."""

    code = "NotTranscribed"
