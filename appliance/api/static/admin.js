// The operators' page: asks /admin/api with an operator's key that lives in this page's memory alone, and builds
// elements from the answers. Text is only ever set as text, never as markup.

// Where this service begins: below a path, if a proxy gives it one.
const BASE = new URL("..", import.meta.url).href.replace(/\/$/, "");
const API = `${BASE}/admin/api`;
const KEY_HEADER = "Ocp-Apim-Subscription-Key";
const PATIENCE = 20000; // milliseconds until a server that hangs is called silent
const SLOW = 180000; // likewise for what reads much: an export, an examination
const EVERY = 10000;
const MIB = 2 ** 20;
const FOLDED = 12; // models shown until somebody asks for more
const MORE = 50; // shown at each further press
const TONES = { Valid: "good", Expiring: "warn", Grace: "warn", OutOfQuota: "bad" };
const PICTURES = new Set(["svg", "rect", "line", "text", "title", "polyline"]);

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const state = { key: "", seen: null, upload: null, sha256: "", models: [], shown: FOLDED, found: 0, timer: 0, choice: 0, entering: false, asking: false };

function element(tag, attributes = {}, ...children) {
  const made = PICTURES.has(tag) ? document.createElementNS($("pictures").namespaceURI, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const words = (name) => name.replaceAll(/\B[A-Z]/g, " $&").toLowerCase();
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const sentence = (text) => (/[.!?]$/.test(text) ? capital(text) : `${capital(text)}.`);

function size(bytes) {
  if (bytes === null || bytes === undefined) return "not known";
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let value = bytes;
  while (value >= 1024 && at < units.length - 1) { value /= 1024; at += 1; }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

// A time as the service tells it, for people.
const moment = (text) => (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text ?? "") ? `${text.slice(0, 16).replace("T", " ")} UTC` : text);

function duration(seconds) {
  if (seconds === null) return "–";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds} s`;
}

// ---- asking

class Refusal extends Error {
  constructor(status, message, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(path, { method = "GET", body, patience = PATIENCE } = {}) {
  let reply;
  try {
    reply = await fetch(API + path, {
      method, body, cache: "no-store", redirect: "error",
      headers: { [KEY_HEADER]: state.key, ...(body === undefined ? {} : { "Content-Type": "application/octet-stream" }) },
      signal: AbortSignal.timeout(patience),
    });
  } catch (error) {
    throw new Refusal(0, error.name === "TimeoutError"
      ? `The service has not answered for ${patience / 1000} seconds.`
      : "The service does not answer.");
  }
  if (reply.ok) return reply;
  const problem = (await reply.json().catch(() => ({}))).error ?? {};
  const said = problem.innererror?.message ?? problem.message ?? `The service answered ${reply.status}.`;
  throw new Refusal(reply.status, sentence(said), problem.code);
}

const json = async (path, options) => (await ask(path, options)).json();

function save(data, name) {
  const address = URL.createObjectURL(data);
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 30000);
}

async function download(path, name, options) {
  save(await (await ask(path, options)).blob(), name);
}

function say(id, text, tone = "quiet") {
  $(id).dataset.tone = tone;
  $(id).textContent = text;
}

// A button that works once at a time, and says beside it what came of it.
function works(button, outcome, work) {
  $(button).addEventListener("click", async () => {
    if ($(button).getAttribute("aria-busy") === "true") return;
    $(button).setAttribute("aria-busy", "true");
    say(outcome, "working…");
    try {
      say(outcome, (await work()) ?? "", "good");
    } catch (error) {
      failed(error, (text) => say(outcome, text, "bad"));
    } finally {
      $(button).removeAttribute("aria-busy");
    }
  });
}

function failed(error, tell) {
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 401) leave(error.message);
  else tell(error.message);
}

// ---- in and out

async function enter(event) {
  event.preventDefault();
  if (state.entering) return; // pressed twice: one page asks once
  state.entering = true;
  try {
    await tryKey();
  } finally {
    state.entering = false;
  }
}

async function tryKey() {
  state.key = $("key").value.trim();
  $("key-error").textContent = "";
  if (/[^\x20-\x7e]/.test(state.key)) {
    $("key-error").textContent = "A key has only letters, digits and signs of ASCII.";
    return;
  }
  try {
    showOverview(await json("/overview"));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    $("key-error").textContent = error.message;
    return;
  }
  $("key").value = "";
  $("enter").hidden = true;
  $("inside").hidden = false;
  $("jump").hidden = false;
  $("leave").hidden = false;
  $("notices-title").tabIndex = -1;
  $("notices-title").focus();
  showUsage();
  showModels();
  showLog();
  showHistory().catch((error) => failed(error, (text) => { $("live-note").textContent = text; }));
  clearInterval(state.timer);
  state.timer = setInterval(refresh, EVERY);
}

function leave(message) {
  clearInterval(state.timer);
  state.key = "";
  $("inside").hidden = true;
  $("jump").hidden = true;
  $("leave").hidden = true;
  $("enter").hidden = false;
  $("key-error").textContent = message;
  $("pill").dataset.tone = "quiet";
  $("pill-text").textContent = "not signed in";
  $("key").focus();
}

// Nothing of what was shown stays behind for whoever sits down next: the page is loaded anew, without the key.
function signOut() {
  leave("");
  location.reload();
}

async function refresh() {
  if (state.asking) return; // a service that is slow is not asked again before it answers
  state.asking = true;
  try {
    showOverview(await json("/overview"));
    await showHistory();
    $("gone").hidden = true;
  } catch (error) {
    failed(error, (text) => {
      $("gone").textContent = `${text} What you see is from ${new Date(state.at).toLocaleTimeString()}; this page asks again every ${EVERY / 1000} seconds.`;
      $("gone").hidden = false;
      $("pill").dataset.tone = "bad";
      $("pill-text").textContent = "no answer";
    });
  } finally {
    state.asking = false;
  }
}

// ---- overview

function rows(list, facts) {
  list.replaceChildren(...Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

function showOverview(told) {
  state.at = Date.now();
  const { license = {}, ledger, clock, metering } = told;
  const tone = TONES[told.apiStatus] ?? (told.apiStatus === "Valid" ? "good" : "bad");
  $("version").textContent = told.version;
  $("pill").dataset.tone = tone;
  $("pill-text").textContent = words(told.apiStatus);
  showNotices(told);
  $("licence-state").dataset.tone = TONES[license.state] ?? "bad";
  $("licence-state").textContent = capital(words(license.state ?? ""));
  $("licence-words").replaceChildren(...told.words.license.map((text) => element("p", {}, text)),
    ...(license.next ? [element("p", {}, `The licence with serial ${license.next.serial} takes over on ${license.next.notBefore.slice(0, 10)}.`)] : []));
  showPlan(told);
  rows($("licence-facts"), {
    Licence: license.id, Serial: license.serial, Customer: license.customer, Product: license.product, Tier: license.tier,
    Begins: moment(license.notBefore), Ends: moment(license.expires), "Answers until": moment(license.terminates),
    "Encrypted models": (license.models ?? []).join(", "), Issuer: license.issuer, "Root key": license.root,
    Installation: told.instance,
  });
  $("renew").hidden = told.connected;
  if (license.state !== state.licence && license.state !== "Valid") $("renew").open = true;
  state.licence = license.state;
  $("report-by").textContent = told.words.report;
  showLedger(ledger);
  showClock(clock);
  rows($("connections"), {
    Open: `${number.format(told.connections.open)} of ${number.format(told.connections.most)}`,
    Memory: told.memory.limit ? `${size(told.memory.resident)} of ${size(told.memory.limit)}` : size(told.memory.resident),
    "Reports to": metering ? metering.endpoint : "nobody: this service runs disconnected",
    "State of reporting": metering && metering.message,
    "Last contact": metering && moment(metering.lastContact),
    "Answers until": metering && moment(metering.answersUntil),
  });
}

function showNotices(told) {
  const found = told.notices.map(({ code, message, hint }) => ({ code, message, hint, tone: "warn" }));
  if (!["Valid", "Grace"].includes(told.apiStatus) && !found.some((one) => sentence(one.message) === sentence(told.apiStatusMessage))) {
    found.unshift({ code: told.apiStatus, message: told.apiStatusMessage, hint: "", tone: "bad" });
  }
  if (["Expired", "NotYetValid"].includes(told.license?.state) && found.length) found[0].tone = "bad";
  for (const refused of told.license?.refused ?? []) found.push({ message: `${refused.file || "the licence directory"}: ${refused.message}`, hint: refused.hint, code: refused.code, tone: "warn" });
  for (const fork of told.ledger.mismatches) found.push({ code: fork.code, message: `${fork.origin}: ${fork.message}`, hint: "send an export to the vendor and ask", tone: "bad" });
  if (!told.ledger.healthy) found.unshift({ code: "UsageStoreUnavailable", message: "the usage ledger cannot be written, so nothing is answered", hint: "check free space and the mount of the output directory; the service goes on by itself", tone: "bad" });
  if (told.ledger.lowSpace) found.push({ message: `only ${size(told.ledger.freeBytes)} are free where usage records are kept`, hint: "make room on that disk", tone: "warn" });
  for (const model of told.models.filter((one) => one.status === "failed")) found.push({ message: `${model.projectName}/${model.deploymentName} is not served: ${model.reason}`, hint: model.hint, tone: "warn" });
  $("notices").replaceChildren(...(found.length ? found : [{ message: "Nothing: the service answers.", hint: "", tone: "good" }]).map(({ code, message, hint, tone }) =>
    element("li", { "data-tone": tone }, element("b", {}, sentence(message)), ...(hint ? [element("span", {}, `Next: ${hint}${/[.!?]$/.test(hint) ? "" : "."}`)] : []),
    ...(code ? [element("a", { href: `${BASE}/docs/search?q=${encodeURIComponent(code)}` }, "Read more", element("span", { class: "hidden" }, ` about ${code}`))] : []))));
}

function showPlan(told) {
  $("plan").replaceChildren(...told.plan.meters.map((meter, i) => {
    const tone = meter.percent >= 100 ? "bad" : meter.percent >= 80 ? "warn" : "good";
    const bar = element("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", role: "img", "aria-label": `${meter.percent} percent of the units of ${meter.name} are used` },
      element("rect", { class: "track", width: 100, height: 4, rx: 1 }),
      element("rect", { class: "fill", "data-tone": tone, width: Math.min(100, meter.percent), height: 4, rx: 1 }));
    return element("div", { class: "meter" }, bar, element("p", { class: "message" }, told.words.plan[i]));
  }), ...(told.words.noPlan ? [element("p", { class: "message" }, told.words.noPlan)] : []));
}

function showLedger(ledger) {
  const unsigned = ledger.size - ledger.signed;
  $("ledger-state").dataset.tone = ledger.healthy ? "good" : "bad";
  $("ledger-state").textContent = ledger.healthy ? "writes" : "cannot be written";
  rows($("ledger"), {
    Entries: number.format(ledger.size),
    Signed: unsigned ? `${number.format(ledger.signed)}; the other ${number.format(unsigned)} within a minute` : "all of them",
    "Checked against the licence": ledger.mismatches.length ? `${ledger.mismatches.length} logs differ` : "no log differs",
    "Read again to its end": ledger.wholeAt ? moment(ledger.wholeAt) : "a minute after the start, then each week",
    "Free on the disk": size(ledger.freeBytes),
    "Reserve for a full disk": ledger.reserve ? "set aside" : "used up: make room",
    Log: ledger.origin,
    Directory: ledger.directory,
  });
}

function showClock(clock) {
  state.seen = clock.seen ?? null;
  $("clock-state").dataset.tone = { ok: "good", behind: "warn" }[clock.state] ?? "bad";
  $("clock-state").textContent = { ok: "believed", behind: "behind what is proven", held: "not believed" }[clock.state];
  rows($("clock"), { "Licence is judged at": moment(clock.effective), "This machine says": moment(clock.wall) });
  $("confirm").hidden = !state.seen;
  $("confirm-words").textContent = state.seen ? `This machine's clock says ${moment(clock.wall)}, far ahead of what is proven. Is it that now?` : "";
}

// ---- licence by file

async function chosen() {
  $("install").disabled = true;
  $("changes").hidden = true;
  state.upload = null;
  state.choice += 1;
  const mine = state.choice; // answers about two choices may overtake each other
  const files = [...$("answer").files];
  if (!files.length) { say("answer-outcome", ""); return; }
  say("answer-outcome", "checking…");
  try {
    const parts = await Promise.all(files.map((file) => file.text()));
    const upload = parts.map((text) => (text.endsWith("\n") ? text : `${text}\n`)).join("");
    const told = await json("/license/check", { method: "POST", body: upload });
    if (mine !== state.choice) return;
    $("changes").tBodies[0].replaceChildren(...told.changes.map(({ what, now, then, changed }) =>
      element("tr", changed ? { class: "changed" } : {}, element("th", { scope: "row" }, capital(what)), element("td", { "data-label": "Now" }, now), element("td", { "data-label": "Then" }, then))));
    $("changes").hidden = false;
    state.upload = upload;
    $("install").disabled = told.same;
    const notes = told.mismatches.map((text) => `The ledger differs from what it says: ${text}.`);
    say("answer-outcome", told.same ? "This is the licence that is in force: nothing would change."
      : [...notes, told.begun ? "It may be used here, and would be in force at once." : "It may be used here, and would wait for its first day.", ...told.words].join(" "), notes.length ? "bad" : "good");
  } catch (error) {
    failed(error, (text) => { if (mine === state.choice) say("answer-outcome", `Not installed: ${text}`, "bad"); });
  }
}

async function install() {
  const told = await json("/license/install", { method: "POST", body: state.upload });
  state.upload = null;
  $("install").disabled = true;
  $("changes").hidden = true;
  $("answer").value = "";
  showOverview(await json("/overview"));
  return told.inForce ? "The licence is installed and in force." : "The licence is installed and waits for its first day.";
}

// ---- usage

async function showUsage() {
  try {
    const { rows: found } = await json("/usage", { patience: SLOW });
    $("months").tBodies[0].replaceChildren(...(found.length ? found.map((row) => element("tr", row.month === "total" ? { class: "total" } : {},
      element("th", { scope: "row" }, row.month === "total" ? "In all" : row.month), element("td", { "data-label": "Meter" }, row.meter.split(".").pop()),
      ...[["Requests", row.requests], ["Quantity", row.quantity], ["Counts", row.billed]].map(([label, value]) => element("td", { class: "number", "data-label": label }, number.format(value)))))
      : [element("tr", {}, element("td", { colspan: 5 }, "Nothing was used yet."))]));
  } catch (error) {
    failed(error, (text) => say("usage-outcome", text, "bad"));
  }
}

async function preview() {
  const told = await json("/export", { method: "POST", patience: SLOW });
  state.sha256 = told.sha256;
  $("export-facts").textContent = `${told.file}, ${number.format(told.bytes)} bytes, SHA-256 ${told.sha256}`;
  $("export-text").textContent = told.text;
  $("export").hidden = false;
  return "The export is made. Read it below, then download it.";
}

// ---- the last hour

const clockTime = (at) => new Date(at * 1000).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });

