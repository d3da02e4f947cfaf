// Live figures: one stream of overviews. Numbers change in their place; a part of a page that somebody works in stays
// as it is until they leave it.

import { t } from "./base.js";

const STALE = 8000;
const REFRESH = 5000;
const RETRY = 3000;
const KEY = "greenlane-ops-paused";

const box = document.getElementById("live");
const state = document.getElementById("live-state");
const said = document.getElementById("live-said");
const button = document.getElementById("live-pause");
const parts = [...document.querySelectorAll("[data-refresh]")];
const figures = [...document.querySelectorAll("[data-live]")];

let paused = sessionStorage.getItem(KEY) === "yes";
// Since when this page waits for news, and whether any came.
let heard = Date.now();
let hasHeard = false;
let retry = 0;
let refreshed = Date.now();
let held = false;
let lost = false;
let connection = null;

function at(value, path) {
  return path.split(".").reduce((inner, key) => (inner === null || inner === undefined ? inner : inner[key]), value);
}

function length(seconds) {
  if (seconds < 60) return t("ops.seconds", seconds);
  if (seconds < 3600) return t("ops.minutes", Math.floor(seconds / 60), seconds % 60);
  if (seconds < 86400) return t("ops.hours", Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60);
  return t("ops.days", Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24);
}

/** A time in China Standard Time, as pages show it. */
function clock(text) {
  const local = new Date(Date.parse(text) + 8 * 3600 * 1000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}

function shown(value, as) {
  // A stage that nothing is at is left out.
  if (value === undefined) return "0";
  if (value === null) return "—";
  if (as === "length") return length(value);
  if (as === "time") return clock(value);
  return String(value);
}

function show(overview) {
  for (const element of figures) {
    const text = shown(at(overview, element.dataset.live), element.dataset.as);
    if (element.textContent !== text) element.textContent = text;
    const tile = element.closest("[data-tone]");
    if (tile && element.tagName === "B") tile.classList.toggle(tile.dataset.tone, text !== "0");
  }
  const bars = [...document.querySelectorAll("[data-share]")];
  const values = bars.map((bar) => at(overview, bar.dataset.share) ?? 0);
  const most = Math.max(1, ...values);
  bars.forEach((bar, place) => {
    bar.value = Math.round((values[place] * 100) / most);
  });
}

/** Whether somebody works in a part: it has the focus, something in it is open, chosen or typed. */
function isHeld(part) {
  if (part.contains(document.activeElement) || part.querySelector("details[open], :checked")) return true;
  const selection = getSelection();
  if (selection && !selection.isCollapsed && part.contains(selection.anchorNode)) return true;
  return [...part.querySelectorAll("input, textarea")].some((input) => input.value !== input.defaultValue);
}

async function refresh() {
  refreshed = Date.now();
  const free = parts.filter((part) => !isHeld(part));
  held = free.length < parts.length;
  if (free.length === 0) return;
  const answer = await fetch(location.href.split("#")[0], { headers: { "x-background": "1", accept: "text/html" }, cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of free) {
    const fresh = page.getElementById(part.id);
    // Asked again: the focus may have come while the answer was under way.
    if (!fresh || isHeld(part)) continue;
    window.Idiomorph.morph(part, fresh.innerHTML, { morphStyle: "innerHTML" });
  }
}

async function follow() {
  connection = new AbortController();
  try {
    const answer = await fetch("/v1/ops/stream", {
      headers: { "x-background": "1", accept: "text/event-stream" },
      signal: connection.signal,
      cache: "no-store",
    });
    if (answer.status === 401) {
      location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data:"));
        if (!data) continue;
        heard = Date.now();
        hasHeard = true;
        if (!paused) show(JSON.parse(data.slice(5)));
        if (!paused && Date.now() - refreshed >= REFRESH) refresh().catch(() => {});
      }
    }
  } catch {
    // Said by `tell`; the next try follows.
  }
  connection = null;
  if (!paused) retry = setTimeout(follow, RETRY);
}

function tell() {
  const age = Math.round((Date.now() - heard) / 1000);
  const isLost = !paused && Date.now() - heard > STALE;
  if (isLost !== lost) {
    lost = isLost;
    said.textContent = lost ? t("ops.lost") : t("ops.back");
  }
  state.className = `chip ${paused ? "off" : lost ? "bad" : held ? "warn" : hasHeard ? "good" : "off"}`;
  if (paused) state.textContent = t("ops.paused");
  else if (lost) state.textContent = t("ops.lost_since", age);
  else if (held) state.textContent = t("ops.held");
  else if (!hasHeard) state.textContent = t("ops.connecting");
  else state.textContent = t("ops.fresh", age);
  button.textContent = paused ? t("ops.go_on") : t("ops.pause");
  button.setAttribute("aria-pressed", String(paused));
}

if (box && (figures.length > 0 || parts.length > 0)) {
  box.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    sessionStorage.setItem(KEY, paused ? "yes" : "no");
    heard = Date.now();
    hasHeard = false;
    clearTimeout(retry);
    if (connection) connection.abort();
    if (!paused && !connection) follow();
    tell();
  });
  if (!paused) follow();
  tell();
  setInterval(tell, 1000);
}
