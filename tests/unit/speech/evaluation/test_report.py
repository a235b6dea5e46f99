"""What a report says: counts by speaker, words side by side, and no more than the recordings prove."""

from collections.abc import Sequence

from appliance.speech.dataset.transcripts import Recording
from appliance.speech.evaluation.evaluate import Evaluation, HeardRecording
from appliance.speech.evaluation.report import evaluation_object, lines, marked
from appliance.speech.evaluation.word_errors import aligned, counted

SAID = ("can i get tea", "one two", "stop")


def evaluation(model: str, heard: Sequence[str], said: Sequence[str] = SAID) -> Evaluation:
    found = []
    for number, (text, answer) in enumerate(zip(said, heard, strict=True), 1):
        pairs = aligned(text.split(), answer.split())
        speaker = "ann" if number % 2 else "bob"
        found.append(
            HeardRecording(
                recording=Recording(path=f"{number}.wav", text=text, speaker=speaker, line=number),
                pairs=pairs,
                errors=counted(pairs),
                seconds=2.0,
            )
        )
    return Evaluation(model=model, release="1.0", heard=found, seconds=0.5, threads=2)


def test_one_model_is_counted_by_speaker_and_in_all() -> None:
    said = "\n".join(lines([evaluation("m", ["can i get the tea", "one", "stop"])], worst=5))
    assert "m 1.0: 3 recordings, 0.1 minutes, 7 words, heard in 0.5 s with 2 threads" in said
    table = {row.split()[0]: row.split()[1:] for row in said.splitlines() if row[:3] in ("ann", "bob", "all")}
    assert table["ann"] == ["2", "5", "0", "1", "0", "20.0", "50.0"]
    assert table["bob"] == ["1", "2", "0", "0", "1", "50.0", "0.0"]
    assert table["all"] == ["3", "7", "0", "1", "1", "28.6", "33.3"]
    assert "    said:  can i get *** tea\n    heard: can i get THE tea" in said
    assert "3.wav" not in said


def test_errors_stand_out_and_gaps_are_marked() -> None:
    pairs = aligned(["a", "dark", "roast", "now", "please"], ["the", "dark", "roast", "please"])
    assert marked(pairs) == ("A   dark roast NOW please", "THE dark roast *** please")


def test_no_recording_is_shown_where_none_is_wanted_or_wrong() -> None:
    wrong, right = evaluation("m", ["x", "y", "z"]), evaluation("m", SAID)
    assert not any("said" in line for line in lines([wrong], worst=0) + lines([right], worst=5))
    assert evaluation_object([wrong], 0)["shown"] == []


def test_two_models_that_hear_the_same_are_not_compared_further() -> None:
    same = evaluation("m", ["can i get", "one two", "stop"])
    assert "both hear the same" in lines([same, same], worst=5)


def test_a_difference_in_one_recording_of_three_is_not_called_one() -> None:
    one, two = evaluation("m", ["can i get", "one two", "stop"]), evaluation("n", SAID)
    said = lines([one, two], worst=5)
    assert "these recordings are too few to say which is better: the difference may be chance" in said
    assert "    A:    can i get" in said
    assert "    B:    can i get tea" in said
    assert evaluation_object([one, two], 5)["difference"]["beyondChance"] is False


def test_a_difference_in_many_recordings_is_beyond_chance() -> None:
    one = evaluation("m", ["can i get"] * 40, ["can i get tea"] * 40)
    two = evaluation("n", ["can i get tea"] * 40, ["can i get tea"] * 40)
    verdict = "is better on recordings like these: the difference is beyond chance (95 %)"
    assert f"B {verdict}" in lines([one, two], worst=0)
    assert f"A {verdict}" in lines([two, one], worst=0)
    found = evaluation_object([one, two], 0)
    assert found["difference"]["wer"] == -0.25
    assert (found["difference"]["speakers"]["ann"]["wer"], found["difference"]["beyondChance"]) == (
        -0.25,
        True,
    )
    assert [model["wer"] for model in found["models"]] == [0.25, 0.0]
