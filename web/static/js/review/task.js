// One task: lease, viewer, reasons, decision; everything by keyboard.

import { api, problemText, t, toast } from "../base.js";
import { dropDraft, keepDraft, readDraft } from "./drafts.js";
import { onKey } from "./keys.js";
import { Lease, dropToken, keepToken, tokenOf } from "./lease.js";
import { nextTask } from "./next.js";
import { Reasons } from "./reasons.js";
import { offerUndo } from "./undo.js";
import { Viewer } from "./viewer.js";

const element = (id) => document.getElementById(id);
const task = element("task");
const { id, evidence } = task.dataset;
const path = `/v1/reviews/${id}`;
const offset = Number(task.dataset.now) - Date.now();

let lease = null;
let reasons = null;
let busy = false;

/** Calls the API with the token of this tab. */
const call = (act, body = {}, options = {}) => api("POST", `${path}/${act}`, { lease_token: tokenOf(id), ...body }, options);

// The photo

// The photo to compare with is shown when there is one; when nobody can say whether there is one, that is said.
const comparison = document.querySelector(".stage.optional img");
if (comparison) {
  const again = () => {
    comparison.src = `${path}/comparison?${Date.now()}`;
  };
  const shown = () => {
    comparison.closest(".stage").hidden = false;
    element("no-comparison").hidden = true;
  };
  const missing = async () => {
    const answer = await api("GET", `${path}/comparison`);
    element("no-comparison").hidden = answer.status === 404;
  };
  comparison.addEventListener("load", shown);
  comparison.addEventListener("error", missing);
  element("compare-again").addEventListener("click", again);
  if (comparison.complete) (comparison.naturalWidth ? shown : missing)();
}

const photos = document.querySelector(".photos");
if (photos) {
  const viewer = new Viewer(photos);
  const pan = 40;
  const view = {
    "+": () => viewer.act("in"),
    "=": () => viewer.act("in"),
    "-": () => viewer.act("out"),
    "[": () => viewer.act("left"),
    "]": () => viewer.act("right"),
    0: () => viewer.act("reset"),
    g: () => viewer.act("guides"),
    arrowleft: () => viewer.move(pan, 0),
    arrowright: () => viewer.move(-pan, 0),
    arrowup: () => viewer.move(0, pan),
    arrowdown: () => viewer.move(0, -pan),
  };
  for (const [key, act] of Object.entries(view)) onKey(key, act);
}

// Claiming, and taking up again

async function take(how) {
  const answer = await api("POST", `${path}/${how}`, {});
  if (!answer.ok) {
    toast(problemText(answer), "bad");
    return;
  }
  keepToken(id, answer.body.lease_token);
  location.reload();
}

element("claim")?.addEventListener("click", () => take("claim"));
element("take-own")?.addEventListener("click", () => take("take-over"));
element("reclaim").addEventListener("click", () => take("claim"));

// The lease

function showLease(left, soon) {
  const minutes = String(Math.floor(left / 60)).padStart(2, "0");
  element("lease-left").textContent = `${minutes}:${String(left % 60).padStart(2, "0")}`;
  element("lease").classList.toggle("soon", soon);
  element("lease-warning").hidden = !soon;
}

function lost() {
  element("lost").hidden = false;
  element("lease-warning").hidden = true;
  for (const part of ["lease", "extend"]) element(part).hidden = true;
  element("decide").classList.add("lost");
  for (const control of element("decide").querySelectorAll("button")) control.disabled = true;
  hideFacts();
  if (element("pass").open) element("pass").close();
  dropToken(id);
  lease = null;
}

/** Whether the answer says that the task is somebody else's by now. */
function isLost(answer) {
  if (answer.body?.code !== "lease_lost") return false;
  lease?.stop();
  lost();
  return true;
}

function hold() {
  lease = new Lease({
    id,
    token: tokenOf(id),
    endsAt: Number(task.dataset.leaseEnds),
    seconds: Number(task.dataset.leaseSeconds),
    offset,
    beat: (background) => call("heartbeat", {}, { background }),
    onTick: showLease,
    onLost: lost,
  });
  for (const part of ["lease", "extend", "decide"]) element(part).hidden = false;
  for (const button of document.querySelectorAll(".reveal")) button.hidden = false;
  element("extend").addEventListener("click", () => lease?.extend());
  onKey("e", () => lease?.extend());
  prepareDecision();
}

// The decision

function draft() {
  return { reasons: reasons.chosen, note: element("note").value };
}

function openReasons() {
  if (!lease) return;
  element("reasons").hidden = false;
  element("reject").setAttribute("aria-expanded", "true");
  element("search").focus();
}

function closeReasons() {
  element("reasons").hidden = true;
  element("reject").setAttribute("aria-expanded", "false");
  element("reject").focus();
}

