import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { FetchSource } from "../../../../../clients/js/src/fetch_source.js";

/** Answer one request with these chunks. Returns what the source reported until it closed. */
async function reading(chunks, { status = 200 } = {}) {
  const server = createServer(async (request, response) => {
    response.writeHead(status, { "Content-Type": "text/event-stream" });
    response.flushHeaders();
    for (const chunk of chunks) {
      await new Promise((resolve) => response.write(chunk, resolve));
      await new Promise(setImmediate); // so that the client gets the chunks one by one
    }
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const source = new FetchSource(`http://127.0.0.1:${server.address().port}/`, { env: globalThis });
  const events = [];
  const heard = (name) => ({ data, lastEventId }) => events.push([name, data, lastEventId]);
  source.onmessage = heard("message");
  source.addEventListener("sync", heard("sync"));
  await new Promise((resolve) => { source.onerror = resolve; });
  server.close();
  return { events, source };
}

test("frames are parsed as browsers do, wherever the chunks are cut", async () => {
  const text = "retry: 1500\ndata: {\"a\":\"é\"}\nid: 1-0\n\n: a comment\n\nevent: sync\ndata:x\ndata: y\n\nevent: other\ndata: z\n\n";
  const wanted = [["message", "{\"a\":\"é\"}", "1-0"], ["sync", "x\ny", "1-0"]];
  for (const end of ["\n", "\r\n", "\r"]) {
    const bytes = new TextEncoder().encode(text.replaceAll("\n", end));
    for (const size of [1, 2, 3, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size));
      const { events, source } = await reading(chunks);
      assert.deepEqual(events, wanted, `${JSON.stringify(end)} in chunks of ${size}`);
      assert.deepEqual([source.wait, source.readyState, source.reason], [1500, 2, ""]);
    }
  }
});

test("an event that was cut off is dropped, with its id", async () => {
  const { events } = await reading(["data: 1\nid: 1-0\n\n", "data: 2\nid: 2-0\n"]);
  assert.deepEqual(events, [["message", "1", "1-0"]]);
});

test("a refusal and a server that is away close the source, with the reason", async () => {
  const { source } = await reading([], { status: 403 });
  assert.match(source.reason, /status 403/);
  const away = new FetchSource("http://127.0.0.1:1/", { env: globalThis });
  await new Promise((resolve) => { away.onerror = resolve; });
  assert.equal(away.readyState, 2);
  assert.notEqual(away.reason, "");
});

test("a source that was closed reports nothing more", async () => {
  const env = { fetch: () => new Promise((_, reject) => setImmediate(() => reject(new Error("aborted")))) };
  const source = new FetchSource("http://127.0.0.1:1/", { env });
  let reported = 0;
  source.onerror = () => reported++;
  source.close();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(reported, 0);
});
