// Texts and categories of a project: files, pasted text, and what is to be found in them.

import * as api from "./api.js";
import { $, button, colourOf, doing, element, plural, say, showNotes } from "../dom.js";
import { changeCategories } from "./categories.js";
import { loadDocuments } from "./list.js";
import { on, state } from "./state.js";

const MOST_BYTES = 45 * 2 ** 20; // of files at once: the service takes 64 MiB, and base64 makes them longer

async function inBase64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

// Files as the service takes them.
export async function packed(files) {
  if (files.reduce((sum, file) => sum + file.size, 0) > MOST_BYTES) throw new Error("These files are larger than 45 MiB together: choose some of them at a time.");
  say(`Reading ${plural(files.length, "file")}…`);
  return Promise.all(files.map(async (file) => ({ name: file.name, data: await inBase64(file) })));
}

async function takeFiles(list) {
  const files = [...list];
  if (!files.length) return;
  await take(await packed(files));
  $("files").value = "";
}

async function take(files) {
  const { added, notes } = await api.take(state.project, files);
  showNotes($("notes"), notes);
  await loadDocuments();
  say(`${plural(added, "text")} added.`);
}

async function pasteText() {
  const text = $("pasted").value;
  if (!text.trim()) throw new Error("Paste or type a text first.");
  await take([{ name: `${$("pasted-name").value.trim() || "text"}.txt`, text }]);
  $("pasted").value = "";
  $("pasted-name").value = "";
}


async function addCategory() {
  const name = $("new-category").value.trim();
  if (!name) throw new Error("Type the name of a category first.");
  if (state.categories.includes(name)) throw new Error(`The project has the category ${name} already.`);
  await changeCategories((categories) => [...categories, name]);
  $("new-category").value = "";
  say(`${name} is added.`);
}

const movedUp = (category) => (categories) => {
  const index = categories.indexOf(category);
  const moved = [...categories];
  if (index > 0) [moved[index - 1], moved[index]] = [moved[index], moved[index - 1]];
  return moved;
};
const without = (category) => (categories) => categories.filter((one) => one !== category);

function showCategories() {
  const counts = new Map();
  for (const { labels } of state.documents) for (const { category } of labels) counts.set(category, (counts.get(category) ?? 0) + 1);
  $("category-list").replaceChildren(...state.categories.map((category, index) => {
    const count = counts.get(category) ?? 0;
    const actions = [];
    if (index) actions.push(button("Up", () => doing(null, () => changeCategories(movedUp(category))), { "aria-label": `${category} one up` }));
    if (!count) actions.push(button("Remove", () => doing(null, () => changeCategories(without(category))), { "aria-label": `Remove the category ${category}` }));
    return element("li", {}, element("span", { class: `tag ${colourOf(category)}` }, category), element("span", { class: "message" }, plural(count, "label")), ...actions);
  }));
}

export function wireTexts() {
  const drop = $("import");
  drop.addEventListener("submit", (event) => event.preventDefault());
  $("files").addEventListener("change", () => doing($("files"), () => takeFiles($("files").files)));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    doing($("files"), () => takeFiles(event.dataTransfer.files));
  });
  $("paste").addEventListener("submit", (event) => { event.preventDefault(); doing(event.submitter, pasteText); });
  $("categories-form").addEventListener("submit", (event) => { event.preventDefault(); doing(event.submitter, addCategory); });
  for (const name of ["categories", "documents", "labels"]) on(name, showCategories);
}
