// The verifier's page: by session and by key, by hand and by camera; the verdict in sign, word and sentence.
import { api, assert, axe, base, shot, signIn, test, until } from "./support.mjs";

const { KEY } = process.env;
const verdict = (page) => page.locator("#result:not([hidden])");

async function call(path, body) {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const answer = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

const [application] = (await api("/v1/applications?status=issued")).items;
const licence = (await api(`/v1/applications/${application.application_id ?? application.id}`)).licence_id;
const present = async () => (await call(`/v1/licences/${licence}/presentations`)).token;

/** Gives a code by keyboard alone, and waits for the verdict. */
async function check(page, text) {
  await page.focus("#token");
  await page.keyboard.insertText(text);
  await page.keyboard.press("Enter");
  await verdict(page).waitFor();
}

async function expect(page, kind, reason, text) {
  assert.equal(await verdict(page).getAttribute("class"), `result ${kind}`);
  assert.equal(await verdict(page).getAttribute("data-reason"), reason);
  assert.match(await page.locator("#result [role=alert]").innerText(), text);
  for (const sign of ["valid", "invalid", "unknown"]) {
    assert.equal(await page.locator(`.sign-${sign}`).isVisible(), sign === kind, sign);
  }
  assert.equal(await page.evaluate(() => document.activeElement.id), "result");
}

const findings = [];
async function look(page, name) {
  findings.push(...(await axe(page, name)));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) findings.push(`${name}: ${wide} px wider than the screen`);
  await shot(page, name);
}

