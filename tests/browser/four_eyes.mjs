// Unlawful content: the second person sees the photo and not the verdict; they disagree; the supervisor sees both.
import { api, assert, nextTask, shot, signIn, test } from "./support.mjs";

await test(async (open) => {
  const first = await signIn(await open(), "wang");
  const id = await nextTask(first);
  await first.keyboard.press("r");
  await first.keyboard.type("p29");
  await first.keyboard.press("Enter");
  await first.keyboard.press("Control+Enter");
  await first.waitForSelector("#decided:not([hidden])");

  const second = await signIn(await open(), "li");
  assert.equal(await nextTask(second), id);
  const text = await second.locator("main").innerText();
  assert.ok(!text.includes("第二人审核") && !text.includes("wang"));
  await second.keyboard.press("a");
  await second.waitForSelector("#decided:not([hidden])");

  const third = await signIn(await open(), "zhao");
  assert.equal(await nextTask(third), id);
  assert.match(await third.locator("main").innerText(), /wang: 不通过[\s\S]*li: 通过/);
  await shot(third, "disputed");
  await third.keyboard.press("a");
  await third.waitForSelector("#decided:not([hidden])");
  assert.equal((await api(`/v1/reviews/${id}`)).decision.reviewer, "zhao");
});
