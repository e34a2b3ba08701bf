/** The view Connections, for admins: who is subscribed to what, at which fanout, and a button to end it. */

import { get, remove } from "./api.js";
import { now } from "./clock.js";
import { calmly, field, h, say } from "./dom.js";
import { failurePlace } from "./failure.js";
import { duration, short } from "./format.js";
import { empty, remember } from "./router.js";
import { session } from "./session.js";
import { dress } from "./styles.js";
import { clockTime, dateTime, iso } from "./times.js";

const PATH = "/v1/system/connections";
const COLUMNS = ["Account", "Topics", "Fanout", "Connected", "Events", "Behind", ""];
const MOST_EMPTY = 50; // pages in a row without a match, before the reader is asked whether to go on

/** A topic in words: "7" → "stream 7", "user:G…" → "account G…", "*" → "all events". Pure. */
export function topicWords(topic) {
  if (topic === "*") return "all events";
  return topic.startsWith("user:") ? `account ${short(topic.slice(5))}` : `stream ${topic}`;
}

/** What a connection is subscribed to, in words. Pure. */
export function subscription({ replaying, topics, topicCount, types }) {
  if (replaying) return "not known yet: it still gets missed events";
  const shown = topics.slice(0, 3).map(topicWords).join(", ");
  const more = topicCount > 3 ? ` and ${topicCount - 3} more` : "";
  return `${shown}${more}${types ? `; only ${types.join(", ")}` : ""}`;
}

/** How far behind a connection is: "no", or the time and the bytes of its backlog. Pure. */
export function delay({ backlogBytes, behindSince }, at) {
  if (behindSince === null) return backlogBytes ? `${backlogBytes} B` : "no";
  return `${duration(at - behindSince)}, ${backlogBytes} B`;
}

/** The topic that a search text means: a stream id, an account, or "*". Pure. */
export const topicOf = (text) => (/^[GCM][A-Z2-7]{55,68}$/.test(text) ? `user:${text}` : text);

const cell = (name, ...children) => h("td", { role: "cell", "data-label": name }, ...children);

function row(connection, places, end) {
  const { id, replica, account, address, connectedAt, events, view, gzip } = connection;
  const name = account ? short(account) : "anyone";
  const format = [view === "compact" && "compact", gzip && "gzip"].filter(Boolean).join(", ");
  const button = h("button", { type: "button", class: "danger", "aria-label": `End the connection ${short(id)} of ${name}`, click: () => end(connection, button) }, "End");
  return h("tr", { role: "row", "data-id": id },
    cell("Account", h("span", { title: account ?? false }, name), h("small", {}, [address, `id ${short(id)}`].filter(Boolean).join(", "))),
    cell("Topics", h("span", { title: (connection.topics ?? []).join(" ") || false }, subscription(connection)), format && h("small", {}, format)),
    cell("Fanout", places.get(replica) ?? replica),
    cell("Connected", connectedAt === null ? "not known" : h("time", { datetime: iso(connectedAt), title: dateTime(connectedAt) }, clockTime(connectedAt))),
    cell("Events", events.toLocaleString("en")),
    cell("Behind", delay(connection, now() / 1000)),
    cell("", button));
}

/** Ask whether to end a connection. `act` is called if the answer is yes. */
function confirmEnd({ id, account }, act) {
  const title = h("h2", { id: "end-title" }, "End this connection?");
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => dialog.remove() },
    title,
    h("p", {}, `Connection ${short(id)} of ${account ? short(account) : "anyone"}. Its client connects again after some seconds, and gets all events that it missed. To keep a client away, revoke its token.`),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Keep it"),
      h("button", { type: "button", class: "danger", click: () => { dialog.close(); act(); } }, "End it")));
  document.body.append(dialog);
  dialog.showModal();
}

/** One line for each fanout: its number of connections and its delay, or why it was not read. Pure. */
export function fanoutWords({ url, address, trouble, connections, lagSeconds }) {
  const place = [url, url.includes(address ?? url) ? "" : address].filter(Boolean).join(" ");
  if (trouble) return `${place} ${trouble}`;
  const lag = lagSeconds === null ? "" : `, ${duration(lagSeconds)} behind the chain`;
  return `${place}: ${connections.toLocaleString("en")} connection${connections === 1 ? "" : "s"}${lag}`;
}

