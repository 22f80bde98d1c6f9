// Draws the banners that benchmarks/compositor.py describes, one JSON line in, one out.
//
// "satori" is satori to SVG, resvg to pixels, then its own PNG or sharp's JPEG. "layered" is what
// one would do next: resvg draws words and veil alone, sharp lays them on the decoded picture.

import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Resvg } from "@resvg/resvg-js";
import satori from "satori";
import sharp from "sharp";

sharp.concurrency(1);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const setting = JSON.parse((await lines.next()).value);

const fonts = setting.fonts.map(({ path, weight }) => ({
  name: "Inter",
  data: readFileSync(path),
  weight,
}));
const asUri = (path, type) => `data:image/${type};base64,${readFileSync(path).toString("base64")}`;
const logos = Object.fromEntries(
  Object.entries(setting.logos).map(([name, path]) => [name, asUri(path, "png")]),
);
const pictures = {};
for (const [name, path] of Object.entries(setting.pictures)) {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  pictures[name] = { uri: asUri(path, "jpeg"), data, raw };
}

const placed = (box, style, children, type = "div") => ({
  type,
  props: {
    style: { position: "absolute", display: "flex", left: box[0], top: box[1], ...style },
    children,
  },
});

const image = (box, src) => {
  const element = placed(box, { width: box[2], height: box[3] }, undefined, "img");
  Object.assign(element.props, { src, width: box[2], height: box[3] });
  return element;
};

function tree(design, picture) {
  const { width, height, veil, logo, texts, pill } = design;
  const children = [
    placed(veil.box, { width: veil.box[2], height: veil.box[3], backgroundImage: veil.css }),
    image(logo.box, logos[logo.name]),
    ...texts.map(({ box, lines: rows, style }) =>
      placed(box, { ...style, flexDirection: "column", whiteSpace: "nowrap" }, rows.map((row) => ({
        type: "div",
        props: { children: row },
      }))),
    ),
    placed(
      pill.box,
      { ...pill.style, width: pill.box[2], height: pill.box[3], alignItems: "center", justifyContent: "center" },
      pill.label,
    ),
  ];
  if (picture) children.unshift(image([0, 0, width, height], picture.uri));
  return { type: "div", props: { style: { display: "flex", width, height }, children } };
}

async function draw({ engine, picture: name, design, format }) {
  const { width, height } = design;
  const picture = pictures[name];
  const whole = engine === "satori";
  const began = performance.now();
  const svg = await satori(tree(design, whole ? picture : null), { width, height, fonts });
  // satori has turned the words into paths: resvg needs no font, and looks for none.
  const rendered = new Resvg(svg, { font: { loadSystemFonts: false } }).render();
  const drawn = performance.now();
  const data = await encode(rendered, whole ? null : picture, format);
  const ended = performance.now();
  return { ms: ended - began, last_ms: ended - drawn, data };
}

async function encode(rendered, picture, format) {
  if (!picture && format === "png") return rendered.asPng();
  const { pixels, width, height } = rendered;
  const layer = { raw: { width, height, channels: 4 } };
  // resvg hands out its pixels multiplied by their opacity; without a picture below all are opaque.
  const pipeline = picture
    ? sharp(picture.data, { raw: picture.raw }).composite([{ input: pixels, ...layer, premultiplied: true }])
    : sharp(pixels, layer);
  pipeline.removeAlpha();
  if (format === "png") return pipeline.png({ compressionLevel: 1 }).toBuffer();
  return pipeline.jpeg({ quality: 90, chromaSubsampling: "4:4:4" }).toBuffer();
}

process.stdout.write("{}\n");
for await (const line of lines) {
  const order = JSON.parse(line);
  const before = process.cpuUsage();
  const { data, ...times } = await draw(order);
  const { user, system } = process.cpuUsage(before);
  writeFileSync(order.out, data);
  process.stdout.write(`${JSON.stringify({ ...times, cpu_ms: (user + system) / 1000 })}\n`);
}
