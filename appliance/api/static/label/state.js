// What the parts of the page share, and how they hear of each other's changes.

export const state = {
  project: "", // name of the open project
  language: "", // its language
  person: "", // who labels apart; empty for the project's own labels
  categories: [],
  documents: [], // as the service lists them, with the labels of `person`
  people: [], // who labelled apart
  shown: [], // locations of the list: what the filter lets through, and the open text
  matching: [], // locations that the filter lets through
  open: null, // the text that is labelled now
  proposals: new Map(), // by location: what a model, or another person, would label
  proposedBy: "", // whose these are
};

const listeners = new Map();

export function on(name, listener) {
  listeners.set(name, [...(listeners.get(name) ?? []), listener]);
}

export function tell(name) {
  for (const listener of listeners.get(name) ?? []) listener();
}

export const entryOf = (location) => state.documents.find((one) => one.location === location);
export const proposalsOf = (location) => state.proposals.get(location) ?? [];
