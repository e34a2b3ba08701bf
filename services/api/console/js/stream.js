/** The view of a stream: amounts, chart, events and actions. */

import { Versions } from "../headrace/headrace.js";
import { actions } from "./actions.js";
import { account, contract } from "./address.js";
import { aboutToken, amount, rate, unit } from "./amounts.js";
import { answers } from "./answers.js";
import { get, streamPath } from "./api.js";
import { now } from "./clock.js";
import { copyButton } from "./copy.js";
import { h, replaceContent, say } from "./dom.js";
import { EventList } from "./event_list.js";
import { explorerLink } from "./explorer.js";
import { failurePlace } from "./failure.js";
import { streamName } from "./format.js";
import { isOver } from "./money.js";
import { picture } from "./picture.js";
import { answerChip, ends, progress, statusChip } from "./stream_row.js";
import { counter, moves } from "./ticker.js";
import { moment } from "./times.js";

const SHOWN = 500;

const WHY = {
  schedule_not_read: "not known: Headrace has not read the schedule, or does not know this kind of schedule",
  depends_on_allowance: "not known: the money stays in the sender's account until it is withdrawn",
  depends_on_conditions: "not known: it depends on conditions that somebody must confirm",
  state_not_certain: "not known: events of the chain were lost, and the stream was not read from the contract again yet",
};

/** The reason why the claimable amount is not known, in words. Pure. */
export const whyUnknown = ({ claimableUnknown }) => WHY[claimableUnknown] ?? "not known";

/** Rows about the schedule. A linear stream has none. */
function schedule(stream) {
  const { schedule: { kind, cliffTime, cliffAmount, steps } = {}, tokenAddress } = stream;
  const rows = [];
  const at = (value, time) => h("span", {}, amount(value, tokenAddress, { brief: true }), ", ", moment(time, true));
  if (stream.claimableUnknown) rows.push(["Claimable", whyUnknown(stream)]);
  if (kind === "cliff") rows.push(["Nothing claimable before", moment(cliffTime, true)]);
  if (kind === "cliff_amount") rows.push(["At the cliff", at(cliffAmount, cliffTime)]);
  for (const step of steps ?? []) rows.push(["Step", at(step.amount, step.time)]);
  return rows;
}

