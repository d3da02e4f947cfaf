// One table of keys for a page. Keys mean nothing while somebody writes, or while a dialog is open.

const keys = new Map();

/** Gives a key (`event.key`, in lower case) a meaning. */
export function onKey(key, act) {
  keys.set(key, act);
}

function writes(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (writes(event.target) || document.querySelector("dialog[open]")) return;
  const act = keys.get(event.key.toLowerCase());
  if (!act) return;
  event.preventDefault();
  act(event);
});
