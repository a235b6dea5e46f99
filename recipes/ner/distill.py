"""A narrower network of the same answers: `python -m recipes.ner.distill --units 576 …`.

Starts from a model folder that `export` wrote. Of each feed-forward layer only the units stay that can best
stand for the rest (`unit_pruning`); then the narrow network learns from the texts and from the wide one,
whose scores and hidden layers it is to give. In the last epochs it computes with weights and values rounded
as they are when it is served (`quantization_aware`); the mean of the weights before and after them is kept.
"""

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig

from appliance.ner.model_folder import CONFIG, MODEL
from appliance.onnx_tools.bert_graph import HIDDEN
from appliance.training.best.encoder_weights import read_weights
from recipes.ner.augment import Names
from recipes.ner.batches import Batch, epoch_batches, masked
from recipes.ner.corpora import Sentence, read_corpora
from recipes.ner.encode import IGNORED
from recipes.ner.fit import distance, fit, groups, losses
from recipes.ner.model import NerModel, mean, save
from recipes.ner.options import Options
from recipes.ner.quantization_aware import adjust, rounded
from recipes.ner.train import by_source, f1_by_set
from recipes.ner.unit_pruning import Moments, narrowed
from recipes.ner.vocabulary import Vocabulary, read_vocabulary

LOOKED_AT = 60
"""Batches over which units are compared."""

TEACHER_SHARE = 0.6
LAYERS_SHARE = 0.5
"""Hidden layers that custom models build on are to stay what they were."""

WARM_UP = 0.04
ROUNDED_EVERY = 50
"""Steps after which the scales of rounded weights are found anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How a narrow network learns for some epochs.

    Attributes:
        seed: Of order, changes and dropout.
        epochs: How many.
        most_rate: The highest learning rate of any weight.
        exact: Without dropout, and with the rounding of the served graph.
    """

    seed: int
    epochs: float
    most_rate: float
    exact: bool = False


def read_model(folder: Path) -> NerModel:
    """Return the network of a model folder, its 8-bit weights as the numbers they stand for."""
    data = (folder / MODEL).read_bytes()
    arrays = read_weights(data).arrays
    graph = onnx.load_model_from_string(data).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    head = [node for node in graph.node if node.op_type == "MatMul"][-1]
    bias = next(node for node in graph.node if node.op_type == "Add" and head.output[0] in node.input)
    arrays["head.weight"] = constants[head.input[1]].T
    arrays["head.bias"] = next(constants[name] for name in bias.input if name in constants)
    held = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    left_out = ("architectures", "id2label", "label2id")
    model = NerModel(BertConfig(**{key: value for key, value in held.items() if key not in left_out}))
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    model.eval()
    return model


def narrow(model: NerModel, looked_at: list[Batch], units: int) -> NerModel:
    """Return the network with so many units in each feed-forward layer, chosen over these batches."""
    layers = model.encoder.encoder.layer
    seen: list[list[Tensor]] = [[] for _ in layers]
    hooks = [
        layer.intermediate.register_forward_hook(lambda _module, _in, out, to=to: to.append(out))
        for layer, to in zip(layers, seen, strict=True)
    ]
    with torch.no_grad():
        for batch in looked_at:
            model(batch.ids, batch.mask, batch.classes)
    for hook in hooks:
        hook.remove()
    weights = model.state_dict()
    shown = [batch.mask.bool() for batch in looked_at]
    for number, outputs in enumerate(seen):
        values = torch.cat([out[on] for out, on in zip(outputs, shown, strict=True)])
        outputs.clear()
        part = f"encoder.encoder.layer.{number}."
        into, out_of = f"{part}intermediate.dense", f"{part}output.dense"
        found = narrowed(
            Moments.of(values.double().numpy()),
            weights[f"{out_of}.weight"].double().numpy(),
            weights[f"{out_of}.bias"].double().numpy(),
            units,
        )
        print(json.dumps({"layer": number + 1, "units": units, "lost": round(found.lost, 4)}), flush=True)
        for kind in ("weight", "bias"):
            weights[f"{into}.{kind}"] = weights[f"{into}.{kind}"][torch.from_numpy(found.kept)].clone()
        weights[f"{out_of}.weight"] = torch.from_numpy(found.weights).float()
        weights[f"{out_of}.bias"] = torch.from_numpy(found.bias).float()
    config = BertConfig(**{**model.encoder.config.to_dict(), "intermediate_size": units})
    made = NerModel(config)
    made.load_state_dict(weights)
    return made