function prepareDecision() {
  reasons = new Reasons(() => keepDraft(id, draft()));
  const kept = readDraft(id);
  element("note").value = kept.note ?? "";
  if (kept.reasons?.length) {
    reasons.choose(kept.reasons);
    element("reasons").hidden = false;
    element("reject").setAttribute("aria-expanded", "true");
    toast(t("draft_found"));
  }
  element("note").addEventListener("input", () => keepDraft(id, draft()));
  element("note").addEventListener("keydown", (event) => event.key === "Escape" && element("note").blur());
  element("approve").addEventListener("click", approve);
  element("reject").addEventListener("click", () => (element("reasons").hidden ? openReasons() : closeReasons()));
  element("close-reasons").addEventListener("click", closeReasons);
  element("send").addEventListener("click", reject);
  onKey("a", approve);
  onKey("r", openReasons);
  onKey("m", () => element("note").focus());
  for (const [key, how] of [["l", "release"], ["p", "postpone"], ["x", "escalate"]]) onKey(key, () => openPass(how));
  element("decide").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !element("reasons").hidden && event.target === element("search")) closeReasons();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !element("reasons").hidden) {
      event.preventDefault();
      reject();
    }
  });
  for (const button of document.querySelectorAll("[data-pass]")) {
    button.addEventListener("click", () => openPass(button.dataset.pass));
  }
}

const approve = () => decide("approve", []);

function reject() {
  if (reasons.chosen.length) decide("reject", reasons.chosen);
}

async function decide(decision, chosen) {
  if (!lease || busy) return;
  busy = true;
  const seconds = Number(task.dataset.undoSeconds);
  const note = element("note").value.trim();
  const token = tokenOf(id);
  const body = { decision, reasons: chosen, evidence_hash: evidence, undo_seconds: seconds };
  if (note) body.note = note;
  const answer = await call("decision", body);
  busy = false;
  if (!answer.ok) {
    if (answer.body?.code === "stale_evidence") {
      toast(t("stale"), "bad");
      return;
    }
    if (!isLost(answer)) toast(problemText(answer), "bad");
    return;
  }
  lease.stop();
  lease = null;
  dropToken(id);
  for (const part of ["lease", "extend", "decide", "lease-warning"]) element(part).hidden = true;
  hideFacts();
  const what = decision === "approve" ? t("approved") : t("rejected", chosen.length);
  element("decided-what").textContent = what;
  element("decided").hidden = false;
  const next = element("next");
  next.addEventListener("click", nextTask);
  onKey("n", nextTask);
  next.focus();
  const until = Date.parse(answer.body.decision?.takes_effect_at ?? "") - offset;
  if (until > Date.now()) offerUndo(id, token, until, what);
  else dropDraft(id);
}

// Giving it back, putting it off, passing it on

let passing = "";

function openPass(how) {
  if (!lease) return;
  passing = how;
  element("pass-title").textContent = t(`pass_${how}`);
  element("pass-hint").textContent = t(how === "escalate" ? "pass_note" : "pass_log");
  element("pass-wait").hidden = how !== "postpone";
  element("pass-reason").value = "";
  element("pass").showModal();
  element("pass-reason").focus();
}

async function pass() {
  const reason = element("pass-reason").value.trim();
  if (!reason && passing !== "release") {
    toast(t("reason_needed"), "bad");
    element("pass-reason").focus();
    return;
  }
  const bodies = {
    release: reason ? { reason } : {},
    postpone: { reason, minutes: Number(element("pass-minutes").value) },
    escalate: { note: reason },
  };
  const answer = await call(passing, bodies[passing]);
  if (!answer.ok) {
    if (!isLost(answer)) toast(problemText(answer), "bad");
    return;
  }
  lease?.stop();
  dropToken(id);
  dropDraft(id);
  location.assign("/review");
}

element("pass-send").addEventListener("click", pass);
element("pass-cancel").addEventListener("click", () => element("pass").close());
element("pass").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    pass();
  }
});

// Masked facts

for (const button of document.querySelectorAll(".reveal")) {
  button.addEventListener("click", async () => {
    const answer = await call("reveal", { fact: button.dataset.fact });
    if (!answer.ok) {
      if (!isLost(answer)) toast(problemText(answer), "bad");
      return;
    }
    const shown = document.querySelector(`[data-value="${button.dataset.fact}"]`);
    shown.dataset.masked ??= shown.textContent;
    shown.textContent = answer.body.value ?? "–";
    button.hidden = true;
  });
}

/** What was revealed to the holder of the task is masked again for whoever sits there next. */
function hideFacts() {
  for (const button of document.querySelectorAll(".reveal")) button.hidden = true;
  for (const shown of document.querySelectorAll("[data-masked]")) shown.textContent = shown.dataset.masked;
}

if (task.dataset.mine === "true") {
  if (tokenOf(id)) hold();
  else element("elsewhere").hidden = false;
}
