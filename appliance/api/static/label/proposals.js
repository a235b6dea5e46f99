// Proposals: answers of a served model, each counted like any other. Places alone are remembered, never text.

import * as api from "./api.js";
import { $, doing, option, plural, say } from "../dom.js";
import { on, state, tell } from "./state.js";
import { digest, records } from "./text.js";

const known = { models: [] };
let wanted = null; // texts that "for all" would ask, once their number of records is known

const nameOf = (model) => `${model.projectName}/${model.deploymentName}`;
const chosen = () => known.models.find((model) => nameOf(model) === $("model").value);
// The model's own name and version too: another model under the same name has other answers.
const place = (model, location) => `label\n${state.project}\n${nameOf(model)}\n${model.name} ${model.modelVersion}\n${location}`;

function remembered(model, location) {
  try {
    return JSON.parse(localStorage.getItem(place(model, location)));
  } catch {
    return null;
  }
}

function remember(model, location, text, entities) {
  try {
    localStorage.setItem(place(model, location), JSON.stringify({ text: digest(text), entities }));
  } catch {
    // A full or forbidden store costs nothing but asking again.
  }
}

const inBrowser = { get: remembered, set: remember };

// Answers for texts of no project: forgotten with the page.
export function inPage() {
  const found = new Map();
  return {
    get: (model, location) => found.get(place(model, location)),
    set: (model, location, text, entities) => found.set(place(model, location), { text: digest(text), entities }),
  };
}

export async function loadModels() {
  known.models = await api.served().catch(() => []);
  const own = known.models.filter((model) => model.projectName === state.project);
  const before = $("model").value;
  known.models = [...own, ...known.models.filter((model) => !own.includes(model))];
  $("model").replaceChildren(...known.models.map((model) => option(nameOf(model), `${nameOf(model)}${model.default ? " (default)" : ""}`)));
  if (known.models.some((model) => nameOf(model) === before) && before.startsWith(`${state.project}/`)) $("model").value = before;
  recall();
  tell("models");
}

// What this browser was told before by the chosen model.
export function recall() {
  const model = chosen();
  state.proposals = new Map();
  state.proposedBy = model ? nameOf(model) : "";
  wanted = null;
  for (const { location } of model ? state.documents : []) {
    const found = remembered(model, location);
    if (found) state.proposals.set(location, found.entities);
  }
  forgetIfChanged();
  showCost();
  tell("proposals");
}

function forgetIfChanged() {
  const model = chosen();
  if (!model || !state.open) return;
  const found = remembered(model, state.open.location);
  if (found && found.text !== state.open.digest) state.proposals.delete(state.open.location);
}

function showCost() {
  const model = chosen();
  const open = state.open;
  const apart = Boolean(state.person);
  $("propose").disabled = !model || !open || apart;
  $("propose-all").disabled = !model || !state.documents.length || apart;
  $("propose-all").textContent = wanted ? `Ask: ${plural(wanted.records, "text record")}` : "For all texts shown";
  $("proposed").textContent = "";
  const count = open ? ` This text takes ${plural(records(open.text), "text record")}.` : "";
  $("cost").textContent = apart
    ? "A second person labels without proposals, so that both judge by themselves."
    : model
      ? `A proposal is an answer of this model: it is counted and recorded like any other, a text record for each 1,000 characters.${count} What was proposed once is remembered in this browser.`
      : "No model is served.";
}

async function ask(model, { location, text, language }) {
  const entities = await api.answer(model, text, language);
  remember(model, location, text, entities);
  state.proposals.set(location, entities);
  return entities.length;
}

export const servedModels = () => known.models;
export const modelName = nameOf;

// What a model answers for some texts: remembered, or asked and counted. `texts` are opened documents.
export function unanswered(model, texts, kept = inBrowser) {
  return texts.filter(({ location, text }) => kept.get(model, location)?.text !== digest(text));
}

export async function answersOf(model, texts, told, kept = inBrowser) {
  const found = {};
  for (const [index, one] of texts.entries()) {
    told(index + 1, texts.length);
    let answer = kept.get(model, one.location);
    if (answer?.text !== digest(one.text)) {
      answer = { entities: await api.answer(model, one.text, one.language) };
      kept.set(model, one.location, one.text, answer.entities);
    }
    found[one.location] = answer.entities.map(({ category, offset, length }) => ({ category, offset, length }));
  }
  return { name: nameOf(model), entities: found };
}

async function proposeHere() {
  const model = chosen();
  const { open } = state; // another text may be opened while the model answers
  if (state.proposedBy !== nameOf(model)) recall();
  const before = remembered(model, open.location);
  if (before?.text === open.digest) {
    state.proposals.set(open.location, before.entities);
    tell("proposals");
    $("proposed").textContent = `${plural(before.entities.length, "proposal")}, asked before: nothing is counted.`;
    return;
  }
  $("proposed").textContent = "Asking…";
  const found = await ask(model, open);
  $("proposed").textContent = `${plural(found, "proposal")}; ${plural(records(open.text), "text record")} counted.`;
  tell("proposals");
}

// The first press reads the texts and says what asking costs; the second asks.
async function proposeAll() {
  const model = chosen();
  if (!wanted) {
    const locations = state.matching.filter((location) => !state.proposals.has(location));
    const texts = [];
    for (const location of locations) {
      $("proposed").textContent = `Reading ${texts.length + 1} of ${locations.length}…`;
      texts.push(await api.opened(state.project, location));
    }
    if (!texts.length) {
      $("proposed").textContent = "There is a proposal for each of these texts already.";
      return;
    }
    wanted = { texts, records: texts.reduce((sum, { text }) => sum + records(text), 0) };
    showCost();
    $("proposed").textContent = `${plural(texts.length, "text")} would be counted as ${plural(wanted.records, "text record")}. Press again to ask.`;
    return;
  }
  const { texts } = wanted;
  wanted = null;
  showCost();
  let counted = 0;
  for (const [index, one] of texts.entries()) {
    $("proposed").textContent = `Asking for text ${index + 1} of ${texts.length}…`;
    await ask(model, one);
    counted += records(one.text);
    tell("proposals");
  }
  $("proposed").textContent = `${plural(texts.length, "text")} proposed for; ${plural(counted, "text record")} counted.`;
}

// Another person's labels, shown like proposals; nothing is counted for these.
export async function proposeFrom(person) {
  const found = await api.documents(state.project, person);
  state.proposals = new Map(found.documents.filter((one) => one.labelled).map((one) => [one.location, one.labels]));
  state.proposedBy = person;
  tell("proposals");
  say(`The labels of ${person} are shown like proposals.`);
}

export function wireProposals() {
  $("model").addEventListener("change", recall);
  $("propose").addEventListener("click", () => doing($("propose"), proposeHere));
  $("propose-all").addEventListener("click", () => doing($("propose-all"), proposeAll));
  $("filter").addEventListener("change", () => { wanted = null; showCost(); });
  on("opened", () => { forgetIfChanged(); showCost(); });
}