def both(model: NerModel, batch: Batch, ids: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return scores over all labels, and every hidden layer."""
    held = model.encoder(
        input_ids=ids, attention_mask=batch.mask, token_type_ids=batch.classes, output_hidden_states=True
    )
    return model.head(model.dropout(held.last_hidden_state)), held.hidden_states


def learn(
    made: NerModel, teacher: NerModel, vocabulary: Vocabulary, sentences: list[Sentence], phase: Phase
) -> NerModel:
    """Teach the narrow network; return the average of its last steps."""
    torch.manual_seed(phase.seed)
    random, names = Random(phase.seed), Names(sentences)  # noqa: S311
    options = Options(epochs=phase.epochs)
    if phase.exact:
        rounded(made)

    def loss_of(step: int, batch: Batch) -> Tensor:
        if phase.exact and step % ROUNDED_EVERY == 0:
            adjust(made)
        ids = masked(batch.ids, options.masked, vocabulary)
        at, on = batch.targets != IGNORED, batch.mask.bool()
        with torch.no_grad():
            wanted, wanted_layers = both(teacher, batch, ids)
        ours, layers = both(made, batch, ids)
        loss = (1 - TEACHER_SHARE) * losses(ours[at], batch.targets[at]).mean()
        loss = loss + TEACHER_SHARE * distance(ours[at], wanted[at], options.temperature)
        for layer in HIDDEN:
            apart = functional.mse_loss(layers[layer][on], wanted_layers[layer][on])
            loss = loss + LAYERS_SHARE * apart / wanted_layers[layer][on].var()
        return loss

    return fit(
        made,
        groups(made, options, phase.most_rate),
        lambda: epoch_batches(sentences, names, vocabulary, options, random),
        loss_of,
        epochs=options.epochs,
        warm_up=WARM_UP,
        average_from=options.average_from,
        report=(100, lambda progress, _: print(progress, flush=True)),
    )


def main() -> None:
    """Read the options, narrow, teach, and print the scores on the tuning and the held-out sets."""
    parser = argparse.ArgumentParser(prog="python -m recipes.ner.distill", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the wide network's folder")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--units", type=int, required=True, help="units of each feed-forward layer")
    parser.add_argument("--epochs", type=float, default=3.0, help="before values are rounded")
    parser.add_argument("--exact", type=float, default=2.0, help="epochs with rounded values")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    options = Options()
    torch.manual_seed(options.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    vocabulary = read_vocabulary(chosen.model)
    corpora = read_corpora(chosen.data)
    tune = by_source(corpora.tune)
    teacher = read_model(chosen.model)
    print(json.dumps({"wide": f1_by_set(teacher, vocabulary, tune)}), flush=True)
    random = Random(options.seed)  # noqa: S311
    cut = epoch_batches(corpora.train, Names(corpora.train), vocabulary, options, random)
    made = narrow(teacher, cut[:LOOKED_AT], chosen.units)
    print(json.dumps({"narrow": f1_by_set(made, vocabulary, tune)}), flush=True)
    phases = (
        Phase(seed=2, epochs=chosen.epochs, most_rate=4e-4),
        Phase(seed=5, epochs=chosen.exact, most_rate=1.5e-4, exact=True),
    )
    learnt = []
    for phase in phases:
        made = learn(made, teacher, vocabulary, corpora.train, phase)
        print(json.dumps({"learnt": f1_by_set(made, vocabulary, tune)}), flush=True)
        learnt.append(copy.deepcopy(made))
    final = mean(learnt)
    print(json.dumps({"mean": f1_by_set(final, vocabulary, tune)}), flush=True)
    save(final, chosen.out / "model.pt")
    print(json.dumps({"held": f1_by_set(final, vocabulary, corpora.held)}), flush=True)


if __name__ == "__main__":
    main()
