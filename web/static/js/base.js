// What every page does: messages, short notices, and htmx parts that could not be fetched.

import "./own.js";

const messages = JSON.parse(document.querySelector('meta[name="messages"]')?.content || "{}");

/** The message of a key, with `{0}`, `{1}` and so on replaced. */
export function t(key, ...values) {
  const text = messages[key] ?? key;
  return values.reduce((filled, value, place) => filled.replaceAll(`{${place}}`, String(value)), text);
}

/** Says something for a moment, also to screen readers. */
export function toast(text, kind = "") {
  const list = document.getElementById("toasts");
  if (!list) return;
  const item = document.createElement("p");
  item.className = `toast ${kind}`;
  item.textContent = text;
  list.append(item);
  setTimeout(() => item.remove(), 8000);
}

/** The API with the session's cookie, or with a key: `{ok, status, body}`, also where the network fails. */
export async function api(method, path, body, { background = false, key = "" } = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (background) headers["x-background"] = "1";
  if (key) headers.authorization = `Bearer ${key}`;
  try {
    const answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
    });
    const text = await answer.text();
    let read = null;
    try {
      read = text ? JSON.parse(text) : null;
    } catch {
      read = null;
    }
    if (answer.status === 401 && !key) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    return { ok: answer.ok, status: answer.status, body: read };
  } catch {
    return { ok: false, status: 0, body: null };
  }
}

/** What to say of a wrong field: its name and what is wrong with it, where both have a text. */
function faultText({ pointer, code }) {
  const [field, fault] = [messages[`field.${pointer.slice(1)}`], messages[`fault.${code}`]];
  return field && fault ? t("fault_at", field, fault) : null;
}

/** What to say of an answer that is not ok. */
export function problemText(answer) {
  if (answer.status === 0) return t("offline");
  const faults = (answer.body?.errors ?? []).map(faultText).filter(Boolean);
  if (faults.length) return faults.join(" ");
  const known = messages[`problem.${answer.body?.code ?? ""}`];
  return known ?? answer.body?.detail ?? t("failed", answer.status);
}

document.body.addEventListener("htmx:responseError", () => toast(t("part_failed"), "bad"));
document.body.addEventListener("htmx:sendError", () => toast(t("offline"), "bad"));
