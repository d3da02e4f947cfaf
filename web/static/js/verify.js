// The verifier's page: one code after the other, by camera, by hand, or by a scanner that types.

import { api } from "./base.js";

const PURPOSE = "greenlane.verify.purpose";
const BETWEEN_LOOKS = 150;

const by = (id) => document.getElementById(id);
const word = (name) => document.querySelector(`#words [data-word="${name}"]`)?.textContent;
const result = by("result");
const token = by("token");
const purpose = by("purpose");
const video = by("camera");

// Only here, and gone with the page.
let key = "";
let busy = false;
let stream = null;
let opening = false;
let scanned = false;

document.querySelectorAll(".verify fieldset").forEach((fieldset) => {
  fieldset.disabled = false;
});

try {
  const kept = sessionStorage.getItem(PURPOSE);
  if ([...purpose.options].some((option) => option.value === kept)) purpose.value = kept;
} catch {
  // A browser that keeps nothing begins with the first purpose.
}
purpose.addEventListener("change", () => {
  try {
    sessionStorage.setItem(PURPOSE, purpose.value);
  } catch {
    // As above.
  }
});

function notice(name) {
  const place = by("notice");
  place.textContent = name ? word(name) : "";
  place.hidden = !name;
}

function useKey(given) {
  key = given;
  by("key-entry").hidden = Boolean(key);
  by("key-used").hidden = !key;
}

by("key-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = by("key").value.trim();
  if (!given) return;
  by("key").value = "";
  useKey(given);
  notice("");
  token.focus();
});
by("key-forget")?.addEventListener("click", () => {
  useKey("");
  by("key").focus();
});

by("check").addEventListener("submit", (event) => {
  event.preventDefault();
  verify();
});

async function verify() {
  if (busy) return;
  // Long codes are broken into lines by whoever sends them.
  const text = token.value.replace(/\s+/g, "");
  if (!text) {
    notice("no_token");
    token.focus();
    return;
  }
  if (by("key-form") && !key) {
    notice("no_key");
    by("key").focus();
    return;
  }
  notice("");
  clear();
  busy = true;
  by("send").setAttribute("aria-disabled", "true");
  const asked = purpose.selectedOptions[0].textContent;
  const answer = await api("POST", "/v1/presentations/verify", { token: text, purpose: purpose.value }, { key });
  busy = false;
  by("send").removeAttribute("aria-disabled");
  // The way to the sign-in is taken already.
  if (answer.status === 401 && !key) return;
  show(answer, asked);
}

/** The sign, the word and the sentence of an answer; only `valid: true` is a tick. */
function judge({ ok, status, body }) {
  if (!ok || typeof body?.valid !== "boolean") return ["unknown", word(String(status)) ?? word("500")];
  if (body.valid) return ["valid", word(body.licence?.reissue_needed ? "changed_why" : "valid_why")];
  const why = word(body.reason) ?? body.message_zh ?? "";
  return [body.reason === "registry_unavailable" ? "unknown" : "invalid", why];
}

function show(answer, asked) {
  const [kind, why] = judge(answer);
  const body = answer.ok ? answer.body : null;
  result.className = `result ${kind}`;
  result.dataset.reason = body?.reason ?? "";
  by("verdict").textContent = word(kind);
  by("why").textContent = why;
  showFacts(body?.licence);
  result.querySelector(".checked").hidden = !body?.checked_at;
  if (body?.checked_at) {
    by("checked-at").textContent = new Date(body.checked_at).toLocaleString("sv-SE", { timeZone: "Asia/Shanghai" });
  }
  by("checked-for").textContent = asked;
  result.hidden = false;
  result.focus({ preventScroll: true });
  result.scrollIntoView({ block: "nearest" });
  // Of a verdict that is higher than the screen, the sign and the word come first.
  if (result.getBoundingClientRect().top < 0) result.scrollIntoView({ block: "start" });
  if (answer.status === 401) useKey("");
}

