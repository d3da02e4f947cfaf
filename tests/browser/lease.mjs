// Nobody touches the page until the lease is over: it says so, keeps the draft, and decides nothing.
import { api, assert, nextTask, shot, signIn, test, until } from "./support.mjs";

await test(async (open) => {
  const context = await open();
  const page = await signIn(context, "wang");
  const id = await nextTask(page);
  const name = page.locator('[data-value="name"]');
  await page.click('.reveal[data-fact="name"]');
  await until("the name is shown", async () => !(await name.innerText()).includes("*"));
  await page.keyboard.press("r");
  await page.keyboard.type("dmz");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#lease-warning:not([hidden])");
  await page.waitForSelector("#lost:not([hidden])");
  await shot(page, "lost");
  assert.ok(await page.locator("#send").isDisabled());
  assert.match(await name.innerText(), /\*/, "masked again");
  await page.keyboard.press("Control+Enter");
  await until("the task is open again", async () => (await api(`/v1/reviews/${id}`)).state === "open");
  await Promise.all([page.waitForEvent("load"), page.click("#reclaim")]);
  await page.waitForSelector("#decide:not([hidden])");
  assert.deepEqual(await page.locator("#wording li").allInnerTexts(), ["请摘下帽子，提交免冠照片"]);
  // Extended by its key, it lasts beyond its first end.
  const left = () => page.locator("#lease-left").innerText();
  await until("the lease runs down", async () => (await left()) <= "00:05");
  await page.locator("body").click({ position: { x: 5, y: 400 } });
  await page.keyboard.press("e");
  await until("the lease begins anew", async () => (await left()) >= "00:06");
});
