// A promise is broken while its task is open: the chip of the page turns red by itself, in words too.
import { api, assert, base, nextTask, shot, signIn, test, until } from "./support.mjs";

await test(async (open) => {
  const context = await open();
  await context.clock.install();
  const page = await signIn(context, "zhao");
  const chip = page.locator("#deadline .chip");
  const id = await nextTask(page);
  assert.match(await chip.getAttribute("class"), /good|warn/);
  // The test behind this one moves the due time into the past as soon as the task is claimed.
  await until("the due time has passed", async () => (await api(`/v1/reviews/${id}`)).urgency === "overdue");
  // A page asks once a minute; its minute passes now.
  await until("the chip is red", async () => {
    await context.clock.runFor(61000);
    return /bad/.test(await chip.getAttribute("class"));
  });
  assert.match(await chip.innerText(), /已超期/);
  assert.ok(await page.locator("#decide").isVisible(), "the page is otherwise as it was");
  await shot(page, "overdue");
  await page.goto(`${base}/review/tasks?state=all`);
  assert.match(await page.locator("td .chip").first().innerText(), /已超期/);
});
