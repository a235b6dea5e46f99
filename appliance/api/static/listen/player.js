// The transcript beside its sound: the word that is heard now is marked, and a word that is pressed is heard.

import { $, element } from "../dom.js";

const DOUBT = 0.8; // phrases below are marked
const FOLLOWED = 250; // milliseconds between two looks at the place of the sound

let words = []; // of the transcript in order: {start, end, node} in milliseconds
let now = null; // the one that is marked
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

export function showTranscript({ phrases }) {
  words = [];
  now = null;
  $("phrases-heard").replaceChildren(...(phrases.length ? phrases.map(line) : [element("li", {}, element("time", {}, ""), element("p", {}, "No words were understood."))]));
}

function line({ offsetMilliseconds, text, words: spoken = [], confidence = 1 }) {
  const doubtful = confidence < DOUBT;
  const sentence = element("p", { dir: "auto", ...(doubtful ? { class: "doubtful" } : {}) });
  for (const word of spoken) {
    const node = element("button", { type: "button", class: "word" }, word.text);
    const start = word.offsetMilliseconds;
    const end = start + word.durationMilliseconds;
    node.addEventListener("click", () => hearWord(start, end));
    words.push({ start, end, node });
    sentence.append(node, " ");
  }
  if (!spoken.length) sentence.append(text);
  if (doubtful) sentence.append(element("small", {}, `confidence ${Math.round(confidence * 100)} %`));
  return element("li", {}, element("time", {}, clock(offsetMilliseconds)), sentence);
}

function hearWord(start, end) {
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
  const audio = $("audio");
  for (const event of ["play", "seeked", "pause"]) audio.addEventListener(event, () => requestAnimationFrame(follow));
}