function details(stream) {
  const { tags = [], note } = stream.metadata;
  const money = (value) => amount(value, stream.tokenAddress, { brief: true });
  return [
    ["From", account(stream.sender, "the sender's address")],
    ["To", account(stream.recipient, "the recipient's address")],
    ["Token", h("span", { class: "address" }, aboutToken(stream.tokenAddress), copyButton(stream.tokenAddress, "the token's address"), explorerLink("contract", stream.tokenAddress))],
    stream.ratePerSecond !== "0" && ["Rate", rate(stream.ratePerSecond, stream.tokenAddress, { brief: true })],
    ...schedule(stream),
    ["Deposit", money(stream.depositedAmount)],
    ["Withdrawn", money(stream.withdrawnAmount)],
    stream.refundedAmount !== "0" && ["Refunded", money(stream.refundedAmount)],
    ["Started", moment(stream.startTime, true)],
    stream.endTime !== null && [isOver(stream) ? "Ended" : "Runs out", moment(stream.endTime, true)],
    stream.contractId && ["Contract", contract(stream.contractId)],
    tags.length && ["Tags", h("bdi", {}, tags.join(", "))],
    note && ["Note", h("bdi", {}, note)],
    ["Id", h("span", { class: "address" }, h("code", {}, stream.id), copyButton(stream.id, "the id"))],
    stream.archived && ["Archived", "The contract's record of this stream is archived. The next transaction that uses the stream restores it, for a fee."],
    stream.stateLedger && ["Read from the contract", `as of ledger ${stream.stateLedger}`],
    ["Version", String(stream.version)],
  ].filter(Boolean).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/** The content of the view: {node, update, show, add}. `failed`: where an error is shown. */
function page(first, context, failed) {
  const shown = { stream: first, events: [] };
  const stream = () => shown.stream;
  const name = h("h1", { tabindex: -1, dir: "auto" });
  const status = h("span", { class: "status-of" });
  const flow = h("span", { class: "until" });
  const until = h("span", { class: "until" });
  const list = h("dl", { class: "details" });
  const timeline = new EventList("Events, newest first", { className: "events timeline", stream: false });
  const save = h("button", { type: "button", click: () => import("./download.js").then(({ downloadDialog }) => downloadDialog({ streams: first.id })).catch(failed.show) }, "Download events");
  const drawing = picture();
  const doing = actions(stream, context);
  const answering = answers(stream);
  const draw = () => drawing.draw(shown.events, stream(), Math.floor(now() / 1000));
  const node = h("div", { class: "one", "data-id": first.id },
    h("div", { class: "head" }, name, status),
    h("div", { class: "hero card" },
      h("p", { class: "quiet-text" }, "Claimable now"),
      h("p", { class: "count" }, counter(stream, { "aria-label": "claimable now", id: "claimable" }), " ", unit(first.tokenAddress)),
      progress(stream),
      h("p", { class: "quiet-text" }, flow, until)),
    doing.node, answering.node,
    h("h2", {}, "Amounts over time"), drawing.node,
    h("h2", {}, "Details"), list,
    h("div", { class: "head" }, h("h2", {}, "Events"), save), timeline.node);

  function update(next) {
    shown.stream = next;
    say(name, next.metadata.label || `Stream ${streamName(next.id)}`);
    status.replaceChildren(...[statusChip(next), answerChip(next)].filter(Boolean));
    replaceContent(list, ...details(next));
    const flowing = !isOver(next) && next.ratePerSecond !== "0";
    flow.replaceChildren(...(flowing ? [rate(next.ratePerSecond, next.tokenAddress, { brief: true }), ", "] : []));
    node.dataset.status = next.status;
    node.dataset.version = next.version;
    doing.update();
    answering.update();
    draw();
  }
  moves(until, (time) => say(until, ends(stream(), time)));
  let drawn = 0;
  moves(drawing.node, (time) => { if (time - drawn > 1000) { drawn = time; draw(); } });
  return {
    node,
    update,
    show(events) {
      shown.events = events;
      timeline.load(events.toReversed());
    },
    add(event) {
      shown.events.push(event);
      timeline.add(event);
    },
  };
}

/** The view. */
export function stream(context) {
  const { headrace, parts: [, id] } = context;
  let shown = null;
  let stop = () => {};
  let versions = new Versions();
  const title = `Stream ${streamName(id)}`;
  const heading = () => h("h1", { tabindex: -1 }, title);
  const failed = failurePlace(begin);
  const place = h("section", {}, heading(), h("p", { class: "quiet-text", role: "status" }, "Loading …"));
  const news = (each) => { if (each && versions.isNews(each)) shown.update(each); };
  async function load() {
    const current = await get(streamPath(id));
    const history = await get(streamPath(id, "events"), { limit: SHOWN });
    const events = history.items.filter(({ streamId }) => streamId === id).reverse(); // without broadcasts
    failed.clear();
    versions = new Versions();
    shown = page(current, context, failed);
    shown.show(events);
    news(current);
    news(events.at(-1)?.stream); // newer if the stream has changed between the two reads
    replaceContent(place, failed.node, shown.node);
    return history.position;
  }
  function begin() {
    stop();
    stop = headrace.follow({
      load,
      apply(event) {
        if (event.streamId !== id) return;
        shown.add(event);
        news(event.stream);
      },
      failed(error) {
        if (error.status === 404) {
          replaceContent(place, heading(), h("p", { role: "status" }, "There is no such stream."), h("p", {}, h("a", { href: "#/streams" }, "All streams")));
          return;
        }
        if (!shown) replaceContent(place, heading(), failed.node);
        failed.show(error);
      },
    });
  }
  begin();
  return { title, node: place, stop: () => stop() };
}
