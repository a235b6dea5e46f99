import pytest

from license.crypto.ed25519 import SigningKey
from license.errors import Forged, Malformed, UnknownSigner
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint, read_checkpoint, sign_checkpoint

ROOT = bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62")
HEAD = Checkpoint(origin="example.com/log", size=20_852, root=ROOT)


def test_the_text_is_that_of_the_specification() -> None:
    assert HEAD.to_text() == "example.com/log\n20852\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_a_signed_checkpoint_opens_and_names_its_signers() -> None:
    day, instance = SigningKey.generate("example.com/log"), SigningKey.generate("instance")
    note = sign_checkpoint(HEAD, day, instance)
    opened = open_checkpoint(note, [instance.verifying])
    assert (opened.checkpoint, opened.signers) == (HEAD, (instance.verifying,))
    assert read_checkpoint(note) == HEAD
    with pytest.raises(UnknownSigner):
        open_checkpoint(note, [SigningKey.generate("other").verifying])
    with pytest.raises(Forged):
        open_checkpoint(note.replace(b"20852", b"20853"), [day.verifying])


def test_extension_lines_are_ignored() -> None:
    assert Checkpoint.from_text(HEAD.to_text() + "extension\n") == HEAD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/log\n20852\n",
        "\n20852\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "example.com/log\n020852\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "example.com/log\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "example.com/log\n20852\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "example.com/log\n20852\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "example.com/log\n20852\nAAAA\n",
        "example.com/log\n20852\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.from_text(text)
