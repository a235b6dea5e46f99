// One or two served models on the labelled texts of the project, or of files that belong to none: F1 by category, and
// where they differ.

import * as api from "./api.js";
import { $, button, colourOf, doing, download, element, option, percent, plural, say } from "../dom.js";
import { openDocument, settle } from "./editor.js";
import { answersOf, inPage, modelName, servedModels, unanswered } from "./proposals.js";
import { on, state, tell } from "./state.js";
import { records } from "./text.js";
import { packed } from "./texts.js";

let ready = null; // the texts that are asked about next, once the number of records is known

const files = { texts: null, kept: inPage() }; // what the chosen files hold, and what models answered for it
const KIND = "appliance-comparison"; // what a saved comparison says of itself
let last = null; // the comparison that is shown

const touched = new Set(); // selects that a person changed: they keep their choice

// At first the newest of the project against the next one.
function showModels() {
  for (const [id, more] of [["model-a", []], ["model-b", [option("", "the labels alone")]]]) {
    const before = $(id).value;
    $(id).replaceChildren(...servedModels().map((model) => option(modelName(model))), ...more);
    const names = [...$(id).options].map((one) => one.value);
    if (touched.has(id) && names.includes(before)) $(id).value = before;
    else if (id === "model-b") $(id).value = names.find((name) => name !== $("model-a").value) ?? "";
  }
  $("ask-both").disabled = !servedModels().length;
  forget();
}

function forget() {
  ready = null;
  $("ask-both").textContent = "Compare";
}

const chosen = () => ["model-a", "model-b"].map((id) => servedModels().find((model) => modelName(model) === $(id).value)).filter(Boolean);

const fromFiles = () => $("compared-texts").value === "files";
const kept = () => (fromFiles() ? files.kept : undefined);

async function readFiles() {
  if (!$("compared-files").files.length) throw new Error("Choose labelled files first.");
  files.texts ??= (await api.readTexts(await packed([...$("compared-files").files]))).documents;
  say("");
  return files.texts;
}

async function readTexts() {
  if (fromFiles()) return readFiles();
  const wanted = state.documents.filter((one) => one.labelled && ($("compared-texts").value === "all" || one.dataset === "Test"));
  if (!wanted.length) throw new Error("There is no such labelled text.");
  const texts = [];
  for (const { location } of wanted) {
    $("compare-cost").textContent = `Reading ${texts.length + 1} of ${wanted.length}…`;
    texts.push(await api.opened(state.project, location));
  }
  return texts;
}

// The first press says what it costs, unless all is known; the second asks.
async function compare() {
  if (state.person) throw new Error("Go back to the labels of the project first.");
  await settle();
  const models = chosen();
  if (models.length === 2 && models[0] === models[1]) models.pop();
  const texts = ready ?? await readTexts();
  const count = models.reduce((sum, model) => sum + unanswered(model, texts, kept()).reduce((all, { text }) => all + records(text), 0), 0);
  if (count && !ready) {
    ready = texts;
    $("compare-cost").textContent = `${plural(texts.length, "text")}: ${plural(count, "text record")} would be counted. Press again to ask.`;
    $("ask-both").textContent = `Ask: ${plural(count, "text record")}`;
    return;
  }
  forget();
  const answers = [];
  for (const model of models) {
    answers.push(await answersOf(model, texts, (index, all) => { $("compare-cost").textContent = `${modelName(model)}: text ${index} of ${all}…`; }, kept()));
  }
  $("compare-cost").textContent = count ? `${plural(count, "text record")} counted.` : "Everything was known already: nothing is counted.";
  show(await (fromFiles() ? api.comparisonOf(texts, answers[0], answers[1]) : api.comparison(state.project, answers[0], answers[1])), answers.length);
  say("");
}

function verdict({ all, entitiesThatDiffer, a, b }, count) {
  if (count === 1) return `F1 of ${a}`;
  if (!entitiesThatDiffer) return "both answer the same";
  if (all.low > 0 || all.high < 0) return `${all.difference > 0 ? b : a} is better, and these texts are enough to say so`;
  return "these texts are too few to say which is better";
}

const signed = (share) => `${share >= 0 ? "+" : "−"}${percent(Math.abs(share))}`;

