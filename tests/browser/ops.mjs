// The dashboard: a queue paused and resumed, figures that change in their place, a bulk retry with a mixed result.
import { api, assert, axe, base, send, shot, signIn, test, until } from "./support.mjs";

await test(async (open) => {
  const page = await signIn(await open({ language: "en" }), "qian");
  await page.waitForURL(/\/ops$/);

  // Live: the figures change without the page being loaded again.
  await page.waitForSelector("#live-state.good");
  const stalled = page.locator('[data-live="by_status.stalled"]').first();
  await until("three stalled", async () => (await stalled.textContent()) === "3");

  // Paused updates stay paused on the next page, and go on when asked.
  await page.click("#live-pause");
  await page.goto(`${base}/ops/queues`);
  await page.waitForSelector("#live-state.off");
  await page.click("#live-pause");
  await page.waitForSelector("#live-state.good");

  // A queue is paused with a reason; somebody who types is not disturbed by an update.
  const queue = page.locator("#queue-generation");
  const pausing = queue.locator("details.pause");
  await pausing.locator("summary").click();
  await pausing.locator('input[name="reason"]').fill("the registry moves");
  await page.waitForSelector("#live-state.warn");
  assert.equal(await pausing.locator('input[name="reason"]').inputValue(), "the registry moves");
  assert.equal(await page.evaluate(() => document.activeElement.name), "reason");
  await page.keyboard.press("Enter");
  await queue.locator(".chip.warn").waitFor();
  assert.match(await queue.textContent(), /Paused by qian/);
  await shot(page, "ops-paused");
  // Resumed by somebody else: the page follows by itself.
  const other = await signIn(await open({ language: "en" }), "sun");
  await other.goto(`${base}/ops/queues`);
  await other.locator('#queue-generation form[action$="/resume"] button').click();
  await queue.locator(".chip.good").first().waitFor();

  // The same queue is limited, and says by whom and why; a number out of range is told, and what was typed stays.
  await queue.locator("details.limits summary").click();
  await queue.locator('input[name="rate"]').fill("2.5");
  await queue.locator('details.limits input[name="reason"]').fill("the registry is slow");
  await page.keyboard.press("Enter");
  await queue.locator(".notice.warn").waitFor();
  assert.match(await queue.textContent(), /Limits set by qian[^]*2\.5 starts a second[^]*the registry is slow/);
  await shot(page, "ops-limited");
  assert.deepEqual(await axe(page, "limits"), []);

  // Every stalled application again, while the queue is paused: nothing has succeeded, and the page does not say so.
  const pause = (act, body) => send(`/v1/ops/queues/eligibility/${act}`, body);
  await pause("pause", { reason: "maintenance" });
  await page.goto(`${base}/ops/stalled`);
  await page.click("#groups a.button");
  await page.click("form button.primary");
  await page.waitForURL(/\/ops\/batches\//);
  await page.waitForFunction(() => document.querySelectorAll('[data-verdict="waiting"]').length === 3, null, { timeout: 45000 });
  const batch = `/v1${new URL(page.url()).pathname}`;
  assert.deepEqual((await api(batch)).verdicts, { queued: 0, refused: 0, succeeded: 0, failed: 0, waiting: 3 });

  // Then two succeed, and one fails again.
  await pause("resume", {});
  await page.waitForFunction(
    () =>
      document.querySelectorAll('[data-verdict="succeeded"]').length === 2 &&
      document.querySelectorAll('[data-verdict="failed"]').length === 1,
    null,
    { timeout: 45000 },
  );
  assert.deepEqual((await api(batch)).verdicts, { queued: 0, refused: 0, succeeded: 2, failed: 1, waiting: 0 });
  await shot(page, "ops-batch");
  assert.deepEqual(await axe(page, "batch"), []);
  assert.equal((await api("/v1/ops/stalled")).items.length, 1);

  // The connection is lost, and the page says so; then it is back.
  await page.goto(`${base}/ops`);
  await page.waitForSelector("#live-state.good");
  await page.context().route("**/v1/ops/stream", (route) => route.abort());
  await page.click("#live-pause");
  await page.click("#live-pause");
  await page.waitForSelector("#live-state.bad", { timeout: 30000 });
  await page.context().unroute("**/v1/ops/stream");
  await page.waitForSelector("#live-state.good", { timeout: 30000 });
});
