// The home page: asks the service's own paths and builds elements from the answers. Text is only ever set as text,
// never as markup, so nothing that somebody types or a licence says can become part of the page.

// Where this service begins: below a path, if a proxy gives it one.
const BASE = new URL("..", import.meta.url).href.replace(/\/$/, "");
const VERSION = "api-version=2023-04-01";
const API = `/language/:analyze-text?${VERSION}`;
const JOBS = `/language/analyze-text/jobs?${VERSION}`;
const KEY_HEADER = "Ocp-Apim-Subscription-Key";
const RECORD = 1000; // text elements in one text record
const LIMIT = 5120; // text elements in one synchronous document; what is longer goes as a job
const LONGEST = 125000; // text elements in one job
const COLOURS = 20;
const EDGES = 3; // none, a solid one, a dashed one: sixty categories differ
const GENERAL = ["Person", "Organization", "Location"]; // look the same with every model that has them
const FOLDED = 50; // rows of the table until somebody asks for all
const MODELS_FOLDED = 8;
const MODELS_MORE = 50; // shown at each further press
const PATIENCE = Number(document.body.dataset.patience) * 1000; // until a server that hangs is called silent
const colours = new Map();
const EXAMPLES = {
  News: "Chancellor Marta Lindqvist met executives of Northwind Shipping in Rotterdam on Tuesday. The company, " +
    "founded by Daniel Okafor in 1987, wants to move its headquarters from Hamburg to Lisbon, Reuters reported.",
  Letter: "Dear Ms Abernathy, on behalf of Fabrikam Insurance I confirm that our engineer Priya Raman will visit your " +
    "office in Leeds next week. Please let Tom at the Bristol branch know if that does not suit you.",
  History: "Marie Curie left Warsaw for Paris in 1891 and studied at the Sorbonne. With Pierre Curie she shared the " +
    "1903 Nobel Prize; the Radium Institute in Poland later carried on her work. 👩🏽‍🔬",
};

// Offered beside the languages of the models, so that anybody can say what a text is in.
const LANGUAGES = ["ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja", "ko", "nl", "no",
  "pl", "pt", "ro", "ru", "sk", "sr", "sv", "th", "tr", "uk", "vi", "zh-Hans", "zh-Hant"];
const NAMED = 4; // languages of a model that are named one by one

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter() : null;
const textElements = (text) => (segmenter ? [...segmenter.segment(text)].length : [...text].length);
const languageNames = new Intl.DisplayNames(["en"], { type: "language" });
const plural = (n, word, many = `${word}s`) => `${number.format(n)} ${n === 1 ? word : many}`;

