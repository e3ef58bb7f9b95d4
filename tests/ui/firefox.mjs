// The page's main script in Firefox: open, change a setting, run, scrub, stop. Prints what it saw as JSON.
// node firefox.mjs FIREFOX ADDRESS

import puppeteer from "puppeteer-core";

const [executablePath, address] = process.argv.slice(2);
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true, timeout: 120_000 });
const seen = { errors: [] };
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(address);
  await page.waitForSelector("#plot .nsewdrag");
  await page.waitForSelector("#stop[aria-disabled=true]");
  await page.waitForSelector("#settings[data-ready]");
  seen.idle = await page.evaluate(() => samplerExplorer.state);

  await page.evaluate(() => {
    const box = document.querySelector("#steps input");
    box.value = "9";
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.waitForFunction(
    () => document.querySelector("#plot .area")._fullData.find(({ meta }) => meta.kind === "sigma").y.length === 9,
  );
  await page.click("#run");
  await page.waitForFunction(() => samplerExplorer.state === "done");
  await page.waitForSelector(".viewer:not([data-fetching])");
  seen.calls = await page.evaluate(() => samplerExplorer.calls);

  const picture = () => page.evaluate(() => document.querySelector(".pane.lane-a canvas").toDataURL());
  const last = await picture();
  await page.focus(".transport input");
  for (let step = 0; step < 5; step += 1) await page.keyboard.press("ArrowLeft");
  await page.waitForFunction(() => samplerExplorer.frame === samplerExplorer.calls - 6);
  await page.waitForFunction(() => document.querySelector(".lane-a [data-fact=call]").textContent === "12 of 17");
  seen.scrubbed = (await picture()) !== last;

  await page.evaluate(() => {
    const box = document.querySelector("#steps input");
    box.value = "500";
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.click("#run");
  await page.waitForFunction(() => samplerExplorer.state === "running" && samplerExplorer.call > 3);
  seen.thumb = await page.evaluate(() => document.querySelector(".transport input").disabled);
  await page.click("#stop");
  await page.waitForFunction(() => samplerExplorer.state === "cancelled");
  seen.stopped = await page.evaluate(() => samplerExplorer.call);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
