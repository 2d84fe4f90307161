// SPDX-License-Identifier: Apache-2.0
// Opens report pages in a real browser and looks for what must hold: node page_test.mjs SHOTS PAGE...
// Says what failed, and then ends with status 1. Expectations are made from the data inside a page, not from its script.
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const most_bytes = 1_500_000;
const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const failures = [];
const check = (holds, words) => { if (!holds) failures.push(words); };

const dataOf = (page) => page.evaluate(() => JSON.parse(document.getElementById("data").textContent));

// Which charts the data call for.
const expectedCharts = (data) => {
  const names = [];
  const known = (v) => v !== null && v !== undefined;
  for (const c of data.cases) {
    const points = c.curves.flatMap((curve) => curve.points);
    if (points.some((p) => p[5] > 0)) names.push("speedup", "efficiency");
    if (points.length) names.push("time");
    if (points.length && (c.flops > 0 || c.bytes > 0)) names.push("throughput");
    if (c.curves.some((curve) => curve.points.filter((p) => known(p[8])).length > 1)) names.push("karp-flatt");
    if (c.weak.length) names.push("weak");
    if (c.rounds.length > 1) names.push("rounds");
  }
  if (data.crossovers.length) names.push("crossover");
  for (const precision of ["f32", "f64"])
    if (data.ceilings.some((one) => one[precision] > 0 && one.triad > 0) && data.cases.some((c) => c.precision === precision && c.flops > 0 && c.intensity > 0 && c.sequential))
      names.push("roofline");
  return names.sort();
};

// Every chart is drawn when it comes near the window.
const scrollThrough = (page) => page.evaluate(async () => {
  for (let y = 0; y < document.body.scrollHeight; y += window.innerHeight) {
    window.scrollTo(0, y);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 15)));
  }
  window.scrollTo(0, 0);
});

// How many different colours a canvas holds; a blank one holds one.
const coloursOf = (page) => page.evaluate(() => [...document.querySelectorAll("figure.chart canvas")].map((canvas) => {
  if (!canvas.width || !canvas.height) return 0;
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return new Set(pixels).size;
}));

const checkCharts = async (page, where, expected) => {
  const drawn = await page.evaluate(() => [...document.querySelectorAll("figure.chart")].map((figure) => figure.classList[1]).sort());
  check(JSON.stringify(drawn) === JSON.stringify(expected), `${where}: charts are ${drawn.length}, expected ${expected.length} (${expected.filter((name) => !drawn.includes(name)).join(", ") || "other counts"})`);
  const blank = (await coloursOf(page)).filter((colours) => colours < 8).length;
  check(blank === 0, `${where}: ${blank} charts are blank`);
};

const checkWidth = async (page, where) => {
  const wide = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth, window: document.documentElement.clientWidth,
    first: [...document.querySelectorAll("body *")].find((e) => !e.closest(".scroll, .hidden, .skip, thead, caption") && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)?.outerHTML.slice(0, 120),
  }));
  check(wide.page <= wide.window, `${where}: the page is ${wide.page} px wide in a window of ${wide.window}`);
  check(!wide.first, `${where}: beyond the window's edge: ${wide.first}`);
};

const checkAccess = async (page, where) => {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of found.violations)
    check(!["serious", "critical"].includes(impact), `${where}: axe-core: ${impact}: ${id}, ${nodes.length} times, as in ${nodes[0].html.slice(0, 150)} (${nodes[0].any[0]?.message ?? ""})`);
};

const openPage = async (browser, file, width, colorScheme) => {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, acceptDownloads: true });
  const page = await context.newPage();
  const where = `${basename(dirname(file))}/${basename(file)}, ${width} px, ${colorScheme}`;
  page.on("console", (message) => failures.push(`${where}: the console says: ${message.text()}`));
  page.on("pageerror", (error) => failures.push(`${where}: ${error}`));
  page.on("request", (request) => check(/^(file|data|blob):/.test(request.url()), `${where}: asks for ${request.url()}`));
  await page.goto(pathToFileURL(file).href);
  return { context, page, where };
};

