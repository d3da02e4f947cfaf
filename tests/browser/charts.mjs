// The charts by keyboard: a cursor goes from value to value, and what it is at is said.
import { assert, base, shot, signIn, test } from "./support.mjs";

await test(async (open) => {
  const page = await signIn(await open({ language: "en" }), "sun");
  await page.goto(`${base}/ops/charts`);
  const plot = page.locator(".plot").first();
  await plot.locator("canvas").waitFor();
  const said = page.locator(".chart").first().locator(".at");
  assert.equal((await said.textContent()).trim(), "");
  await plot.focus();
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.querySelector(".chart .at").textContent.trim() !== "");
  const last = await said.textContent();
  await page.keyboard.press("ArrowRight");
  assert.equal(await said.textContent(), last, "nothing comes after the end");
  await page.keyboard.press("Home");
  await shot(page, "ops-chart-cursor");
  assert.notEqual(await said.textContent(), "");
});
