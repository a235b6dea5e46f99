// The text that is labelled: drawing it, selecting in it by mouse and keys, labels with undo, and saving.

import * as api from "./api.js";
import { $, button, colourOf, element, say } from "../dom.js";
import { changeCategories } from "./categories.js";
import { entryOf, on, proposalsOf, state, tell } from "./state.js";
import { cleaned, digest, directionAtEnd, endOf, indexAt, inOrder, overlaps, same, settled, stepCharacter, wordsOf } from "./text.js";

const SAVE_AFTER = 250; // milliseconds without a change
const AGAIN_AFTER = 3000; // milliseconds after a save that failed
const LISTED = 300; // labels in the list below the text
const QUOTED = 70; // characters of a label there

let nodes = []; // the drawn text nodes, each with the place where it begins
let selected = null; // {start, end}, and the ends of a selection by keys: {anchor, head}

// ---- opening and drawing

let opening = 0; // which text was asked for last: answers may overtake each other

export async function openDocument(location, { again = false } = {}) {
  opening += 1;
  const mine = opening;
  if (state.open?.location === location && !again) return;
  await settle();
  const found = await api.opened(state.project, location, state.person);
  await settle(); // what was labelled while the text was on its way
  if (mine !== opening) return;
  state.open = {
    location, text: found.text, language: found.language, revision: found.revision,
    labels: cleaned(found.text, found.labels), seen: found.labelled, words: null, digest: digest(found.text),
    undo: [], redo: [], dirty: false, onTheWay: 0, unanswered: [], dataset: found.dataset, savedDataset: found.dataset,
  };
  selected = null;
  $("doc-name").textContent = location;
  $("dataset").value = found.dataset;
  $("dataset").disabled = Boolean(state.person);
  $("saved").textContent = "";
  $("text").scrollTop = 0;
  $("text").lang = found.language;
  tell("opened");
  draw();
}

export function closeDocument() {
  opening += 1;
  state.open = null;
  selected = null;
  nodes = [];
  $("text").replaceChildren();
  $("labels").replaceChildren();
  $("doc-name").textContent = "";
}

// Proposals that leave the labels room are drawn in the text; the others are in the list only.
const free = (open) => proposalsOf(open.location).filter((one) => !open.labels.some((label) => overlaps(label, one)));
const unlike = (open) => proposalsOf(open.location).filter((one) => !open.labels.some((label) => same(label, one)));

export function draw() {
  const open = state.open;
  if (!open) return;
  nodes = [];
  const pieces = [];
  let end = 0;
  const add = (start, stop, into) => {
    if (stop <= start) return;
    const node = document.createTextNode(open.text.slice(start, stop));
    nodes.push({ node, start, end: stop });
    into.append ? into.append(node) : into.push(node);
  };
  const marks = inOrder([...open.labels, ...free(open).map((one) => ({ ...one, proposed: true }))]);
  for (const one of marks) {
    if (one.offset < end) continue;
    add(end, one.offset, pieces);
    const surface = open.text.slice(one.offset, endOf(one));
    const mark = element("mark", {
      class: `${colourOf(one.category)} ${directionAtEnd(surface)}${one.proposed ? " proposal" : ""}`,
      "data-label": one.proposed ? `${one.category}?` : one.category,
    });
    add(one.offset, endOf(one), mark);
    pieces.push(mark);
    end = endOf(one);
  }
  add(end, open.text.length, pieces);
  $("text").replaceChildren(...pieces);
  $("undo").disabled = !open.undo.length;
  $("redo").disabled = !open.redo.length;
  $("empty").checked = open.seen && !open.labels.length;
  $("empty").disabled = open.labels.length > 0;
  listLabels(open);
  if (selected) showSelection();
}

function quoted(text) {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > QUOTED ? `${line.slice(0, QUOTED)}…` : line;
}

function listLabels(open) {
  const rows = inOrder([...open.labels, ...unlike(open).map((one) => ({ ...one, proposed: true }))]);
  const items = rows.slice(0, LISTED).map((one) => {
    const surface = quoted(open.text.slice(one.offset, endOf(one)));
    const place = button("", () => { $("text").focus(); selectRange(one.offset, endOf(one)); }, { class: "place" });
    place.append(element("bdi", {}, surface));
    const actions = one.proposed
      ? [button("Accept", () => accept(one), { "aria-label": `Accept: ${surface} as ${one.category}` }), button("Reject", () => reject(one), { "aria-label": `Reject: ${surface} as ${one.category}` })]
      : [button("Remove", () => remove(one), { "aria-label": `Remove the label of ${surface}` })];
    const told = one.proposed ? `${state.proposedBy} proposes ${one.category}${one.score ? ` (${Math.round(one.score * 100)} %)` : ""}` : one.category;
    return element("li", one.proposed ? { class: "proposed" } : {}, element("span", { class: `tag ${colourOf(one.category)}` }, told), place, ...actions);
  });
  if (rows.length > LISTED) items.push(element("li", {}, `and ${rows.length - LISTED} more in the text`));
  $("labels").replaceChildren(...(items.length ? items : [element("li", { class: "none" }, open.seen ? "Nothing to label here." : "None yet.")]));
}