const look = async (browser, file, width, scheme, shots) => {
  const { context, page, where } = await openPage(browser, file, width, scheme);
  await scrollThrough(page);
  await checkCharts(page, where, expectedCharts(await dataOf(page)));
  await checkWidth(page, where);
  await checkAccess(page, where);
  const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).reduce((sum, v) => sum + Number(v), 0));
  check(scheme === "dark" ? paper < 200 : paper > 600, `${where}: the paper isn't ${scheme}`);
  const name = `${basename(dirname(file))}-${basename(file, ".html")}-${width}-${scheme}`;
  await page.screenshot({ path: join(shots, `${name}.png`) });
  await (await page.$("article.case"))?.screenshot({ path: join(shots, `${name}-case.png`) });
  await (await page.$("#whole"))?.screenshot({ path: join(shots, `${name}-whole.png`) });
  await context.close();
};

// A click on each control, and what it must change.
const clickAll = async (browser, file) => {
  const { context, page, where } = await openPage(browser, file, 1440, "light");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await scrollThrough(page);
  const data = await dataOf(page);

  const theme = page.locator("#theme");
  for (const expected of ["light", "dark", "system"]) {
    await theme.click();
    check((await theme.textContent()) === `Theme: ${expected}`, `${where}: a click on the theme gives ${await theme.textContent()}, expected ${expected}`);
    const dark = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme === "dark");
    check(dark === (expected === "dark"), `${where}: theme ${expected} isn't what is shown`);
  }

  // Toggles change their state and the picture, and change both back.
  const toggles = await page.evaluate(() => {
    const figures = [...document.querySelectorAll("figure.chart")];
    const seen = new Set();
    const wrong = [];
    for (const figure of figures) {
      // The pictures of one chart of a kind are compared, as that takes a while; the state of each control is.
      const compared = !seen.has(figure.classList[1]);
      seen.add(figure.classList[1]);
      const picture = () => (compared ? figure.querySelector("canvas").toDataURL() : "");
      for (const kind of [".legend button", "button.linear"])
        for (let i = 0; i < figure.querySelectorAll(kind).length; ++i) {
          const button = () => figure.querySelectorAll(kind)[i];
          const before = [button().getAttribute("aria-pressed"), picture()];
          button().click();
          const then = [button().getAttribute("aria-pressed"), picture()];
          button().click();
          const after = [button().getAttribute("aria-pressed"), picture()];
          // Two thread counts lie the same on either axis.
          const name = `${button().textContent} of ${figure.querySelector("canvas").getAttribute("aria-label").slice(0, 60)}`;
          if (before[0] === then[0] || before[0] !== after[0]) wrong.push(`${name}: pressed goes ${before[0]}, ${then[0]}, ${after[0]}`);
          const alike = kind === "button.linear" && Chart.getChart(figure.querySelector("canvas")).scales.x.ticks.length < 3;
          if (compared && !alike && before[1] === then[1]) wrong.push(`${name}: the picture stays the same`);
          if (before[1] !== after[1]) wrong.push(`${name}: the picture doesn't come back`);
        }
    }
    return wrong;
  });
  for (const wrong of toggles) check(false, `${where}: ${wrong}`);
  // Real clicks, where they land, on the first chart's.
  for (const button of await page.locator("figure.chart").first().locator("button").all()) {
    const before = await button.getAttribute("aria-pressed");
    await button.click();
    check((await button.getAttribute("aria-pressed")) !== before, `${where}: a click on ${await button.textContent()} does nothing`);
    await button.click();
  }

  for (const summary of await page.locator("details:not([hidden]) > summary").all()) await summary.evaluate((one) => one.click());
  const unopened = await page.evaluate(() => [...document.querySelectorAll("details:not([hidden])")].filter((box) => !box.open || !box.querySelector("tbody tr")).length);
  await page.waitForTimeout(50);
  check(unopened === 0 || (await page.evaluate(() => [...document.querySelectorAll("details:not([hidden])")].filter((box) => !box.open || !box.querySelector("tbody tr")).length)) === 0, `${where}: tables stay shut or empty`);
  await checkWidth(page, `${where}, every table open`);
  await page.evaluate(() => document.querySelectorAll("details").forEach((box) => { box.open = false; }));
  const lost = await page.evaluate(() => [...document.querySelectorAll(".head a")].filter((link) => {
    link.click();
    return !document.getElementById(decodeURIComponent(link.hash.slice(1)))?.open;
  }).length);
  check(lost === 0, `${where}: ${lost} links don't open their table`);
  check(await page.evaluate(() => [...document.querySelectorAll("figure.chart .head")].every((head) => head.querySelector("a"))), `${where}: a chart has no table`);

  const first = data.cases[0];
  const samples = [...first.curves, ...first.peers, ...first.weak].flatMap((curve) => curve.samples.flat()).filter((ns) => ns !== null);
  if (samples.length) {
    const box = page.locator("p.actions").first();
    const [download] = await Promise.all([page.waitForEvent("download"), box.getByText("Save CSV").click()]);
    const saved = readFileSync(await download.path(), "utf8");
    check(saved.trim().split("\n").length === samples.length + 1, `${where}: the saved CSV has ${saved.trim().split("\n").length} lines, expected ${samples.length + 1}`);
    check(saved.includes(`,${samples[0]}\n`), `${where}: the saved CSV lacks the first sample, ${samples[0]}`);
    await box.getByText("Copy CSV").click();
    await page.waitForTimeout(100);
    check((await page.evaluate(() => navigator.clipboard.readText())) === saved, `${where}: what was copied isn't what was saved`);
  }

  if (data.cases.length > 1) {
    const name = data.cases[data.cases.length - 1].name;
    await page.locator("#filter").fill(name);
    const left = await page.locator("article:visible").count();
    const expected = data.cases.filter((c) => c.name.toLowerCase().includes(name.toLowerCase())).length;
    check(left === expected, `${where}: the filter leaves ${left} cases, expected ${expected}`);
    await page.evaluate((id) => { location.hash = id; }, data.cases[0].id);
    await page.waitForTimeout(50);
    check(await page.locator(`[id="${data.cases[0].id}"]`).isVisible(), `${where}: a link to a case that is filtered away shows nothing`);
  }
  for (const c of data.cases) {
    await page.evaluate((id) => document.querySelector(`article a.here[href="#${id}"]`).click(), c.id);
    check(page.url().endsWith(`#${c.id}`), `${where}: ${c.name} has no link`);
  }
  await context.close();
};

