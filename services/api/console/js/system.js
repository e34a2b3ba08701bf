/** The view System: metrics of all services, and the connection of this page. */

import { get } from "./api.js";
import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { failurePlace } from "./failure.js";
import { duration, span } from "./format.js";
import { session } from "./session.js";
import { spark } from "./spark.js";
import { describe } from "./status.js";

const EVERY = 2000;
const rounded = (value) => (value >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString() : value.toLocaleString(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 }));

const count = (number, word) => `${rounded(number)} ${word}${number === 1 ? "" : "s"}`;

/** How much a counter grew per second between two responses; 0 if its process restarted. Pure. */
export function rate(before, after, name, seconds) {
  const gained = after[name] - (before?.[name] ?? after[name]);
  return seconds > 0 && gained > 0 ? gained / seconds : 0;
}

/** The heading of a card. A name with several replicas is followed by the address of this one. Pure. */
export function title({ kind, url, address }) {
  const words = [kind === "other" ? "" : kind, url, url.includes(address ?? url) ? "" : address];
  return words.filter(Boolean).join(" ");
}

function card(part, rows, charts) {
  const state = h("span", { class: "chip" });
  const figures = Object.fromEntries(rows.map(([name]) => [name, h("dd", {}, "–")]));
  const node = h("article", { class: "card part", "data-url": part.url },
    h("div", { class: "head" }, h("h2", {}, title(part)), state),
    h("div", { class: "charts" }, ...charts.map(({ node: each }) => each)),
    h("dl", { class: "figures" }, ...rows.map(([name, words]) => h("div", {}, h("dt", {}, words), figures[name]))));
  return {
    node,
    say(values, trouble) {
      say(state, trouble ?? "OK");
      state.dataset.tone = trouble ? "over" : "active";
      for (const [name, value] of Object.entries(values)) say(figures[name], value);
    },
  };
}

function fanoutCard(part) {
  const charts = {
    connections: spark("Connections", { least: 4, format: rounded }),
    events: spark("Events a second", { least: 1, format: rounded }),
    lag: spark("Seconds behind the chain", { least: 10, format: span }),
  };
  const made = card(part, [["subscriptions", "Subscribed topics"], ["deliveries", "Deliveries a second"], ["write", "Time from Redis to the sockets"], ["backlog", "Waiting for slow clients"]], Object.values(charts));
  return {
    ...made,
    update({ measures: m, trouble }, before, seconds) {
      if (trouble) return made.say({}, trouble);
      charts.connections.push(m.connections);
      charts.events.push(rate(before, m, "events", seconds));
      charts.lag.push(m.lagSeconds);
      const writes = m.writes - (before?.writes ?? 0);
      made.say({
        subscriptions: rounded(m.subscriptions),
        deliveries: rounded(rate(before, m, "deliveries", seconds)),
        ...(writes > 0 && { write: span((m.writeSeconds - (before?.writeSeconds ?? 0)) / writes) }),
        backlog: `${rounded(m.backlogBytes)} B`,
      });
    },
  };
}

/** The versions that a server reports, with short commits: "27.1.1-7e71281, core 27.1.0, protocol 27". Pure. */
export function reported(server) {
  if (!server) return "not read";
  const short = (text) => text.replace(/[0-9a-f]{40}/g, (commit) => commit.slice(0, 7));
  const core = short(server.core).replace(/^stellar-core /, "");
  return [
    short(server.version) || "version not reported",
    ...(core ? [`core ${core}`] : []),
    ...(server.protocol ? [`protocol ${server.protocol}`] : []),
  ].join(", ");
}

function indexerCard(part) {
  const charts = { events: spark("Events a second", { format: rounded }), age: spark("Age of the last ledger", { least: 10, format: span }) };
  const made = card(part, [["ledger", "Ledger"], ["behind", "Ledgers behind"], ["letters", "Events not decoded"], ["audit", "Streams equal to the contract"], ["horizon", "Horizon"], ["rpc", "RPC"], ["active", "Role"]], Object.values(charts));
  return {
    ...made,
    update({ measures: m, versions, trouble }, before, seconds) {
      if (trouble) return made.say({}, trouble);
      charts.events.push(rate(before, m, "events", seconds));
      if (m.ledgerClosedAt) charts.age.push(Math.max(0, now() / 1000 - m.ledgerClosedAt));
      made.say({
        ledger: rounded(m.ledger),
        behind: rounded(Math.max(0, m.networkLedger - m.ledger)),
        letters: rounded(m.deadLetters),
        audit: m.auditLedger ? `${rounded(m.equalStreams)} of ${count(m.contractStreams, "stream")}, at ledger ${rounded(m.auditLedger)}` : "not compared",
        horizon: reported(versions.horizon),
        rpc: reported(versions.rpc),
        active: m.active ? "active" : "standby",
      }, m.alarms ? "alarm: see the log of this indexer" : null);
    },
  };
}

/** The figures of an archiver, at a time in Unix seconds. A standby knows nothing of the archive. Pure. */
export function archiving(m, at) {
  const known = (value, text) => (m.active && value ? text : "–");
  return {
    ledger: known(m.ledger, rounded(m.ledger)),
    written: known(m.writtenAt, `${duration(at - m.writtenAt)} ago`),
    size: known(m.segments, `${count(m.segments, "segment")}, ${rounded(m.bytes / 1e6)} MB`),
    errors: rounded(m.storeErrors),
    active: m.active ? "active" : "standby",
  };
}

