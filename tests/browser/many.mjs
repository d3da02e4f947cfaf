// More than a hundred at once: their number has to be typed, and the batch comes in pages.
import { api, assert, axe, base, shot, signIn, test } from "./support.mjs";

await test(async (open) => {
  const page = await signIn(await open({ language: "en" }), "qian");
  await page.goto(`${base}/ops/stalled`);
  await page.click('#groups a[href^="/ops/stalled/reject"]');
  assert.match(await page.textContent("main"), /101 applications match/);
  assert.deepEqual(await axe(page, "typed"), []);
  await page.fill('input[name="reason"]', "a test of the registry");
  await page.fill('input[name="typed"]', "100");
  await page.click("main button.danger");
  await page.waitForSelector('[role="alert"]');
  assert.match(await page.textContent('[role="alert"]'), /not the number/);
  assert.equal(await page.inputValue('input[name="reason"]'), "a test of the registry");
  assert.equal((await api("/v1/ops/stalled")).items.length, 50, "nothing was rejected");
  await shot(page, "ops-typed");

  await page.fill('input[name="typed"]', "101");
  await page.click("main button.danger");
  await page.waitForURL(/\/ops\/batches\//);
  await page.waitForFunction(() => /succeeded 101/.test(document.querySelector("#batch").textContent), null, {
    timeout: 45000,
  });
  assert.equal(await page.locator("[data-verdict]").count(), 50);
  for (const shown of [50, 1]) {
    await page.click('#batch a[href*="cursor="]');
    await page.waitForURL(/cursor=/);
    await page.waitForFunction((count) => document.querySelectorAll("[data-verdict]").length === count, shown);
  }
  assert.equal((await api("/v1/ops/stalled")).items.length, 0);
});
