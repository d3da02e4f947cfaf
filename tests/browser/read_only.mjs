// An auditor on the dashboard, in both languages and themes: every act is seen, none can be done, and the pages say why.
import { api, assert, axe, base, shot, signIn, test } from "./support.mjs";

const findings = [];

await test(async (open) => {
  const [stalled] = (await api("/v1/ops/stalled")).items;
  const application = `/ops/applications/${stalled.application_id}`;
  for (const language of ["zh-CN", "en"]) {
    for (const theme of ["light", "dark"]) {
      const context = await open({ language, theme });
      const page = await signIn(context, "he");
      for (const [called, path, acts] of [
        ["queues", "/ops/queues", true],
        ["stalled", "/ops/stalled", true],
        ["application", application, true],
        ["audit", "/ops/audit", false],
      ]) {
        await page.goto(base + path);
        const name = `read-only-${called}-${language}-${theme}`;
        findings.push(...(await axe(page, name)));
        const forms = await page.evaluate(() =>
          [...document.querySelectorAll("main form")]
            .map((form) => form.getAttribute("action"))
            .filter((action) => /\/(act|pause|resume|retry|reject)/.test(action ?? "")),
        );
        assert.deepEqual(forms, [], `${name} offers an act`);
        if (acts) {
          const told = await page.locator("main button[disabled]").first().getAttribute("aria-describedby");
          assert.ok(await page.locator(`#${told}`).isVisible(), `${name} says why`);
        }
        await shot(page, name);
      }
      await context.close();
    }
  }
});
assert.deepEqual(findings, []);
