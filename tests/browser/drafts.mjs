// What somebody chose and wrote is theirs: it survives a reload, and is gone when they sign out or another person signs in.
import { assert, base, nextTask, signIn, test } from "./support.mjs";

// What htmx remembers of addresses is nobody's.
const kept = (page) =>
  page.evaluate(() =>
    [...Object.entries(sessionStorage), ...Object.entries(localStorage)]
      .filter(([key]) => !key.startsWith("htmx-"))
      .map((pair) => pair.join("="))
      .join("; "),
  );

async function write(page) {
  await page.keyboard.press("r");
  await page.keyboard.type("dmz");
  await page.keyboard.press("Enter");
  await page.fill("#note", "looks like a uniform cap");
}

await test(async (open) => {
  const context = await open();
  const page = await signIn(context, "wang");
  await nextTask(page);
  await write(page);
  await page.reload();
  await page.waitForSelector("#decide:not([hidden])");
  assert.equal(await page.inputValue("#note"), "looks like a uniform cap");
  // The session ends without a sign-out, and a colleague goes on in the same tab.
  await context.clearCookies();
  await page.goto(`${base}/login`);
  await page.fill('[name="name"]', "li");
  await page.fill('[name="password"]', process.env.PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/review/);
  await page.waitForFunction(() => sessionStorage.getItem("owner") === "li");
  assert.equal(await kept(page), "owner=li");
  await nextTask(page);
  await write(page);
  await Promise.all([page.waitForURL(/\/login/), page.click("#sign-out button")]);
  assert.equal(await kept(page), "");
});
