// Training with its progress, evaluation with the worst mistakes, deployment, and files to take away.

import * as api from "./api.js";
import { $, button, colourOf, doing, download, element, number, option, percent, plural, randomId, say, showNotes } from "../dom.js";
import { openDocument, settle } from "./editor.js";
import { loadModels } from "./proposals.js";
import { on, state, tell } from "./state.js";
import { codePoints } from "./text.js";

const ENDED = ["succeeded", "failed", "cancelled"];
const KINDS = { missed: "missed", invented: "where nothing is labelled", "other category": "in its place", "other ends": "with other ends" };
let running = ""; // address of the training that this page follows
let round = 0; // which look at the models is the newest
let asked = null; // a training whose answer never came: asked for again, it is the same one
let known = []; // the models of the project

function showReady() {
  const labelled = state.documents.filter((one) => one.labelled);
  const tests = labelled.filter((one) => one.dataset === "Test").length;
  const left = state.documents.length - labelled.length;
  $("ready-text").textContent = [
    `${plural(labelled.length, "labelled text")} to learn from and to test with`,
    tests ? `${plural(tests, "text")} marked for the test` : "a fifth is kept for the test",
    left ? `${plural(left, "text")} without labels ${left === 1 ? "is" : "are"} left out` : "",
  ].filter(Boolean).join("; ") + ".";
}

// m1, m2, …: the first that no model has.
function suggestLabel(labels) {
  let next = 1;
  while (labels.includes(`m${next}`)) next += 1;
  if (!$("model-label").value || labels.includes($("model-label").value)) $("model-label").value = `m${next}`;
}

function showTraining(job) {
  const { percentComplete = 0 } = job.result?.trainingStatus ?? {};
  const since = Math.max(0, Math.round((new Date(job.lastUpdatedDateTime) - new Date(job.createdDateTime)) / 1000));
  const going = !ENDED.includes(job.status);
  $("training").hidden = false;
  $("cancel").hidden = !going;
  $("train").disabled = going;
  $("training-progress").value = job.status === "succeeded" ? 100 : percentComplete;
  const word = { notStarted: "waits", running: "is being trained", succeeded: "is trained", failed: "failed", cancelled: "was cancelled", cancelling: "is being cancelled" }[job.status] ?? job.status;
  $("training-text").textContent = `${job.result?.modelLabel ?? "The model"} ${word}${going ? `: ${percentComplete} %` : ""}, ${plural(since, "second")}`;
  const told = [...(job.errors ?? []), ...(job.warnings ?? [])];
  showNotes($("training-errors"), told.map(({ message }) => message));
}

async function follow(address) {
  running = address;
  const job = await api.followTraining(address, (one) => { if (running === address) showTraining(one); });
  if (running !== address) return;
  running = "";
  showTraining(job);
  $("train").disabled = false;
  if (job.status !== "succeeded") {
    say(`Training ${job.status}.`, job.status === "failed" ? "bad" : "quiet");
    return;
  }
  say(`${job.result.modelLabel} is trained.`);
  await showModels(job.result.modelLabel);
}

// Somebody else may have trained, or be training, under this name: nothing of theirs is replaced unasked.
async function train(replaces = "") {
  await settle();
  const [label, quality] = [$("model-label").value.trim(), $("quality").value];
  $("training-errors").hidden = true;
  $("taken").hidden = true;
  if (asked?.label !== label || asked.quality !== quality || asked.replaces !== replaces) asked = { label, quality, replaces, request: randomId() };
  let address = "";
  try {
    address = await api.train(state.project, label, quality, asked);
  } catch (error) {
    if (!api.unanswered(error)) asked = null;
    if (error.code !== "ModelLabelTaken") throw error;
    await showTaken(label, error.message);
    return;
  }
  asked = null;
  await follow(address);
}

async function showTaken(label, message) {
  await showModels();
  const model = known.find((one) => one.label === label);
  $("taken").hidden = false;
  $("taken-text").textContent = message;
  $("replace").hidden = !model;
  $("replace").textContent = `Replace ${label}`;
  $("replace").dataset.label = label;
  $("replace").dataset.model = model?.modelId ?? "";
  suggestLabel([...known.map((one) => one.label), label]);
  say(`${label} is taken: another name is suggested.`, "bad");
}

async function replace() {
  const { label, model } = $("replace").dataset;
  $("model-label").value = label;
  await train(model);
}

async function cancel() {
  if (running) await api.cancelTraining(running);
}

// What this project has, and a training that goes on since before this page was opened.
export async function loadTraining() {
  running = "";
  $("training").hidden = true;
  $("training-errors").hidden = true;
  $("taken").hidden = true;
  asked = null;
  $("train").disabled = false;
  $("cancel").hidden = true;
  $("evaluation").hidden = true;
  $("deployed").textContent = "";
  await showModels();
  const going = (await api.trainings(state.project)).find((job) => !ENDED.includes(job.status));
  if (going) doing(null, () => follow(api.trainingAddress(state.project, going.jobId)));
}

