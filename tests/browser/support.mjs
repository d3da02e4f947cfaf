// What the browser tests are written with.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.GREENLANE_TEST_NODE_MODULES, "tests.js"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export { assert };
export const base = process.env.BASE;
const { PASSWORD, SHOTS, KEY } = process.env;

/** Runs a test with a browser, and fails it on any error of a page. */
export async function test(body) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  const errors = [];
  const open = async (options = {}) => {
    const { language, theme, width = 1280, height = 800 } = options;
    const context = await browser.newContext({ viewport: { width, height }, locale: "zh-CN" });
    context.setDefaultTimeout(20000);
    const cookies = [];
    if (language) cookies.push({ name: "greenlane_language", value: language, url: base });
    if (theme) cookies.push({ name: "greenlane_theme", value: theme, url: base });
    if (cookies.length) await context.addCookies(cookies);
    context.on("weberror", (error) => errors.push(String(error.error())));
    context.on("console", (message) => {
      // An answer that is refused is a part of some tests; a policy that is broken is of none.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) errors.push(message.text());
    });
    return context;
  };
  try {
    await body(open);
    assert.deepEqual(errors, [], "errors of pages");
  } finally {
    await browser.close();
  }
}

/** A page where somebody is signed in, at their first page. */
export async function signIn(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/login`);
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => !url.pathname.startsWith("/login"));
  return page;
}

/** Takes the next task by its key, and waits until it can be decided. */
export async function nextTask(page) {
  await page.keyboard.press("n");
  await page.waitForURL(/\/review\/tasks\//);
  await page.waitForSelector("#decide:not([hidden])");
  return page.url().split("/").pop();
}

/** A picture for people to look at, where somebody asked for pictures: they take a quarter of a page's time. */
export const shot = async (page, name) => {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
};

/** How a page is looked at: every two of language, theme and width meet. All eight would take twice as long. */
export const looks = [
  { language: "zh-CN", theme: "light", width: 1280 },
  { language: "zh-CN", theme: "dark", width: 320 },
  { language: "en", theme: "light", width: 320 },
  { language: "en", theme: "dark", width: 1280 },
];

/** Asks the API with the key of every scope. */
export async function api(path) {
  const answer = await fetch(base + path, { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

/** Tells the API something with the key of every scope. */
export async function send(path, body) {
  const answer = await fetch(base + path, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** Does something by the API, with the key of every scope, in somebody's name. */
export async function actAs(name, path, body) {
  const headers = { authorization: `Bearer ${KEY}`, "x-reviewer": name, "content-type": "application/json" };
  const answer = await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

/** Asks until the condition holds. */
export async function until(what, ask) {
  const end = Date.now() + 45000;
  for (;;) {
    if (await ask()) return;
    assert.ok(Date.now() < end, `not reached: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Holds a page against WCAG 2.2 AA. */
export async function axe(page, name) {
  // Around the page's policy, which forbids the script of a stranger.
  await page.evaluate(axeSource);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const told = found.violations.map(
    (one) => `${name}: ${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`,
  );
  return told;
}
