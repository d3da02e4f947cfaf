// The verifier's page: by session and by key, by hand and by camera; the verdict in sign, word and sentence.
import { api, assert, axe, base, looks, shot, signIn, test, until } from "./support.mjs";

const { KEY, SIMULATOR, DOCUMENT } = process.env;
const verdict = (page) => page.locator("#result:not([hidden])");

async function call(path, body) {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const answer = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** What the registry says of the holder from now on. */
async function registry(fields) {
  const body = JSON.stringify({ document_number: DOCUMENT, ...fields });
  const answer = await fetch(`${SIMULATOR}/control/registry`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.ok(answer.ok, `the registry: ${answer.status}`);
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
    assert.equal(await page.locator(`.sign-${sign}`).isVisible(), sign === kind.split(" ")[0], sign);
  }
  assert.equal(await page.evaluate(() => document.activeElement.id), "result");
}

/** Text of a verdict is read in the sun: at least 7 to 1 on its ground. */
async function contrast(page, name) {
  const lowest = await page.evaluate(() => {
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = (colour) => {
      const [r, g, b] = parts(colour).map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
      const colour = getComputedStyle(element).backgroundColor;
      const [, , , alpha = 1] = parts(colour);
      return alpha === 1 ? colour : ground(element.parentElement);
    };
    const ratios = [...document.querySelectorAll("#result, #result *")]
      .filter((element) => element.checkVisibility?.() ?? element.getClientRects().length > 0)
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || element.matches("svg"))
      .map((element) => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)];
      });
    if (ratios.length < 4) throw new Error("nothing was measured");
    return ratios.sort(([a], [b]) => a - b)[0];
  });
  if (!(lowest[0] >= 7)) findings.push(`${name}: ${lowest[0].toFixed(2)} to 1 for ${lowest[1]}`);
  return lowest[0];
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
  // A message is a task of its own: where a timer or a frame stood between answer and verdict, the verdict would not be
  // there yet when it comes.
  await page.evaluate(() => {
    globalThis.verdicts = [];
    const text = Response.prototype.text;
    Response.prototype.text = async function () {
      const body = await text.call(this);
      const [read, next] = [performance.now(), new MessageChannel()];
      next.port1.onmessage = () => {
        const result = document.getElementById("result");
        globalThis.verdicts.push({ shown: !result.hidden && result.innerText.length > 0, ms: performance.now() - read });
      };
      next.port2.postMessage(0);
      return body;
    };
  });
  const token = await present();
  await check(page, token);
  await until("the next task", () => page.evaluate(() => globalThis.verdicts.length > 0));
  const [{ shown, ms }] = await page.evaluate(() => globalThis.verdicts);
  assert.ok(shown, "the verdict is there in the task of the answer");
  console.log(`the verdict was there ${ms.toFixed(1)} ms after the answer was read`);
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
  const lowest = [];
  for (const { language, theme, width } of looks) {
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
    lowest.push(await contrast(signed, name("valid")));
    await signed.keyboard.press("Enter");
    await registry({ classes: "C2", issuing_authority: "京A" });
    await check(signed, await present());
    await expect(signed, "valid with-change", "", language === "en" ? /data changed/ : /已变更/);
    const now = await signed.locator("#changed").innerText();
    assert.ok(now.includes("C2") && now.includes("京A"), now);
    assert.match(await signed.locator("#facts").innerText(), /C1/);
    await look(signed, name("changed"));
    lowest.push(await contrast(signed, name("changed")));
    await registry({ classes: "C1", issuing_authority: "蒙C" });
    await signed.keyboard.press("Enter");
    await check(signed, "forged");
    await look(signed, name("invalid"));
    lowest.push(await contrast(signed, name("invalid")));
    await signed.keyboard.press("Enter");
    await signed.route("**/v1/presentations/verify", (route) => route.abort());
    await check(signed, "x");
    await look(signed, name("unknown"));
    lowest.push(await contrast(signed, name("unknown")));
    await looked.close();
  }
  console.log(`the lowest contrast of a verdict is ${Math.min(...lowest).toFixed(2)} to 1`);
});
assert.deepEqual(findings, []);
