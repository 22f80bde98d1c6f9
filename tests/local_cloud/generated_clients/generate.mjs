// Writes api.d.ts from the description: node generate.mjs OPENAPI_JSON API_D_TS
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [, , source, target] = process.argv;
const blob = ts.factory.createTypeReferenceNode("Blob");
const tree = await openapiTS(JSON.parse(await readFile(source, "utf8")), {
  // A field of a request that has a default can be left out.
  defaultNonNullable: false,
  // A file is a Blob, as openapi-typescript's documentation has it.
  transform: (schema) => (schema.format === "binary" ? blob : undefined),
});
await writeFile(target, astToString(tree));
