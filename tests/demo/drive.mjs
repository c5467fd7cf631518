// Serves a folder and uses the demo in it as a reader would: `node drive.mjs JOB.json` prints what it saw as JSON.
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { chromium } = createRequire(job.modules)("playwright-core");
const TYPES = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

const server = createServer((request, response) => {
  const name = new URL(request.url, "http://x").pathname.replace(/\/$/, "/index.html");
  const path = join(job.site, decodeURIComponent(name));
  if (!existsSync(path) || statSync(path).isDirectory()) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
  createReadStream(path).pipe(response);
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const address = `http://127.0.0.1:${server.address().port}/`;

const browser = await chromium.launch({ executablePath: job.chromium, args: ["--no-sandbox"] });

async function open(context, prepare = () => {}, name = "") {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await prepare(page);
  await page.goto(address + name);
  await page.waitForSelector("body[data-state=ready], body[data-state=problem]");
  return { page, errors };
}

/** What a panel answers to what `act` does: {net: {class, top, note}}. */
async function answers(page, panel, act) {
  await page.evaluate((id) => (document.getElementById(id).dataset.state = ""), panel);
  await act();
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await page.waitForSelector(`#${panel}[data-state=done], #${panel}[data-state=error]`);
  return page.evaluate((id) => {
    const views = [...document.querySelectorAll(`#${id} article`)].map((box) => [
      box.dataset.net,
      { class: Number(box.dataset.class), top: box.querySelector(".top")?.innerText, note: box.querySelector(".note").textContent },
    ]);
    return Object.fromEntries(views);
  }, panel);
}

/** The pixels that nets saw, (H, W, channels), from the canvas that shows them. */
const pixelsSeen = (page, name) =>
  page.evaluate((name) => {
    const canvas = document.getElementById(name);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, i) => (name === "digit-seen" ? i % 4 === 0 : i % 4 < 3));
  }, name);

/** Give a file to the page as a paste or as a drop on a selector. */
async function give(page, path, type, selector) {
  const content = readFileSync(path).toString("base64");
  await page.evaluate(
    ({ content, type, selector }) => {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
      const target = document.querySelector(selector);
      const event =
        type === "paste"
          ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
          : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
      target.dispatchEvent(event);
    },
    { content, type, selector },
  );
}

async function drawByMouse(page, strokes) {
  await page.click("#clear");
  const { x, y, width, height } = await page.locator("#pad").boundingBox();
  for (const stroke of strokes) {
    const at = ([a, b]) => [x + (a * width) / 100, y + (b * height) / 100];
    await page.mouse.move(...at(stroke[0]));
    await page.mouse.down();
    for (const point of stroke.slice(1)) await page.mouse.move(...at(point));
    await page.mouse.up();
  }
}

/** A one, by the keyboard alone. */
async function drawByKeys(page) {
  await page.click("h1");
  for (let i = 0; i < 9 && !(await page.evaluate(() => document.activeElement.id === "pad")); i++) await page.keyboard.press("Tab");
  for (const key of ["Delete", ...Array(8).fill("ArrowUp"), "Space", ...Array(16).fill("ArrowDown"), "Space"]) {
    await page.keyboard.press(key);
  }
}

const desk = await open(await browser.newContext());
const scenarios = {
  async pasted() {
    const { page, errors } = desk;
    const seen = { digits: [], photos: [], errors };
    for (const path of job.digits) {
      await page.focus("#pad");
      seen.digits.push(await answers(page, "digit", () => give(page, path, "paste", "#pad")));
    }
    for (const [index, path] of job.photos.entries()) {
      const ways = [
        () => page.setInputFiles("#photo-file", path),
        () => give(page, path, "drop", "#drop"),
        () => give(page, path, "paste", "body"),
      ];
      await page.evaluate(() => document.activeElement.blur());
      seen.photos.push(await answers(page, "photo", ways[index % 3]));
    }
    return seen;
  },

  async drawn() {
    const { page } = desk;
    const seen = { mouse: [] };
    const add = async (act) => ({ answer: await answers(page, "digit", act), pixels: await pixelsSeen(page, "digit-seen") });
    for (const strokes of job.strokes) seen.mouse.push(await add(() => drawByMouse(page, strokes)));
    seen.keys = await add(() => drawByKeys(page));
    seen.examples = [];
    for (let digit = 0; digit < 10; digit++) {
      seen.examples.push(await add(() => page.click(`.examples button:nth-child(${digit + 1})`)));
    }
    await page.click("#clear");
    await page.waitForSelector("#digit[data-state=empty]");
    seen.cleared = await page.locator("#digit article").getAttribute("data-class");
    return seen;
  },

  /** Images that have to be scaled first. */
  async scaled() {
    const { page } = desk;
    const seen = { photos: [] };
    for (const path of job.large) {
      await answers(page, "photo", () => page.setInputFiles("#photo-file", path));
      const sizes = [];
      for (const side of [32, 64]) sizes.push(await pixelsSeen(page, `photo-seen-${side}`));
      seen.photos.push(sizes);
    }
    seen.digit = await answers(page, "digit", () => page.setInputFiles("#digit-file", job.paper));
    return seen;
  },

  async phone() {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    const { page, errors } = await open(context);
    const box = await page.locator("#pad").boundingBox();
    const session = await context.newCDPSession(page);
    const touch = (type, points) =>
      session.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: points.map(([a, b]) => ({ x: box.x + (a * box.width) / 100, y: box.y + (b * box.height) / 100 })),
      });
    const answer = await answers(page, "digit", async () => {
      await touch("touchStart", [[55, 12]]);
      for (let y = 14; y < 88; y += 4) await touch("touchMove", [[55 - (y - 12) / 8, y]]);
      await touch("touchEnd", []);
    });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    return { answer, overflow, errors };
  },

  async problems() {
    const message = async (prepare) => {
      const { page } = await open(await browser.newContext({ serviceWorkers: "block" }), prepare);
      return page.locator("#problem").innerText();
    };
    const unanswered = async (pattern) => {
      const context = await browser.newContext({ serviceWorkers: "block" });
      await context.route(pattern, (route) => route.fulfill({ status: 404 }));
      const { page } = await open(context);
      const note = page.locator("#digit article[data-state=error] .note");
      return note.innerText();
    };
    const { page } = desk;
    await page.setInputFiles("#photo-file", job.no_image);
    await page.waitForSelector("#photo[data-state=error]");
    return {
      no_wasm: await message((page) => page.addInitScript(() => delete globalThis.WebAssembly)),
      unbuilt: await message((page) => page.route("**/files.json", (route) => route.fulfill({ status: 404 }))),
      no_net: await unanswered("**/simplecnn_mnist.onnx"),
      no_runtime: await unanswered("**/*.wasm"),
      no_image: await page.locator("#problem").innerText(),
    };
  },

  /** Runs last: it takes the server away. */
  async offline() {
    const context = await browser.newContext();
    const { page } = await open(context);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.close();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
    await open(context);
    const { page: again, errors } = await open(context, () => {}, "index.html");
    const answer = await answers(again, "digit", () => again.click(".examples button:nth-child(8)"));
    const photo = await answers(again, "photo", () => again.setInputFiles("#photo-file", job.photos[0]));
    return { answer: { ...answer, ...photo }, errors };
  },
};

const seen = {};
try {
  for (const name of Object.keys(scenarios)) seen[name] = await scenarios[name]();
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
  server.close();
}
