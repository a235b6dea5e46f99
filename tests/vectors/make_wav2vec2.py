"""Make `tests/vectors/wav2vec2`: a tiny wav2vec2 with random weights, and what transformers makes of audio.

Needs torch and transformers, which tests do not. Run it again only to change the model:

    python tests/vectors/make_wav2vec2.py
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent / "wav2vec2"
PIECES = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
RATE = 16_000


def audio() -> NDArray[np.float32]:
    """Two seconds of noise that changes its colour and loudness, at the level of speech."""
    randomly = np.random.default_rng(2)
    white = randomly.normal(0, 0.2, 2 * RATE)
    loudness = np.repeat(randomly.random(40), RATE // 20)
    return (np.convolve(white, 0.7 ** np.arange(12))[: 2 * RATE] * loudness).astype(np.float32)


def main() -> None:
    """Write the folder anew."""
    import torch
    import transformers

    warnings.simplefilter("ignore")
    torch.manual_seed(12)
    HERE.mkdir(exist_ok=True)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(PIECES),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
        pad_token_id=0,
        initializer_range=1.0,
    )
    model = transformers.Wav2Vec2ForCTC(config).eval()
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 1.5)
    config.save_pretrained(HERE)
    (HERE / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(PIECES)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(HERE / "vocab.json"))
    extractor = transformers.Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=RATE, padding_value=0.0, do_normalize=True, return_attention_mask=False
    )
    transformers.Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(HERE)
    sound = audio()
    values = extractor(sound, sampling_rate=RATE, return_tensors="pt").input_values
    with torch.no_grad():
        logits = model(values).logits[0].numpy()

    class Plain(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_values: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.model(input_values).logits
            return found

    torch.onnx.export(
        Plain(),
        (values,),
        str(HERE / "model.onnx"),
        input_names=["input_values"],
        output_names=["logits"],
        dynamic_axes={"input_values": {0: "batch", 1: "samples"}, "logits": {0: "batch", 1: "frames"}},
        opset_version=17,
        dynamo=False,
    )
    text = tokenizer.decode(torch.tensor(logits.argmax(-1)), skip_special_tokens=True)
    (HERE / "expected.json").write_text(
        json.dumps(
            {"transformers": transformers.__version__, "text": text, "frames": logits.argmax(-1).tolist()}
        )
    )
    np.save(HERE / "expected.npy", logits)
    sys.stdout.write(f"transformers {transformers.__version__}: {text!r}, {logits.shape}\n")


if __name__ == "__main__":
    main()
