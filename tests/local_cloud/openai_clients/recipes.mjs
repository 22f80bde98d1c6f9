// Runs recipes of docs/clients.md that are in JavaScript, as recipes.py does. Clients run side by side, the
// programs of each one after another.

import { createHash } from "node:crypto";
import fs from "node:fs";

const CELLS = JSON.parse(fs.readFileSync(0, "utf8"));

function shown(bytes) {
  const data = Buffer.from(bytes);
  const found = { format: data.subarray(0, 12).toString("hex"), size: "" };
  if (found.format.startsWith("89504e470d0a1a0a")) {
    found.format = "png";
    found.size = `${data.readUInt32BE(16)}x${data.readUInt32BE(20)}`;
  } else if (found.format.startsWith("ffd8ff")) found.format = "jpeg";
  else if (data.subarray(8, 12).toString() === "WEBP") found.format = "webp";
  return { ...found, hash: createHash("sha256").update(data).digest("hex") };
}

// The imports of a recipe become those of a function, whose parameters are the page's names.
async function made({ code, base, key, brand, photo }) {
  const body = code.replaceAll(
    /^import \{(.*)\} from ("[^"]+");$/gm,
    "const {$1} = await load($2);",
  );
  const AsyncFunction = (async () => {}).constructor;
  const program = new AsyncFunction(
    "load",
    "BASE",
    "KEY",
    "BRAND",
    "PHOTO",
    `${body}\nreturn pictures;`,
  );
  const load = (name) => import(name);
  return program(load, base, key, brand, Buffer.from(photo, "hex"));
}

async function run(cells) {
  for (const cell of cells) {
    const told = { cell: CELLS.indexOf(cell), pictures: [], error: "" };
    try {
      told.pictures = (await made(cell)).map(shown);
    } catch (error) {
      told.error = `${error?.stack ?? error}`.slice(0, 2000);
    }
    fs.writeSync(1, `${JSON.stringify(told)}\n`);
  }
}

await Promise.all(Object.values(Object.groupBy(CELLS, (cell) => cell.client)).map(run));
process.exit(0);