function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "rect", "line", "text", "title", "path"].includes(tag);
  const made = svg ? document.createElementNS($("chart").namespaceURI, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// An access key is asked for only where the server wants one, and kept in this page's memory alone.
async function call(path, options = {}) {
  const key = $("key").value.trim();
  if (/[^\x20-\x7e]/.test(key)) throw new Error(WRONG_KEY);
  const headers = { Accept: "application/json", ...options.headers, ...(key ? { [KEY_HEADER]: key } : {}) };
  let reply;
  try {
    reply = await fetch(BASE + path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new Silent(error.name === "TimeoutError" ? `The service has not answered for ${PATIENCE / 1000} seconds.` : "The service does not answer.");
  }
  if (reply.status === 401) {
    $("access").hidden = false;
    throw new Refused(key ? WRONG_KEY : "This server asks for an access key: enter one above.");
  }
  return reply;
}

const WRONG_KEY = "This is not an access key of this server. Whoever operates it has the keys (setting ApiKeys).";
class Silent extends Error {}
class Refused extends Error {}

async function getJson(path) {
  const reply = await call(path);
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`);
  return reply.json();
}

// ---- try it

const tried = { text: "", entities: [], all: false, models: [], listed: [], chosen: "", shownModels: MODELS_FOLDED, foundModels: 0 };

// The model chosen in the list; null for the default one, which answers at once instead of as a job.
const chosenModel = () => tried.models.find((model) => nameOf(model) === tried.chosen && !model.default) ?? null;
const nameOf = (model) => `${model.projectName}/${model.deploymentName}`;

function categoryClass(category) {
  if (!colours.has(category)) colours.set(category, colours.size);
  const place = colours.get(category);
  const edge = Math.floor(place / COLOURS) % EDGES;
  return `c${place % COLOURS}${edge ? ` edge${edge}` : ""}`;
}

// Each model has all the colours for itself: its categories, in its own order, look different up to sixty.
function chooseColours() {
  const categories = (chosenModel() ?? tried.models[0])?.categories ?? GENERAL;
  colours.clear();
  if (GENERAL.some((one) => categories.includes(one))) GENERAL.forEach(categoryClass);
  categories.forEach(categoryClass);
}

// A tag that nobody knows, or no tag at all, is shown as it stands.
function languageName(tag) {
  try {
    return languageNames.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

function languagesOf(model) {
  const tags = model.languages ?? [model.language].filter(Boolean);
  const more = tags.length - NAMED;
  return tags.slice(0, NAMED).map(languageName).join(", ") + (more > 0 ? ` and ${plural(more, "more language")}` : "");
}

const documentOf = (text) => {
  const language = $("language").value;
  return `{"id": "1", ${language ? `"language": ${JSON.stringify(language)}, ` : ""}"text": ${JSON.stringify(text)}}`;
};

// One text for both uses, so that the curl command shown is the request that was made.
const requestBody = (text) => `{
  "kind": "EntityRecognition",
  "analysisInput": {"documents": [${documentOf(text)}]},
  "parameters": {"stringIndexType": "Utf16CodeUnit"}
}`;

const taskOf = (model) => (model ? `"CustomEntityRecognition", "parameters": {
    "projectName": ${JSON.stringify(model.projectName)}, "deploymentName": ${JSON.stringify(model.deploymentName)},
    "stringIndexType": "Utf16CodeUnit"}` : `"EntityRecognition", "parameters": {"stringIndexType": "Utf16CodeUnit"}`);

const jobBody = (text, model) => `{
  "analysisInput": {"documents": [${documentOf(text)}]},
  "tasks": [{"kind": ${taskOf(model)}}]
}`;

const isLong = (text) => textElements(text) > LIMIT;
const goesAsJob = (text) => chosenModel() !== null || isLong(text);

function showCount() {
  const n = textElements($("text").value);
  const over = n > LONGEST;
  $("count").classList.toggle("over", over);
  $("count").textContent = over
    ? `${number.format(n)} of at most ${number.format(LONGEST)} characters`
    : n ? `${plural(n, "character")} · ${plural(Math.ceil(n / RECORD), "text record")}${n > LIMIT ? " · goes as a job" : ""}` : "";
}

const post = (path, body) => call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body });

function entitiesOf(reply, answer, results) {
  const failure = answer.error ?? answer.errors?.[0] ?? results?.errors?.[0]?.error;
  if (failure) throw Object.assign(new Error(failure.innererror?.message ?? failure.message ?? failure.code), { code: failure.innererror?.code ?? failure.code });
  if (!reply.ok || !results?.documents?.length) throw new Error(`the service answered ${reply.status}`);
  const { entities, warnings = [] } = results.documents[0];
  return { entities, warnings, record: reply.headers.get("Usage-Record") };
}

async function analyse(text) {
  if (goesAsJob(text)) return analyseAsJob(text, chosenModel());
  const reply = await post(API, requestBody(text));
  const answer = await reply.json().catch(() => ({}));
  return entitiesOf(reply, answer, answer.results);
}

async function analyseAsJob(text, model) {
  let reply = await post(JOBS, jobBody(text, model));
  if (reply.status !== 202) return entitiesOf(reply, await reply.json().catch(() => ({})));
  const { pathname, search } = new URL(reply.headers.get("operation-location"));
  const below = new URL(BASE).pathname.replace(/\/$/, ""); // the service names it, if it knows of it
  const job = pathname.startsWith(`${below}/`) ? pathname.slice(below.length) : pathname;
  for (;;) {
    reply = await call(job + search);
    const told = await reply.json().catch(() => ({}));
    if (!["notStarted", "running"].includes(told.status)) return entitiesOf(reply, told, told.tasks?.items?.[0]?.results);
    const wait = Number(reply.headers.get("retry-after-ms")) || 500;
    await new Promise((resolve) => { setTimeout(resolve, wait); });
  }
}

async function tryIt(event) {
  event?.preventDefault();
  const text = $("text").value;
  const button = $("go");
  if (button.getAttribute("aria-busy") === "true" || !text.trim()) return;
  button.setAttribute("aria-busy", "true");
  say("reading…");
  const began = performance.now();
  try {
    const { entities, warnings, record } = await analyse(text);
    const took = Math.max(1, Math.round(performance.now() - began));
    Object.assign(tried, { text, entities, all: false });
    chooseColours();
    showEntities(text, entities);
    showWarnings(warnings);
    $("record").textContent = record ? `Usage record ${record}` : "";
    say(`${plural(entities.length, "entity", "entities")} in ${number.format(took)} ms`);
    showSnippet();
    refreshStatus();
    showUsage();
  } catch (error) {
    $("result").hidden = true;
    say(String(error.message), "bad", error.code);
  } finally {
    button.setAttribute("aria-busy", "false");
  }
}

function say(text, tone = "quiet", code = "") {
  $("outcome").dataset.tone = tone;
  $("outcome").replaceChildren(text, ...(code ? [" ", element("a", { href: `${BASE}/docs/search?q=${encodeURIComponent(code)}` }, "What this means")] : []));
}

// Hebrew, Arabic and their kin. The label of a name stays beside its end, whatever direction the text around it has.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const directionAtEnd = (text) => (RIGHT_TO_LEFT.test([...text].findLast((one) => /\p{L}/u.test(one)) ?? "") ? "rtl" : "ltr");

function showEntities(text, entities) {
  const sorted = [...entities].sort((a, b) => a.offset - b.offset);
  const counts = new Map();
  const pieces = [];
  let end = 0;
  for (const { category, offset, length, confidenceScore } of sorted) {
    counts.set(category, (counts.get(category) ?? 0) + 1);
    if (offset < end) continue;
    const mark = element("mark", { class: `${categoryClass(category)} ${directionAtEnd(text.slice(offset, offset + length))}`, title: `${category}, confidence ${percent(confidenceScore)}` });
    // The name of the category has its own direction, and takes no part in finding that of the text.
    mark.append(text.slice(offset, offset + length), element("small", { dir: "auto" }, category));
    pieces.push(text.slice(end, offset), mark);
    end = offset + length;
  }
  $("marked").replaceChildren(...pieces, text.slice(end));
  $("marked").lang = $("language").value;
  $("legend").replaceChildren(...[...counts].map(([category, n]) =>
    element("li", { class: categoryClass(category) }, element("bdi", {}, category), element("b", {}, String(n)))));
  showRows(sorted);
  $("entities").hidden = !entities.length;
  $("result").hidden = false;
}

function showRows(sorted) {
  const shown = tried.all ? sorted : sorted.slice(0, FOLDED);
  $("entities").tBodies[0].replaceChildren(...shown.map((entity) => element("tr", {},
    element("td", { "data-label": "Entity" }, element("bdi", {}, entity.text)),
    element("td", { "data-label": "Category" }, element("span", { class: `tag ${categoryClass(entity.category)}`, dir: "auto" }, entity.category)),
    element("td", { "data-label": "Confidence" }, confidence(entity.confidenceScore)),
    element("td", { class: "number", "data-label": "Offset" }, String(entity.offset)))));
  $("more").hidden = sorted.length <= FOLDED;
  $("more").textContent = tried.all ? `Show the first ${FOLDED}` : `Show all ${number.format(sorted.length)} entities`;
}

const asJson = () => `${JSON.stringify(tried.entities, null, 2)}\n`;
// A cell that begins like a formula must not become one in a program for tables.
const cell = (value) => `"${String(value).replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
const asCsv = () => [["text", "category", "offset", "length", "confidence"],
  ...tried.entities.map((one) => [one.text, one.category, one.offset, one.length, one.confidenceScore])]
  .map((row) => `${row.map((value) => (typeof value === "number" ? value : cell(value))).join(",")}\r\n`).join("");

function save(text, name, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 30000);
}

function showWarnings(warnings) {
  $("warnings").replaceChildren(...warnings.map(({ message }) => element("li", {}, message)));
  $("warnings").hidden = !warnings.length;
}

const percent = (score) => `${Math.round(score * 100)} %`;

function confidence(score) {
  const bar = element("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    element("rect", { class: "track", width: 100, height: 8, rx: 4 }),
    element("rect", { class: "fill", width: Math.max(4, score * 100), height: 8, rx: 4 }));
  return element("span", { class: "score" }, bar, percent(score));
}

// ---- the same from a program

const snippets = {
  curl(text) {
    const model = goesAsJob(text);
    const body = (model ? jobBody(text, chosenModel()) : requestBody(text)).replaceAll("'", "'\\''");
    const key = $("access").hidden ? "" : `  -H '${KEY_HEADER}: YOUR KEY' \\\n`;
    const step = model ? "# the reply is empty; GET the address in its operation-location header\n" : "";
    return `${step}curl ${model ? "-i " : ""}'${BASE}${model ? JOBS : API}' \\\n${key}  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
  },
  python(text) {
    if (goesAsJob(text)) return snippets.custom(text);
    return `${client()}\n
text = ${JSON.stringify(text)}
for entity in client.recognize_entities([text]${spoken()})[0].entities:
    print(entity.text, entity.category, entity.confidence_score)`;
  },
  custom(text) {
    const { projectName = "demo", deploymentName = "production" } = chosenModel() ?? tried.models[0] ?? {};
    return `${client()}\n
text = ${JSON.stringify(text)}
job = client.begin_recognize_custom_entities(
    [text]${spoken()}, project_name=${JSON.stringify(projectName)}, deployment_name=${JSON.stringify(deploymentName)}
)
for document in job.result():
    for entity in document.entities:
        print(entity.text, entity.category, entity.confidence_score)`;
  },
};

// What the official client is told: without it, the client says `en`.
const spoken = () => ($("language").value ? `, language=${JSON.stringify($("language").value)}` : "");

const client = () => `# pip install azure-ai-textanalytics
from azure.ai.textanalytics import TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential

client = TextAnalyticsClient("${BASE}", AzureKeyCredential(${$("access").hidden ? '"unused"' : '"YOUR KEY"'}))`;

const tabs = [...document.querySelectorAll('[role="tab"]')];

function selectTab(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", tab.id);
  showSnippet();
}

function showSnippet() {
  const tab = tabs.find((one) => one.getAttribute("aria-selected") === "true");
  $("snippet").textContent = snippets[tab.id.replace("tab-", "")](tried.text || $("text").value);
}

function moveTab(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  selectTab(next);
  next.focus();
}

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers offer the clipboard to https and localhost only; selecting works everywhere.
    const shown = element("pre", { class: "hidden" }, text);
    document.body.append(shown);
    getSelection().selectAllChildren(shown);
    document.execCommand("copy");
    shown.remove();
  }
  const words = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = words; }, 1500);
}

// ---- licence and models

const TONES = { Valid: "good", Expiring: "warn", Grace: "warn" };

const tone = (state) => TONES[state] ?? "bad";
const words = (state) => state.replaceAll(/\B[A-Z]/g, " $&").toLowerCase(); // NotYetValid
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const keyName = (vkey) => vkey?.split("+").slice(0, 2).join(" · "); // without the key itself

async function refreshStatus() {
  try {
    const told = await getJson("/status");
    showStatus(told);
    showTrouble(told.ledger?.healthy === false);
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

function showStatus({ license = {}, ledger, metering, version, apiStatus, apiStatusMessage }) {
  // Connected, the endpoint's word decides; a lease is renewed by itself, so its days are no news.
  const state = metering && metering.status !== "Valid" ? metering.status : license.state ?? apiStatus;
  const days = metering ? 0 : license.daysLeft;
  $("version").textContent = version ?? "";
  const unwritable = ledger?.healthy === false;
  $("pill").dataset.tone = unwritable ? "bad" : tone(state);
  $("pill-text").textContent = unwritable ? "cannot count" : `${metering ? "metering" : "licence"} ${words(state ?? "Unknown")}`;
  $("licence-figure").dataset.tone = tone(state);
  $("licence-figure").replaceChildren(...(days > 0 && tone(state) !== "bad"
    ? [element("strong", {}, number.format(days)), days === 1 ? "day left" : "days left"]
    : [element("strong", {}, capital(words(state ?? "unknown")))]));
  showMessage(apiStatusMessage ?? "", [undefined, "Valid"].includes(apiStatus) ? "" : apiStatus);
  const rows = {
    Customer: license.customer, Product: license.product, State: state && capital(words(state)),
    ...(metering ? { "Reports to": metering.endpoint, "Answers until": metering.answersUntil } : { Until: license.expires?.slice(0, 10) }),
    Serial: license.serial, "Root key": keyName(license.root),
  };
  $("licence").replaceChildren(...Object.entries(rows)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
  $("ledger").textContent = !ledger ? "" : ledger.healthy === false
    ? "The usage ledger cannot be written: no answers are given until it can."
    : `Signed ledger, ${plural(ledger.size ?? 0, "entry", "entries")}: ${ledger.origin ?? ""}`;
}

// The service's own sentence; with what explains it, where something is wrong.
function showMessage(text, code) {
  const shown = `${code} ${text}`;
  if ($("licence-message").dataset.shown === shown) return; // who reads the link keeps it
  $("licence-message").dataset.shown = shown;
  $("licence-message").replaceChildren(text, ...(code ? [" ", element("a", { href: `${BASE}/docs/search?q=${encodeURIComponent(code)}` }, "What this means")] : []));
}

async function refreshModels() {
  let models;
  try {
    ({ models = [] } = await getJson("/models"));
  } catch (error) {
    if (error instanceof Silent && tried.listed.length) return; // what was seen last is better than nothing
    $("models").replaceChildren(element("li", { class: "none" }, error instanceof Refused && !$("key").value ? "Enter an access key to see the models." : error.message));
    return;
  }
  tried.models = models.filter((model) => model.status === "ready");
  tried.listed = models;
  showModels();
  showChoice();
  showLanguages();
  showSnippet();
}

function showModels() {
  const wanted = $("filter").value.trim().toLowerCase();
  const found = tried.listed.filter((model) => [nameOf(model), model.name, languagesOf(model), ...(model.categories ?? [])].join(" ").toLowerCase().includes(wanted));
  const models = found.slice(0, tried.shownModels);
  const left = found.length - models.length;
  tried.foundModels = found.length;
  $("find").hidden = tried.listed.length <= MODELS_FOLDED;
  $("all-models").hidden = found.length <= MODELS_FOLDED;
  $("all-models").textContent = left > MODELS_MORE ? `Show ${MODELS_MORE} more of ${number.format(found.length)}`
    : left > 0 ? `Show all ${number.format(found.length)}` : `Show the first ${MODELS_FOLDED}`;
  $("models").replaceChildren(...(models.length ? models.map((model) => element("li", { dir: "auto" },
    element("b", {}, model.status === "failed" ? nameOf(model) : [model.name, model.modelVersion].filter(Boolean).join(" ")),
    ...(model.status === "failed"
      ? [element("span", { class: "failed" }, `cannot be served: ${model.reason}`)]
      : [element("span", {}, `project ${model.projectName}, deployment ${model.deploymentName}${model.default ? ", default" : ""}`),
        element("span", {}, [languagesOf(model), (model.categories ?? []).join(", ")].filter(Boolean).join(" · "))])))
    : [element("li", { class: "none" }, tried.listed.length ? "No model is called so." : "No model is loaded yet.")]));
}

function showChoice() {
  const select = $("model");
  $("choice").hidden = tried.models.length < 2;
  const names = tried.models.map(nameOf);
  if (names.join("\n") === [...select.options].map((one) => one.value).join("\n")) return;
  select.replaceChildren(...tried.models.map((model) =>
    element("option", { value: nameOf(model) }, `${nameOf(model)}${model.default ? " (default)" : ""}`)));
  select.value = tried.models.some((model) => nameOf(model) === tried.chosen) ? tried.chosen : select.options[0]?.value ?? "";
}

function showLanguages() {
  const select = $("language");
  const made = tried.models.flatMap((model) => model.languages ?? []).filter((tag) => tag !== "multilingual");
  const tags = [...new Set([...made, ...LANGUAGES])].sort((a, b) => languageName(a).localeCompare(languageName(b), "en"));
  if (tags.join() === [...select.options].slice(1).map((option) => option.value).join()) return;
  const chosen = select.value;
  select.replaceChildren(element("option", { value: "" }, "not stated"),
    ...tags.map((tag) => element("option", { value: tag }, languageName(tag))));
  select.value = chosen;
}

// ---- usage

const today = () => new Date().toISOString().slice(0, 10);
const shown = { year: new Date().getUTCFullYear(), month: new Date().getUTCMonth() + 1 };

function stepMonth(by) {
  const moved = new Date(Date.UTC(shown.year, shown.month - 1 + by, 1));
  shown.year = moved.getUTCFullYear();
  shown.month = moved.getUTCMonth() + 1;
  showUsage();
}

async function showUsage() {
  const { year, month } = shown;
  const name = new Date(Date.UTC(year, month - 1, 1)).toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  $("month").textContent = name;
  $("later").disabled = today().startsWith(`${year}-${String(month).padStart(2, "0")}`);
  try {
    const [daily, logs] = await Promise.all([
      getJson(`/usage/daily?month=${month}&year=${year}`),
      getJson(`/records/usage-logs/${month}/${year}`),
    ]);
    if (year !== shown.year || month !== shown.month) return;
    const total = (logs.meters ?? []).reduce((sum, meter) => sum + meter.quantity, 0);
    $("usage-figure").replaceChildren(element("strong", {}, number.format(total)), total === 1 ? "text record" : "text records");
    drawChart(daysOf(year, month, daily.days ?? []), name);
  } catch {
    $("usage-figure").replaceChildren(element("strong", {}, "–"), "not available");
    drawChart([], name);
  }
}

function daysOf(year, month, counted) {
  const byDate = new Map(counted.map(({ date, quantity }) => [date, quantity]));
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return Array.from({ length }, (_, i) => {
    const date = new Date(Date.UTC(year, month - 1, i + 1)).toISOString().slice(0, 10);
    return { date, quantity: byDate.get(date) ?? 0 };
  });
}

function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function drawChart(days, name) {
  const [left, right, top, bottom] = [4, 316, 16, 112];
  const highest = ceiling(Math.max(4, ...days.map((day) => day.quantity)));
  const width = (right - left) / (days.length || 31);
  const y = (quantity) => bottom - ((bottom - top) * quantity) / highest;
  const used = days.filter((day) => day.quantity > 0);
  const title = element("title", { id: "chart-title" },
    `Text records by day, ${name}: ${used.length ? `${used.length} days with usage, at most ${number.format(Math.max(...used.map((d) => d.quantity)))} a day` : "none"}`);
  const parts = [highest, highest / 2].flatMap((tick) => [
    element("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
    element("text", { x: right, y: y(tick) - 3, "text-anchor": "end" }, number.format(tick)),
  ]);
  days.forEach(({ date, quantity }, i) => {
    const x = left + i * width;
    if (quantity > 0) {
      const height = Math.max(2, bottom - y(quantity));
      parts.push(element("rect", { class: date === today() ? "today" : "day", x: x + 1, y: bottom - height, width: width - 2, height, rx: 1.5 },
        element("title", {}, `${date}: ${plural(quantity, "text record")}`)));
    }
    const day = i + 1;
    if (day === 1 || (day % 5 === 0 && day <= days.length - 3) || day === days.length) {
      parts.push(element("text", { x: x + width / 2, y: bottom + 13, "text-anchor": "middle" }, String(day)));
    }
  });
  parts.push(element("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }));
  $("chart").replaceChildren(title, ...parts);
  $("days").tBodies[0].replaceChildren(...(used.length ? used : [{ date: "no usage", quantity: 0 }]).map(({ date, quantity }) =>
    element("tr", {}, element("td", {}, date), element("td", { class: "number" }, number.format(quantity)))));
}

// ---- start

for (const [name, text] of Object.entries(EXAMPLES)) {
  const button = element("button", { type: "button" }, name);
  button.addEventListener("click", () => { $("text").value = text; showCount(); $("text").focus(); });
  document.querySelector(".examples").append(button);
}
$("text").value = EXAMPLES.News;
$("form").addEventListener("submit", tryIt);
$("text").addEventListener("input", showCount);
$("text").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) tryIt(event); });
for (const tab of tabs) {
  tab.addEventListener("click", () => selectTab(tab));
  tab.addEventListener("keydown", moveTab);
}
$("model").addEventListener("change", () => { tried.chosen = $("model").value; showSnippet(); });
$("language").addEventListener("change", showSnippet);
$("key").addEventListener("change", () => { say(""); refreshStatus(); refreshModels(); showUsage(); });
$("copy").addEventListener("click", () => copy($("copy"), $("snippet").textContent));
$("copy-result").addEventListener("click", () => copy($("copy-result"), asJson()));
$("save-json").addEventListener("click", () => save(asJson(), "entities.json", "application/json"));
$("save-csv").addEventListener("click", () => save(asCsv(), "entities.csv", "text/csv"));
$("more").addEventListener("click", () => { tried.all = !tried.all; showRows([...tried.entities].sort((a, b) => a.offset - b.offset)); });
$("all-models").addEventListener("click", () => {
  tried.shownModels = tried.shownModels < tried.foundModels ? tried.shownModels + MODELS_MORE : MODELS_FOLDED;
  showModels();
});
$("filter").addEventListener("input", showModels);
$("earlier").addEventListener("click", () => stepMonth(-1));
$("later").addEventListener("click", () => stepMonth(1));
showCount();
showSnippet();
showUsage();
refreshStatus();
refreshModels();
setInterval(() => { refreshStatus(); refreshModels(); }, 15000);
