// The transcript beside its sound: the word that is heard now is marked, and a word that is pressed is heard.

import { $, element } from "../dom.js";

const DOUBT = 0.8; // phrases below are marked
const LONG = 2000; // words from which the browser lays out those in sight alone
const FOLLOWED = 250; // milliseconds between two looks at the place of the sound

let words = []; // of the transcript in order: {start, end, node} in milliseconds
let shown = []; // the phrases that are in the list
let now = null; // the one that is marked
let reached = null; // the one that Tab reaches
let address = ""; // of the sound
let until = 0; // where a word that was pressed ends

// Gives the sound to the player; returns its seconds, 0 where the browser cannot read it.
export function play(blob) {
  const audio = $("audio");
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(blob);
  return new Promise((done) => {
    const told = (can) => {
      $("no-audio").hidden = can;
      audio.hidden = !can;
      done(can && Number.isFinite(audio.duration) ? audio.duration : 0);
    };
    audio.onloadedmetadata = () => told(true);
    audio.onerror = () => told(false);
    audio.src = address;
  });
}

const clock = (milliseconds) => {
  const seconds = Math.floor(milliseconds / 1000);
  const pad = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return `${hours ? `${hours}:` : ""}${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
};

// What follows what is shown already is added to it: with the microphone, a transcript grows phrase by phrase.
export function showTranscript({ phrases }) {
  const list = $("phrases-heard");
  const grown = shown.length && shown.every((phrase, index) => phrases[index] === phrase);
  if (!grown) {
    words = [];
    now = null;
    list.replaceChildren();
  }
  list.append(...phrases.slice(grown ? shown.length : 0).map(line));
  shown = [...phrases];
  if (!shown.length) list.append(element("li", {}, element("time", {}, ""), element("p", {}, "No words were understood.")));
  list.classList.toggle("long", words.length > LONG);
  if (!grown && words.length) reach(words[0]);
}

// One word is reached by Tab, the others by arrows: nobody tabs through two hours.
function reach(word) {
  reached?.node.setAttribute("tabindex", "-1");
  reached = word;
  word.node.setAttribute("tabindex", "0");
}

const wordOf = (node) => words[Number(node.dataset.index)];

function pressed(event) {
  const node = event.target.closest(".word");
  if (!node) return;
  const index = Number(node.dataset.index);
  const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: words.length - 1 }[event.key];
  if (next === undefined || !words[next]) return;
  event.preventDefault();
  reach(words[next]);
  words[next].node.focus();
}

function line({ offsetMilliseconds, text, words: spoken = [], confidence = 1 }) {
  const doubtful = confidence < DOUBT;
  const sentence = element("p", { dir: "auto", ...(doubtful ? { class: "doubtful" } : {}) });
  for (const word of spoken) {
    const node = element("button", { type: "button", class: "word", tabindex: "-1", "data-index": String(words.length) }, word.text);
    const start = word.offsetMilliseconds;
    words.push({ start, end: start + word.durationMilliseconds, node });
    sentence.append(node, " ");
  }
  if (!spoken.length) sentence.append(text);
  if (doubtful) sentence.append(element("small", {}, `confidence ${Math.round(confidence * 100)} %`));
  return element("li", {}, element("time", {}, clock(offsetMilliseconds)), sentence);
}

// Lets a stretch of the sound be heard; times in milliseconds.
export function hearStretch(start, end) {
  const audio = $("audio");
  if (audio.hidden) return;
  until = end / 1000 + 0.05;
  audio.currentTime = Math.max(0, start / 1000 - 0.05);
  audio.play();
}

function follow() {
  const audio = $("audio");
  if (until && audio.currentTime >= until) {
    until = 0;
    audio.pause();
  }
  const at = audio.currentTime * 1000;
  let [low, high] = [0, words.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (words[middle].start <= at) low = middle;
    else high = middle - 1;
  }
  const here = words[low] && words[low].start <= at && at < words[low].end + FOLLOWED ? words[low] : null;
  if (here !== now) {
    now?.node.classList.remove("now");
    here?.node.classList.add("now");
    now = here;
    if (here) keepInView(here.node);
  }
  if (!audio.paused) requestAnimationFrame(follow);
}

function keepInView(node) {
  const list = $("phrases-heard");
  const [box, place] = [list.getBoundingClientRect(), node.getBoundingClientRect()];
  if (place.top < box.top || place.bottom > box.bottom) list.scrollTop += place.top - box.top - box.height / 3;
}

export function wirePlayer() {
  $("phrases-heard").addEventListener("keydown", pressed);
  $("phrases-heard").addEventListener("click", (event) => {
    const node = event.target.closest(".word");
    if (!node) return;
    reach(wordOf(node));
    hearStretch(wordOf(node).start, wordOf(node).end);
  });
  const audio = $("audio");
  for (const event of ["play", "seeked", "pause"]) audio.addEventListener(event, () => requestAnimationFrame(follow));
}
