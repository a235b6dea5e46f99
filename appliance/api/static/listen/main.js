// The listen page: a recording or the microphone in; words that follow the sound, subtitles and text out.

import { $, doing, number, option, plural, randomId, say, showStanding } from "../dom.js";
import { wireCheck } from "./check.js";
import { startLive } from "./live.js";
import { play, showTranscript, wirePlayer } from "./player.js";

const BASE = new URL("../..", import.meta.url).href.replace(/\/$/, "");
const TRANSCRIBE = "/speechtotext/transcriptions:transcribe?api-version=2024-11-15";
const PROGRESS = "/speechtotext/transcriptions:progress";
const KEY_HEADER = "Ocp-Apim-Subscription-Key";
const PATIENCE = Number(document.body.dataset.patience) * 1000; // until a server that hangs is called silent
const MOST_BYTES = Number(document.body.dataset.mostBytes); // of one recording
const STANDING = 60_000; // milliseconds between two looks at licence and plan
const state = { transcript: null, name: "recording", request: null, live: null, language: "en-US", speed: 0, models: [] };

const key = () => $("key").value.trim();
const callName = (model) => `${model.projectName}/${model.deploymentName}`;
const showName = (model) => [model?.name, model?.modelVersion].filter(Boolean).join(" ") || "model";
const chosen = () => state.models.find((model) => callName(model) === $("model").value) ?? state.models[0];
// What a request adds to name a model that is not the default.
const named = (model = chosen()) => (model && !model.default ? callName(model) : "");
const cid = (model = chosen()) => (named(model) ? `&cid=${encodeURIComponent(named(model))}` : "");
const phrases = () => $("phrases").value.split("\n").map((line) => line.trim()).filter(Boolean);

function refused(status, text) {
  if (status === 401) {
    $("access").hidden = false;
    showSnippet();
    return new Error(key() ? "This server does not know that access key." : "This server asks for an access key.");
  }
  let error = {};
  try {
    ({ error = {} } = JSON.parse(text));
  } catch {
    // Not the service: what stands before it answered.
  }
  return new Error(error.innererror?.message ?? error.message ?? `The service answered ${status}.`);
}

function keyHeader() {
  if (/[^\x20-\x7e]/.test(key())) throw refused(401, "");
  return key() ? { [KEY_HEADER]: key() } : {};
}

// What the service answers; `patience` is for all but the hearing, which may take hours.
async function asked(path, options, patience) {
  const signal = patience ? { signal: AbortSignal.timeout(patience) } : {};
  let reply;
  try {
    reply = await fetch(BASE + path, { ...options, headers: { ...options.headers, ...keyHeader() }, cache: "no-store", ...signal });
  } catch (error) {
    if (error.name !== "TimeoutError") throw error;
    throw new Error(`The service has not answered for ${patience / 1000} seconds.`);
  }
  if (!reply.ok) throw refused(reply.status, await reply.text());
  return reply;
}

// ---- a whole recording

// How much is heard so far, in seconds; 0 if this server, or the process of it that is asked, does not know.
async function heardOf(id) {
  const reply = await fetch(`${BASE}${PROGRESS}?id=${id}`, { headers: key() ? { [KEY_HEADER]: key() } : {}, cache: "no-store" }).catch(() => null);
  return reply?.ok ? (await reply.json()).heardSeconds : 0;
}

