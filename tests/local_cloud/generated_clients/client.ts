// Uses the generated types as a program would: through openapi-fetch.
import { openAsBlob } from "node:fs";
import createClient from "openapi-fetch";
import type { paths } from "./api.d.ts";

const given = JSON.parse(process.env.GIVEN!) as { base_url: string; key: string; picture: string };
const client = createClient<paths>({
  baseUrl: given.base_url,
  headers: { Authorization: `Bearer ${given.key}` },
});

function must<T>(answer: { data?: T; error?: { detail: string } }): T {
  if (answer.data === undefined) throw new Error(answer.error?.detail);
  return answer.data;
}

const models = must(await client.GET("/v1/models"));
const generation = must(
  await client.POST("/v1/generations", {
    params: { header: { Prefer: "wait=20" } },
    body: { prompt: "warm waves", size: "256x256", seed: 4_000_000_000, text: { headline: "Hi" } },
  }),
);
const edit = must(
  await client.POST("/v1/images/edits", {
    body: {
      prompt: "as it is",
      size: "256x256",
      image: await openAsBlob(given.picture, { type: "image/png" }),
      text: { caption: "Edited" },
      response_format: "url",
    },
    bodySerializer: (body) => {
      if (!("image" in body)) throw new TypeError("not a form");
      const { image, text, ...fields } = body;
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
      form.append("image", image, "in.png");
      form.append("text", JSON.stringify(text));
      return form;
    },
  }),
);
if (typeof edit === "string") throw new TypeError("an event stream was not requested");
const refused = await client.GET("/v1/brands/{brand_id}", {
  params: { path: { brand_id: "brd_00000000000000000000000000" } },
});

console.log(
  JSON.stringify({
    models: models.data.map((model) => model.id),
    status: generation.status,
    seed: generation.seed,
    url: edit.data[0]?.url,
    refused: refused.error?.code,
  }),
);
