"""The network as an ONNX graph, written node by node; weights in 8 bits, sums in float32.

The graph takes the raw waveform: its front end is one strided convolution with sines and cosines. The 8-bit
weights are multiplied out once, when the session is made, so no row of a batch depends on another and the
speed is that of float32; they save room on the disk alone.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from appliance.onnx_tools.bert_graph import IR_VERSION, OPSET, Array, Graph, quantized
from recipes.speech.layout import AFTER, BEFORE, FLOOR, HOP, VOCABULARY, WINDOW, Shape, mel_matrix, window

Weights = dict[str, NDArray[np.float32]]
EPSILON = 1e-5
INPUT, OUTPUT = "input_values", "logits"


class Network:
    """A graph under construction, with the trained weights by name."""

    def __init__(self, weights: Weights, shape: Shape, *, small: bool) -> None:
        self.graph = Graph()
        self.weights = weights
        self.shape = shape
        self.small = small

    def whole(self, *numbers: int) -> str:
        """Add int64 [n]."""
        return self.graph.constant(np.array(numbers, dtype=np.int64))

    def number(self, value: float) -> str:
        """Add a float32 scalar."""
        return self.graph.constant(np.array(value, dtype=np.float32))

    def stored(self, weights: Array) -> str:
        """Add weights whose first axis is the output: in 8 bits, one scale each output, or as they are."""
        if not self.small:
            return self.graph.constant(weights.astype(np.float32))
        flat = weights.reshape(len(weights), -1).T
        numbers, scale = quantized(flat, levels=128)
        kept = self.graph.constant(np.ascontiguousarray(numbers.T).reshape(weights.shape))
        factor = self.graph.constant(scale.reshape(-1, *[1] * (weights.ndim - 1)))
        return self.graph.one("Mul", self.graph.one("Cast", kept, to=TensorProto.FLOAT), factor)

    def linear(self, value: str, name: str) -> str:
        """Value [.., in] to [.., out]."""
        turned = self.graph.one("Transpose", self.stored(self.weights[f"{name}.weight"]), perm=[1, 0])
        product = self.graph.one("MatMul", value, turned)
        return self.graph.one("Add", product, self.graph.constant(self.weights[f"{name}.bias"]))

    def norm(self, value: str, name: str) -> str:
        """Layer normalisation of each frame over the last axis."""
        scale, bias = (self.graph.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.graph.one("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)

    def silu(self, value: str) -> str:
        """x sigmoid(x)."""
        return self.graph.one("Mul", value, self.graph.one("Sigmoid", value))

    def turned(self, value: str) -> str:
        """Exchange the last two of three axes."""
        return self.graph.one("Transpose", value, perm=[0, 2, 1])

    def bands(self) -> str:
        """Waveform [batch, samples] to log-mel bands [batch, bands, frames of 10 ms]."""
        graph = self.graph
        padded = graph.one("Pad", INPUT, self.whole(0, BEFORE, 0, AFTER))
        wave = graph.one("Unsqueeze", padded, self.whole(1))
        waves = graph.constant(fourier())
        parts = graph.one("Conv", wave, waves, strides=[HOP])
        squared = graph.one("Mul", parts, parts)
        real, imaginary = graph.add("Split", squared, outputs=2, axis=1, num_outputs=2)
        power = graph.one("Add", real, imaginary)
        mel = graph.one("MatMul", graph.constant(mel_matrix(self.shape.bands).T), power)
        return graph.one("Log", graph.one("Add", mel, self.number(FLOOR)))

    def pair(self, bands: str) -> str:
        """Both views of the bands, [batch, 2, bands, frames]: by fixed means, and by those just before."""
        graph = self.graph
        column = {name: graph.constant(self.weights[name][:, None]) for name in ("mean", "scale")}
        before = self.shape.mean_frames - 1
        local = graph.one(
            "AveragePool", bands, kernel_shape=[before + 1], pads=[before, 0], count_include_pad=0
        )
        views = [
            graph.one("Mul", graph.one("Sub", bands, mean), column["scale"])
            for mean in (column["mean"], local)
        ]
        stacked = [graph.one("Unsqueeze", view, self.whole(1)) for view in views]
        return graph.one("Concat", *stacked, axis=1)

    def steps(self, pair: str) -> tuple[str, str]:
        """Two strided convolutions over bands and time: ([batch, steps of 40 ms, width], frames of 20 ms)."""
        graph = self.graph
        halved = self.convolution(pair, "first", [1, 1, 0, 0])
        maps = self.convolution(halved, "second", [1, 1, 0, 1])
        rows = self.shape.maps[1] * (self.shape.bands // 4)
        flat = graph.one("Reshape", maps, self.whole(0, rows, -1))
        return self.linear(self.turned(flat), "enter"), graph.one("Shape", halved, start=3, end=4)

    def convolution(self, value: str, name: str, pads: list[int]) -> str:
        """Convolution over bands and time, halving both."""
        # Trained as [out, in, time, bands]; here bands come before time.
        kernel = self.stored(self.weights[f"{name}.weight"].transpose(0, 1, 3, 2))
        bias = self.graph.constant(self.weights[f"{name}.bias"])
        return self.silu(self.graph.one("Conv", value, kernel, bias, strides=[2, 2], pads=pads))

    def block(self, value: str, name: str, context: tuple[int, int]) -> str:
        """One block, as `model.Block`."""
        graph = self.graph
        # As a picture one row high: onnxruntime has a fast depthwise convolution for those.
        tall = graph.one("Unsqueeze", self.turned(value), self.whole(2))
        kernel = graph.constant(self.weights[f"{name}.mix.weight"][:, :, None])
        bias = graph.constant(self.weights[f"{name}.mix.bias"])
        pads = [0, context[0], 0, context[1]]
        mixed = graph.one("Conv", tall, kernel, bias, group=self.shape.width, pads=pads)
        flat = self.turned(graph.one("Squeeze", mixed, self.whole(2)))
        grown = self.silu(self.linear(self.norm(flat, f"{name}.norm"), f"{name}.grow"))
        return graph.one("Add", value, self.linear(grown, f"{name}.shrink"))

    def answer(self, value: str, frames: str) -> None:
        """Add the blocks, and the scores of both halves of each step."""
        for number, context in enumerate(self.shape.blocks):
            value = self.block(value, f"blocks.{number}", context)
        scores = self.linear(self.norm(value, "norm"), "head")
        halves = self.graph.one("Reshape", scores, self.whole(0, -1, len(VOCABULARY)))
        self.graph.add("Slice", halves, self.whole(0), frames, self.whole(1), name=OUTPUT)


def fourier() -> NDArray[np.float32]:
    """Return windowed cosines, then sines, of each bin: float32 [2 (WINDOW / 2 + 1), 1, WINDOW]."""
    angles = 2 * np.pi * np.outer(np.arange(WINDOW // 2 + 1), np.arange(WINDOW)) / WINDOW
    waves = np.concatenate([np.cos(angles), np.sin(angles)]) * window()
    return waves[:, None].astype(np.float32)


def build(weights: Weights, shape: Shape, *, small: bool = True) -> onnx.ModelProto:
    """Return the model for weights named as in `model.SpeechModel`.

    Input `input_values` float32 [batch, samples] at 16 kHz, full scale 1; at least 320 samples. Output
    `logits` float32 [batch, samples // 320, labels]. `small`: weights stored in 8 bits.
    """
    network = Network(weights, shape, small=small)
    network.answer(*network.steps(network.pair(network.bands())))
    batch: list[str | int] = ["batch", "samples"]
    made = helper.make_graph(
        network.graph.nodes,
        "speech",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, batch)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", "frames", len(VOCABULARY)])],
        network.graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "offline-appliance"
    onnx.checker.check_model(model, full_check=True)
    return model
