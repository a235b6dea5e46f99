// Places in a text, without any page: offsets are UTF-16 code units, as strings here and the service count them.

const WORD = /[\p{L}\p{N}\p{M}_]/u;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const SPACE = /\s/u;
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;
const splitter = "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

// The character that ends before, or begins at, a place: two code units for an emoji.
const before = (text, at) => {
  const low = text.charCodeAt(at - 1);
  return text.slice(low >= 0xdc00 && low <= 0xdfff && at > 1 ? at - 2 : at - 1, at);
};
const after = (text, at) => String.fromCodePoint(text.codePointAt(at) ?? 0x20);
const joins = (one) => WORD.test(one) && !UNSPACED.test(one);

// A selection as a label would have it: no white space at its ends, no word and no character cut in two.
export function settled(text, start, end) {
  let [from, to] = [Math.max(0, Math.min(start, end)), Math.min(text.length, Math.max(start, end))];
  while (from < to && SPACE.test(text[from])) from += 1;
  while (to > from && SPACE.test(text[to - 1])) to -= 1;
  if (from >= to) return null;
  [from, to] = wholeCharacters(text, from, to);
  while (from > 0 && joins(before(text, from)) && joins(after(text, from))) from -= before(text, from).length;
  while (to < text.length && joins(before(text, to)) && joins(after(text, to))) to += after(text, to).length;
  return { start: from, end: to };
}

function wholeCharacters(text, start, end) {
  if (!segmenter) return [start, end];
  // Characters that a reader takes for one (👩🏽‍🔬) are short: looking a little around is enough.
  const around = Math.max(0, start - 40);
  let [from, to] = [start, end];
  for (const { index, segment } of segmenter.segment(text.slice(around, end + 40))) {
    const [first, last] = [around + index, around + index + segment.length];
    if (first < start && last > start && last - first < 40) from = first;
    if (first < end && last > end && last - first < 40) to = last;
    if (first >= end) break;
  }
  return [from, to];
}

// The words of a text, in order: what the arrow keys go through.
export function wordsOf(text) {
  const found = [];
  if (!splitter) {
    for (const match of text.matchAll(/[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu)) found.push({ start: match.index, end: match.index + match[0].length });
    return found;
  }
  for (const { index, segment } of splitter.segment(text)) {
    if (segment.trim()) found.push({ start: index, end: index + segment.length });
  }
  return found;
}

// Index of the last item that begins at or before a place; items are in order.
export function indexAt(items, place) {
  let [low, high] = [0, items.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (items[middle].start <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

export function stepCharacter(text, at, by) {
  if (by > 0) return Math.min(text.length, at + nextCharacter(text, at));
  if (!segmenter) return Math.max(0, at - before(text, at).length);
  const around = Math.max(0, at - 40);
  const parts = [...segmenter.segment(text.slice(around, at))];
  return Math.max(0, at - (parts.at(-1)?.segment.length ?? 1));
}

function nextCharacter(text, at) {
  if (!segmenter) return after(text, at).length;
  for (const { segment } of segmenter.segment(text.slice(at, at + 40))) return segment.length;
  return 0;
}

export const endOf = (label) => label.offset + label.length;
export const overlaps = (one, other) => one.offset < endOf(other) && other.offset < endOf(one);
export const same = (one, other) => one.offset === other.offset && one.length === other.length && one.category === other.category;
export const inOrder = (labels) => [...labels].sort((a, b) => a.offset - b.offset || a.length - b.length);

// Labels of a file as this page keeps them: white space at their ends goes, and what then overlaps or is nothing.
export function cleaned(text, labels) {
  const kept = [];
  for (const { category, offset, length } of inOrder(labels)) {
    let [start, end] = [offset, offset + length];
    while (start < end && SPACE.test(text[start])) start += 1;
    while (end > start && SPACE.test(text[end - 1])) end -= 1;
    const label = { category, offset: start, length: end - start };
    if (label.length > 0 && !kept.some((other) => overlaps(other, label))) kept.push(label);
  }
  return kept;
}

// Where labels and proposals differ: proposals that no label is like, and labels that no proposal is like.
export function differences(labels, proposals) {
  return {
    proposed: proposals.filter((one) => !labels.some((label) => same(label, one))),
    alone: labels.filter((label) => !proposals.some((one) => same(label, one))),
  };
}

// Code points, as JSON Lines count them.
export const codePoints = (text, unit) => [...text.slice(0, unit)].length;

// A short word for a text, to know again what was proposed for it.
export function digest(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return `${text.length}.${(value >>> 0).toString(36)}`;
}

export const RECORD = 1000; // characters in one text record
export const textElements = (text) => (segmenter ? [...segmenter.segment(text)].length : [...text].length);
export const records = (text) => Math.max(1, Math.ceil(textElements(text) / RECORD));

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
export const directionAtEnd = (text) => (RIGHT_TO_LEFT.test([...text].findLast((one) => /\p{L}/u.test(one)) ?? "") ? "rtl" : "ltr");
