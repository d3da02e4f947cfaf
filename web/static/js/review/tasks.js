// What a supervisor does from the list.

import { api, problemText, t, toast } from "../base.js";
import { keepToken } from "./lease.js";

const element = (id) => document.getElementById(id);
let asked = null;

async function run(id, act, body) {
  const answer = await api("POST", `/v1/reviews/${id}/${act}`, body);
  if (!answer.ok) {
    toast(problemText(answer), "bad");
    return;
  }
  if (answer.body?.lease_token) {
    keepToken(id, answer.body.lease_token);
    location.assign(`/review/tasks/${id}`);
  } else {
    location.reload();
  }
}

for (const button of document.querySelectorAll("[data-act]")) {
  const id = button.closest("[data-id]").dataset.id;
  const act = button.dataset.act;
  button.addEventListener("click", () => {
    if (act === "claim" || act === "take-over") {
      run(id, act, {});
      return;
    }
    asked = { id, act };
    element("act-title").textContent = t(`act_${act}`);
    element("act-person").hidden = act !== "reassign";
    element("act-reason").value = "";
    element("act").showModal();
  });
}

element("act-send").addEventListener("click", () => {
  const reason = element("act-reason").value.trim();
  if (!reason) {
    toast(t("reason_needed"), "bad");
    element("act-reason").focus();
    return;
  }
  element("act").close();
  const body = asked.act === "reassign" ? { to: element("act-to").value || null, reason } : { reason };
  run(asked.id, asked.act, body);
});
element("act-cancel").addEventListener("click", () => element("act").close());
