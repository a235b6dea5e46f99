// The list of texts beside the one that is labelled: filter, progress, next and previous.

import * as api from "./api.js";
import { $, button, doing, element, number, plural, say, setColours } from "../dom.js";
import { closeDocument, openDocument, settle } from "./editor.js";
import { entryOf, on, proposalsOf, state, tell } from "./state.js";
import { differences } from "./text.js";

const LISTED = 200; // texts in the list at once; the search finds the others

const differs = (entry) => {
  const { proposed, alone } = differences(entry.labels, proposalsOf(entry.location));
  return state.proposals.has(entry.location) && proposed.length + alone.length > 0;
};

const FILTERS = {
  all: () => true,
  unlabelled: (entry) => !entry.labelled,
  labelled: (entry) => entry.labelled,
  differ: differs,
};

export async function loadDocuments() {
  const found = await api.documents(state.project, state.person);
  state.documents = found.documents;
  state.categories = found.categories;
  state.people = found.people;
  setColours(state.categories);
  tell("categories");
  tell("documents");
}

// The text that is open stays in the list, so that labelling it does not take it away.
function showList() {
  const [filter, wanted] = [FILTERS[$("filter").value], $("search").value.trim().toLowerCase()];
  const found = state.documents.filter((entry) =>
    (filter(entry) || entry.location === state.open?.location) && entry.location.toLowerCase().includes(wanted));
  state.shown = found.map((entry) => entry.location);
  state.matching = found.filter(filter).map((entry) => entry.location);
  const first = Math.max(0, Math.min(state.shown.indexOf(state.open?.location) - LISTED / 2, found.length - LISTED));
  const items = found.slice(first, first + LISTED).map((entry) => {
    const open = button("", () => doing(null, () => openDocument(entry.location)), { class: "document", "aria-current": entry.location === state.open?.location ? "true" : undefined });
    const told = entry.labelCount ? plural(entry.labelCount, "label") : entry.labelled ? "nothing to label" : "not labelled";
    open.append(element("bdi", {}, entry.location), element("small", {}, [told, entry.dataset && `for ${entry.dataset === "Test" ? "the test" : "training"}`, differs(entry) && "differs"].filter(Boolean).join(" · ")));
    return element("li", entry.labelled ? { class: "labelled" } : {}, open);
  });
  if (found.length > items.length) items.push(element("li", { class: "none" }, `${number.format(found.length - items.length)} more: search for a name`));
  const list = $("documents");
  list.replaceChildren(...(items.length ? items : [element("li", { class: "none" }, "No text is like this.")]));
  const current = list.querySelector("[aria-current]");
  if (!current) return;
  const [box, line] = [list.getBoundingClientRect(), current.getBoundingClientRect()];
  if (line.top < box.top || line.bottom > box.bottom) list.scrollTop += line.top - box.top - box.height / 3;
}

function showProgress() {
  const all = state.documents.length;
  const labelled = state.documents.filter((entry) => entry.labelled).length;
  const labels = state.documents.reduce((sum, entry) => sum + entry.labelCount, 0);
  $("progress").max = Math.max(1, all);
  $("progress").value = labelled;
  const told = `${number.format(labelled)} of ${plural(all, "text")} labelled, ${plural(labels, "label")}`;
  $("progress-text").textContent = told;
  $("project-facts").textContent = !state.project ? "of no project" : [state.person && `labelling as ${state.person}`, told].filter(Boolean).join(" · ");
}

export function openNext(by) {
  const here = state.shown.indexOf(state.open?.location);
  const next = state.shown[here + by];
  if (next === undefined) {
    say(by > 0 ? "That was the last text of this list." : "That was the first text of this list.");
    return undefined;
  }
  return doing(null, async () => { await openDocument(next); $("text").focus({ preventScroll: true }); });
}

// Opens a text if none is open: the first that is not labelled yet.
export async function openSome(wanted) {
  if (state.open && entryOf(state.open.location)) return;
  const entry = entryOf(wanted) ?? state.documents.find((one) => !one.labelled) ?? state.documents[0];
  if (entry) await openDocument(entry.location);
  else closeDocument();
}

async function removeOpen() {
  const { location } = state.open;
  await settle();
  await api.removeDocument(state.project, location);
  const here = state.shown.indexOf(location);
  const next = state.shown[here + 1] ?? state.shown[here - 1];
  closeDocument();
  await loadDocuments();
  await openSome(next);
  say(`${location} is no longer part of the project; its text stays in the folder of the documents.`);
}

export function wireList() {
  $("filter").addEventListener("change", showList);
  $("search").addEventListener("input", showList);
  $("next").addEventListener("click", () => openNext(1));
  $("previous").addEventListener("click", () => openNext(-1));
  $("remove-document").addEventListener("click", () => doing($("remove-document"), removeOpen));
  on("gone", () => doing(null, async () => { await loadDocuments(); await openSome(); }));
  on("next", () => openNext(1));
  on("previous", () => openNext(-1));
  for (const name of ["documents", "labels", "opened", "proposals"]) on(name, () => { showList(); showProgress(); });
}