// ---- selecting

function placeOf(offset) {
  if (!nodes.length) return [$("text"), 0];
  const { node, start } = nodes[indexAt(nodes, offset)];
  return [node, Math.min(offset - start, node.data.length)];
}

function offsetOf(node, offset) {
  const range = document.createRange();
  range.setStart($("text"), 0);
  range.setEnd(node, offset);
  return range.toString().length;
}

function showSelection() {
  const [from, to] = [placeOf(selected.start), placeOf(selected.end)];
  // The end of a mark belongs to it, not to what follows.
  const last = nodes[indexAt(nodes, Math.max(selected.start, selected.end - 1))];
  const end = last && selected.end <= last.end ? [last.node, selected.end - last.start] : to;
  getSelection().setBaseAndExtent(...from, ...end);
}

export function selectRange(start, end, keys = {}) {
  selected = { start, end, ...keys };
  showSelection();
  const box = $("text").getBoundingClientRect();
  const range = getSelection().rangeCount ? getSelection().getRangeAt(0).getBoundingClientRect() : box;
  if (range.top < box.top || range.bottom > box.bottom) $("text").scrollTop += range.top - box.top - box.height / 3;
  speak(start, end);
}

function speak(start, end) {
  const here = { offset: start, length: end - start };
  const open = state.open;
  const label = open.labels.find((one) => overlaps(one, here));
  const proposal = label ? null : free(open).find((one) => overlaps(one, here));
  const told = label ? `, labelled ${label.category}` : proposal ? `, proposed ${proposal.category}` : "";
  $("spoken").textContent = `${quoted(open.text.slice(start, end))}${told}`;
}

function selectionChanged() {
  const found = getSelection();
  if (!state.open || !found.rangeCount || !$("text").contains(found.anchorNode) || !$("text").contains(found.focusNode)) return;
  const range = found.getRangeAt(0);
  const [start, end] = [offsetOf(range.startContainer, range.startOffset), offsetOf(range.endContainer, range.endOffset)];
  if (selected && selected.start === start && selected.end === end) return;
  selected = end > start ? { start, end } : null;
}

function clicked() {
  if (selected || !state.open) return;
  const found = getSelection();
  if (!found.anchorNode || !$("text").contains(found.anchorNode)) return;
  const at = offsetOf(found.anchorNode, found.anchorOffset);
  const mark = [...state.open.labels, ...free(state.open)].find((one) => one.offset <= at && at <= endOf(one));
  if (mark) selectRange(mark.offset, endOf(mark));
}

function words() {
  state.open.words ??= wordsOf(state.open.text);
  return state.open.words;
}

function step(by, { longer, characters }) {
  const list = words();
  const { text } = state.open;
  if (!list.length) return;
  if (longer && characters && selected) {
    const end = stepCharacter(text, selected.end, by);
    if (end > selected.start) selectRange(selected.start, end);
    return;
  }
  if (!selected) {
    const first = by > 0 ? 0 : list.length - 1;
    selectRange(list[first].start, list[first].end, { anchor: first, head: first });
    return;
  }
  const anchor = selected.anchor ?? indexAt(list, selected.start);
  const head = selected.head ?? indexAt(list, Math.max(selected.start, selected.end - 1));
  const next = Math.max(0, Math.min(list.length - 1, head + by));
  if (longer) {
    const [low, high] = [Math.min(anchor, next), Math.max(anchor, next)];
    selectRange(list[low].start, list[high].end, { anchor, head: next });
  } else {
    selectRange(list[next].start, list[next].end, { anchor: next, head: next });
  }
}

function stepMark(by) {
  const marks = inOrder([...state.open.labels, ...free(state.open)]);
  const here = selected?.start ?? (by > 0 ? -1 : Infinity);
  const next = by > 0 ? marks.find((one) => one.offset > here) : marks.findLast((one) => one.offset < here);
  if (next) selectRange(next.offset, endOf(next));
}

// ---- labels

function change(labels, seen = true) {
  const open = state.open;
  open.undo.push({ labels: open.labels, seen: open.seen });
  open.redo = [];
  put(labels, seen);
}

function put(labels, seen) {
  const open = state.open;
  open.labels = inOrder(labels);
  open.seen = seen || labels.length > 0;
  open.dirty = true;
  keepEntry(open);
  draw();
  tell("labels");
  saveSoon();
}

