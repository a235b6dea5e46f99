// node client.mjs PACKAGE ENDPOINT: prints JSON, the texts of the entities that each call brought, or what it threw.
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, name, endpoint] = process.argv.slice(2);
const sdk = createRequire(join(folder, "package.json"))(name);
const TEXT = "Angela Merkel met reporters from Reuters in Berlin.";
const options = { allowInsecureConnection: true };
const key = new sdk.AzureKeyCredential("unused");

const texts = (documents) => documents.flatMap((one) => one.entities.map((entity) => entity.text));

async function collect(pages, pick) {
  const found = [];
  for await (const page of pages) found.push(...texts(pick(page)));
  return found;
}

function ofLanguageText() {
  const client = new sdk.TextAnalysisClient(endpoint, key, options);
  const job = async (action) => {
    const poller = await client.beginAnalyzeBatch([action], [TEXT], "en", { updateIntervalInMs: 100 });
    return collect(await poller.pollUntilDone(), (page) => page.results);
  };
  return {
    entities: async () => texts(await client.analyze("EntityRecognition", [TEXT], "en")),
    job: () => job({ kind: "EntityRecognition" }),
    custom: () => job({ kind: "CustomEntityRecognition", projectName: "demo", deploymentName: "production" }),
    refusal: () => client.analyze("EntityRecognition", [TEXT], "en", { modelVersion: "1999-01-01" }),
  };
}

function ofTextAnalytics() {
  const client = new sdk.TextAnalyticsClient(endpoint, key, options);
  const calls = {
    entities: async () => texts(await client.recognizeEntities([TEXT], "en")),
    refusal: () => client.recognizeEntities([TEXT], "en", { modelVersion: "1999-01-01" }),
  };
  if (client.beginAnalyzeActions) {
    calls.job = async () => {
      const actions = { recognizeEntitiesActions: [{ modelVersion: "latest" }] };
      const poller = await client.beginAnalyzeActions([TEXT], actions, "en", { updateIntervalInMs: 100 });
      return collect(await poller.pollUntilDone(), (page) => page.recognizeEntitiesResults[0].results);
    };
  }
  return calls;
}

const found = {};
for (const [call, run] of Object.entries((sdk.TextAnalysisClient ? ofLanguageText : ofTextAnalytics)())) {
  try {
    found[call] = await run();
  } catch (error) {
    found[call] = `${error.name}: ${error.code ?? ""} ${error.message}`;
  }
}
console.log(JSON.stringify(found));
