// node refused.mjs URL TIMES BYTES [HEADER…]: post a body so often, and print a line for each reply.
import http from "node:http";
import https from "node:https";

const [url, times, size, ...named] = process.argv.slice(2);
const headers = Object.fromEntries(named.map((line) => line.split(": ")));
const body = Buffer.alloc(Number(size), "x");

function post() {
  return new Promise((resolve) => {
    const request = (url.startsWith("https:") ? https : http).request(url, { method: "POST", headers: { ...headers, "content-length": body.length } });
    request.on("response", (reply) => {
      let text = "";
      reply.on("data", (part) => (text += part));
      reply.on("end", () => resolve(text.includes('"error"') ? String(reply.statusCode) : "no body"));
      reply.on("error", (error) => resolve(error.code));
    });
    request.on("error", (error) => resolve(error.code));
    request.end(body);
  });
}

for (let n = 0; n < Number(times); n += 1) console.log(await post());
process.exit(0);