function keepEntry(open) {
  const entry = entryOf(open.location);
  if (entry) Object.assign(entry, { labels: open.labels, labelCount: open.labels.length, labelled: open.seen, dataset: open.dataset });
}

export function label(category) {
  const open = state.open;
  if (!open) return;
  selectionChanged();
  const place = selected && settled(open.text, selected.start, selected.end);
  if (!place) {
    say("Select some words first.", "bad");
    return;
  }
  const made = { category, offset: place.start, length: place.end - place.start };
  const surface = quoted(open.text.slice(place.start, place.end));
  const touched = open.labels.filter((one) => overlaps(one, made));
  const exactly = touched.length === 1 && touched[0].offset === made.offset && touched[0].length === made.length;
  if (touched.length && !exactly) {
    say(`This overlaps “${quoted(open.text.slice(touched[0].offset, endOf(touched[0])))}” (${touched[0].category}): a word has one category. Remove that label first.`, "bad");
    return;
  }
  change([...open.labels.filter((one) => !touched.includes(one)), made]);
  selectRange(place.start, place.end);
  say(`${surface}: ${category}`);
  $("spoken").textContent = `${surface}, labelled ${category}`;
}

export function remove(one) {
  const left = state.open.labels.filter((other) => other !== one);
  change(left, left.length > 0);
  say(`The label ${one.category} is removed.`);
}

export async function accept(...proposals) {
  const { open } = state;
  const unknown = [...new Set(proposals.map((one) => one.category))].filter((one) => !state.categories.includes(one));
  if (unknown.length) {
    try {
      await changeCategories((categories) => [...categories, ...unknown]);
    } catch (error) {
      say(error.message, "bad");
      return;
    }
    if (state.open !== open) return; // another text was opened meanwhile: these are no labels of it
  }
  let labels = open.labels;
  for (const { category, offset, length } of cleaned(open.text, proposals)) {
    const made = { category, offset, length };
    labels = [...labels.filter((other) => !overlaps(other, made)), made];
  }
  change(labels);
  say(proposals.length === 1 ? `${proposals[0].category}: accepted` : `${proposals.length} proposals accepted`);
}

function reject(one) {
  state.proposals.set(state.open.location, proposalsOf(state.open.location).filter((other) => other !== one));
  draw();
  tell("proposals");
  say(`The proposal ${one.category} is rejected.`);
}

const at = (list) => selected && list.find((one) => overlaps(one, { offset: selected.start, length: selected.end - selected.start }));

function acceptHere() {
  const here = at(free(state.open));
  if (here) {
    accept(here);
    return;
  }
  const next = inOrder(free(state.open)).find((one) => one.offset > (selected?.start ?? -1)) ?? inOrder(free(state.open))[0];
  if (next) selectRange(next.offset, endOf(next));
  else say("There is no proposal in this text.");
}

function removeHere() {
  const here = at(state.open.labels);
  if (here) {
    remove(here);
    return;
  }
  const proposal = at(free(state.open));
  if (proposal) reject(proposal);
}

export function undo() {
  const open = state.open;
  const last = open?.undo.pop();
  if (!last) return;
  open.redo.push({ labels: open.labels, seen: open.seen });
  put(last.labels, last.seen);
  say("Undone.");
}

export function redo() {
  const open = state.open;
  const next = open?.redo.pop();
  if (!next) return;
  open.undo.push({ labels: open.labels, seen: open.seen });
  put(next.labels, next.seen);
}

function setEmpty(seen) {
  if (!state.open || state.open.labels.length) return;
  change([], seen);
  say(seen ? "This text counts as labelled: it holds nothing to find." : "This text is not labelled yet.");
}

// ---- saving

let timer = 0;
let saving = Promise.resolve();

function saveSoon() {
  $("saved").textContent = "Saving…";
  clearTimeout(timer);
  timer = setTimeout(flush, SAVE_AFTER);
}

export function flush() {
  clearTimeout(timer);
  const open = state.open;
  if (open?.dirty) saving = saving.then(() => saveNow(open));
  return saving;
}

// Before another text takes the place of this one: nothing that was labelled is left behind.
export async function settle() {
  for (let tries = 0; state.open?.dirty && tries < 3; tries += 1) await flush();
  await saving;
  if (state.open?.dirty) throw new Error("The labels of this text are not saved yet. It stays open until they are.");
}

// Whether the labels that stand there now are of a save of this page whose answer never came. Then it goes on from them.
async function isMine(open) {
  if (!open.unanswered.length) return false;
  const found = await api.opened(state.project, open.location, state.person).catch(() => null);
  if (!open.unanswered.some((one) => alike(one, found))) return false;
  open.revision = found.revision;
  open.unanswered = [];
  return true;
}

