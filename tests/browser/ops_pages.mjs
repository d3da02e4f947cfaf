// Every page of the dashboard in both languages and themes: no finding of axe, nothing wider than the screen at 320 px.
import { api, assert, axe, base, looks, send, shot, signIn, test } from "./support.mjs";

const findings = [];

await test(async (open) => {
  const [stalled] = (await api("/v1/ops/stalled")).items;
  // Issued to a name that no font can show.
  const issued = (await api("/v1/ops/licences?problem=card_refused")).items[0].application_id;
  const filter = { error_code: stalled.error_code, stage: stalled.stage };
  const { batch_id: batch } = await send("/v1/ops/stalled/retry", { filter });
  for (const { language, theme, width } of looks) {
    const context = await open({ language, theme, width });
    const page = await signIn(context, "sun");
    for (const [called, path] of [
      ["overview", "/ops"],
      ["queues", "/ops/queues"],
      ["find", "/ops/find"],
      ["stalled", "/ops/stalled"],
      ["retry", "/ops/stalled/retry"],
      ["reject", "/ops/stalled/reject"],
      ["batch", `/ops/batches/${batch}`],
      ["application", `/ops/applications/${stalled.application_id}`],
      ["licence", `/ops/applications/${issued}`],
      ["licences", "/ops/licences"],
      ["charts", "/ops/charts"],
      ["webhooks", "/ops/webhooks"],
      ["system", "/ops/system"],
      ["audit", "/ops/audit"],
      ["calendar", "/ops/calendar"],
      ["users", "/ops/users"],
      ["user", "/ops/users/li"],
      ["keys", "/ops/keys"],
    ]) {
      const name = `ops-${called}-${language}-${theme}-${width}`;
      await page.goto(base + path);
      // What can be opened is looked at too.
      if (["users", "keys"].includes(called)) {
        await page.evaluate(() => document.querySelectorAll("details").forEach((part) => (part.open = true)));
      }
      findings.push(...(await axe(page, name)));
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (wide > 0) findings.push(`${name}: ${wide} px wider than the screen`);
      await shot(page, name);
    }
    await context.close();
  }
});
assert.deepEqual(findings, []);
