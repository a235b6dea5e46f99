// node recognize.mjs FOLDER PACKAGE HOST FILE once|continuous|opened: prints JSON, everything that the SDK told.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, name, host, file, how] = process.argv.slice(2);
const sdk = createRequire(join(folder, "package.json"))(name);
const seen = [];

function finish() {
  console.log(JSON.stringify(seen));
  process.exit(0);
}

setTimeout(() => {
  seen.push(["never settled"]);
  finish();
}, 20_000);

const config = sdk.SpeechConfig.fromHost(new URL(host));
config.speechRecognitionLanguage = "en-US";
const audio = sdk.AudioConfig.fromWavFileInput(readFileSync(file));
const recognizer = new sdk.SpeechRecognizer(config, audio);
recognizer.canceled = (_, event) => {
  seen.push(["canceled", sdk.CancellationReason[event.reason], sdk.CancellationErrorCode[event.errorCode]]);
};

if (how === "once") {
  recognizer.recognizeOnceAsync(
    (result) => {
      seen.push(["result", sdk.ResultReason[result.reason], result.text ?? ""]);
      finish();
    },
    (error) => {
      seen.push(["error", String(error)]);
      finish();
    },
  );
} else {
  if (how === "opened") {
    sdk.Connection.fromRecognizer(recognizer).openConnection();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  recognizer.recognized = (_, event) => {
    if (event.result.text) seen.push(["recognized", event.result.text]);
  };
  const canceled = recognizer.canceled;
  recognizer.canceled = (_, event) => {
    canceled(_, event);
    setTimeout(finish, 200);
  };
  recognizer.startContinuousRecognitionAsync();
}
