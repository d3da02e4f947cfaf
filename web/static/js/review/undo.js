// The last decision can be taken back for some seconds, on this page and on the next one.

import { api, problemText, t, toast } from "../base.js";
import { dropDraft } from "./drafts.js";
import { onKey } from "./keys.js";
import { keepToken } from "./lease.js";
import { remembered } from "../own.js";

const KEY = "undo";
let timer = null;

/** Offers to take a decision back until `until` (milliseconds of this browser's clock). */
export function offerUndo(id, token, until, what) {
  remembered.setItem(KEY, JSON.stringify({ id, token, until, what }));
  showUndo();
}

function read() {
  try {
    return JSON.parse(remembered.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

function close() {
  clearInterval(timer);
  remembered.removeItem(KEY);
  document.getElementById("undo").hidden = true;
}

export function showUndo() {
  const bar = document.getElementById("undo");
  clearInterval(timer);
  const draw = () => {
    const offer = read();
    const left = offer ? Math.ceil((offer.until - Date.now()) / 1000) : 0;
    if (left <= 0) {
      if (offer) dropDraft(offer.id);
      close();
      return;
    }
    // The region is read aloud when it changes: what was decided once, and the seconds never.
    const what = document.getElementById("undo-what");
    if (what.textContent !== offer.what) what.textContent = offer.what;
    document.getElementById("undo-left").textContent = t("undo_left", Math.max(1, Math.floor((offer.until - Date.now()) / 1000)));
    bar.hidden = false;
  };
  timer = setInterval(draw, 250);
  draw();
}

async function undo() {
  const offer = read();
  if (!offer) return;
  const answer = await api("POST", `/v1/reviews/${offer.id}/undo`, { lease_token: offer.token });
  close();
  if (!answer.ok) {
    toast(problemText(answer), "bad");
    return;
  }
  keepToken(offer.id, offer.token);
  location.assign(`/review/tasks/${offer.id}`);
}

document.getElementById("undo-button").addEventListener("click", undo);
onKey("u", undo);
showUndo();
