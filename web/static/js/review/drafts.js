// What somebody chose and wrote and has not sent: kept in the browser, also when the lease is lost.

const PREFIX = "draft:";
const KEPT_MS = 24 * 3600 * 1000;

export function readDraft(id) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + id) ?? "null") ?? {};
  } catch {
    return {};
  }
}

export function keepDraft(id, draft) {
  try {
    if (!draft.reasons.length && !draft.note) localStorage.removeItem(PREFIX + id);
    else localStorage.setItem(PREFIX + id, JSON.stringify({ ...draft, at: Date.now() }));
  } catch {
    // A full or forbidden storage loses the draft only if the page goes, too.
  }
}

export function dropDraft(id) {
  localStorage.removeItem(PREFIX + id);
}

/** Forgets drafts of yesterday. */
export function tidyDrafts() {
  for (const key of Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) {
    const at = readDraft(key.slice(PREFIX.length)).at ?? 0;
    if (Date.now() - at > KEPT_MS) localStorage.removeItem(key);
  }
}