function archiverCard(part) {
  const charts = { events: spark("Events a second", { format: rounded }), lag: spark("Seconds behind the journal", { least: 10, format: span }) };
  const made = card(part, [["ledger", "Archived up to ledger"], ["written", "Last segment"], ["size", "Written since its start"], ["errors", "Errors of the store"], ["active", "Role"]], Object.values(charts));
  return {
    ...made,
    update({ measures: m, trouble }, before, seconds) {
      if (trouble) return made.say({}, trouble);
      charts.events.push(rate(before, m, "events", seconds));
      if (m.active) charts.lag.push(m.lagSeconds);
      made.say(archiving(m, now() / 1000), m.alarms ? "alarm: see the log of this archiver" : null);
    },
  };
}

/** The figures of a dispatcher of webhooks. Pure. */
export function dispatching(m) {
  const states = ["failing", "disabled"].filter((state) => m[state]).map((state) => `${rounded(m[state])} ${state}`);
  return {
    endpoints: [rounded(m.endpoints), ...states].join(", "),
    inFlight: rounded(m.inFlight),
    partitions: `${rounded(m.partitions)} of 64`,
  };
}

function webhooksCard(part) {
  const charts = { events: spark("Events a second", { format: rounded }), lag: spark("Seconds behind the journal", { least: 10, format: span }) };
  const made = card(part, [["endpoints", "Webhooks"], ["attempts", "Deliveries a second"], ["inFlight", "Wait for an answer"], ["partitions", "Partitions"]], Object.values(charts));
  return {
    ...made,
    update({ measures: m, trouble }, before, seconds) {
      if (trouble) return made.say({}, trouble);
      charts.events.push(rate(before, m, "events", seconds));
      charts.lag.push(m.lagSeconds);
      made.say({ ...dispatching(m), attempts: rounded(rate(before, m, "attempts", seconds)) });
    },
  };
}

function apiCard(part) {
  const charts = { requests: spark("Requests a second", { least: 1, format: rounded }) };
  const made = card(part, [["time", "Time for a request"], ["memory", "Memory of Redis"], ["journal", "Journal"]], Object.values(charts));
  return {
    ...made,
    update({ measures: m, trouble }, before, seconds) {
      if (trouble) return made.say({}, trouble);
      charts.requests.push(rate(before, m, "requests", seconds));
      const requests = m.requests - (before?.requests ?? 0);
      made.say({
        ...(requests > 0 && { time: span((m.requestSeconds - (before?.requestSeconds ?? 0)) / requests) }),
        memory: m.redisMemory ? `${rounded(100 * m.redisMemory)} % used` : "no limit",
        journal: `${rounded(m.journalBytes / 1e6)} MB`,
      });
    },
  };
}

const otherCard = (part) => ({ ...card(part, [], []), update() {} });
const MAKERS = { fanout: fanoutCard, indexer: indexerCard, archiver: archiverCard, webhooks: webhooksCard, api: apiCard, other: otherCard };

function ownCard(headrace) {
  const made = card({ kind: "other", url: "This page" }, [["state", "Connection"], ["role", "Connection in"], ["position", "Position"], ["lag", "Behind the chain"]], []);
  const update = () => {
    const { state, position } = headrace;
    const [kind, words] = describe(state);
    made.say({
      state: words,
      role: state.leader ? "this tab" : "another tab",
      position: position ?? "–",
      lag: state.lagSeconds === null ? "–" : duration(state.lagSeconds),
    }, kind === "live" ? null : words);
  };
  update();
  return { node: made.node, update };
}

/** The view. */
export function system({ headrace }) {
  const said = h("p", { class: "quiet-text", role: "status" });
  const failed = failurePlace(() => { clearTimeout(timer); look(); });
  const cards = new Map();
  const own = ownCard(headrace);
  const place = h("div", { class: "parts" }, own.node);
  let last = null;
  let timer;
  let isGone = false;

  function show(answer) {
    const key = (part) => `${part.url} ${part.address}`;
    const before = new Map(last?.parts.map((part) => [key(part), part.measures]));
    for (const part of answer.parts) {
      const shown = cards.get(key(part));
      if (shown?.kind !== part.kind && !(part.trouble && shown)) {
        shown?.node.remove();
        cards.set(key(part), { kind: part.kind, ...MAKERS[part.kind](part) });
        place.insertBefore(cards.get(key(part)).node, own.node);
      }
      cards.get(key(part)).update(part, part.trouble ? null : before.get(key(part)), last ? answer.asOf - last.asOf : 0);
    }
    const there = new Set(answer.parts.map(key));
    for (const [old, { node }] of cards) {
      if (!there.has(old)) node.remove(), cards.delete(old); // its replica has gone
    }
    const { replicas, answering, measures } = answer.totals.find(({ kind }) => kind === "fanout") ?? { replicas: 0, answering: 0, measures: { connections: 0 } };
    say(said, answer.parts.length
      ? `${count(measures.connections, "connection")} at ${count(replicas, "fanout")}${answering < replicas ? `, of which ${rounded(replicas - answering)} do not answer` : ""}.`
      : "This API knows no other services. Set READY_URLS, FANOUT_URLS and SYSTEM_URLS.");
    last = answer;
  }
  async function look() {
    try {
      show(await get("/v1/system"));
      failed.clear();
    } catch (error) {
      failed.show(error);
      if (error.status === 403 || error.status === 401) return; // do not ask again: the answer would be the same
    }
    if (!isGone) timer = setTimeout(look, EVERY);
  }
  if (session.isAdmin) look();
  else say(said, "Only admins can see the services.");
  const stop = headrace.on("state", own.update);
  const beat = setInterval(own.update, 1000);
  return {
    title: "System",
    node: h("section", {}, h("h1", { tabindex: -1 }, "System"), said, failed.node,
      session.isAdmin && h("p", {}, h("a", { href: "#/system/connections" }, "See and end the connections")), place),
    stop: () => { isGone = true; clearTimeout(timer); clearInterval(beat); stop(); },
  };
}
