// Every page in both languages and themes: no finding of axe, nothing wider than the screen at 320 px.
import { actAs, assert, axe, base, looks, nextTask, shot, signIn, test } from "./support.mjs";

const findings = [];

async function look(page, name) {
  findings.push(...(await axe(page, name)));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) findings.push(`${name}: ${wide} px wider than the screen`);
  await shot(page, name);
}

/** A task that a second person is to look at. */
async function secondLook() {
  const task = await actAs("wang", "/v1/reviews/claim-next", {});
  const said = { lease_token: task.lease_token, decision: "reject", reasons: ["improper_content"] };
  await actAs("wang", `/v1/reviews/${task.id}/decision`, said);
  return `/review/tasks/${task.id}`;
}

await test(async (open) => {
  const second = await secondLook();
  const worker = await signIn(await open(), "zhao");
  await nextTask(worker);
  const task = new URL(worker.url()).pathname;
  for (const { language, theme, width } of looks) {
    const context = await open({ language, theme, width });
    const name = (page) => `${page}-${language}-${theme}-${width}`;
    const stranger = await context.newPage();
    await stranger.goto(`${base}/login`);
    await look(stranger, name("login"));
    const page = await signIn(context, "zhao");
    for (const [called, path] of [
      ["home", "/review"],
      ["tasks", "/review/tasks"],
      ["tasks-claimed", "/review/tasks?state=claimed"],
      ["second-look", second],
      ["account", "/account"],
      ["not-found", "/no-such-page"],
    ]) {
      await page.goto(base + path);
      await look(page, name(called));
    }
    await page.goto(`${base}/review/tasks`);
    await page.click('[data-act="reassign"]');
    await look(page, name("reassign"));
    await page.click("#act-cancel");
    await page.goto(base + task);
    await page.click("#take-own");
    await page.waitForSelector("#decide:not([hidden])");
    await page.keyboard.press("r");
    await page.keyboard.type("dm");
    await page.keyboard.press("Enter");
    await look(page, name("task"));
    await page.click("#close-reasons");
    await page.keyboard.press("x");
    await look(page, name("escalate"));
    await page.click("#pass-cancel");
    await page.keyboard.press("a");
    await page.waitForSelector("#decided:not([hidden])");
    await page.waitForSelector("#undo:not([hidden])");
    await look(page, name("decided"));
    await Promise.all([page.waitForEvent("load"), page.keyboard.press("u")]);
    await page.waitForSelector("#decide:not([hidden])");
    // Taken over in another tab.
    await page.evaluate((path) => fetch(`/v1/reviews/${path.split("/").pop()}/take-over`, { method: "POST" }), task);
    await page.keyboard.press("e");
    await page.waitForSelector("#lost:not([hidden])");
    await look(page, name("lost"));
    await context.close();
  }
});
assert.deepEqual(findings, []);
