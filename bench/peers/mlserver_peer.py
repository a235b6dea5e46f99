"""MLServer with adaptive batching, in its V2 inference protocol."""

import asyncio
import sys
from pathlib import Path

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import StringCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse
from plain import Plain


class Ner(MLModel):
    async def load(self) -> bool:
        self.model = Plain(Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        texts = StringCodec.decode_input(payload.inputs[0])
        found = await asyncio.get_running_loop().run_in_executor(None, self.model.answer, texts)
        return InferenceResponse(
            model_name=self.name, outputs=[StringCodec.encode_output("entities", [str(one) for one in found])]
        )


async def main() -> None:
    settings = Settings(
        host="127.0.0.1",
        http_port=int(sys.argv[2]),
        grpc_port=int(sys.argv[2]) + 1,
        metrics_endpoint=None,
        parallel_workers=0,
        debug=False,
    )
    server = MLServer(settings)
    model = ModelSettings(
        name="ner",
        implementation=Ner,
        parameters=ModelParameters(uri=sys.argv[1]),
        max_batch_size=8,
        max_batch_time=0.005,
    )
    await server.start([model])


asyncio.run(main())
