// One task, two reviewers at once: one gets it, the other is told that there is none.
import { assert, signIn, test } from "./support.mjs";

await test(async (open) => {
  const [wang, li] = await Promise.all(["wang", "li"].map(async (name) => signIn(await open(), name)));
  await Promise.all([wang.keyboard.press("n"), li.keyboard.press("n")]);
  const outcome = (page) =>
    Promise.race([
      page.waitForSelector("#decide:not([hidden])").then(() => "won"),
      page.waitForSelector("#next-problem:not([hidden])").then(() => "lost"),
    ]);
  const outcomes = await Promise.all([outcome(wang), outcome(li)]);
  assert.deepEqual([...outcomes].sort(), ["lost", "won"]);
  const [winner, loser] = outcomes[0] === "won" ? [wang, li] : [li, wang];
  assert.match(await loser.locator("#next-problem").innerText(), /没有可领取的任务/);

  // The loser sees nothing of the task, and cannot claim it.
  await loser.goto(winner.url());
  assert.equal(await loser.locator("#photo").count(), 0);
  // The winner's other tab is not the holder until it takes the task up.
  const other = await winner.context().newPage();
  await other.goto(winner.url());
  await other.waitForSelector("#elsewhere:not([hidden])");
  await other.click("#take-own");
  await other.waitForSelector("#decide:not([hidden])");
  await winner.keyboard.press("a");
  await winner.waitForSelector("#lost:not([hidden])");
});
