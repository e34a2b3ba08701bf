/**
 * The reader's own names for addresses. They are stored in this browser only, and never sent. If the
 * browser denies storage, they last as long as the page is open.
 */

import { Storage } from "../headrace/storage.js";

const KEPT = "headrace names";
const LONGEST = 60; // characters of a name
const MOST = 1000; // names

const storage = new Storage(globalThis, "localStorage");
const listeners = new Set();
let names = read();

function read() {
  try {
    return new Map(Object.entries(JSON.parse(storage.get(KEPT)) ?? {}).filter(([, name]) => typeof name === "string"));
  } catch {
    return new Map(); // somebody else wrote into this storage
  }
}

/** The reader's name for an address; "" if there is none. */
export const nameFor = (address) => names.get(address) ?? "";

/** All names as [address, name], by name. */
export const allNames = () => [...names].sort(([, a], [, b]) => a.localeCompare(b));

/** Name an address; "" removes its name. */
export function keepName(address, name) {
  const text = name.trim().slice(0, LONGEST);
  names.delete(address);
  if (text && names.size < MOST) names.set(address, text);
  storage.set(KEPT, names.size ? JSON.stringify(Object.fromEntries(names)) : null);
  listeners.forEach((act) => act());
}

/** Call `act` after the names have changed, also in another tab. Returns a function that ends this. */
export function onNames(act) {
  listeners.add(act);
  return () => listeners.delete(act);
}

globalThis.addEventListener?.("storage", ({ key }) => {
  if (key !== KEPT && key !== null) return;
  names = read();
  listeners.forEach((act) => act());
});
