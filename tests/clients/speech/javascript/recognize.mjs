// node recognize.mjs FOLDER PACKAGE HOST FILE once|continuous|opened [OPTIONS]: prints JSON, everything that the
// SDK told. OPTIONS is JSON: language, phrases, detailed (adds the service's own words to each result).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, name, host, file, how, given] = process.argv.slice(2);
const options = JSON.parse(given ?? "{}");
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
config.speechRecognitionLanguage = options.language ?? "en-US";
if (options.detailed) {
  config.outputFormat = sdk.OutputFormat.Detailed;
  config.requestWordLevelTimestamps();
}
const audio = sdk.AudioConfig.fromWavFileInput(readFileSync(file));
const recognizer = new sdk.SpeechRecognizer(config, audio);
if (options.phrases) sdk.PhraseListGrammar.fromRecognizer(recognizer).addPhrases(options.phrases);
if (options.detailed) {
  recognizer.recognizing = (_, event) => seen.push(["recognizing", event.result.text]);
}

function heard(kind, result, ...more) {
  const own = options.detailed && result.json ? [JSON.parse(result.json)] : [];
  seen.push([kind, ...more, result.text ?? "", ...own]);
}

recognizer.canceled = (_, event) => {
  seen.push(["canceled", sdk.CancellationReason[event.reason], sdk.CancellationErrorCode[event.errorCode]]);
};

if (how === "once") {
  recognizer.recognizeOnceAsync(
    (result) => {
      heard("result", result, sdk.ResultReason[result.reason]);
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
    if (event.result.text) heard("recognized", event.result);
  };
  const canceled = recognizer.canceled;
  recognizer.canceled = (_, event) => {
    canceled(_, event);
    setTimeout(finish, 200);
  };
  recognizer.startContinuousRecognitionAsync();
}
