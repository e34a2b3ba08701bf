"use strict";

// Text is always added as text, never as markup.
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const nameOf = (reference) => reference.split("/").pop();
const anchor = (...parts) => parts.join("-").replace(/[^A-Za-z0-9]+/g, "-");

function kind(schema) {
  if (!schema) return "";
  if (schema.$ref) return make("a", { href: "#" + anchor("schema", nameOf(schema.$ref)) }, nameOf(schema.$ref));
  const several = schema.anyOf || schema.oneOf;
  if (several) {
    const all = make("span");
    several.forEach((each, n) => all.append(n ? " or " : "", kind(each)));
    return all;
  }
  if (schema.const !== undefined) return make("code", {}, JSON.stringify(schema.const));
  if (schema.enum) return make("code", {}, schema.enum.map((each) => JSON.stringify(each)).join(" | "));
  if (schema.type === "array") return make("span", {}, "list of ", kind(schema.items));
  return schema.format ? `${schema.type} (${schema.format})` : String(schema.type || "any");
}

function row(name, schema, required, note) {
  const about = [note, schema && schema.description].filter(Boolean).join(" ");
  return make("tr", {},
    make("td", {}, make("code", {}, name), required ? "" : make("span", { class: "quiet" }, " optional")),
    make("td", {}, kind(schema)),
    make("td", { class: "quiet" }, about));
}

function table(caption, rows) {
  return rows.length ? make("table", {}, make("caption", {}, caption), make("tbody", {}, ...rows)) : null;
}

function properties(caption, schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([name, each]) => row(name, each, required.has(name)));
  return table(caption, rows);
}

function curl(method, path, operation) {
  const lines = [`curl${method === "GET" ? "" : " -X " + method} ${location.origin}${path}`];
  const body = operation.requestBody && operation.requestBody.required;
  if (body) lines.push("-H 'Content-Type: application/json'", "-d '{…}'");
  return lines.join(" \\\n  ");
}

function call(path, method, operation) {
  const id = anchor(method, path);
  const body = operation.requestBody && operation.requestBody.content["application/json"].schema;
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const schema = Object.values(answer.content || {}).map((content) => content.schema).find((each) => each.$ref);
    const kinds = Object.keys(answer.content || {}).join(", ");
    return row(status, schema, true, `${answer.description}. ${kinds}`);
  });
  return [id, make("section", { id },
    make("h3", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path)),
    make("p", {}, operation.summary),
    make("pre", {}, curl(method.toUpperCase(), path, operation)),
    table("Parameters", (operation.parameters || []).map((each) =>
      row(each.name, each.schema, each.required, `in ${each.in}. ${each.description || ""}`))),
    body ? make("p", {}, "Body: ", kind(body)) : null,
    table("Answers", answers))];
}

function link(list, id, ...children) {
  list.append(make("a", { href: "#" + id }, ...children));
}

function drawCalls(api, nav, place) {
  const groups = new Map(api.tags.map((tag) => [tag.name, []]));
  for (const [path, methods] of Object.entries(api.paths)) {
    if (api.paths["/v1" + path]) continue; // show only the path with /v1
    for (const [method, operation] of Object.entries(methods)) {
      groups.get(operation.tags[0]).push([path, method, operation]);
    }
  }
  for (const [tag, calls] of groups) {
    nav.append(make("h2", {}, tag));
    place.append(make("h2", {}, tag));
    for (const [path, method, operation] of calls) {
      const [id, section] = call(path, method, operation);
      link(nav, id, make("span", { class: "method" }, method.toUpperCase()), path.replace(/^\/v1/, ""));
      place.append(section);
    }
  }
}

function drawEvents(events, nav, place) {
  nav.append(make("h2", {}, "Events"));
  place.append(make("h2", {}, "Events"), make("p", {}, events.channels.events.description));
  for (const message of Object.values(events.components.messages)) {
    const id = anchor("event", message.name);
    const schema = events.components.schemas[nameOf(message.payload.$ref)];
    link(nav, id, message.name);
    place.append(make("section", { id },
      make("h3", {}, make("code", {}, message.name)),
      make("p", {}, message.summary),
      properties("Data", schema)));
  }
}

function drawSchemas(schemas, place) {
  place.append(make("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(schemas)) {
    const values = schema.enum ? make("p", {}, kind(schema)) : null;
    place.append(make("section", { id: anchor("schema", name) },
      make("h3", {}, name),
      make("p", { class: "quiet" }, schema.description || ""),
      values,
      properties("Fields", schema)));
  }
}

async function read(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}

async function draw() {
  const about = document.getElementById("about");
  try {
    const [api, events] = await Promise.all([read("/openapi.json"), read("/asyncapi.json")]);
    about.textContent = api.info.description;
    const nav = document.querySelector("nav");
    drawCalls(api, nav, document.getElementById("calls"));
    drawEvents(events, nav, document.getElementById("events"));
    drawSchemas({ ...events.components.schemas, ...api.components.schemas }, document.getElementById("schemas"));
    if (location.hash) location.replace(location.hash);
  } catch (error) {
    about.textContent = `OpenAPI and AsyncAPI could not be read: ${error.message}`;
  }
}

draw();
