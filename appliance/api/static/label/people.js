// A second person's labels, and how far two people agree.

import * as api from "./api.js";
import { $, button, colourOf, doing, element, option, percent, plural, say } from "../dom.js";
import { closeDocument, openDocument, settle } from "./editor.js";
import { loadDocuments, openSome } from "./list.js";
import { proposeFrom, recall } from "./proposals.js";
import { on, state, tell } from "./state.js";

export async function labelAs(person) {
  await settle();
  state.person = person;
  closeDocument();
  await loadDocuments();
  recall();
  showPerson();
  tell("person");
}

function showPerson() {
  const { person } = state;
  $("back-line").hidden = !person;
  $("labelling-as").textContent = person ? `You label as ${person}.` : "";
  $("as-note").hidden = !person;
  $("as-note").textContent = person ? `You label as ${person}, apart from the labels of the project.` : "";
  $("people").hidden = !state.people.length;
  const before = $("compare-with").value;
  $("compare-with").replaceChildren(...state.people.map((name) => option(name)));
  if (state.people.includes(before)) $("compare-with").value = before;
}

async function compare() {
  const person = $("compare-with").value;
  await settle();
  const found = await api.agreement(state.project, person);
  const kappa = found.kappa === null ? "" : ` · kappa ${found.kappa.toFixed(2)}`;
  $("agreement-figure").replaceChildren(...(found.documentCount
    ? [element("strong", {}, `F1 ${percent(found.f1)}`), `${kappa} · ${plural(found.documentCount, "text")} labelled by both`]
    : ["No text is labelled by both yet."]));
  $("agreement-table").tBodies[0].replaceChildren(...Object.entries(found.categories).map(([category, counts]) => element("tr", {},
    element("td", {}, element("span", { class: `tag ${colourOf(category)}` }, category)),
    ...[percent(counts.f1), counts.first, counts.second, counts.same].map((value) => element("td", { class: "number" }, String(value))))));
  const differing = found.documents.filter((one) => !one.same);
  $("differing").replaceChildren(...(differing.length ? differing.map(({ location }) => {
    const open = button("", () => doing(open, () => showBoth(location, person)), { class: "document" });
    open.append(element("bdi", {}, location), element("small", {}, "see both, and settle it"));
    return element("li", {}, open);
  }) : [element("li", { class: "none" }, found.documentCount ? "None." : "Nothing to compare.")]));
  $("agreement").hidden = false;
}

// The project's labels with the other person's as proposals: what is accepted becomes the project's.
async function showBoth(location, person) {
  if (state.person) await labelAs("");
  await proposeFrom(person);
  await openDocument(location);
  tell("show label");
}

export function wirePeople() {
  $("person-form").addEventListener("submit", (event) => {
    event.preventDefault();
    doing(event.submitter, async () => {
      await labelAs($("person").value.trim());
      await openSome();
      tell("show label");
      say(`You label as ${state.person} now.`);
    });
  });
  $("back").addEventListener("click", () => doing($("back"), async () => { await labelAs(""); say("You see the labels of the project again."); }));
  $("compare").addEventListener("click", () => doing($("compare"), compare));
  on("documents", showPerson);
}
