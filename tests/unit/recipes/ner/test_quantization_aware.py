"""Training computes what the served graph computes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
transformers = pytest.importorskip("transformers", reason="needs the development group train")

SMALL = {
    "vocab_size": 200,
    "hidden_size": 32,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "type_vocab_size": 8,
}


def test_rounded_products_give_what_the_8_bit_graph_gives() -> None:
    import onnxruntime

    from appliance.onnx_tools.bert_graph import quantized
    from recipes.ner.export import onnx_model
    from recipes.ner.model import NerModel, served
    from recipes.ner.quantization_aware import rounded

    torch.manual_seed(3)
    model = NerModel(transformers.BertConfig(**SMALL)).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(2)
        table = model.encoder.embeddings.word_embeddings.weight  # has 8 bits in the graph in any case
        numbers, scale = quantized(table.numpy().T, levels=128)
        table.copy_(torch.from_numpy((numbers * scale).T))
    graph = onnx_model(model, "token").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(3).integers(1, 200, (2, 20))
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (given,) = session.run(["logits"], feed)
    inputs = [torch.from_numpy(feed[name]) for name in ("input_ids", "attention_mask", "token_type_ids")]
    with torch.no_grad():
        plain = served(model(*inputs)).numpy()
        rounded(model)
        ours = served(model(*inputs)).numpy()
    assert np.abs(ours - given).max() < 0.35 * np.abs(plain - given).max()


def test_what_is_rounded_away_still_has_a_gradient() -> None:
    from recipes.ner.model import NerModel
    from recipes.ner.quantization_aware import Rounded, rounded

    model = NerModel(transformers.BertConfig(**SMALL))
    rounded(model)
    ids = torch.arange(1, 11)[None]
    model(ids, torch.ones_like(ids), torch.zeros_like(ids)).square().sum().backward()
    layers = [module for module in model.modules() if isinstance(module, Rounded)]
    assert len(layers) == 36
    assert all(float(layer.weight.grad.abs().sum()) > 0 for layer in layers)
