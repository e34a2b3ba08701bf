import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.matchMedia = () => ({ matches: false });
const kept = new Map();
globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };

const js = "../../../services/api/console/js";
const { numbers } = await import(`${js}/numbers.js`);
const { called, decimalsOf, readable, running } = await import(`${js}/units.js`);
const { chooseBaseUnits, failureOf, inBaseUnits, isAnswered, learn, onTokens, tokenOf } = await import(`${js}/tokens.js`);

const C = `CABC${"D".repeat(48)}WXYZ`;
const ISSUER = `GA5Z${"E".repeat(48)}KZVN`;
const token = (more = {}) => ({ address: C, symbol: null, name: null, decimals: 7, asset: null, source: "contract", readAt: 1, ...more });
const turn = () => new Promise((resolve) => setTimeout(resolve));

test("an amount reads as money: at least two decimals, no zeros that say nothing, all digits", () => {
  const { format } = numbers("en");
  const of = (value, decimals) => format(value, decimals);
  assert.deepEqual(["125000000", "0", "1", "12345678"].map((value) => of(value, 7)), ["12.50", "0.00", "0.0000001", "1.2345678"]);
  assert.deepEqual([of(995000n, 0), of("5", 1), of("-5", 1)], ["995,000", "0.5", "-0.5"]);
  assert.equal(of("170141183460469231731687303715884105727", 7), "17,014,118,346,046,923,173,168,730,371,588.4105727");
  assert.equal(of("170141183460469231731687303715884105727", 38), "1.70141183460469231731687303715884105727");
  assert.equal(numbers("de-DE").format("9950000000000", 7), "995.000,00");
});

test("what people type is read exactly, or refused with the reason", () => {
  const en = numbers("en");
  assert.deepEqual(["12.5", " 12 ", "0.0000001"].map((text) => en.parse(text, 7)), [125000000n, 120000000n, 1n]);
  assert.equal(numbers("de-DE").parse("12,5", 7), 125000000n);
  assert.equal(numbers("fr-FR").parse("12,5", 7), 125000000n);
  assert.equal(numbers("ar-EG").parse("١٢٫٥", 7), 125000000n);
  assert.throws(() => en.parse("0.12345678", 7), /The amount has 8 decimals\. This token has 7\./);
  assert.throws(() => en.parse("1.5", 0), /whole number/);
  assert.throws(() => en.parse("1,000", 7), /without thousands separators, such as 1234\.5\./);
  assert.throws(() => numbers("de-DE").parse("1.000", 7), /without thousands separators, such as 1234,5\./);
  assert.throws(() => en.parse("0.00", 7), /greater than 0/);
  for (const text of ["", "-5", "1e5", "0x10", ".5", "5.", "1.2.3", "twelve"]) assert.throws(() => en.parse(text, 7), /Write a number/, text);
});

test("only the decimal sign of the language is read: elsewhere, 1.000 is a thousand", () => {
  for (const locale of ["de-AT", "pt-PT", "fr", "pl", "cs", "sv", "nb", "ru", "uk"]) {
    const { parse } = numbers(locale);
    for (const text of ["1.000", "12.5"]) assert.throws(() => parse(text, 7), /^Error: Write the decimals with ",": 12,5\.$/, `${locale} ${text}`);
    assert.equal(parse("1,000", 7), 10_000_000n, locale);
  }
  assert.throws(() => numbers("ar-EG").parse("١٢.٥", 7), /Write the decimals with "٫": ١٢٫٥/);
  assert.throws(() => numbers("de-DE").parse("12.5", 7), /Write the decimals with ",": 12,5/);
  assert.throws(() => numbers("en").parse("12,5", 7), /Write the decimals with "\.": 12\.5/);
  assert.throws(() => numbers("de-CH").parse("1,000", 7), /Write the decimals with "\."/);
  assert.throws(() => numbers("fr").parse("12.5", 0), /Write a number, such as 1234\./, "without decimals, no sign is right");
});