await test(async (open) => {
  // By session: valid, replayed, forged, one after the other without a mouse.
  const page = await signIn(await open({ language: "en" }), "sun");
  await page.click('nav a[href="/verify"]');
  await page.waitForURL(/\/verify$/);
  await until("ready", () => page.isEnabled("#token"));
  assert.equal(await page.locator("#scan").isVisible(), false, "no camera is offered where none can be read");
  await page.keyboard.press("Enter");
  assert.match(await page.locator("#notice").innerText(), /no code yet/);
  await page.selectOption("#purpose", "car_rental");
  await page.evaluate(() => {
    const result = document.getElementById("result");
    new MutationObserver(() => {
      const asked = performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/verify")).pop();
      if (asked && !result.hidden) console.log(`verdict ${(performance.now() - asked.responseEnd).toFixed(1)} ms after the answer`);
    }).observe(result, { attributes: true, attributeFilter: ["hidden"] });
  });
  page.on("console", (message) => console.log(message.text()));
  const token = await present();
  await check(page, token);
  await expect(page, "valid", "", /^Valid\s+The licence is in order/);
  const told = await page.locator("#facts").innerText();
  assert.match(told, /\*/);
  assert.match(told, /C1/);
  assert.match(await page.locator("#checked-for").innerText(), /Car rental/);
  await page.keyboard.press("Enter");
  assert.equal(await verdict(page).count(), 0);
  await check(page, token);
  await expect(page, "invalid", "replayed", /^Not valid\s+The code was checked before/);
  assert.equal(await page.locator("#facts").isVisible(), false);
  // A scanner that types goes on by itself.
  await page.keyboard.type("forged");
  assert.equal(await page.inputValue("#token"), "forged");
  await page.keyboard.press("Enter");
  await verdict(page).waitFor();
  await expect(page, "invalid", "forged", /^Not valid\s+This is not the code/);
  const [second, first] = (await api(`/v1/licences/${licence}/verifications`)).items;
  assert.deepEqual([first.verifier, first.purpose, second.reason], ["sun", "car_rental", "replayed"]);
  await page.reload();
  assert.equal(await page.inputValue("#purpose"), "car_rental");

  // Nothing is known without an answer, and the same code is checked again.
  const late = await present();
  await page.route("**/v1/presentations/verify", (route) => route.abort());
  await check(page, late);
  await expect(page, "unknown", "", /^Not known/);
  await page.unroute("**/v1/presentations/verify");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await verdict(page).waitFor();
  await expect(page, "valid", "", /^Valid/);

  // By key, which is kept nowhere.
  const context = await open();
  const stranger = await context.newPage();
  await stranger.goto(`${base}/verify`);
  await until("ready", () => stranger.isEnabled("#token"));
  await stranger.fill("#token", "x");
  await stranger.keyboard.press("Enter");
  assert.match(await stranger.locator("#notice").innerText(), /密钥/);
  await stranger.fill("#key", "glk_wrong");
  await stranger.keyboard.press("Enter");
  await stranger.focus("#token");
  await stranger.keyboard.press("Enter");
  await verdict(stranger).waitFor();
  await expect(stranger, "unknown", "", /无法核实\s+密钥无效/);
  await stranger.fill("#key", KEY);
  await stranger.keyboard.press("Enter");
  assert.equal(await stranger.inputValue("#key"), "");
  await stranger.fill("#token", "");
  await check(stranger, await present());
  await expect(stranger, "valid", "", /^有效/);
  const kept = await stranger.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
  assert.ok(!kept.includes(KEY) && !(await stranger.content()).includes(KEY), kept);
  await stranger.reload();
  assert.ok(await stranger.isVisible("#key-entry"));

  // By camera, where the browser reads codes; refused in words.
  const camera = await open({ language: "en", width: 320 });
  await camera.addInitScript(() => {
    globalThis.BarcodeDetector = class {
      static getSupportedFormats = async () => ["qr_code"];
      detect = async () => (globalThis.seen ? [{ rawValue: globalThis.seen }] : []);
    };
    if (!navigator.mediaDevices) return;
    navigator.mediaDevices.getUserMedia = async () => {
      if (globalThis.refused) throw new DOMException("no", "NotAllowedError");
      const canvas = document.createElement("canvas");
      canvas.getContext("2d").fillRect(0, 0, 9, 9);
      globalThis.lens = canvas.captureStream(10);
      return globalThis.lens;
    };
  });
  const officer = await signIn(camera, "zhao");
  await officer.goto(`${base}/verify`);
  await officer.evaluate(() => (globalThis.refused = true));
  await officer.click("#scan");
  await officer.locator("#notice:not([hidden])").waitFor();
  assert.match(await officer.locator("#notice").innerText(), /camera was refused/);
  await look(officer, "verify-camera-refused");
  await officer.evaluate((text) => Object.assign(globalThis, { refused: false, seen: text }), await present());
  await officer.click("#scan");
  await verdict(officer).waitFor();
  await expect(officer, "valid", "", /^Valid/);
  assert.ok(await officer.evaluate(() => globalThis.lens.getTracks().every((track) => track.readyState === "ended")));
  await officer.evaluate(() => (globalThis.seen = ""));
  await officer.keyboard.press("Enter");
  await officer.locator("#camera:not([hidden])").waitFor();
  await officer.click("#scan-stop");
  assert.equal(await officer.locator("#camera").isVisible(), false);

  // For everybody: languages, themes, sizes, and each verdict.
  for (const language of ["zh-CN", "en"]) {
    for (const theme of ["light", "dark"]) {
      for (const width of [1280, 320]) {
        const name = (what) => `verify-${what}-${language}-${theme}-${width}`;
        const looked = await open({ language, theme, width });
        const open_page = await looked.newPage();
        await open_page.goto(`${base}/verify`);
        await until("ready", () => open_page.isEnabled("#token"));
        await look(open_page, name("stranger"));
        const signed = await signIn(looked, "zhao");
        await signed.goto(`${base}/verify`);
        await check(signed, await present());
        await look(signed, name("valid"));
        await signed.keyboard.press("Enter");
        await check(signed, "forged");
        await look(signed, name("invalid"));
        await signed.keyboard.press("Enter");
        await signed.route("**/v1/presentations/verify", (route) => route.abort());
        await check(signed, "x");
        await look(signed, name("unknown"));
        await looked.close();
      }
    }
  }
});
assert.deepEqual(findings, []);