// The mouse and the keyboard read values off a chart, and Tab reaches every control.
const useChart = async (browser, file) => {
  const { context, page, where } = await openPage(browser, file, 1440, "dark");
  const canvas = page.locator("figure.chart canvas").first();
  await scrollThrough(page);
  await canvas.scrollIntoViewIfNeeded();
  const at = await canvas.evaluate((one) => {
    const chart = Chart.getChart(one), index = chart.data.datasets.findIndex((set) => set.data.some((p) => p.of?.words));
    const { x, y } = chart.getDatasetMeta(index).data[0], box = one.getBoundingClientRect();
    return { x: box.x + x, y: box.y + y };
  });
  await page.mouse.move(at.x + 1, at.y + 1);
  const words = () => canvas.evaluate((one) => { const { tooltip } = Chart.getChart(one); return tooltip.opacity > 0 ? tooltip.body.flatMap((part) => part.lines).join() : ""; });
  await page.waitForTimeout(100);
  check(/\d/.test(await words()), `${where}: the mouse over a point shows no value`);
  await page.mouse.move(1, 1);
  await canvas.focus();
  const heard = new Set();
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"]) {
    await page.keyboard.press(key);
    heard.add(await page.locator("#said").textContent());
    check(/\d/.test(await words()), `${where}: ${key} on a chart shows no value`);
  }
  check(heard.size > 1 && !heard.has(""), `${where}: arrow keys say ${[...heard].join("; ")}`);

  await page.reload();
  await scrollThrough(page);
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")].filter((e) => e.checkVisibility() && !e.closest("details:not([open]) > :not(summary)"));
    all.forEach((e, i) => { e.dataset.tab = i; });
    return all.length;
  });
  const reached = new Set();
  const unseen = new Set();
  for (let i = 0; i < wanted + 2; ++i) {
    await page.keyboard.press("Tab");
    const [tab, seen, html] = await page.evaluate(() => {
      const e = document.activeElement, style = getComputedStyle(e);
      return [e.dataset.tab, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || e.matches(".skip"), e.outerHTML.slice(0, 80)];
    });
    if (tab !== undefined) reached.add(tab);
    if (!seen && tab !== undefined) unseen.add(html);
  }
  check(reached.size >= wanted, `${where}: Tab reaches ${reached.size} of ${wanted} controls`);
  check(unseen.size === 0, `${where}: the focus isn't seen on ${[...unseen].slice(0, 3).join(" ")}`);
  await context.close();
};

