// Where a model heard other words than were said, with the stretch of the sound each time. Without any page.

const MOST = 4_000_000; // pairs of words that are compared to align two texts

// The longest list of words that both have in this order: for each word of `a` its place in `b`, or -1.
export function aligned(a, b) {
  const places = new Array(a.length).fill(-1);
  if (a.length * b.length > MOST) return places;
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[i] === b[j]
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) { places[i] = j; i += 1; j += 1; }
    else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return places;
}

const plain = (word) => word.toLowerCase().replaceAll(/[^\p{L}\p{N}\p{M}']/gu, "");

// `said` and `heard` are words as they are counted, `spoken` those of the transcript, with their times: numbers may be
// in digits there, so the time of a word that is not found in it is taken from its neighbours.
export function differing(said, heard, spoken) {
  const [a, b] = [said.split(" ").filter(Boolean), heard.split(" ").filter(Boolean)];
  const same = aligned(a, b);
  const timed = aligned(b, spoken.map(({ text }) => plain(text)));
  const found = [];
  let [i, j] = [0, 0];
  const close = (endA, endB) => {
    if (endA > i || endB > j) found.push({ said: a.slice(i, endA).join(" "), heard: b.slice(j, endB).join(" "), ...stretch(j, endB) });
  };
  const stretch = (from, to) => {
    const before = timed.slice(0, from).findLast((place) => place >= 0);
    const after = timed.slice(to).find((place) => place >= 0);
    const last = spoken.at(-1);
    return {
      start: before === undefined ? 0 : spoken[before].offsetMilliseconds,
      end: after === undefined ? (last ? last.offsetMilliseconds + last.durationMilliseconds : 0) : spoken[after].offsetMilliseconds + spoken[after].durationMilliseconds,
    };
  };
  same.forEach((place, index) => {
    if (place < 0) return;
    close(index, place);
    [i, j] = [index + 1, place + 1];
  });
  close(a.length, b.length);
  return found;
}
