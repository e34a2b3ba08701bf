// @ts-check
/**
 * A React hook: the streams of a subscription, their latest events and the state of the connection.
 *
 *     const { streams, events, state, lag, error } = useHeadrace({ users: ["G…"] });
 *
 * On a server it returns empty lists and does nothing. Types: react.d.ts. Needs React 18 or newer.
 */

import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { LiveStreams, NOTHING } from "./live_streams.js";

const FUNCTIONS = ["token", "ticket", "fetch"];
const onServer = () => NOTHING;

export function useHeadrace(options = {}) {
  const latest = useRef(options);
  useEffect(() => { latest.current = options; }); // before the effect that connects
  const key = keyOf(options);
  const live = useMemo(() => new LiveStreams({ ...options, ...latestOf(options, latest) }), [key]);
  return useSyncExternalStore(live.subscribe, live.current, onServer);
}

/** A text that is equal for equal options. Functions are often new at each render, so they count as equal. */
function keyOf(options) {
  const given = Object.entries(options).filter(([name]) => name !== "env");
  return JSON.stringify(given.map(([name, value]) => [name, typeof value === "function" ? "function" : value]).sort());
}

/** The functions among the options. Each call uses the function of the latest render. */
function latestOf(options, latest) {
  const given = FUNCTIONS.filter((name) => typeof options[name] === "function");
  return Object.fromEntries(given.map((name) => [name, (...values) => latest.current[name](...values)]));
}
