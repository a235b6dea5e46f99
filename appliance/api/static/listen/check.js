// Recordings with transcripts: each is heard, and the wrong words are counted, by speaker and side by side.

import { $, doing, element, number, option, plural, say } from "../dom.js";
import { differing } from "./differing.js";
import { hearStretch } from "./player.js";

const RESULT = "appliance-listen-result"; // what a saved result says of itself
const SHOWN = 8; // places of a recording where words differ
const state = { files: new Map(), transcripts: [], list: "", result: null, found: null, models: [] }; // transcripts: of each model, by path

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

export function wireCheck({ post, hear, language, chosen, showName, callName, download, play }) {
  const compare = (results) => post(`/speechtotext/transcripts:compare?language=${encodeURIComponent(language())}`, { transcripts: state.list, results });

  async function check() {
    const { list, earlier, sounds } = await sorted($("check-files").files);
    state.list = list;
    state.files = sounds;
    const { recordings } = await compare([]);
    const wanted = recordings.filter(({ path }) => sounds.has(nameOf(path)));
    if (!wanted.length) throw new Error(`None of the chosen recordings is in the list, which begins with ${recordings[0].path}.`);
    const other = state.models.find((model) => callName(model) === $("check-model").value && model !== chosen());
    if (other && earlier) throw new Error("Choose another served model or an earlier result, not both.");
    const models = [...(other ? [other] : []), chosen()];
    const transcripts = models.map(() => new Map());
    for (const [index, { path }] of wanted.entries()) {
      for (const [at, model] of models.entries()) {
        say(`Hearing ${index + 1} of ${wanted.length}: ${path}${models.length > 1 ? `, by ${nameFor(model)}` : ""}`);
        transcripts[at].set(path, await hear(sounds.get(nameOf(path)), model));
      }
    }
    const results = models.map((model, at) => ({ model: nameFor(model), texts: textsOf(transcripts[at]) }));
    state.result = { kind: RESULT, ...results.at(-1) };
    state.transcripts = [...(earlier ? [new Map()] : []), ...transcripts];
    $("check-save").hidden = false;
    show(await compare([...(earlier ? [{ model: earlier.model, texts: earlier.texts }] : []), ...results]));
    say(`${plural(wanted.length, "recording")} heard${models.length > 1 ? ` by ${models.length} models` : ""}.`);
  }

  const nameFor = (model) => (state.models.length > 1 ? `${showName(model)} (${callName(model)})` : showName(model));

  function offerModels(models) {
    state.models = models;
    const before = $("check-model").value;
    $("check-model-line").hidden = models.length < 2;
    $("check-model").replaceChildren(option("", "none, or an earlier result"), ...models.map((model) => option(callName(model), nameFor(model))));
    if (models.some((model) => callName(model) === before)) $("check-model").value = before;
  }

  function show(found) {
    state.found = found;
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
    const open = () => play(state.files.get(nameOf(path)), state.transcripts.at(-1).get(path));
    listen.addEventListener("click", () => doing(listen, async () => { await open(); $("audio").play(); }));
    const line = (name, text) => element("p", { dir: "auto" }, element("small", {}, `${name}: `), text);
    const places = (text, at) => {
      const transcript = state.transcripts[at]?.get(path);
      const found = transcript ? differing(said, text, transcript.phrases.flatMap(({ words = [] }) => words)) : [];
      const made = found.slice(0, SHOWN).map((one) => {
        const told = `${one.said ? `“${one.said}”` : "nothing"} heard as ${one.heard ? `“${one.heard}”` : "nothing"}`;
        const place = element("button", { type: "button", class: "quiet", "aria-label": `Hear where ${told}` }, told);
        place.addEventListener("click", () => doing(place, async () => { await open(); hearStretch(one.start, one.end); }));
        return place;
      });
      if (found.length > SHOWN) made.push(element("small", {}, `and ${found.length - SHOWN} more`));
      return made.length ? [element("p", { class: "places", dir: "auto" }, ...made)] : [];
    };
    return element("li", {}, element("p", {}, element("b", {}, path), ` ${[speaker, `${errors.join(" and ")} wrong`].filter(Boolean).join(", ")} `, listen),
      line("said", said), ...heard.flatMap((text, at) => [line(models.length > 1 ? models[at].model : "heard", text), ...places(text, at)]));
  }

  const textsOf = (transcripts) => Object.fromEntries([...transcripts].map(([path, { combinedPhrases }]) => [path, combinedPhrases.map(({ text }) => text).join(" ")]));

  $("check-form").addEventListener("submit", (event) => { event.preventDefault(); doing($("check-go"), check); });
  const plainCell = (text) => text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|").slice(0, 100);

  // What a model card keeps of it: rates by speaker, and no word of what was said.
  function cardSection({ models, recordings, words, difference }) {
    const speakers = Object.keys(models[0].speakers);
    const row = (name, counts) => `| ${name} | ${counts.map(({ wer }) => rate(wer)).join(" | ")} | ${counts[0].words} |`;
    const ends = difference ? ` The difference of all words is ${[difference.low, difference.high].map(rate).join(" to ")} (95 %).` : "";
    return [
      `## Words wrong in a hundred, counted on ${new Date().toISOString().slice(0, 10)}`, "",
      `On ${plural(recordings, "recording")} with ${plural(words, "word")}.${ends}`, "",
      `| speaker | ${models.map(({ model }) => plainCell(model)).join(" | ")} | words |`,
      `|---|${models.map(() => "---|").join("")}---|`,
      ...speakers.map((name) => row(plainCell(name) || "not named", models.map((one) => one.speakers[name]))),
      row("all", models), "",
    ].join("\n");
  }

  $("check-card").addEventListener("click", () => download("comparison.md", new Blob([cardSection(state.found)], { type: "text/markdown" })));
  $("check-numbers").addEventListener("click", () => download("comparison.json", new Blob([JSON.stringify(state.found, null, 2), "\n"], { type: "application/json" })));
  $("check-save").addEventListener("click", () => download(`${state.result.model}.json`, new Blob([JSON.stringify(state.result, null, 2)], { type: "application/json" })));
  return { offerModels };
}