/** The view. */
export function connections({ parameters }) {
  dress("connections");
  let filter = { account: parameters.get("account") ?? "", topic: parameters.get("topic") ?? "" };
  let next = null;
  let turn = 0;
  const places = new Map();
  const said = h("p", { class: "quiet-text", role: "status" });
  const failed = failurePlace(again);
  const fanouts = h("ul", { class: "fanouts", "aria-label": "Fanouts" });
  const body = h("tbody", { role: "rowgroup" });
  const table = h("table", { class: "connections", role: "table", "aria-label": "Connections", hidden: true },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      ...COLUMNS.map((name) => h("th", { role: "columnheader", scope: "col" }, name || h("span", { class: "unseen" }, "Action"))))),
    body);
  const more = h("button", { type: "button", hidden: true, click: () => load() }, "More");

  function showFanouts(replicas) {
    for (const each of replicas) if (each.replica) places.set(each.replica, each.address && !each.url.includes(each.address) ? each.address : each.url);
    fanouts.replaceChildren(...replicas.map((each) => h("li", { class: each.trouble ? "bad" : "quiet-text" }, fanoutWords(each))));
  }

  function describe() {
    const count = body.childElementCount;
    table.hidden = !count;
    more.hidden = !next;
    say(more, count ? "More" : "Search on");
    const none = filter.account || filter.topic ? "No connection matches." : "No client is connected.";
    say(said, count ? `${count} connection${count === 1 ? "" : "s"} shown.` : next ? "No match so far." : none);
  }

  /** Load a page. A page can be empty although more follow: a fanout looks at some connections at a time. */
  async function load() {
    const mine = ++turn;
    const isFirst = next === null;
    try {
      for (let tries = 0, found = 0; !found && tries < MOST_EMPTY && (next || !tries); tries++) {
        const page = await get(PATH, { account: filter.account, topic: topicOf(filter.topic), cursor: next });
        if (mine !== turn) return;
        if (isFirst && !tries) begin(page);
        next = page.next;
        found = page.items.length;
        const rows = page.items.map((each) => row(each, places, ask));
        body.append(...rows);
        if (!next && document.activeElement === more) rows[0]?.querySelector("button").focus(); // `more` hides now
      }
      failed.clear();
      describe();
    } catch (error) {
      if (mine === turn) failed.show(error);
    }
  }

  function begin({ replicas }) {
    showFanouts(replicas);
    body.replaceChildren();
  }

  function again() {
    next = null;
    return load();
  }

  function ask(connection, button) {
    confirmEnd(connection, async () => {
      button.disabled = true;
      const mine = button.closest("tr");
      const neighbour = mine.nextElementSibling ?? mine.previousElementSibling;
      let result = "The connection was ended.";
      try {
        await remove(`${PATH}/${connection.replica}/${connection.id}`);
      } catch (error) {
        if (error.status !== 404) {
          button.disabled = false;
          button.focus();
          return failed.show(error);
        }
        result = "The connection had ended already.";
      }
      mine.remove();
      (neighbour?.querySelector("button") ?? refresh).focus();
      describe();
      say(said, result);
    });
  }

  const account = h("input", { type: "search", value: filter.account, placeholder: "G…", spellcheck: "false", maxlength: 200 });
  const topic = h("input", { type: "search", value: filter.topic, placeholder: "Stream id, account, or *", spellcheck: "false" });
  const changed = calmly(() => {
    filter = { account: account.value.trim(), topic: topic.value.trim() };
    remember("system/connections", filter);
    again();
  });
  const refresh = h("button", { type: "button", click: again }, "Load again");
  const filters = h("form", { class: "filters", role: "search", "aria-label": "Filter connections", input: changed, submit: (e) => e.preventDefault() },
    field("Account", account), field("Topic", topic), refresh);
  const heading = h("h1", { tabindex: -1 }, "Connections");
  const back = h("p", {}, h("a", { href: "#/system" }, "System"));
  if (!session.isAdmin) return { title: "Connections", node: h("section", {}, heading, back, empty("Only admins can see the connections.")) };
  load();
  return {
    title: "Connections",
    node: h("section", {}, heading, back, filters, fanouts, said, failed.node, table, more),
    stop: () => { turn++; },
  };
}
