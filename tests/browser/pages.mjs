// Every page in both languages and themes: no finding of axe, nothing wider than the screen at 320 px, a picture of each.
import { assert, axe, base, nextTask, shot, signIn, test } from "./support.mjs";

const findings = [];

async function look(page, name) {
  findings.push(...(await axe(page, name)));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) findings.push(`${name}: ${wide} px wider than the screen`);
  await shot(page, name);
}

await test(async (open) => {
  const worker = await signIn(await open(), "zhao");
  await nextTask(worker);
  const task = new URL(worker.url()).pathname;
  for (const language of ["zh-CN", "en"]) {
    for (const theme of ["light", "dark"]) {
      for (const width of [1280, 320]) {
        const context = await open({ language, theme, width });
        const name = (page) => `${page}-${language}-${theme}-${width}`;
        const stranger = await context.newPage();
        await stranger.goto(`${base}/login`);
        await look(stranger, name("login"));
        const page = await signIn(context, "zhao");
        for (const [called, path] of [
          ["home", "/review"],
          ["tasks", "/review/tasks"],
          ["tasks-claimed", "/review/tasks?state=claimed"],
          ["account", "/account"],
          ["not-found", "/no-such-page"],
        ]) {
          await page.goto(base + path);
          await look(page, name(called));
        }
        await page.goto(base + task);
        await page.click("#take-own");
        await page.waitForSelector("#decide:not([hidden])");
        await page.keyboard.press("r");
        await page.keyboard.type("dm");
        await page.keyboard.press("Enter");
        await look(page, name("task"));
        await context.close();
      }
    }
  }
});
assert.deepEqual(findings, []);
