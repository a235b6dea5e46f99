// The categories of the project, which two people may change at once.

import * as api from "./api.js";
import { setColours } from "../dom.js";
import { state, tell } from "./state.js";

const TRIES = 3;

// Puts `change` of the categories in their place. If somebody else changed them meanwhile, theirs are changed.
export async function changeCategories(change) {
  for (let tries = 1; ; tries += 1) {
    try {
      const before = state.categories;
      state.categories = (await api.setCategories(state.project, [...new Set(change(before))], before)).categories;
      break;
    } catch (error) {
      if (error.code !== "CategoriesChanged" || tries === TRIES) throw error;
      state.categories = (await api.documents(state.project, state.person)).categories;
    }
  }
  setColours(state.categories);
  tell("categories");
}