const alike = (sent, found) => found && (sent.labelled || sent.labels.length > 0) === found.labelled && sent.labels.length === found.labels.length
  && inOrder(sent.labels).every((one, index) => same(one, found.labels[index]));

async function saveNow(open, keepalive = false) {
  if (!open.dirty) return;
  open.dirty = false;
  const { dataset } = open;
  const moved = !state.person && dataset !== open.savedDataset; // else somebody else's choice would be lost
  const body = { labels: open.labels.map(({ category, offset, length }) => ({ category, offset, length })), labelled: open.seen, ...(moved ? { dataset } : {}) };
  open.onTheWay += 1;
  try {
    open.revision = (await api.save(state.project, open.location, state.person, body, open.revision, keepalive)).revision;
    open.savedDataset = dataset;
    open.unanswered = [];
    if (state.open === open && !open.dirty) $("saved").textContent = "Saved";
    tell("saved");
  } catch (error) {
    if (api.unanswered(error)) open.unanswered.push(body);
    if (error.status === 412 && await isMine(open)) {
      open.dirty = true;
      timer = setTimeout(flush);
      return;
    }
    if (error.status === 412) {
      $("saved").replaceChildren("Somebody else changed these labels. ", button("Show theirs", () => openDocument(open.location, { again: true })));
      say("Your last change of this text is not saved: somebody else changed its labels meanwhile.", "bad");
      return;
    }
    if (error.code === "DocumentNotFound") {
      if (state.open === open) closeDocument();
      say(`${open.location} was taken out of the project by somebody else: your last change of it is not saved.`, "bad");
      tell("gone");
      return;
    }
    open.dirty = true;
    const told = error instanceof TypeError ? "the service does not answer." : error.message;
    const again = !(error.status >= 400 && error.status < 429);
    $("saved").textContent = `Not saved: ${told}`;
    say(`Not saved: ${told}${again ? " It is tried again." : ""}`, "bad");
    if (again) timer = setTimeout(flush, AGAIN_AFTER);
  } finally {
    open.onTheWay -= 1;
  }
}

function leaving(event) {
  if (!state.open?.dirty && !state.open?.onTheWay) return; // a save on its way would be cut off
  saveNow(state.open, true);
  event.preventDefault();
}

// ---- keys

const KEYS = {
  Enter: acceptHere, Delete: removeHere, Backspace: removeHere,
  "[": () => stepMark(-1), "]": () => stepMark(1),
  a: () => { const all = free(state.open); if (all.length) accept(...all); },
  e: () => setEmpty(!state.open.seen),
  n: () => tell("next"), p: () => tell("previous"),
  u: undo, U: redo,
};

function pressed(event) {
  if (!state.open || event.altKey) return;
  selectionChanged(); // the browser may tell of it later than of the key
  const command = event.ctrlKey || event.metaKey;
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1] ?? (/^[1-9]$/.test(event.key) ? event.key : null);
  let action = null;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const forward = (event.key === "ArrowRight") === (getComputedStyle($("text")).direction === "ltr");
    action = () => step(forward ? 1 : -1, { longer: event.shiftKey, characters: command });
  } else if (command) {
    action = { z: event.shiftKey ? redo : undo, Z: redo, y: redo }[event.key];
  } else if (digit && !event.shiftKey) {
    const category = state.categories[Number(digit) - 1];
    action = () => (category ? label(category) : say(`There is no category ${digit}.`, "bad"));
  } else {
    action = KEYS[event.key];
  }
  if (!action) return;
  event.preventDefault();
  action();
}

function drawBar() {
  $("category-bar").replaceChildren(...state.categories.map((category, index) => {
    const made = button("", () => label(category), { class: `category ${colourOf(category)}`, "aria-keyshortcuts": index < 9 ? String(index + 1) : undefined });
    if (index < 9) made.append(element("kbd", { "aria-hidden": "true" }, String(index + 1)), " ");
    made.append(category);
    made.addEventListener("mousedown", (event) => event.preventDefault()); // the selection stays
    return made;
  }));
  if (!state.categories.length) $("category-bar").replaceChildren(element("span", { class: "message" }, "This project has no categories yet: add some under Texts."));
}

export function wireEditor() {
  document.addEventListener("selectionchange", selectionChanged);
  $("text").addEventListener("mouseup", () => setTimeout(clicked));
  $("text").addEventListener("keydown", pressed);
  $("undo").addEventListener("click", undo);
  $("redo").addEventListener("click", redo);
  $("empty").addEventListener("change", () => setEmpty($("empty").checked));
  $("dataset").addEventListener("change", () => {
    state.open.dataset = $("dataset").value;
    state.open.dirty = true;
    keepEntry(state.open);
    tell("labels");
    saveSoon();
  });
  addEventListener("beforeunload", leaving);
  on("categories", () => { drawBar(); draw(); });
  on("proposals", draw);
}
