/** Calls to the API. */

import { observe } from "./clock.js";
import { session } from "./session.js";

/** An error of the API (RFC 9457). Its message is for the user. */
export class Refusal extends Error {
  constructor(status, problem) {
    const fields = (problem.errors ?? []).map(({ pointer, parameter, detail }) =>
      `${(pointer ?? parameter ?? "").replace(/^\//, "")} ${detail}`);
    super([problem.detail ?? problem.title ?? `The API answered with status ${status}.`, fields.join("; ")].filter(Boolean).join(" "));
    this.status = status;
    this.problem = problem;
  }
}

/** A new Idempotency-Key. */
export function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** fetch with the user's token. Also reads the server's time from the response. */
export async function ask(path, options = {}) {
  const sent = Date.now();
  const headers = { ...options.headers };
  if (session.token) headers.Authorization = `Bearer ${session.token}`;
  const answer = await fetch(path, { ...options, headers });
  const date = Date.parse(answer.headers.get("Date") ?? "");
  if (date) observe(date / 1000, sent, Date.now());
  return answer;
}

async function call(method, path, body, headers = {}, answered = () => {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const kind = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await ask(path, { method, ...sent, headers: { Accept: "application/json", ...kind, ...headers } });
  answered(answer);
  const document = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  if (answer.status === 401) session.lost(document.detail);
  throw new Refusal(answer.status, document);
}

/** GET a document. `answered` gets the response before its body is read. */
export const get = (path, parameters = {}, answered = undefined) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return call("GET", given.length ? `${path}?${new URLSearchParams(given)}` : path, undefined, {}, answered);
};

/** POST a change. If the request is repeated, its Idempotency-Key prevents a second change. */
export const post = (path, body, headers) => call("POST", path, body, { "Idempotency-Key": unique(), ...headers });

/** PATCH a resource. */
export const patch = (path, body, headers) => call("PATCH", path, body, headers);

/** DELETE a resource. */
export const remove = (path) => call("DELETE", path);

/** The path of a stream in the API, or of a part of it such as its events. */
export const streamPath = (id, ...rest) => ["/v1/streams", encodeURIComponent(id), ...rest].join("/");
