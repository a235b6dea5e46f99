// The label page: choosing a project, the four steps, and what stands in the address so that a reload goes on there.

import * as api from "./api.js";
import { $, doing, option, say, showStanding } from "../dom.js";
import { closeDocument, flush, settle, wireEditor } from "./editor.js";
import { openSome, wireList } from "./list.js";
import { labelAs, wirePeople } from "./people.js";
import { loadModels, wireProposals } from "./proposals.js";
import { on, state } from "./state.js";
import { wireTexts } from "./texts.js";
import { loadTraining, wireTraining } from "./training.js";

const LANGUAGES = ["ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja", "ko", "nl", "no",
  "pl", "pt", "ro", "ru", "sk", "sr", "sv", "th", "tr", "uk", "vi", "zh-Hans", "zh-Hant"];
const STANDING = 60_000; // milliseconds between two looks at licence and plan
const languageNames = new Intl.DisplayNames(["en"], { type: "language" });
const tabs = [...document.querySelectorAll('[role="tab"]')];

// ---- steps

let comparing = null; // the part of the page that most people never open is loaded when they do

function selectTab(tab) {
  if (tab !== $("tab-compare") || comparing) return showTab(tab);
  return doing(tab, async () => {
    comparing = await import("./compare.js");
    comparing.wireCompare();
    showTab(tab);
  });
}

function showTab(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  remember();
  if (tab.id === "tab-label") return doing(null, () => openSome());
  if (tab.id === "tab-train") return flush();
  return undefined;
}

function moveTab(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const shown = tabs.filter((tab) => !tab.hidden);
  const next = shown[(shown.indexOf(event.target) + by + shown.length) % shown.length];
  selectTab(next);
  next.focus();
}

const step = () => tabs.find((tab) => tab.getAttribute("aria-selected") === "true").id.replace("tab-", "");

function remember() {
  if (!state.project) return;
  const told = { project: state.project, step: step(), ...(state.person ? { as: state.person } : {}), ...(state.open ? { text: state.open.location } : {}) };
  history.replaceState(null, "", `#${new URLSearchParams(told)}`);
}

// ---- projects

async function start() {
  showStanding(api.BASE);
  let found;
  try {
    found = await api.projects();
  } catch (error) {
    refuse(error);
    return;
  }
  $("notice").hidden = true;
  $("access").hidden = true;
  $("outcome").textContent = "";
  $("existing").hidden = !found.length;
  $("project").replaceChildren(...found.map((one) => option(one.projectName)));
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (found.some((one) => one.projectName === wanted.get("project"))) await openProject(wanted.get("project"), wanted);
  else $("projects").hidden = false;
}

function refuse(error) {
  const notice = $("notice");
  notice.dataset.tone = error.status === 401 ? "quiet" : "bad";
  notice.textContent = error instanceof TypeError
    ? "The service does not answer. Reload the page when it runs again."
    : error.status === 404
      ? "Labelling and training are off on this server. Its operator turns them on with Authoring:Enabled=true and an access key."
      : error.message;
  notice.hidden = false;
}

async function openProject(name, wanted = new URLSearchParams()) {
  const project = await api.project(name);
  state.project = project.projectName;
  state.language = project.language;
  state.person = "";
  state.proposals = new Map();
  closeDocument();
  $("project-name").textContent = state.project;
  document.title = `${state.project}: label and train`;
  await labelAs(wanted.get("as") ?? "");
  showWork();
  // Before the models and trainings are read: who goes on meanwhile is not called back.
  const asked = $(`tab-${wanted.get("step")}`);
  if (asked === $("tab-label")) await openSome(wanted.get("text"));
  await selectTab(asked ?? (state.documents.length ? $("tab-label") : $("tab-texts")));
  await loadModels();
  await loadTraining();
}

function showWork() {
  for (const tab of tabs) tab.hidden = !state.project && tab !== $("tab-compare");
  comparing?.offerSources();
  $("projects").hidden = true;
  $("work").hidden = false;
  $("lead").hidden = true;
}

// Labelled files that belong to no project, for the models that are served.
async function compareFiles() {
  Object.assign(state, { project: "", person: "", documents: [], categories: [] });
  $("project-name").textContent = "Labelled files";
  document.title = "Labelled files: compare";
  await loadModels();
  await selectTab($("tab-compare"));
  showWork();
}

async function makeProject() {
  const name = $("new-name").value.trim();
  if ([...$("project").options].some((one) => one.value === name)) throw new Error(`There is a project ${name} already: open it, or choose another name.`);
  await api.makeProject(name, { language: $("new-language").value, multilingual: $("new-multilingual").checked, storageInputContainerName: name });
  await openProject(name);
}

async function otherProject() {
  await settle();
  closeDocument();
  state.project = "";
  history.replaceState(null, "", location.pathname);
  $("work").hidden = true;
  $("lead").hidden = false;
  document.title = "Offline appliance: label and train";
  await start();
}

// What fails before a project is open has no line of its own.
function opening(trigger, work) {
  return doing(trigger, async () => {
    try {
      await work();
      $("notice").hidden = true;
    } catch (error) {
      if ($("work").hidden) refuse(error);
      throw error;
    }
  });
}

// ---- start

wireTexts();
wireList();
wireEditor();
wireProposals();
wirePeople();
wireTraining();
for (const tab of tabs) {
  tab.addEventListener("click", () => {
    if ($("outcome").dataset.tone !== "bad") say(""); // what was said of another step
    selectTab(tab);
  });
  tab.addEventListener("keydown", moveTab);
}
on("opened", remember);
on("person", remember);
on("show label", () => selectTab($("tab-label")));
$("new-language").replaceChildren(...LANGUAGES.map((tag) => option(tag, languageNames.of(tag))).sort((a, b) => a.text.localeCompare(b.text, "en")));
$("new-language").value = "en";
$("access").addEventListener("submit", (event) => { event.preventDefault(); doing(event.submitter, start); });
$("open").addEventListener("click", () => opening($("open"), () => openProject($("project").value)));
$("new-project").addEventListener("submit", (event) => { event.preventDefault(); opening(event.submitter, makeProject); });
$("compare-files").addEventListener("click", () => opening($("compare-files"), compareFiles));
$("other").addEventListener("click", () => doing($("other"), otherProject));
setInterval(() => showStanding(api.BASE), STANDING);
start().catch((error) => { say(error.message, "bad"); refuse(error); });
