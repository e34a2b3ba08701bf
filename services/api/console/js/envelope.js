/**
 * Reads the envelope of a transaction (XDR), as far as it decides who pays what to whom. So the page can
 * compare what a wallet will sign with what the reader asked for. Anything that the page does not know is
 * an Error. It does not read the resources behind the operation: they move no money. Pure.
 *
 * See docs/decisions/0118-a-wallet-signs-what-the-page-has-read.md.
 */

import { addressOf } from "./strkey.js";

const UNSIGNED = 4; // bytes at the end: the number of signatures, which is 0
const ENVELOPE_V1 = 2;
const CALL = 24; // INVOKE_HOST_FUNCTION
const RESTORE = 26; // RESTORE_FOOTPRINT

class UnknownPartError extends Error {
  constructor(part) {
    super(`The page cannot read the transaction: ${part}.`);
  }
}

/** Takes one value after the other from the bytes. */
class Reader {
  #at = 0; #bytes; #view;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  take(length) {
    if (this.#at + length > this.#bytes.length) throw new UnknownPartError("it ends too early");
    this.#at += length;
    return this.#at - length;
  }
  int() { return this.#view.getUint32(this.take(4)); }
  u64() { return this.#view.getBigUint64(this.take(8)); }
  i64() { return this.#view.getBigInt64(this.take(8)); }
  raw(length) { const at = this.take(length); return this.#bytes.slice(at, at + length); }

  /** An integer that must have this value. */
  expect(value, part) { if (this.int() !== value) throw new UnknownPartError(part); }

  text() {
    const length = this.int();
    const text = new TextDecoder().decode(this.raw(length));
    this.take(-length & 3); // filled up to a multiple of 4
    return text;
  }

  /** A list whose items `read` reads. */
  list(read) {
    const length = this.int();
    if (length > 1000) throw new UnknownPartError("a list is too long");
    return Array.from({ length }, () => read(this));
  }
}

/** The bytes of a text in base64. */
export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/**
 * {source, fee, sequence, minTime, maxTime, call, agreed}. Numbers are BigInt. `call` is {contract, function,
 * arguments}, or null for a restore. `arguments` are texts such as "address G…", "u64 7" or "i128 5".
 * `agreed` are the calls that the source account agrees to, each with the calls `below` it.
 */
export function readEnvelope(bytes) {
  const from = new Reader(bytes);
  from.expect(ENVELOPE_V1, "it is of another kind");
  from.expect(0, "its source is no plain account");
  const head = { source: addressOf("account", from.raw(32)), fee: BigInt(from.int()), sequence: from.i64() };
  from.expect(1, "it has other conditions than a time");
  const times = { minTime: from.u64(), maxTime: from.u64() };
  from.expect(0, "it has a memo");
  from.expect(1, "it has not exactly one operation");
  from.expect(0, "its operation has a source of its own");
  const kind = from.int();
  if (kind !== CALL && kind !== RESTORE) throw new UnknownPartError("its operation is no call of a contract");
  if (kind === RESTORE) return { ...head, ...times, call: null, agreed: [] };
  from.expect(0, "it does not call a contract");
  return { ...head, ...times, call: callOf(from), agreed: from.list(entryOf) };
}

const callOf = (from) => ({ contract: partyOf(from), function: from.text(), arguments: from.list(valueOf) });

function entryOf(from) {
  from.expect(0, "another account has to agree too");
  return agreementOf(from);
}

function agreementOf(from) {
  from.expect(0, "it creates a contract");
  return { ...callOf(from), below: from.list(agreementOf) };
}

function partyOf(from) {
  const kind = from.int();
  if (kind > 1) throw new UnknownPartError("it names an address of an unknown kind");
  if (kind === 0) from.expect(0, "it names an account of an unknown kind");
  return addressOf(kind === 0 ? "account" : "contract", from.raw(32));
}

const VALUES = {
  5: (from) => `u64 ${from.u64()}`,
  10: (from) => `i128 ${(from.i64() << 64n) + from.u64()}`,
  18: (from) => `address ${partyOf(from)}`,
};

function valueOf(from) {
  const read = VALUES[from.int()];
  if (!read) throw new UnknownPartError("an argument has an unknown type");
  return read(from);
}

/** The hash of an unsigned envelope on a network, in hex; "" if this page may not use Web Crypto. */
export async function hashOf(bytes, passphrase, { subtle } = globalThis.crypto) {
  if (!subtle) return ""; // only pages of a secure context have it
  const sha256 = async (data) => new Uint8Array(await subtle.digest("SHA-256", data));
  const network = await sha256(new TextEncoder().encode(passphrase));
  // The envelope begins as the signed payload does: with the type of the transaction.
  const hash = await sha256(new Uint8Array([...network, ...bytes.slice(0, -UNSIGNED)]));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
