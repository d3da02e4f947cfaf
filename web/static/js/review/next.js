// The next task: the server chooses it.

import { api, problemText, t } from "../base.js";
import { keepToken } from "./lease.js";

let busy = false;

export async function nextTask() {
  const problem = document.getElementById("next-problem");
  const button = document.getElementById("next");
  if (busy) return;
  busy = true;
  button.disabled = true;
  problem.hidden = true;
  const answer = await api("POST", "/v1/reviews/claim-next", {});
  busy = false;
  button.disabled = false;
  if (answer.status === 200) {
    keepToken(answer.body.id, answer.body.lease_token);
    location.assign(`/review/tasks/${answer.body.id}`);
    return;
  }
  problem.textContent = answer.status === 204 ? t("no_task") : problemText(answer);
  problem.hidden = false;
}
