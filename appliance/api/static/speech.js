// The home page of the speech service. Whatever the browser can play becomes a WAV of 16 kHz here, is sent as short
// audio, and comes back as words with times. Text is only ever set as text, never as markup.

// Where this service begins: below a path, if a proxy gives it one.
const BASE = new URL("..", import.meta.url).href.replace(/\/$/, "");
const RATE = 16000;
const LIMIT = 60; // seconds of short audio
const WIDTH = 1000;
const HEIGHT = 150;
const KEY_HEADER = "Ocp-Apim-Subscription-Key";
const TICKS = 1e7;
const PATIENCE = Number(document.body.dataset.patience) * 1000; // until a server that hangs is called silent
const WRONG_KEY = "This is not an access key of this server. Whoever operates it has the keys (setting ApiKeys).";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const seconds = (ticks) => `${(ticks / TICKS).toFixed(2)} s`;
const state = { language: "en-US", recorder: null };

function element(tag, attributes = {}, ...children) {
  const svg = ["rect", "path", "title"].includes(tag);
  const made = svg ? document.createElementNS($("wave").namespaceURI, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function call(path, options = {}) {
  const key = $("key").value.trim();
  if (/[^\x20-\x7e]/.test(key)) throw new Refused(WRONG_KEY);
  const headers = { Accept: "application/json", ...options.headers, ...(key ? { [KEY_HEADER]: key } : {}) };
  let reply;
  try {
    reply = await fetch(BASE + path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? `The service has not answered for ${PATIENCE / 1000} seconds.` : "The service does not answer.");
  }
  if (reply.status === 401) {
    $("access").hidden = false;
    throw new Refused(key ? WRONG_KEY : "This server asks for an access key: enter one above.");
  }
  return reply;
}

class Refused extends Error {}

function say(text, tone = "quiet", code = "") {
  $("outcome").dataset.tone = tone;
  $("outcome").replaceChildren(text, ...(code ? [" ", element("a", { href: `${BASE}/docs/search?q=${encodeURIComponent(code)}` }, "What this means")] : []));
}

// ---- sound

async function samplesOf(data) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const decoded = await context.decodeAudioData(data); // at the rate of its context
  const mixed = new Float32Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    decoded.getChannelData(channel).forEach((value, i) => { mixed[i] += value / decoded.numberOfChannels; });
  }
  return mixed;
}

function wavOf(samples) {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const write = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF"); view.setUint32(4, 36 + samples.length * 2, true); write(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, RATE * 2, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  write(36, "data"); view.setUint32(40, samples.length * 2, true);
  samples.forEach((value, i) => view.setInt16(44 + i * 2, Math.max(-1, Math.min(1, value)) * 32767, true));
  return new Blob([view.buffer], { type: "audio/wav" });
}

async function recognise(blob) {
  say("listening…");
  try {
    const samples = await samplesOf(await blob.arrayBuffer()).catch(() => { throw new Error("The browser cannot read this file."); });
    if (samples.length > LIMIT * RATE) throw new Error(`This recording has ${Math.round(samples.length / RATE)} seconds; up to ${LIMIT} are heard here.`);
    const wav = wavOf(samples);
    const began = performance.now();
    const reply = await call(`/speech/recognition/conversation/cognitiveservices/v1?language=${encodeURIComponent(state.language)}&format=detailed`,
      { method: "POST", headers: { "Content-Type": "audio/wav" }, body: wav });
    const answer = await reply.json().catch(() => ({}));
    if (!reply.ok) {
      const { message, code, innererror } = answer.error ?? {};
      throw Object.assign(new Error(innererror?.message ?? message ?? `the service answered ${reply.status}`), { code: innererror?.code ?? code });
    }
    show(samples, answer);
    $("usage-record").textContent = `Usage record ${reply.headers.get("Usage-Record") ?? ""}`;
    say(`${(samples.length / RATE).toFixed(1)} seconds of sound in ${Math.max(1, Math.round(performance.now() - began))} ms`);
    refresh();
  } catch (error) {
    $("result").hidden = true;
    say(String(error.message), "bad", typeof error.code === "string" ? error.code : "");
  }
}

