// What programs do with the `openai` client of Node: the cases of suite.py, as JavaScript has them.

import assert from "node:assert/strict";
import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const GIVEN = JSON.parse(process.env.GIVEN);
const SMALL = "256x256";
const CASES = {};
const PAID = {};

function client(key = "live", options = {}) {
  return new OpenAI({ baseURL: GIVEN.base_url, apiKey: GIVEN.keys[key] ?? key, ...options });
}

function noted(response) {
  PAID[response.generation_id] = response.credits;
  return response;
}

async function generate(wanted = {}, using = client(), options = undefined) {
  const fields = { prompt: "warm waves", size: SMALL, ...wanted };
  return noted(await using.images.generate(fields, options));
}

function bytes(text) {
  return Buffer.from(text, "base64");
}

function pngSize(data) {
  assert.equal(data.subarray(0, 8).toString("hex"), "89504e470d0a1a0a");
  return `${data.readUInt32BE(16)}x${data.readUInt32BE(20)}`;
}

async function fetched(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer());
}

async function thrown(act) {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

async function refused(kind, status, code, wanted = {}, using = client()) {
  const fields = { prompt: "warm waves", size: SMALL, ...wanted };
  const error = await thrown(() => using.images.generate(fields));
  assert.equal(error.constructor, kind, `${error}`);
  assert.deepEqual([error.status, error.code], [status, code]);
  assert.ok(error.requestID);
  assert.equal(error.headers.get("x-request-id"), error.requestID);
  assert.ok(error.message.length > 4);
  return error;
}

// ── Answers ────────────────────────────────────────────────────────────────────────────────────

CASES.url = async () => {
  const image = (await generate({ response_format: "url" })).data[0];
  assert.equal(image.b64_json, null);
  assert.equal(pngSize(await fetched(image.url)), SMALL);
};

CASES.b64_json = async () => {
  const image = (await generate({ response_format: "b64_json", size: "320x256" })).data[0];
  assert.equal(image.url, null);
  assert.equal(pngSize(bytes(image.b64_json)), "320x256");
};

CASES.both_by_default = async () => {
  const image = (await generate()).data[0];
  assert.ok((await fetched(image.url)).equals(bytes(image.b64_json)));
};

CASES.more_than_a_response_holds = async () => {
  const noise = { model: GIVEN.model, prompt: GIVEN.noisy, n: 2, size: "1024x1024" };
  const response = await generate(noise);
  const sizes = response.data.map((image) => pngSize(bytes(image.b64_json)));
  assert.deepEqual([sizes, response.credits], [["1024x1024", "1024x1024"], 16]);
  const [, second] = response.data;
  assert.ok((await fetched(second.url)).equals(bytes(second.b64_json)));
  const events = [];
  for await (const event of await client().images.generate({ ...noise, stream: true })) {
    events.push(noted(event));
  }
  assert.deepEqual(events.map((event) => pngSize(bytes(event.b64_json))), sizes);
};

CASES.several_images = async () => {
  const response = await generate({ n: 2, response_format: "b64_json" });
  assert.equal(new Set(response.data.map((image) => image.b64_json)).size, 2);
};

CASES.size_auto = async () => {
  const response = await generate({ size: "auto", response_format: "url" });
  assert.equal(response.size, "1024x1024");
  assert.equal(pngSize(await fetched(response.data[0].url)), "1024x1024");
};

CASES.quality_style_and_user_are_taken = async () => {
  const response = await generate({
    quality: "hd",
    style: "vivid",
    moderation: "low",
    user: "user-1",
  });
  assert.ok(response.data[0].url);
};

CASES.output_formats = async () => {
  for (const [name, starts] of [["jpeg", "ffd8ff"], ["webp", "52494646"], ["avif", "000000"]]) {
    const response = await generate({ output_format: name, output_compression: 60 });
    const data = bytes(response.data[0].b64_json);
    assert.ok(data.toString("hex").startsWith(starts), name);
    assert.equal(response.output_format, name);
    if (name !== "jpeg") assert.ok(["WEBP", "avif"].includes(data.subarray(8, 12).toString()));
  }
};

CASES.background_opaque = async () => {
  assert.equal((await generate({ background: "opaque" })).background, "opaque");
};

CASES.unknown_fields_are_ignored = async () => {
  assert.ok((await generate({ a_field_of_the_future: { x: [1] } })).data[0].url);
};

CASES.answers_carry_more_than_openais = async () => {
  const response = await generate();
  assert.ok(response.generation_id.startsWith("gen_"));
  assert.ok(response.data[0].asset_id.startsWith("ast_"));
  assert.deepEqual([response.credits, response.data[0].brand_report.passed], [1, true]);
  assert.ok(response.created > Date.now() / 1000 - 600);
};

// ── The brand ──────────────────────────────────────────────────────────────────────────────────

CASES.brand_id_through_extra_body = async () => {
  const response = await generate({ size: "640x640", brand_id: GIVEN.brand_id });
  assert.deepEqual([response.brand_id, response.brand_version], [GIVEN.brand_id, 1]);
  assert.ok(response.data[0].brand_report.logo);
};

CASES.text_through_extra_body = async () => {
  const text = { headline: "Grüße, مرحبا", cta: "Start" };
  const wanted = { size: "640x640", brand_id: GIVEN.brand_id, text, seed: 7 };
  const response = await generate(wanted);
  assert.ok(response.data[0].brand_report.texts.length);
  assert.equal(response.data[0].seed, 7);
};

CASES.template_through_extra_body = async () => {
  const template = { type: "quote", quote: "Make it so", author: "Jean-Luc" };
  const response = await generate({ size: "640x640", template });
  assert.ok(response.data[0].brand_report.texts.length);
};

CASES.preset_through_extra_body = async () => {
  const fields = { prompt: "warm waves", response_format: "url", preset: "open-graph" };
  const response = noted(await client().images.generate(fields));
  assert.equal(response.size, "1200x630");
  assert.equal(pngSize(await fetched(response.data[0].url)), "1200x630");
};

// ── Edits ──────────────────────────────────────────────────────────────────────────────────────

CASES.edit_with_a_file = async () => {
  const image = fs.createReadStream(GIVEN.picture);
  const response = noted(await client().images.edit({ image, prompt: "as it is" }));
  const size = pngSize(bytes(response.data[0].b64_json));
  assert.equal(size, response.size);
  assert.equal(size, pngSize(fs.readFileSync(GIVEN.picture)));
};

CASES.edit_with_a_list = async () => {
  const data = fs.readFileSync(GIVEN.picture);
  const response = noted(
    await client().images.edit({
      image: [await toFile(data, "photo.png", { type: "image/png" })],
      prompt: "as it is",
      n: 2,
      size: "512x512",
      output_format: "jpeg",
      response_format: "b64_json",
      brand_id: GIVEN.brand_id,
      text: { headline: "Branded" },
      apply_brand_guidelines: false,
    }),
  );
  for (const image of response.data) {
    assert.equal(bytes(image.b64_json).subarray(0, 3).toString("hex"), "ffd8ff");
    assert.ok(image.brand_report.logo);
    assert.ok(image.brand_report.texts.length);
  }
  assert.deepEqual([response.data.length, response.size], [2, "512x512"]);
};

CASES.edit_with_two_pictures_or_a_mask_is_refused = async () => {
  const data = fs.readFileSync(GIVEN.picture);
  const file = () => toFile(data, "photo.png", { type: "image/png" });
  for (const more of [
    { image: [await file(), await file()] },
    { image: await file(), mask: await file() },
  ]) {
    const error = await thrown(() => client().images.edit({ prompt: "as it is", ...more }));
    assert.ok(error instanceof OpenAI.UnprocessableEntityError, `${error}`);
    assert.ok(["image", "mask"].includes(error.param));
  }
};

CASES.edit_of_what_is_no_picture_is_refused = async () => {
  const image = await toFile(Buffer.from("no picture"), "photo.png");
  const error = await thrown(() => client().images.edit({ image, prompt: "as it is" }));
  assert.ok(error instanceof OpenAI.UnprocessableEntityError, `${error}`);
  assert.equal(error.param, "image");
};

// ── Errors ─────────────────────────────────────────────────────────────────────────────────────

CASES.filtered_is_bad_request = () =>
  refused(OpenAI.BadRequestError, 400, "content_filtered", {
    model: GIVEN.model,
    prompt: GIVEN.bad,
  });

CASES.a_wrong_key_is_authentication = async () => {
  const using = client("sk-wrong");
  const error = await refused(OpenAI.AuthenticationError, 401, "unauthenticated", {}, using);
  assert.equal(error.type, "authentication_error");
};

CASES.a_missing_scope_is_permission_denied = async () => {
  const using = client("reader");
  const error = await refused(OpenAI.PermissionDeniedError, 403, "insufficient_scope", {}, using);
  assert.equal(error.type, "permission_error");
};

CASES.an_unknown_model_is_not_found = async () => {
  const error = await thrown(() => client().models.retrieve("dall-e-3"));
  assert.ok(error instanceof OpenAI.NotFoundError, `${error}`);
  assert.deepEqual([error.code, Boolean(error.requestID)], ["not_found", true]);
};

CASES.another_organizations_brand_is_not_found = () =>
  refused(OpenAI.NotFoundError, 404, "not_found", { brand_id: GIVEN.foreign_brand_id });

CASES.a_broken_rule_is_unprocessable = async () => {
  const kind = OpenAI.UnprocessableEntityError;
  assert.equal((await refused(kind, 422, "validation_failed", { n: 9 })).param, "n");
  const clear = { background: "transparent" };
  assert.equal((await refused(kind, 422, "validation_failed", clear)).param, "background");
};

CASES.a_dead_model_is_unprocessable_and_names_another = async () => {
  const wanted = { model: "gpt-image-1" };
  const error = await refused(OpenAI.UnprocessableEntityError, 422, "model_shut_down", wanted);
  assert.equal(error.param, "model");
  assert.match(error.message, /gpt-image-2/);
};

CASES.a_limit_is_rate_limit_with_its_wait = async () => {
  const using = client("limited", { maxRetries: 0 });
  const error = await refused(OpenAI.RateLimitError, 429, "rate_limited", {}, using);
  assert.ok(Number(error.headers.get("retry-after")) >= 1);
  assert.equal(error.type, "rate_limit_error");
};

CASES.a_limit_is_waited_for_by_the_client = async () => {
  const began = Date.now();
  const response = await generate({}, client("briefly_limited", { maxRetries: 4 }));
  assert.ok(response.data[0].url);
  assert.ok(Date.now() - began > 500);
};

CASES.out_of_credits_is_402_and_is_not_retried = async () => {
  const error = await refused(OpenAI.APIError, 402, "insufficient_credits", {}, client("broke"));
  assert.equal(error.headers.get("x-should-retry"), "false");
  assert.equal(error.type, "insufficient_quota");
};

CASES.a_providers_failure_is_internal_server_error_after_the_clients_retries = () =>
  refused(OpenAI.InternalServerError, 503, "provider_unavailable", {
    model: GIVEN.model,
    prompt: GIVEN.failing,
  });

CASES.what_a_retry_cannot_help_is_not_retried = () =>
  refused(OpenAI.InternalServerError, 502, "provider_quota", {
    model: GIVEN.model,
    prompt: GIVEN.exhausted,
  });

// ── Request ids and headers ────────────────────────────────────────────────────────────────────

CASES.request_ids = async () => {
  const [first, second] = [await generate(), await generate()];
  assert.ok(first._request_id);
  assert.notEqual(first._request_id, second._request_id);
};

CASES.raw_responses = async () => {
  const call = client().images.generate({ prompt: "warm waves", size: SMALL });
  const { data, response, request_id: requestId } = await call.withResponse();
  assert.equal(response.headers.get("x-request-id"), requestId);
  assert.match(response.headers.get("ratelimit"), /^"generation-create"/);
  assert.deepEqual([response.status, response.headers.get("cache-control")], [200, "no-store"]);
  assert.ok(noted(data).data[0].url);
};

// ── Streams ────────────────────────────────────────────────────────────────────────────────────

CASES.a_stream_of_generations = async () => {
  const fields = { prompt: "warm waves", size: SMALL, n: 2, stream: true, partial_images: 2 };
  const types = [];
  for await (const event of await client().images.generate(fields)) {
    assert.equal(pngSize(bytes(event.b64_json)), SMALL);
    types.push(noted(event).type);
  }
  assert.deepEqual(types, ["image_generation.completed", "image_generation.completed"]);
};

CASES.a_stream_of_edits = async () => {
  const image = fs.createReadStream(GIVEN.picture);
  const types = [];
  const fields = { image, prompt: "as it is", stream: true };
  for await (const event of await client().images.edit(fields)) types.push(noted(event).type);
  assert.deepEqual(types, ["image_edit.completed"]);
};

CASES.a_stream_that_is_refused_raises = () =>
  refused(OpenAI.UnprocessableEntityError, 422, "validation_failed", { stream: true, n: 9 });

// ── Models ─────────────────────────────────────────────────────────────────────────────────────

CASES.models_list = async () => {
  const models = [];
  for await (const model of client().models.list()) models.push(model);
  const ids = models.map((model) => model.id);
  assert.ok(ids.includes("studio") && ids.includes(GIVEN.model));
  assert.ok(!ids.includes("gpt-image-1"));
  assert.ok(models.every((model) => model.object === "model"));
};

CASES.models_retrieve = async () => {
  const model = await client().models.retrieve("studio");
  assert.deepEqual([model.id, model.object, model.owned_by], ["studio", "model", "studio"]);
};

CASES.a_providers_model = async () => {
  const wanted = { model: GIVEN.model, prompt: "a provider's waves", size: "640x512" };
  const response = await generate(wanted);
  assert.deepEqual([response.credits, response.size], [8, "640x512"]);
  assert.equal(pngSize(bytes(response.data[0].b64_json)), "640x512");
};

CASES.a_test_key_is_free = async () => {
  const response = await generate({ model: GIVEN.model }, client("test"));
  assert.deepEqual([response.credits, Boolean(response.data[0].url)], [0, true]);
};

// ── Requests that are sent again ───────────────────────────────────────────────────────────────

CASES.an_idempotency_key_makes_one = async () => {
  const options = { headers: { "Idempotency-Key": `order-${process.pid}` } };
  const first = await generate({}, client(), options);
  const second = await generate({}, client(), options);
  assert.equal(first.generation_id, second.generation_id);
  assert.equal(first.data[0].asset_id, second.data[0].asset_id);
};

CASES.two_calls_make_two = async () => {
  assert.notEqual((await generate()).generation_id, (await generate()).generation_id);
};

CASES.a_lost_answer_is_charged_once = async () => {
  const using = client("live", { baseURL: GIVEN.lossy_url });
  assert.ok((await generate({ prompt: GIVEN.lost }, using)).data[0].url);
};

CASES.a_write_whose_answer_was_lost_is_charged_once = async () => {
  const using = client("live", { defaultHeaders: { "x-local-trace": GIVEN.trace } });
  assert.ok((await generate({ prompt: GIVEN.traced }, using)).data[0].url);
};

CASES.an_impatient_client_is_charged_once = async () => {
  const using = client("live", { timeout: 2000, maxRetries: 8 });
  const response = await generate({ model: GIVEN.model, prompt: GIVEN.slow }, using);
  assert.ok(response.data[0].url);
};

CASES.a_slow_model = async () => {
  const wanted = { model: GIVEN.model, prompt: GIVEN.slow, response_format: "b64_json" };
  const response = await generate(wanted);
  assert.equal(pngSize(bytes(response.data[0].b64_json)), SMALL);
};

CASES.a_slow_edit = async () => {
  const image = fs.createReadStream(GIVEN.picture);
  const wanted = { image, prompt: GIVEN.slow, model: GIVEN.model, size: SMALL };
  const response = noted(await client().images.edit(wanted));
  assert.equal(pngSize(bytes(response.data[0].b64_json)), SMALL);
};

// ── At the same time ───────────────────────────────────────────────────────────────────────────

CASES.the_async_client = async () => {
  const using = client();
  const calls = [0, 1, 2].map((number) => generate({ prompt: `wave ${number}` }, using));
  const ids = (await Promise.all(calls)).map((response) => response.generation_id);
  assert.equal(new Set(ids).size, 3);
};

// ───────────────────────────────────────────────────────────────────────────────────────────────

async function ends(act, seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it did not end")), seconds * 1000);
  });
  try {
    await Promise.race([act(), late]);
  } finally {
    clearTimeout(timer);
  }
}

for (const name of GIVEN.cases ?? Object.keys(CASES)) {
  const began = Date.now();
  let error = "";
  try {
    await ends(CASES[name], GIVEN.seconds ?? 90);
  } catch (fault) {
    error = String(fault?.stack ?? fault).slice(0, 2000);
  }
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  console.log(JSON.stringify({ case: name, ok: !error, error, seconds }));
}
const { version } = JSON.parse(
  fs.readFileSync(new URL("node_modules/openai/package.json", import.meta.url)),
);
console.log(JSON.stringify({ paid: PAID, version }));
process.exit(0);