test("spaces inside a number are refused, whatever their width", () => {
  for (const space of [" ", "\u00a0", "\u2009", "\u202f"]) {
    for (const locale of ["en", "fr", "de-AT"]) assert.throws(() => numbers(locale).parse(`1${space}000`, 7), /without thousands separators, such as/, locale);
  }
});

test("digits of every numbering system are read as they are shown", () => {
  for (const system of Intl.supportedValuesOf("numberingSystem")) {
    const { format, parse, group } = numbers(`en-u-nu-${system}`);
    const shown = format("12345678905", 1);
    assert.equal(parse(shown.replaceAll(group, ""), 1), 12345678905n, `${system}: ${shown}`);
    assert.equal(parse("12", 1), 120n, `${system}: ASCII digits`);
  }
});

test("a rate is shown in the first period in which a whole token flows", () => {
  const of = (rate, decimals = 7) => readable(rate, decimals).map(String);
  assert.deepEqual(of("10000000"), ["10000000", "a second"]);
  assert.deepEqual(of("115741"), ["416667600", "an hour"]);
  assert.deepEqual(of("385"), ["33264000", "a day"]);
  assert.deepEqual(of("1"), ["2592000", "every 30 days"]);
  assert.deepEqual([of("11", null), of("0")], [["11", "a second"], ["0", "a second"]]);
});

test("a running amount has decimals that change about ten times a second", () => {
  assert.deepEqual([["115741", 7], ["1", 7], ["10000000000", 7], ["1000000000000000000", 18], ["5", 0]].map((each) => running(...each)), [3, 7, 2, 2, 0]);
});

test("a proved asset has its issuer, any other name stands in quotation marks beside its contract", () => {
  const of = (more) => called(token(more), C);
  assert.deepEqual(of({ asset: "native", symbol: "native" }), { word: "XLM", where: "", proved: true, about: `The native asset of the network, proved. The contract is ${C}.` });
  const usdc = of({ asset: `USDC:${ISSUER}`, symbol: "ANY" });
  assert.deepEqual([usdc.word, usdc.where, usdc.proved], ["USDC", "GA5Z…KZVN", true]);
  assert.match(usdc.about, new RegExp(ISSUER));
  const spoof = of({ symbol: "XLM" });
  assert.deepEqual([spoof.word, spoof.where, spoof.proved], ["“XLM”", "CABC…WXYZ", false]);
  assert.match(spoof.about, /itself calls this token “XLM”\. This is not proved/);
  assert.match(of({ symbol: "XLM", source: "setting" }).about, /The operator of this server calls/);
  assert.deepEqual([of({}).word, called(null, C).word, of({ symbol: "\u202e\u200b " }).word], Array(3).fill("CABC…WXYZ"));
});

test("a stranger's symbol cannot leave its quotation marks, reorder the line, or fill the page", () => {
  const word = (symbol) => called(token({ symbol }), C).word;
  assert.equal(word("USDC” (GA5Z…KZVN), proved “"), "“USDC (GA5Z……”");
  assert.equal(word("\u202eCDSU\n\u2066"), "“CDSU”");
  assert.equal(word("x".repeat(5000)), `“${"x".repeat(11)}…”`);
});

test("decimals that make no sense are unknown", () => {
  assert.deepEqual([0, 7, 38, 39, 4294967295, -1, 1.5, "7", null].map((decimals) => decimalsOf({ decimals })), [0, 7, 38, null, null, null, null, null, null]);
  assert.equal(decimalsOf(null), null);
});

test("an unknown token is asked for once, and the page is told when it is known", async () => {
  const asked = [];
  const told = [];
  let answer;
  globalThis.fetch = (path) => { asked.push(path); return new Promise((resolve) => { answer = (body, status = 200) => resolve(new Response(JSON.stringify(body), { status })); }); };
  onTokens(() => told.push(tokenOf(C)));
  assert.deepEqual([tokenOf(C), tokenOf(C), tokenOf(""), isAnswered(C)], [null, null, null, false]);
  assert.deepEqual(asked, [`/v1/tokens/${C}`]);
  answer(token());
  await turn();
  await turn();
  assert.deepEqual([told, isAnswered(C)], [[token()], true]);
});