function show(samples, answer) {
  const best = answer.NBest?.[0];
  $("text").textContent = best?.Display ?? (answer.RecognitionStatus === "InitialSilenceTimeout" ? "Nothing was said." : "No words were understood.");
  const length = samples.length / RATE * TICKS;
  const place = (ticks) => ticks / length * WIDTH;
  const spans = (best?.Words ?? []).map((word) => element("rect", { class: "word", x: place(word.Offset), y: 0, width: Math.max(2, place(word.Duration)), height: HEIGHT },
    element("title", {}, `${word.Word} ${seconds(word.Offset)}`)));
  $("wave").replaceChildren(...spans, element("path", { class: "sound", d: outline(samples) }));
  $("words").replaceChildren(...(best?.Words ?? []).map((word, i) => {
    const item = element("li", { tabindex: 0 }, word.Word, element("small", {}, `${seconds(word.Offset)} · ${Math.round(word.Confidence * 100)} %`));
    const mark = (on) => { item.classList.toggle("on", on); spans[i].classList.toggle("on", on); };
    for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) item.addEventListener(event, () => mark(on));
    return item;
  }));
  $("result").hidden = false;
}

function outline(samples) {
  const step = Math.max(1, Math.floor(samples.length / WIDTH));
  let highest = 0.01;
  const peaks = [];
  for (let at = 0; at < samples.length; at += step) {
    let peak = 0;
    for (let i = at; i < Math.min(at + step, samples.length); i += 1) peak = Math.max(peak, Math.abs(samples[i]));
    peaks.push(peak);
    highest = Math.max(highest, peak);
  }
  const x = (i) => (i * WIDTH / peaks.length).toFixed(1);
  const y = (peak, sign) => (HEIGHT / 2 - sign * peak / highest * (HEIGHT / 2 - 4)).toFixed(1);
  const up = peaks.map((peak, i) => `${x(i)},${y(peak, 1)}`);
  const down = peaks.map((peak, i) => `${x(i)},${y(peak, -1)}`).reverse();
  return `M${[...up, ...down].join("L")}Z`;
}

// ---- microphone

async function toggleRecording() {
  if (state.recorder) { state.recorder.stop(); return; }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("stop", () => {
      stream.getTracks().forEach((track) => track.stop());
      state.recorder = null;
      $("record").textContent = "Speak";
      recognise(new Blob(parts));
    });
    state.recorder = recorder;
    recorder.start();
    setTimeout(() => { if (state.recorder === recorder) recorder.stop(); }, (LIMIT - 1) * 1000);
    $("record").textContent = "Stop";
    say("speak now");
  } catch {
    say("The browser gives no access to a microphone.", "bad");
  }
}

// ---- standing

const TONES = { Valid: "good", Expiring: "warn", Grace: "warn" };

async function refresh() {
  try {
    const status = await (await call("/status")).json();
    const licence = status.license ?? {};
    const word = licence.state ?? status.apiStatus ?? "unknown";
    $("version").textContent = status.version ?? "";
    const unwritable = status.ledger?.healthy === false;
    $("licence-figure").dataset.tone = TONES[word] ?? "bad";
    $("pill").dataset.tone = unwritable ? "bad" : $("licence-figure").dataset.tone;
    $("pill-text").textContent = unwritable ? "cannot count" : `licence ${word.replaceAll(/\B[A-Z]/g, " $&").toLowerCase()}`;
    $("licence-figure").replaceChildren(element("strong", {}, licence.daysLeft > 0 ? number.format(licence.daysLeft) : word), licence.daysLeft > 0 ? "days left" : "");
    showMessage(status.apiStatusMessage ?? "", [undefined, "Valid"].includes(status.apiStatus) ? "" : status.apiStatus);
    $("ledger").textContent = status.ledger ? `Signed ledger, ${number.format(status.ledger.size ?? 0)} entries: ${status.ledger.origin ?? ""}` : "";
    showTrouble(unwritable);
    await refreshGuarded();
  } catch (error) {
    $("pill").dataset.tone = "bad";
    $("pill-text").textContent = "no answer";
    $("notice").dataset.shown = "silent";
    $("notice").dataset.tone = "bad";
    $("notice").textContent = `${error.message} This page asks again every 15 seconds.`;
    $("notice").hidden = false;
  }
}

