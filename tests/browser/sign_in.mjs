// A stranger is stopped, the owner is not.
import { assert, base, shot, signIn, test } from "./support.mjs";

await test(async (open) => {
  const owner = await open();
  const page = await signIn(owner, "wang");
  await page.click('form[action="/logout"] button');
  await page.waitForURL(/\/login/);

  const stranger = await (await open()).newPage();
  await stranger.goto(`${base}/login`);
  const fail = async () => {
    await stranger.fill("[name=name]", "wang");
    await stranger.fill("[name=password]", "wrong horse battery staple");
    await stranger.keyboard.press("Enter");
    await stranger.waitForSelector(".notice.bad");
    return stranger.locator(".notice.bad").innerText();
  };
  for (let tries = 0; tries < 3; tries += 1) assert.match(await fail(), /不正确/);
  let told = await fail();
  for (let more = 0; more < 3 && !/次数过多/.test(told); more += 1) told = await fail();
  assert.match(told, /次数过多/);
  await shot(stranger, "too_many");
  await signIn(owner, "wang");
});