test("a failed request is no answer, and it is repeated within 30 seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  const failing = C.replace("ABC", "XYZ");
  let asked = 0;
  let well = false;
  let isShown = true;
  globalThis.fetch = () => { asked += 1; return well ? Promise.resolve(new Response(JSON.stringify(token({ decimals: null })))) : Promise.reject(new TypeError("Failed to fetch")); };
  const show = () => (isShown ? tokenOf(failing) : null);
  onTokens(show);
  const pass = async (seconds) => {
    t.mock.timers.tick(seconds * 1000);
    for (let n = 0; n < 20; n++) await new Promise(setImmediate);
    t.mock.timers.tick(1);
  };
  show();
  await pass(0);
  assert.deepEqual([asked, show(), isAnswered(failing), failureOf(failing)], [1, null, false, "Failed to fetch"]);
  for (let n = 0; n < 20; n++) await pass(30);
  assert.ok(asked > 15, `${asked}`);
  well = true;
  await pass(30);
  assert.deepEqual([show().decimals, isAnswered(failing), failureOf(failing)], [null, true, ""]);
  well = false;
  await pass(60);
  await pass(60);
  assert.equal(isAnswered(failing), true, "an earlier answer stays");
  isShown = false;
  await pass(1); // no listener must be left waiting for a timer of this test
});

test("tokens of a list are not asked for; the same tokens again change nothing", async () => {
  globalThis.fetch = () => assert.fail("asked");
  const third = C.replace("ABC", "MNO");
  let told = 0;
  onTokens(() => { told += 1; });
  learn({ [third]: token({ address: third }) });
  learn({ [third]: token({ address: third }) });
  learn(undefined);
  await turn();
  assert.deepEqual([tokenOf(third).decimals, told], [7, 1]);
  learn({ [third]: token({ address: third }) });
  await turn();
  assert.equal(told, 1);
});

test("a token that the indexer has not read yet is asked for again, later each time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  const asked = [];
  const fourth = C.replace("ABC", "PQR");
  const show = () => tokenOf(fourth);
  onTokens(show);
  globalThis.fetch = (path) => { asked.push(path); return Promise.resolve(new Response(JSON.stringify(token({ address: fourth, decimals: asked.length < 3 ? null : 2 })))); };
  const pass = async (seconds) => {
    t.mock.timers.tick(seconds * 1000);
    for (let n = 0; n < 20; n++) await new Promise(setImmediate);
    t.mock.timers.tick(1);
  };
  const counts = [];
  show();
  for (const seconds of [0, 3, 1, 4, 3, 1, 600]) { await pass(seconds); counts.push(asked.length); }
  assert.deepEqual(counts, [1, 1, 2, 2, 2, 3, 3]);
  assert.equal(show().decimals, 2);
});

test("many new tokens are asked for a few at a time", async () => {
  const answers = [];
  globalThis.fetch = () => new Promise((resolve) => answers.push(() => resolve(new Response("{}", { status: 404 }))));
  const all = Array.from({ length: 6 }, (_, n) => `CMANY${n}`);
  const show = () => all.forEach(tokenOf);
  onTokens(show);
  show();
  assert.equal(answers.length, 4);
  answers[0]();
  await turn();
  await turn();
  assert.equal(answers.length, 5);
});

test("the choice of base units is kept, also if the browser denies storage", () => {
  assert.equal(inBaseUnits(), false);
  chooseBaseUnits(true);
  assert.deepEqual([inBaseUnits(), kept.get("headrace amounts")], [true, "base"]);
  chooseBaseUnits(false);
  assert.equal(kept.size, 0);
  globalThis.localStorage = { setItem() { throw new Error("denied"); } };
  chooseBaseUnits(true);
  assert.equal(inBaseUnits(), true);
});