/** From when until when; a licence without an end is long-term. */
const validity = ({ valid_from, valid_until }) => [valid_from, valid_until ?? word("long_term")].filter(Boolean).join(" – ");

function showFacts(licence) {
  by("facts").hidden = !licence;
  const { status_zh, status_en } = licence?.display ?? {};
  const status = document.documentElement.lang === "en" ? status_en : status_zh;
  fill("fact", licence ? { ...licence, validity: validity(licence), status } : {});
  // What the registry says now comes before what was issued, where it is something else.
  const now = licence?.reissue_needed ? licence.registry : null;
  by("changed").hidden = !now;
  by("as-issued").hidden = !now;
  result.classList.toggle("with-change", Boolean(now));
  fill("now", now ? { ...now, validity: validity(now) } : {});
}

function fill(name, facts) {
  for (const place of document.querySelectorAll(`[data-${name}]`)) {
    const text = facts[place.dataset[name]] ?? "";
    place.textContent = text;
    place.parentElement.hidden = !text;
  }
}

/** No verdict stands beside a code that it is not about. */
function clear() {
  result.hidden = true;
  by("verdict").textContent = "";
  by("why").textContent = "";
  showFacts(null);
}
token.addEventListener("input", clear);

/** Ready for the next code, in the way that the last one came. */
function next() {
  clear();
  // A code about which nothing is known may be checked again; the next one replaces it.
  if (!result.classList.contains("unknown")) token.value = "";
  if (by("key-form") && !key) {
    by("key").focus();
    return;
  }
  token.focus();
  token.select();
  if (scanned) scan();
}

by("next").addEventListener("click", next);
result.addEventListener("keydown", (event) => {
  if (event.target !== result || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === "Escape") {
    event.preventDefault();
    next();
  } else if (event.key.length === 1 && event.key !== " ") {
    // A scanner types the next code right away: its first letter goes into the field.
    scanned = false;
    next();
  }
});
document.addEventListener("paste", (event) => {
  if (event.target.closest?.("input, textarea") || result.hidden) return;
  event.preventDefault();
  scanned = false;
  next();
  token.value = event.clipboardData.getData("text").trim();
});

// The camera

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  video.hidden = true;
  by("scan-stop").hidden = true;
  by("scan").hidden = false;
}

async function scan() {
  if (stream || opening) return;
  notice("");
  opening = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  } catch (error) {
    notice(error.name === "NotAllowedError" || error.name === "SecurityError" ? "camera_refused" : "camera_failed");
    token.focus();
    return;
  } finally {
    opening = false;
  }
  const mine = stream;
  scanned = true;
  by("scan").hidden = true;
  by("scan-stop").hidden = false;
  by("scan-stop").focus();
  video.hidden = false;
  video.srcObject = stream;
  const detector = new globalThis.BarcodeDetector({ formats: ["qr_code"] });
  try {
    await video.play();
    while (stream === mine) {
      const [found] = await detector.detect(video);
      if (stream !== mine) return;
      if (found?.rawValue) {
        stop();
        token.value = found.rawValue;
        await verify();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS));
    }
  } catch {
    // Stopped meanwhile, or the camera went away.
    if (stream !== mine) return;
    stop();
    notice("camera_failed");
    token.focus();
  }
}

async function offerCamera() {
  if (!navigator.mediaDevices?.getUserMedia || !("BarcodeDetector" in globalThis)) return;
  const formats = await globalThis.BarcodeDetector.getSupportedFormats();
  by("scan").hidden = !formats.includes("qr_code");
}

by("scan").addEventListener("click", scan);
by("scan-stop").addEventListener("click", () => {
  scanned = false;
  stop();
  token.focus();
});
globalThis.addEventListener("pagehide", () => {
  stop();
  // A page that is kept for the way back keeps no key.
  if (by("key-form")) useKey("");
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && stream) stop();
});
offerCamera().catch(() => {});
token.focus();