// An upload with its progress, which fetch does not tell, and then the progress of the hearing. Where the service does
// not tell that, the speed of the recording before says how long it may take.
function posted(form, seconds) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const began = performance.now();
    const id = randomId();
    let clock = 0;
    let told = 0;
    let asking = false;
    request.open("POST", BASE + TRANSCRIBE + cid());
    for (const header of Object.entries(keyHeader())) request.setRequestHeader(...header);
    request.setRequestHeader("Hearing-Id", id);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      $("progress").value = 100 * loaded / total;
      say(`Sending: ${Math.round(100 * loaded / total)} %`);
    });
    request.upload.addEventListener("load", () => {
      const heard = performance.now();
      const expected = state.speed && seconds ? seconds / state.speed : 0;
      clock = setInterval(() => {
        const so = (performance.now() - heard) / 1000;
        if (!asking) {
          asking = true;
          heardOf(id).then((found) => { asking = false; told = Math.max(told, found); });
        }
        if (told) {
          if (seconds) $("progress").value = Math.min(99, 100 * told / seconds);
          else $("progress").removeAttribute("value");
          say(`Heard ${number.format(Math.floor(told))}${seconds ? ` of ${number.format(Math.round(seconds))}` : ""} seconds`);
          return;
        }
        if (expected) $("progress").value = Math.min(99, 100 * so / expected);
        else $("progress").removeAttribute("value");
        say(`Hearing ${seconds ? `${plural(Math.round(seconds), "second")} of sound` : "it"}: ${plural(Math.round(so), "second")}${expected ? ` of about ${Math.ceil(expected)}` : ""}`);
      }, 500);
    });
    const over = (then) => () => { clearInterval(clock); state.request = null; then(); };
    request.addEventListener("load", over(() => {
      if (request.status !== 200) {
        failed(refused(request.status, request.responseText));
        return;
      }
      const transcript = JSON.parse(request.responseText);
      state.speed = transcript.durationMilliseconds / (performance.now() - began);
      done({ transcript, record: request.getResponseHeader("Usage-Record"), took: performance.now() - began });
    }));
    request.addEventListener("error", over(() => failed(new TypeError("no answer"))));
    request.addEventListener("abort", over(() => failed(new Error("Cancelled. The service hears it no further; nothing is counted unless it was just done."))));
    state.request = request;
    request.send(form);
  });
}

function formOf(blob, name) {
  const form = new FormData();
  form.append("audio", blob, name);
  form.append("definition", JSON.stringify(phrases().length ? { phraseList: { phrases: phrases() } } : {}));
  return form;
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 0)} MiB`;

function checkSize({ size }, name) {
  if (size <= MOST_BYTES) return;
  throw new Error(`${name} has ${mebibytes(size)}; this server takes ${mebibytes(MOST_BYTES)} at once. Save it as MP3 or Opus, or cut it, or ask the operator for more (Speech:TranscribeBytes).`);
}

async function hear(blob, name) {
  checkSize(blob, name);
  state.name = name.replace(/\.[^.]+$/, "") || "recording";
  $("result").hidden = true;
  $("progress").hidden = false;
  $("progress").value = 0;
  $("cancel").hidden = false;
  try {
    const seconds = await play(blob);
    const { transcript, record, took } = await posted(formOf(blob, name), seconds);
    show(transcript, record);
    say(`${plural(Math.round(transcript.durationMilliseconds / 1000), "second")} of sound in ${(took / 1000).toFixed(1)} s`);
  } finally {
    $("progress").hidden = true;
    $("cancel").hidden = true;
  }
}

function show(transcript, record) {
  state.transcript = transcript;
  showTranscript(transcript);
  $("record").textContent = record ? `Usage record ${record}` : "";
  $("result").hidden = false;
}

// ---- the microphone

async function toggleMicrophone() {
  if (state.live) {
    state.live.stop();
    return;
  }
  $("interim").hidden = false;
  $("interim").textContent = "";
  $("result").hidden = true;
  state.name = "microphone";
  try {
    state.live = await startLive({
      base: BASE, key: key(), language: state.language, phrases: phrases(), model: named(),
      heard: (text) => { $("interim").textContent = text; },
      phrase: (transcript) => { $("interim").textContent = ""; show(transcript, ""); },
    });
    $("microphone").textContent = "Stop";
    say("Speak now. What you say is counted in seconds.");
    const { transcript, recording } = await state.live.ended;
    await play(recording);
    show(transcript, "");
    say(transcript.phrases.length ? `${plural(transcript.phrases.length, "phrase")} heard.` : "Nothing was understood.");
  } finally {
    state.live = null;
    $("interim").hidden = true;
    $("microphone").textContent = "Listen to the microphone";
  }
}

// ---- files to keep

const post = (path, body, patience = PATIENCE) => asked(path, {
  method: "POST",
  headers: body instanceof FormData ? {} : { "Content-Type": "application/json" },
  body: body instanceof FormData ? body : JSON.stringify(body),
}, patience);

function download(name, blob) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function save(kind) {
  const reply = await post(`/speechtotext/transcripts:write?format=${kind}`, state.transcript);
  download(`${state.name}.${kind}`, await reply.blob());
}

// One of several recordings, without a progress of its own.
async function hearQuietly(file, model) {
  checkSize(file, file.name);
  return (await post(TRANSCRIBE + cid(model), formOf(file, file.name), 0)).json();
}

// ---- the same from a program

const SNIPPETS = {
  curl: () => `curl${$("access").hidden ? "" : ` -H '${KEY_HEADER}: YOUR KEY'`} \\
  -F audio=@recording.wav \\
  -F 'definition=${JSON.stringify(definition()).replaceAll("'", "'\\''")}' \\
  '${BASE}${TRANSCRIBE}${cid()}'`,
  python: () => `# pip install azure-ai-transcription