function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999) ?? 1;
}

function chart({ title, points, value, show, last, kind = "line", least, also }) {
  const [left, right, top, bottom] = [4, 396, 14, 96];
  const numbers = points.map(value);
  const highest = ceiling(Math.max(least, ...numbers.map((one) => one ?? 0)));
  const from = points.length ? points[0].at - points[0].seconds : 0;
  const span = Math.max(60, (points.at(-1)?.at ?? 60) - from);
  const x = (at) => left + ((at - from) / span) * (right - left);
  const y = (one) => bottom - (one / highest) * (bottom - top);
  const ticks = [highest, highest / 2];
  const parts = ticks.map((tick) => element("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
  if (kind === "bars") {
    for (const point of points) {
      const wide = Math.max(1, (point.seconds / span) * (right - left) - 0.6);
      for (const [one, name] of [[value(point), "bar"], [also?.(point) ?? 0, "bad"]]) {
        if (one > 0) parts.push(element("rect", { class: name, x: x(point.at - point.seconds), y: y(one), width: wide, height: bottom - y(one) }));
      }
    }
  } else {
    const drawn = points.filter((point) => value(point) !== null).map((point) => `${x(point.at).toFixed(1)},${y(value(point)).toFixed(1)}`);
    parts.push(element("polyline", { class: "line", points: (drawn.length === 1 ? [`${left},${drawn[0].split(",")[1]}`, ...drawn] : drawn).join(" ") }));
  }
  parts.push(...ticks.map((tick) => element("text", { class: "tick", x: right, y: y(tick) - 3, "text-anchor": "end" }, show(tick))),
    element("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }),
    element("text", { x: left, y: bottom + 12 }, points.length ? clockTime(from) : ""),
    element("text", { x: right, y: bottom + 12, "text-anchor": "end" }, points.length ? clockTime(points.at(-1).at) : ""));
  const most = numbers.reduce((found, one) => Math.max(found, one ?? 0), 0);
  return element("figure", {},
    element("figcaption", {}, title, element("b", {}, last)),
    element("svg", { class: "chart", viewBox: "0 0 400 112", role: "img", "aria-label": `${title}: now ${last}, at most ${show(most)}` }, ...parts));
}

async function showHistory() {
  const { points } = await json("/history");
  const now = points.at(-1);
  const rate = (point) => (point.requests / Math.max(point.seconds, 0.1));
  const per = (value) => `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} a second`;
  const sum = (name) => points.reduce((all, point) => all + point[name], 0);
  $("live-note").textContent = now
    ? `${number.format(sum("requests"))} requests, ${number.format(sum("errors"))} errors of the service, ${number.format(sum("refused"))} refused as too much, since ${clockTime(points[0].at - points[0].seconds)}. What people and probes ask about the service is not counted.`
    : "Nothing was measured yet.";
  if (!now) return;
  $("charts").replaceChildren(
    chart({ title: "Requests (errors in red)", points, value: rate, also: (point) => point.errors / Math.max(point.seconds, 0.1), show: per, last: per(rate(now)), kind: "bars", least: 1 }),
    chart({ title: "95 % are answered within", points, value: (point) => point.p95, show: duration, last: duration(now.p95), least: 0.01 }),
    chart({ title: "Waiting for a model", points, value: (point) => point.queue, show: (value) => number.format(value), last: number.format(now.queue), least: 10 }),
    chart({ title: "Memory", points, value: (point) => point.memory / MIB, show: (value) => `${number.format(value)} MiB`, last: size(now.memory), least: 1 }),
    chart({ title: "Open connections", points, value: (point) => point.connections, show: (value) => number.format(value), last: number.format(now.connections), least: 10 }),
  );
  $("points").tBodies[0].replaceChildren(...points.toReversed().map((point) => element("tr", {},
    element("th", { scope: "row" }, clockTime(point.at)),
    ...Object.entries({ Requests: number.format(point.requests), Errors: number.format(point.errors), Refused: number.format(point.refused), "95 %": duration(point.p95),
      Waiting: number.format(point.queue), Memory: size(point.memory), Connections: number.format(point.connections) })
      .map(([label, text]) => element("td", { class: "number", "data-label": label }, text)))));
}

// ---- models

async function showModels() {
  try {
    state.models = (await json("/models")).models;
    drawModels();
  } catch (error) {
    failed(error, (text) => { $("models-count").textContent = text; });
  }
}

function drawModels() {
  const wanted = $("filter").value.trim().toLowerCase();
  const found = state.models.filter((one) => [one.project, one.deployment, one.name, one.state].join(" ").toLowerCase().includes(wanted));
  const shown = found.slice(0, state.shown);
  const left = found.length - shown.length;
  state.found = found.length;
  const broken = state.models.filter((one) => one.state === "failed").length;
  $("find").hidden = state.models.length <= FOLDED;
  $("models-count").dataset.tone = broken ? "bad" : "good";
  $("models-count").textContent = state.models.length ? `${number.format(state.models.length - broken)} served${broken ? `, ${broken} not` : ""}` : "none is loaded yet";
  $("all").hidden = found.length <= FOLDED;
  $("all").textContent = left > MORE ? `Show ${MORE} more of ${number.format(found.length)}`
    : left > 0 ? `Show all ${number.format(found.length)}` : "Show fewer";
  $("models").tBodies[0].replaceChildren(...shown.map((one) => element("tr", {},
    element("th", { scope: "row" }, `${one.project}/${one.deployment}${one.default ? " (default)" : ""}`),
    element("td", { "data-label": "State", ...(one.state === "failed" ? { class: "failed" } : {}) }, one.state === "failed" ? `not served: ${one.reason}` : "served"),
    element("td", { "data-label": "Model" }, [one.name, one.release].filter(Boolean).join(" "), ...(one.card ? [" ", cardButton(one)] : [])),
    element("td", { class: "number", "data-label": "Size" }, one.bytes ? size(one.bytes) : "–"),
    element("td", { class: "number", "data-label": "Score" }, ...score(one)),
    element("td", { "data-label": "Written" }, one.changed ? one.changed.slice(0, 10) : "–"))));
}

// The score of one model, and on what it was measured: two scores on different texts do not compare.
function score({ measure, percent, scoredOn }) {
  if (percent === null || percent === undefined) return ["–"];
  return [`${measure} ${percent.toFixed(1)} %`, ...(scoredOn ? [element("small", {}, scoredOn)] : [])];
}

function cardButton(model) {
  const button = element("button", { class: "link", type: "button", "aria-label": `Card of ${model.project}/${model.deployment}` }, "card");
  button.addEventListener("click", async () => {
    try {
      const query = new URLSearchParams({ project: model.project, deployment: model.deployment });
      $("card-text").textContent = await (await ask(`/models/card?${query}`)).text();
      $("card-title").textContent = `Card of ${model.project}/${model.deployment}`;
      $("card").hidden = false;
      $("card-text").focus();
    } catch (error) {
      failed(error, (text) => { $("models-count").textContent = text; });
    }
  });
  return button;
}

// ---- log

const LOUD = { Warning: "warn", Error: "bad", Critical: "bad" };

async function showLog() {
  try {
    const { lines } = await json("/log");
    $("lines").replaceChildren(...lines.flatMap((line) => [
      `${line.timestamp.replace("T", " ").slice(0, 19)} `,
      element("b", LOUD[line.level] ? { "data-tone": LOUD[line.level] } : {}, line.level),
      ` ${line.category}: ${line.message}\n`,
      ...(line.exception ? [`${line.exception}\n`] : []),
    ]));
    $("lines").scrollTop = $("lines").scrollHeight;
  } catch (error) {
    failed(error, (text) => { $("lines").textContent = text; });
  }
}

// ---- start

$("form").addEventListener("submit", enter);
$("answer").addEventListener("change", chosen);
$("filter").addEventListener("input", drawModels);
$("all").addEventListener("click", () => {
  state.shown = state.shown < state.found ? state.shown + MORE : FOLDED;
  drawModels();
});
$("log-refresh").addEventListener("click", showLog);
$("sure").addEventListener("change", () => { $("accept").disabled = !$("sure").checked; });
$("leave").addEventListener("click", signOut);
works("request", "answer-outcome", async () => { await download("/license/request", "request.note"); });
works("install", "answer-outcome", install);
works("csv", "usage-outcome", async () => { await download("/usage.csv", "usage.csv", { patience: SLOW }); });
works("preview", "usage-outcome", preview);
works("take", "usage-outcome", async () => { await download(`/export/${state.sha256}`, "usage.zip"); return "The export was downloaded, and noted in the journal of exports."; });
works("accept", "clock-outcome", async () => { showOverview(await json("/clock/accept", { method: "POST", body: JSON.stringify(state.seen) })); return "The clock is confirmed."; });
works("support", "support-outcome", async () => { await download("/support", "support.tar.gz", { method: "POST", patience: SLOW }); return "The archive was downloaded. Read it before you send it."; });