// Nothing is answered while usage cannot be counted: that comes before everything else.
function showTrouble(unwritable) {
  const shown = unwritable ? "ledger" : "";
  if ($("notice").dataset.shown === shown) return; // a screen reader reads it once
  $("notice").dataset.shown = shown;
  $("notice").hidden = !unwritable;
  if (!unwritable) return;
  $("notice").dataset.tone = "bad";
  $("notice").replaceChildren("The usage ledger cannot be written, so nothing is answered until its disk has room and can be written. ",
    element("a", { href: `${BASE}/docs/search?q=UsageStoreUnavailable` }, "What this means"));
}

// The service's own sentence; with what explains it, where something is wrong.
function showMessage(text, code) {
  const shown = `${code} ${text}`;
  if ($("licence-message").dataset.shown === shown) return; // who reads the link keeps it
  $("licence-message").dataset.shown = shown;
  $("licence-message").replaceChildren(text, ...(code ? [" ", element("a", { href: `${BASE}/docs/search?q=${encodeURIComponent(code)}` }, "What this means")] : []));
}

// What a server that asks for access keys tells only with one.
async function refreshGuarded() {
  try {
    const now = new Date();
    const logs = await (await call(`/records/usage-logs/${now.getUTCMonth() + 1}/${now.getUTCFullYear()}`)).json();
    const total = (logs.meters ?? []).reduce((sum, meter) => sum + meter.quantity, 0);
    $("usage-figure").replaceChildren(element("strong", {}, number.format(total)), total === 1 ? "second of audio" : "seconds of audio");
    const { models = [] } = await (await call("/models")).json();
    state.language = models[0]?.language || state.language;
    $("models").replaceChildren(...models.map((model) => element("li", {}, element("b", {}, `${model.name} ${model.modelVersion}`), element("span", { dir: "auto" }, [model.language, model.description].filter(Boolean).join(" · ")))));
    if (!models.length) $("models").replaceChildren(element("li", { class: "none" }, "No model is loaded yet."));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    $("usage-figure").replaceChildren(element("strong", {}, "–"), "not told without an access key");
    $("models").replaceChildren(element("li", { class: "none" }, $("key").value.trim() ? error.message : "Enter an access key to see the model."));
  }
  showSnippet();
}

function showSnippet() {
  $("snippet").textContent = `# pip install azure-cognitiveservices-speech
import azure.cognitiveservices.speech as speechsdk

config = speechsdk.SpeechConfig(host="${location.origin.replace(/^http/, "ws")}"${$("access").hidden ? "" : ', subscription="YOUR KEY"'})
config.speech_recognition_language = ${JSON.stringify(state.language)}
audio = speechsdk.audio.AudioConfig(filename="recording.wav")
print(speechsdk.SpeechRecognizer(speech_config=config, audio_config=audio).recognize_once().text)`;
}

// ---- start

$("form").addEventListener("submit", (event) => event.preventDefault());
$("file").addEventListener("change", () => { if ($("file").files.length) recognise($("file").files[0]); });
for (const event of ["dragenter", "dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(event, (found) => { found.preventDefault(); $("drop").classList.toggle("over", event.startsWith("dragen") || event === "dragover"); });
}
$("drop").addEventListener("drop", (event) => { if (event.dataTransfer.files.length) recognise(event.dataTransfer.files[0]); });
if (navigator.mediaDevices?.getUserMedia && "MediaRecorder" in window) {
  $("record").hidden = false;
  $("microphone").hidden = true;
  $("record").addEventListener("click", toggleRecording);
}
$("example").addEventListener("click", async () => recognise(await (await call("/static/example.wav")).blob()));
$("key").addEventListener("change", refresh);
showSnippet();
refresh();
setInterval(refresh, 15000);