from azure.ai.transcription import TranscriptionClient
from azure.ai.transcription.models import TranscriptionContent, TranscriptionOptions
from azure.core.credentials import AzureKeyCredential

client = TranscriptionClient("${BASE}", AzureKeyCredential(${$("access").hidden ? '"unused"' : '"YOUR KEY"'}))
with open("recording.wav", "rb") as audio:
    options = TranscriptionOptions(locales=["${state.language}"])
    result = client.transcribe(TranscriptionContent(definition=options, audio=("recording.wav", audio))${named() ? `,
                               params={"cid": "${named()}"}` : ""})
for phrase in result.phrases:
    print(phrase.text)`,
  javascript: () => `const form = new FormData();
form.append("audio", file); // a File or a Blob
form.append("definition", ${JSON.stringify(JSON.stringify(definition()))});
const reply = await fetch("${BASE}${TRANSCRIBE}${cid()}", {
  method: "POST", body: form,${$("access").hidden ? "" : ` headers: { "${KEY_HEADER}": "YOUR KEY" },`}
});
for (const { text } of (await reply.json()).phrases) console.log(text);`,
};

const definition = () => ({ locales: [state.language], ...(phrases().length ? { phraseList: { phrases: phrases() } } : {}) });
const tabs = [...document.querySelectorAll('[role="tab"]')];

function showSnippet() {
  const tab = tabs.find((one) => one.getAttribute("aria-selected") === "true");
  $("snippet").textContent = SNIPPETS[tab.id.replace("tab-", "")]();
}

function selectTab(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", tab.id);
  showSnippet();
}

function moveTab(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const next = tabs[(tabs.indexOf(event.target) + by + tabs.length) % tabs.length];
  selectTab(next);
  next.focus();
}

// ---- start

async function askModel() {
  showStanding(BASE);
  const reply = await asked("/models", {}, PATIENCE);
  state.models = (await reply.json()).models.filter((model) => model.status === "ready");
  const before = $("model").value;
  $("model").replaceChildren(...state.models.map((model) => option(callName(model), `${showName(model)} (${callName(model)})`)));
  if (state.models.some((model) => callName(model) === before)) $("model").value = before;
  $("model-line").hidden = state.models.length < 2;
  offerModels(state.models);
  say("");
  showModel();
}

function showModel() {
  state.language = chosen()?.language || state.language;
  showSnippet();
}

const hearFile = (file) => doing($("transcribe"), () => hear(file, file.name));

wirePlayer();
const { offerModels } = wireCheck({
  post: async (path, body) => (await post(path, body)).json(),
  hear: hearQuietly, language: () => state.language, chosen, showName, callName, download,
  play: async (file, transcript) => { state.name = file.name.replace(/\.[^.]+$/, ""); show(transcript, ""); await play(file); },
});
$("form").addEventListener("submit", (event) => { event.preventDefault(); if ($("file").files.length) hearFile($("file").files[0]); });
$("file").addEventListener("change", () => { $("transcribe").disabled = !$("file").files.length; });
for (const name of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.toggle("over", name === "dragover"); });
}
$("drop").addEventListener("drop", (event) => { if (event.dataTransfer.files.length) hearFile(event.dataTransfer.files[0]); });
$("example").addEventListener("click", () => doing($("example"), async () => hear(await (await fetch(`${BASE}/static/example.wav`)).blob(), "example.wav")));
$("cancel").addEventListener("click", () => state.request?.abort());
if (navigator.mediaDevices?.getUserMedia && "AudioWorkletNode" in window) {
  $("microphone").hidden = false;
  $("no-microphone").hidden = true;
  $("microphone").addEventListener("click", () => { if (state.live) toggleMicrophone(); else doing(null, toggleMicrophone); });
}
for (const one of document.querySelectorAll("[data-save]")) one.addEventListener("click", () => doing(one, () => save(one.dataset.save)));
for (const tab of tabs) {
  tab.addEventListener("click", () => selectTab(tab));
  tab.addEventListener("keydown", moveTab);
}
$("phrases").addEventListener("input", showSnippet);
$("model").addEventListener("change", () => { state.speed = 0; showModel(); });
$("key").addEventListener("change", () => doing(null, askModel));
showSnippet();
setInterval(() => showStanding(BASE), STANDING);
doing(null, askModel);
