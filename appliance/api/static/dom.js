// What the pages of several parts need of the document. Text is only ever set as text, never as markup.

export const $ = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en");
export const plural = (n, word, many = `${word}s`) => `${number.format(n)} ${n === 1 ? word : many}`;
export const percent = (share) => (share * 100).toFixed(1);

export const randomId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function button(text, action, attributes = {}) {
  const made = element("button", { type: "button", ...attributes, class: ["quiet", attributes.class].filter(Boolean).join(" ") }, text);
  made.addEventListener("click", action);
  return made;
}

export const option = (value, text = value) => element("option", { value }, text);

export function say(text, tone = "quiet") {
  $("outcome").dataset.tone = tone;
  $("outcome").textContent = text;
}

const KEY_HEADER = "Ocp-Apim-Subscription-Key";

// Why no answers are given, or soon will not be: the service's own sentence. Asking costs nothing and needs no key, but
// without one the service tells only the word.
export async function showStanding(base) {
  const key = $("key").value.trim();
  const options = { cache: "no-store", headers: key ? { [KEY_HEADER]: key } : {} };
  const { apiStatus = "Valid", apiStatusMessage = "", license } = await fetch(`${base}/status`, options).then((reply) => reply.json()).catch(() => ({}));
  const standing = $("standing");
  standing.hidden = apiStatus === "Valid" || (apiStatus === "Grace" && !license);
  if (standing.hidden || standing.dataset.shown === apiStatusMessage) return;
  standing.dataset.shown = apiStatusMessage; // a screen reader reads it once
  standing.dataset.tone = apiStatus === "Grace" ? "warn" : "bad";
  standing.replaceChildren(apiStatusMessage, " ", element("a", { href: `${base}/docs/search?q=${encodeURIComponent(apiStatus)}` }, "What this means"));
}

export function download(name, type, parts) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// Does something once at a time, says why it failed, and shows on the button that it goes on.
export async function doing(trigger, work) {
  if (trigger?.getAttribute("aria-busy") === "true") return undefined;
  trigger?.setAttribute("aria-busy", "true");
  try {
    return await work();
  } catch (error) {
    say(error instanceof TypeError ? "The service does not answer." : error.message, "bad");
    return undefined;
  } finally {
    trigger?.setAttribute("aria-busy", "false");
  }
}

const NOTES = 5; // lines of a list that are not folded

export function showNotes(list, lines) {
  const items = (some) => some.map((line) => element("li", {}, line));
  const more = lines.slice(NOTES);
  list.hidden = !lines.length;
  list.replaceChildren(...items(lines.slice(0, NOTES)), ...(more.length
    ? [element("li", {}, element("details", {}, element("summary", {}, `${more.length} more`), element("ul", {}, ...items(more))))] : []));
}

export const COLOURS = 20;
const colours = new Map();

// The colour of a category: by its place in the project, so that twenty differ.
export function setColours(categories) {
  categories.forEach((category, index) => colours.set(category, index % COLOURS));
}

export function colourOf(category) {
  if (!colours.has(category)) colours.set(category, colours.size % COLOURS);
  return `k${colours.get(category)}`;
}
