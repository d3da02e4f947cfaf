// What somebody chose and wrote and has not sent: kept by the tab, also when the lease is lost and the page loads again.

import { remembered } from "../own.js";

const name = (id) => `draft:${id}`;

export function readDraft(id) {
  try {
    return JSON.parse(remembered.getItem(name(id)) ?? "null") ?? {};
  } catch {
    return {};
  }
}

export function keepDraft(id, draft) {
  try {
    if (!draft.reasons.length && !draft.note) dropDraft(id);
    else remembered.setItem(name(id), JSON.stringify(draft));
  } catch {
    // A full or forbidden storage loses the draft only if the page goes, too.
  }
}

export function dropDraft(id) {
  remembered.removeItem(name(id));
}