const printAll = async (browser, file, shots) => {
  const { context, page, where } = await openPage(browser, file, 760, "dark");
  const charts = expectedCharts(await dataOf(page)).length;
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await page.evaluate(() => { window.dispatchEvent(new Event("beforeprint")); });
  await page.waitForTimeout(200);
  const state = await page.evaluate(() => ({
    shut: document.querySelectorAll("details:not([open])").length,
    images: [...document.querySelectorAll("img.printed")].filter((image) => image.naturalWidth > 100 && image.checkVisibility()).length,
    controls: [...document.querySelectorAll("button, input, nav")].filter((e) => e.checkVisibility()).length,
    paper: getComputedStyle(document.body).backgroundColor,
  }));
  check(state.shut === 0, `${where}: on paper ${state.shut} tables are shut`);
  check(state.images === charts, `${where}: on paper ${state.images} charts, expected ${charts}`);
  check(state.controls === 0, `${where}: on paper ${state.controls} controls`);
  check(state.paper === "rgb(255, 255, 255)", `${where}: the paper isn't white: ${state.paper}`);
  await checkWidth(page, `${where}, on paper`);
  await page.screenshot({ path: join(shots, `${basename(dirname(file))}-${basename(file, ".html")}-print.png`), clip: { x: 0, y: 0, width: 760, height: 3200 }, fullPage: true });
  await page.evaluate(() => { window.dispatchEvent(new Event("afterprint")); });
  check((await page.locator("img.printed").count()) === 0 && (await page.locator("details[open]").count()) === 0, `${where}: printing leaves traces`);
  await page.emulateMedia({ media: null });
  await page.pdf({ path: join(shots, `${basename(dirname(file))}-${basename(file, ".html")}.pdf`), format: "A4", printBackground: false });
  await context.close();
};

const [shots, ...files] = process.argv.slice(2).map((path) => resolve(path));
if (!files.length) {
  console.error("expected a folder for screenshots, and pages");
  process.exit(2);
}
mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", chromiumSandbox: false, args: flags });
for (const file of files) {
  const { size } = statSync(file);
  check(size <= most_bytes, `${file}: ${size} bytes, expected at most ${most_bytes}`);
  for (const width of [1440, 360])
    for (const scheme of ["light", "dark"]) await look(browser, file, width, scheme, shots);
  await clickAll(browser, file);
  await useChart(browser, file);
  await printAll(browser, file, shots);
  console.log(`looked at ${file}`);
}
await browser.close();
for (const failure of failures.slice(0, 40)) console.error(`page: ${failure}`);
if (failures.length > 40) console.error(`page: and ${failures.length - 40} more`);
process.exit(failures.length ? 1 : 0);
