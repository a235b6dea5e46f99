// Recordings with transcripts: each is heard, and the wrong words are counted, by speaker and side by side.

import { $, doing, element, number, plural, say } from "../dom.js";

const RESULT = "appliance-listen-result"; // what a saved result says of itself
const state = { files: new Map(), transcripts: new Map(), list: "", result: null };

const nameOf = (path) => path.split("/").at(-1);
const rate = (share) => (100 * share).toFixed(1);

function parsed(text, name) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name} is not JSON. Choose a result that this page saved, or a list of what is said.`);
  }
}

// A list is small and is text; a saved result is JSON that says what it is; everything else is a recording.
async function sorted(files) {
  const found = { list: "", earlier: null, sounds: new Map() };
  for (const file of files) {
    if (!/\.(txt|tsv|csv|json|jsonl)$/i.test(file.name)) {
      found.sounds.set(file.name, file);
      continue;
    }
    const text = await file.text();
    const value = file.name.endsWith(".json") ? parsed(text, file.name) : null;
    if (value?.kind === RESULT) found.earlier = value;
    else found.list = text;
  }
  if (!found.list) throw new Error("Choose a list of what is said too: trans.txt, a table or JSON Lines.");
  if (!found.sounds.size) throw new Error("Choose the recordings together with the list.");
  return found;
}

export function wireCheck({ post, hear, language, modelName, download, play }) {
  const compare = (results) => post(`/speechtotext/transcripts:compare?language=${encodeURIComponent(language())}`, { transcripts: state.list, results });

  async function check() {
    const { list, earlier, sounds } = await sorted($("check-files").files);
    state.list = list;
    state.files = sounds;
    const { recordings } = await compare([]);
    const wanted = recordings.filter(({ path }) => sounds.has(nameOf(path)));
    if (!wanted.length) throw new Error(`None of the chosen recordings is in the list, which begins with ${recordings[0].path}.`);
    const texts = {};
    state.transcripts.clear();
    for (const [index, { path }] of wanted.entries()) {
      say(`Hearing ${index + 1} of ${wanted.length}: ${path}`);
      const transcript = await hear(sounds.get(nameOf(path)));
      state.transcripts.set(path, transcript);
      texts[path] = transcript.combinedPhrases.map(({ text }) => text).join(" ");
    }
    state.result = { kind: RESULT, model: await modelName(), texts };
    $("check-save").hidden = false;
    const results = [...(earlier ? [{ model: earlier.model, texts: earlier.texts }] : []), { model: state.result.model, texts }];
    show(await compare(results));
    say(`${plural(wanted.length, "recording")} heard.`);
  }

  function show(found) {
    const two = found.models.length === 2;
    $("check-result").hidden = false;
    $("check-figure").replaceChildren(element("strong", {}, found.models.map(({ wer }) => rate(wer)).join(" : ")),
      `wrong words in a hundred · ${plural(found.words, "word")}, ${plural(found.recordings, "recording")}${two ? ` · ${verdict(found)}` : ""}`);
    $("wer-a").textContent = two ? found.models[0].model : "Wrong in 100";
    $("wer-b").textContent = two ? found.models[1].model : "";
    $("wer-b").hidden = !two; // a heading without words says nothing to who hears it
    const row = (name, counts) => element("tr", {}, element("td", {}, name), element("td", { class: "number" }, number.format(counts[0].words)),
      ...counts.map(({ wer }) => element("td", { class: "number" }, rate(wer))));
    const speakers = Object.keys(found.models[0].speakers);
    $("speakers").tBodies[0].replaceChildren(...speakers.map((name) => row(element("bdi", {}, name || "not named"), found.models.map((one) => one.speakers[name]))),
      row(element("b", {}, "All"), found.models));
    $("worst-title").textContent = two ? "Recordings in which they differ" : "Recordings with wrong words";
    $("worst").replaceChildren(...(found.shown.length ? found.shown.map((one) => worst(one, found.models)) : [element("li", {}, two ? "None." : "None: every word was heard right.")]));
  }

  const verdict = ({ difference, models }) => (difference.beyondChance
    ? `${models[0].wer < models[1].wer ? models[0].model : models[1].model} is better, beyond chance`
    : "too few recordings to say which is better");

  function worst({ path, speaker, said, heard, errors }, models) {
    const listen = element("button", { type: "button", class: "quiet" }, "Listen");
    listen.addEventListener("click", () => doing(listen, async () => { await play(state.files.get(nameOf(path)), state.transcripts.get(path)); $("audio").play(); }));
    const line = (name, text) => element("p", { dir: "auto" }, element("small", {}, `${name}: `), text);
    return element("li", {}, element("p", {}, element("b", {}, path), ` ${[speaker, `${errors.join(" and ")} wrong`].filter(Boolean).join(", ")} `, listen),
      line("said", said), ...heard.map((text, at) => line(models.length > 1 ? models[at].model : "heard", text)));
  }

  $("check-form").addEventListener("submit", (event) => { event.preventDefault(); doing($("check-go"), check); });
  $("check-save").addEventListener("click", () => download(`${state.result.model}.json`, new Blob([JSON.stringify(state.result, null, 2)], { type: "application/json" })));
}
