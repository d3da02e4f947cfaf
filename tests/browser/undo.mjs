// A decision is taken back from the next page, with everything that was chosen, and made again.
import { api, assert, nextTask, signIn, test } from "./support.mjs";

await test(async (open) => {
  const context = await open();
  const page = await signIn(context, "wang");
  const id = await nextTask(page);
  await page.keyboard.press("r");
  await page.keyboard.type("dmz");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#decided:not([hidden])");
  await page.goto(`${new URL(page.url()).origin}/review`);
  await page.waitForSelector("#undo:not([hidden])");
  await page.keyboard.press("u");
  await page.waitForURL(/\/review\/tasks\//);
  await page.waitForSelector("#decide:not([hidden])");
  assert.equal((await api(`/v1/reviews/${id}`)).decision, null);
  assert.deepEqual(await page.locator("#wording li").allInnerTexts(), ["请摘下帽子，提交免冠照片"]);
  await page.locator("body").click({ position: { x: 5, y: 400 } });
  await page.keyboard.press("a");
  await page.waitForSelector("#decided:not([hidden])");
  assert.equal((await api(`/v1/reviews/${id}`)).decision.decision, "approve");
});
