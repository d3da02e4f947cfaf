// The dashboard: a queue paused and resumed, figures that change in their place, a bulk retry with a mixed result.
import { api, assert, axe, base, shot, signIn, test, until } from "./support.mjs";

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
  await queue.locator("summary").click();
  await queue.locator('input[name="reason"]').fill("the registry moves");
  await page.waitForSelector("#live-state.warn");
  assert.equal(await queue.locator('input[name="reason"]').inputValue(), "the registry moves");
  assert.equal(await page.evaluate(() => document.activeElement.name), "reason");
  await page.keyboard.press("Enter");
  await queue.locator(".chip.warn").waitFor();
  assert.match(await queue.textContent(), /Paused by qian/);
  await shot(page, "ops-paused");
  // Resumed by somebody else: the page follows by itself.
  const other = await signIn(await open({ language: "en" }), "sun");
  await other.goto(`${base}/ops/queues`);
  await other.locator("#queue-generation button").click();
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

  // Every stalled application again: two succeed, one fails again.
  await page.goto(`${base}/ops/stalled`);
  await page.click("#groups a.button");
  await page.click("form button.primary");
  await page.waitForURL(/\/ops\/batches\//);
  await page.waitForFunction(
    () =>
      document.querySelectorAll('[data-verdict="succeeded"]').length === 2 &&
      document.querySelectorAll('[data-verdict="failed"]').length === 1,
    null,
    { timeout: 45000 },
  );
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
