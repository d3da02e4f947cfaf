// A whole review without a mouse: sign in, next task, look, approve; next task, reject with two reasons.
import { api, assert, nextTask, shot, signIn, test, until } from "./support.mjs";

await test(async (open) => {
  const context = await open();
  const page = await signIn(context, "wang");
  const first = await nextTask(page);
  await page.waitForFunction(() => document.getElementById("photo").naturalWidth > 0);
  await page.waitForSelector(".stage.optional:not([hidden])");
  await shot(page, "task");

  // The viewer answers to keys, and the guides go and come.
  const moved = () => page.locator(".frame").first().evaluate((frame) => frame.style.transform);
  await page.keyboard.press("+");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("]");
  assert.match(await moved(), /rotate\(90deg\) scale\(1\.25\)/);
  await page.keyboard.press("0");
  assert.match(await moved(), /translate\(0px, 0px\) rotate\(0deg\) scale\(1\)/);
  await page.keyboard.press("g");
  assert.equal(await page.locator(".guides").first().isVisible(), false);
  await page.keyboard.press("g");

  await page.keyboard.press("a");
  await page.waitForSelector("#decided:not([hidden])");
  assert.match(await page.locator("#undo").innerText(), /已通过/);
  await shot(page, "decided");
  const approved = await api(`/v1/reviews/${first}`);
  assert.equal(approved.decision.decision, "approve");

  const second = await nextTask(page);
  assert.notEqual(second, first);
  assert.ok(await page.locator("#undo").isVisible(), "the last decision can be taken back from the next task");
  await page.keyboard.press("r");
  await page.keyboard.type("bjbsbs");
  await page.keyboard.press("Enter");
  await page.keyboard.type("帽子");
  await page.keyboard.press("Enter");
  const wording = await page.locator("#wording li").allInnerTexts();
  assert.deepEqual(wording, ["照片背景不是白色，请使用白底证件照", "请摘下帽子，提交免冠照片"]);
  await shot(page, "reject");
  await page.keyboard.press("Escape");
  await page.keyboard.press("m");
  await page.keyboard.type("背景是蓝色");
  await page.keyboard.press("Escape");
  await page.keyboard.press("r");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#decided:not([hidden])");
  const rejected = await api(`/v1/reviews/${second}`);
  assert.deepEqual(rejected.decision.reasons, ["background_not_white", "hat_worn"]);
  assert.equal(rejected.notes[0].text, "背景是蓝色");

  // A third one is given back with a reason, by keyboard too.
  const third = await nextTask(page);
  await page.keyboard.press("l");
  await page.keyboard.type("制服不熟悉");
  await page.keyboard.press("Control+Enter");
  await page.waitForURL(/\/review$/);
  assert.equal((await api(`/v1/reviews/${third}`)).state, "open");

  // Both decisions take effect when their windows are over, and not before.
  assert.equal((await api(`/v1/applications/${rejected.application_id}`)).status, "in_review");
  await until("the rejection takes effect", async () => {
    const application = await api(`/v1/applications/${rejected.application_id}`);
    return application.status === "rejected" && application.outcome.reasons.length === 2;
  });
  await until("the approval takes effect", async () => {
    return (await api(`/v1/applications/${approved.application_id}`)).status === "issued";
  });
});
