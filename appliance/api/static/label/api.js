// Calls of the service: the authoring API, the documents of a project, and answers of a model.

import { $ } from "../dom.js";

export const BASE = new URL("../..", import.meta.url).href.replace(/\/$/, "");
const VERSION = "2023-04-01";
const PROJECTS = "/language/authoring/analyze-text/projects";
const TEXTS = "/language/authoring/analyze-text/labelled-texts";
const KEY_HEADER = "Ocp-Apim-Subscription-Key";
const PAUSE = 700; // milliseconds between two looks at a job
const PATIENCE = Number(document.body.dataset.patience) * 1000; // until a server that hangs is called silent
const SLOW = 10; // times as long, for what carries files

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function path(project, rest = "", query = {}) {
  const name = project ? `/${encodeURIComponent(project)}` : "";
  return `${PROJECTS}${name}${rest}?${new URLSearchParams({ "api-version": VERSION, ...query })}`;
}

async function asked(address, patience, options) {
  try {
    return await fetch(BASE + address, { ...options, cache: "no-store", signal: AbortSignal.timeout(patience) });
  } catch (error) {
    if (error.name !== "TimeoutError") throw error;
    throw new Refused(0, "Timeout", `The service has not answered for ${patience / 1000} seconds.`);
  }
}

async function send(address, { method = "GET", body, headers = {}, keepalive = false, patience = PATIENCE } = {}) {
  const key = $("key").value.trim();
  if (/[^\x20-\x7e]/.test(key)) {
    $("access").hidden = false;
    throw new Refused(401, "401", "This server does not know that access key.");
  }
  const reply = await asked(address, patience, {
    method,
    keepalive,
    headers: {
      Accept: "application/json",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(key ? { [KEY_HEADER]: key } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (reply.ok) return reply;
  const { error = {} } = await reply.json().catch(() => ({}));
  if (reply.status === 401) {
    $("access").hidden = false;
    throw new Refused(401, "401", key ? "This server does not know that access key." : "This server asks for an access key.");
  }
  throw new Refused(reply.status, error.code, error.innererror?.message ?? error.message ?? `The service answered ${reply.status}.`);
}

const json = async (...call) => (await send(...call)).json();
// Whether nobody knows if the service did what it was asked: no answer came, or one of what stands before it.
export const unanswered = (error) => error instanceof TypeError || error.code === "Timeout" || error.status >= 500;
const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

// An address that the service gave, on this page's own origin, however the service is reached.
function own(address) {
  const { pathname, search } = new URL(address);
  const below = new URL(BASE).pathname.replace(/\/$/, "");
  return (pathname.startsWith(`${below}/`) ? pathname.slice(below.length) : pathname) + search;
}

const jobAddress = (reply) => own(reply.headers.get("operation-location"));

async function followed(address, told = () => {}) {
  for (;;) {
    const job = await json(address);
    told(job);
    if (["succeeded", "failed", "cancelled", "partiallyCompleted"].includes(job.status)) return job;
    await wait(PAUSE);
  }
}

async function done(reply, told) {
  const job = await followed(jobAddress(reply), told);
  if (job.status === "succeeded") return job;
  throw new Refused(0, job.status, job.errors?.map((error) => error.message).join(" ") || `The job ${job.status}.`);
}

async function everything(address) {
  const found = [];
  for (let next = address; next;) {
    const page = await json(next);
    found.push(...page.value);
    next = page.nextLink && own(page.nextLink);
  }
  return found;
}

export const projects = () => everything(path(""));
export const project = (name) => json(path(name));
export const makeProject = (name, body) => json(path(name), { method: "PATCH", body: { projectName: name, projectKind: "CustomEntityRecognition", ...body } });

export const documents = (name, person = "") => json(path(name, "/documents", person ? { person } : {}));
export const take = (name, files) => json(path(name, "/documents/:take"), { method: "POST", body: { files }, patience: SLOW * PATIENCE });
export const opened = (name, location, person = "") => json(path(name, "/document", { location, ...(person ? { person } : {}) }));
export const save = (name, location, person, body, revision, keepalive = false) =>
  json(path(name, "/document", { location, ...(person ? { person } : {}) }), { method: "PUT", body, keepalive, headers: { "If-Match": `"${revision}"` } });
export const removeDocument = (name, location) => send(path(name, "/document", { location }), { method: "DELETE" });
export const setCategories = (name, categories, before) => json(path(name, "/categories"), { method: "PUT", body: { categories, before } });
export const agreement = (name, person) => json(path(name, "/agreement", { person }));

export const comparison = (name, first, second) => json(path(name, "/comparison"), { method: "POST", body: { first, ...(second ? { second } : {}) }, patience: SLOW * PATIENCE });

// Keeps the figures of a comparison with the card of a deployed model, PROJECT/NAME; returns the card.
export const keepComparison = async (name, comparison) => {
  const [owner, deployment] = name.split("/");
  return (await json(path(owner, `/deployments/${encodeURIComponent(deployment)}/card`), { method: "POST", body: comparison })).card;
};

// Labelled texts of no project: read here, sent along to be compared, and not kept.
const ofTexts = (verb, body) => json(`${TEXTS}/:${verb}?${new URLSearchParams({ "api-version": VERSION })}`, { method: "POST", body });
export const readTexts = (files) => ofTexts("read", { files });
export const comparisonOf = (documents, first, second) => ofTexts("compare", { documents, first, ...(second ? { second } : {}) });

export async function exported(name) {
  const job = await done(await send(path(name, "/:export", { stringIndexType: "Utf16CodeUnit" }), { method: "POST", body: {} }));
  return json(own(job.resultUrl));
}

// `replaces` is the id of the model that may be replaced, or empty for none; `request` makes a second try the same training.
export const train = async (name, modelLabel, trainingConfigVersion, { replaces, request }) => jobAddress(await send(path(name, "/:train"), {
  method: "POST",
  body: { modelLabel, trainingConfigVersion },
  headers: { ...(replaces ? { "If-Match": `"${replaces}"` } : { "If-None-Match": "*" }), "Repeatability-Request-ID": request },
}));
export const trainings = (name) => everything(path(name, "/train/jobs"));
export const trainingAddress = (name, id) => path(name, `/train/jobs/${id}`);
export const followTraining = followed;
export const cancelTraining = (address) => send(address.replace("?", "/:cancel?"), { method: "POST", body: {} });
export const models = (name) => everything(path(name, "/models"));
export const summary = async (name, label) =>
  (await json(path(name, `/models/${encodeURIComponent(label)}/evaluation/summary-result`))).customEntityRecognitionEvaluation;
export const deployments = (name) => everything(path(name, "/deployments"));
export const deploy = async (name, deployment, trainedModelLabel) =>
  done(await send(path(name, `/deployments/${encodeURIComponent(deployment)}`), { method: "PUT", body: { trainedModelLabel } }));

export const served = async () => (await json("/models")).models.filter((model) => model.status === "ready");

// One text to one model: an inference, counted and recorded like any other.
export async function answer(model, text, language) {
  const body = {
    analysisInput: { documents: [{ id: "1", text, ...(language ? { language } : {}) }] },
    tasks: [{
      kind: "CustomEntityRecognition",
      parameters: { projectName: model.projectName, deploymentName: model.deploymentName, stringIndexType: "Utf16CodeUnit" },
    }],
  };
  const reply = await send(`/language/analyze-text/jobs?api-version=${VERSION}`, { method: "POST", body });
  const job = await followed(jobAddress(reply));
  const results = job.tasks?.items?.[0]?.results;
  const failure = job.errors?.[0] ?? results?.errors?.[0]?.error;
  if (failure || !results?.documents?.length) throw new Refused(0, failure?.code, failure?.innererror?.message ?? failure?.message ?? "The model gave no answer.");
  return results.documents[0].entities.map(({ category, offset, length, confidenceScore }) => ({ category, offset, length, score: confidenceScore }));
}