async function showModels(shown = "") {
  round += 1;
  const mine = round;
  const [models, deployments] = await Promise.all([api.models(state.project), api.deployments(state.project)]);
  const scored = await Promise.all(models.map(async (model) => ({ ...model, scores: await api.summary(state.project, model.label).catch(() => null) })));
  if (mine !== round) return;
  scored.sort((a, b) => b.lastTrainedDateTime.localeCompare(a.lastTrainedDateTime));
  known = scored;
  suggestLabel(scored.map((model) => model.label));
  $("models").hidden = !scored.length;
  $("models-table").tBodies[0].replaceChildren(...scored.map((model) => element("tr", {},
    element("td", {}, element("b", {}, model.label)),
    element("td", {}, model.lastTrainedDateTime.slice(0, 16).replace("T", " ")),
    element("td", { class: "number" }, model.scores ? percent(model.scores.microF1) : "–"),
    element("td", {}, deployments.filter((one) => one.modelId === model.modelId).map((one) => one.deploymentName).join(", ") || "not served"),
    element("td", {}, button("Evaluation", () => showEvaluation(model), { "aria-label": `Evaluation of ${model.label}` })))));
  $("deploy-model").replaceChildren(...scored.map((model) => option(model.label)));
  const newest = scored.find((model) => model.label === shown) ?? scored[0];
  if (newest) showEvaluation(newest);
}

function showEvaluation({ label, scores }) {
  $("deploy-model").value = label;
  $("evaluation").hidden = !scores;
  if (!scores) return;
  $("evaluation-title").textContent = `Evaluation of ${label}`;
  const all = { precision: scores.microPrecision, recall: scores.microRecall, f1: scores.microF1 };
  const rows = [...Object.entries(scores.entities), ["all", all]];
  const support = (one) => (one.truePositiveCount === undefined ? Object.values(scores.entities).reduce((sum, each) => sum + support(each), 0) : one.truePositiveCount + one.falseNegativeCount);
  $("scores").tBodies[0].replaceChildren(...rows.map(([category, one]) => element("tr", {},
    element("td", {}, one === all ? element("b", {}, "All") : element("span", { class: `tag ${colourOf(category)}` }, category)),
    ...[percent(one.precision), percent(one.recall), percent(one.f1), number.format(support(one))].map((value) => element("td", { class: "number" }, value)))));
  const mistakes = scores.mistakes ?? [];
  $("mistakes").replaceChildren(...(mistakes.length ? mistakes.map(showMistake) : [element("li", { class: "none" }, "None: every entity of the test texts was found right.")]));
}

// The service puts the entity in brackets; texts have brackets of their own, so nothing is read into them here.
function showMistake({ document: location, line, kind, labelled, found, score, sentence }) {
  const told = [KINDS[kind] ?? kind, score ? `${Math.round(score * 100)} % sure` : ""].filter(Boolean).join(", ");
  const open = button(`${location}, line ${line}`, () => doing(open, async () => { await openDocument(location); tell("show label"); }), { class: "place" });
  return element("li", {},
    element("p", { class: "sentence", dir: "auto" }, sentence),
    element("p", { class: "message" },
      ...(labelled ? ["labelled ", element("span", { class: `tag ${colourOf(labelled)}` }, labelled), " "] : []),
      ...(found && found !== labelled ? ["found ", element("span", { class: `tag ${colourOf(found)}` }, found), " "] : []),
      `${told} · `, open));
}

async function deploy() {
  const [label, name] = [$("deploy-model").value, $("deploy-name").value.trim()];
  $("deployed").textContent = "Loading the model…";
  try {
    await api.deploy(state.project, name, label);
  } catch (error) {
    $("deployed").textContent = "";
    throw error;
  }
  $("deployed").replaceChildren(`${label} answers now as project ${state.project}, deployment ${name}, and after each start. `,
    element("a", { href: `${api.BASE}/` }, "Try it on the home page"), ", or let it propose labels for further texts.");
  await Promise.all([showModels(label), loadModels()]);
}

async function exportProject() {
  await settle();
  download(`${state.project}.json`, "application/json", [JSON.stringify(await api.exported(state.project), null, 2), "\n"]);
}

async function exportTexts() {
  await settle();
  const lines = [];
  for (const { location } of state.documents) {
    say(`Reading ${lines.length + 1} of ${state.documents.length}…`);
    const { text, language, labels } = await api.opened(state.project, location, state.person);
    const entities = labels.map(({ category, offset, length }) => ({ start: codePoints(text, offset), end: codePoints(text, offset + length), label: category }));
    lines.push(`${JSON.stringify({ id: location, text, ...(language ? { language } : {}), entities })}\n`);
  }
  download(`${state.project}${state.person ? `-${state.person}` : ""}.jsonl`, "application/jsonl", lines);
  say(`${plural(lines.length, "text")} written.`);
}

export function wireTraining() {
  $("train-form").addEventListener("submit", (event) => { event.preventDefault(); doing($("train"), () => train()); });
  $("replace").addEventListener("click", () => doing($("replace"), replace));
  $("cancel").addEventListener("click", () => doing($("cancel"), cancel));
  $("deploy-form").addEventListener("submit", (event) => { event.preventDefault(); doing(event.submitter, deploy); });
  $("export").addEventListener("click", () => doing($("export"), exportProject));
  $("export-texts").addEventListener("click", () => doing($("export-texts"), exportTexts));
  for (const name of ["documents", "labels"]) on(name, showReady);
}