function show(found, count) {
  last = { kind: KIND, time: new Date().toISOString(), texts: fromFiles() ? [...$("compared-files").files].map(({ name }) => name) : [state.project], ...found };
  $("comparison").hidden = false;
  offerKeeping();
  $("verdict").replaceChildren(element("strong", {}, count === 1 ? percent(found.all.f1A) : `${percent(found.all.f1A)} : ${percent(found.all.f1B)}`),
    `${verdict(found, count)} · ${plural(found.documents, "text")}`);
  $("comparison-table").classList.toggle("alone", count === 1);
  $("name-a").textContent = found.a;
  $("name-b").textContent = count === 1 ? "no second model" : found.b;
  const row = (name, one) => element("tr", {}, name, ...(count === 1
    ? [percent(one.f1A), "", "", ""]
    : [percent(one.f1A), percent(one.f1B), signed(one.difference), `${signed(one.low)} … ${signed(one.high)}`]).concat(String(one.support)).map((value) => element("td", { class: "number" }, value)));
  const rows = Object.entries(found.categories).map(([category, one]) => row(element("td", {}, element("span", { class: `tag ${colourOf(category)}` }, category)), one));
  $("comparison-table").tBodies[0].replaceChildren(...rows, row(element("td", {}, element("b", {}, "All")), found.all));
  $("unlike").tBodies[0].replaceChildren(...(found.shown.length ? inLines(found.shown).map(showUnlike) : [element("tr", {}, element("td", { colspan: "3" }, count === 1 ? "One model has nothing to differ from." : "Nowhere."))]));
}

// What differs in one line of a text stands in one row, so that both can be seen side by side.
function inLines(shown) {
  const rows = new Map();
  for (const one of shown) {
    const place = `${one.line} ${one.document}`;
    if (!rows.has(place)) rows.set(place, { location: one.document, line: one.line, a: [], b: [] });
    rows.get(place)[one.foundBy].push(one);
  }
  return [...rows.values()];
}

// The card of a model that a project of this server trained; of others, the operator keeps it.
async function keep(name, comparison) {
  let card = "";
  try {
    card = await api.keepComparison(name, comparison);
  } catch (error) {
    if (error.status !== 404) throw error;
    throw new Error(`${name} was trained in no project of this server. Save the comparison, and give the file to the operator, who keeps it with the card of that model.`);
  }
  $("card").hidden = false;
  $("card-title").textContent = `The card of ${name}`;
  $("card-text").textContent = card;
  say(`Kept with the card of ${name}.`);
}

function offerKeeping() {
  const made = [...new Set([last.a, last.b])].map((name) => {
    const one = button(`Keep with the card of ${name}`, () => doing(one, () => keep(name, last)), { class: "keep" });
    return one;
  });
  $("card").hidden = true;
  $("keep-actions").replaceChildren($("save-comparison"), ...made);
}

function showUnlike({ location, line, a, b }) {
  const name = `${location}, line ${line}`;
  const open = fromFiles() ? name : button(name, () => doing(open, async () => { await openDocument(location); tell("show label"); }), { class: "place" });
  const cell = (side, found) => element("td", { "data-side": side }, ...found.map(({ category, right, sentence }) => element("p", { class: "sentence", dir: "auto" },
    element("span", { class: `tag ${colourOf(category)}` }, category), ` ${right ? "right" : "wrong"}: ${sentence}`)));
  return element("tr", {}, element("td", {}, open), cell("Only A", a), cell("Only B", b));
}

function showSource() {
  $("compared-files-line").hidden = !fromFiles();
  $("comparison").hidden = true;
  forget();
}

// Without a project, files are all there is to compare on.
export function offerSources() {
  for (const one of $("compared-texts").options) one.disabled = !state.project && one.value !== "files";
  $("compared-texts").value = state.project ? "all" : "files";
  showSource();
}

export function wireCompare() {
  $("compared-texts").addEventListener("change", showSource);
  $("compared-files").addEventListener("change", () => { Object.assign(files, { texts: null, kept: inPage() }); showSource(); });
  $("card").addEventListener("toggle", () => { $("card-text").scrollTop = $("card-text").scrollHeight; }); // what is new stands last
  $("save-comparison").addEventListener("click", () => download("comparison.json", "application/json", [JSON.stringify(last, null, 2), "\n"]));
  $("compare-form").addEventListener("submit", (event) => { event.preventDefault(); doing($("ask-both"), compare); });
  for (const id of ["model-a", "model-b"]) $(id).addEventListener("change", () => { touched.add(id); forget(); });
  showModels();
  offerSources();
  on("models", showModels);
  on("documents", () => { forget(); $("comparison").hidden = true; });
}
