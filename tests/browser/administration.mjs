// An administrator makes a verifier, who gets to the page of verifiers and to no other; a key is shown once; a calendar
// is chosen as a file, tried out and imported.
import { readFileSync } from "node:fs";

import { assert, base, signIn, test, until } from "./support.mjs";

const shipped = readFileSync(new URL("../../workflows/calendar/cn.toml", import.meta.url), "utf8");
const another = shipped.replace(/^version = .*$/m, 'version = "another"');

await test(async (open) => {
  const page = await signIn(await open({ language: "en" }), "sun");
  await page.click(".subnav >> text=Users");
  await page.waitForURL(/\/ops\/users$/);
  await page.focus("summary");
  await page.keyboard.press("Enter");
  await page.fill('[name="name"]', "王警官");
  await page.selectOption('[name="role"]', "verifier");
  await page.press('[name="name"]', "Enter");
  const password = await page.textContent("#fresh");
  assert.equal(password.length, 22);

  const theirs = await (await open({ language: "en", width: 320 })).newPage();
  await theirs.goto(`${base}/login`);
  await theirs.fill('[name="name"]', "王警官");
  await theirs.fill('[name="password"]', password);
  await theirs.keyboard.press("Enter");
  await theirs.waitForURL(/\/verify$/);
  assert.deepEqual(await theirs.locator(".bar .nav a").allTextContents(), ["Verify"]);

  await page.click("table >> text=王警官");
  assert.equal(await page.locator("#fresh").count(), 0, "a password is shown once");
  await page.click("button.danger");
  await page.waitForURL(/\/ops\/users$/);
  await theirs.goto(`${base}/account`);
  await theirs.waitForURL(/\/login/);

  await page.click(".subnav >> text=Keys");
  await page.click("summary");
  await page.fill('[name="name"]', "stall");
  await page.check('[value="licences:verify"]');
  await page.press('[name="name"]', "Enter");
  const key = await page.textContent("#fresh");
  const verify = () =>
    fetch(`${base}/v1/presentations/verify`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ token: "nonsense", purpose: "road_check" }),
    });
  assert.equal((await verify()).status, 200);
  const row = page.locator("tr", { hasText: "stall" });
  await row.locator("summary").click();
  await row.locator("button").click();
  await row.locator(".chip.off").waitFor();
  await until("the key works no more", async () => (await verify()).status === 401);

  await page.click(".subnav >> text=Calendar");
  await page.setInputFiles("#file", { name: "cn.toml", mimeType: "text/plain", buffer: Buffer.from(another) });
  await until("the file is in the field", async () => (await page.inputValue("#source")) === another);
  await page.click('[value="try"]');
  await page.waitForSelector("#found");
  await page.fill('[name="reason"]', "the notice of the State Council");
  await page.click('[value="import"]');
  await page.locator(".facts", { hasText: "another" }).waitFor();
});
