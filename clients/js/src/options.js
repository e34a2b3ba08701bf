// @ts-check
/** Completes the options of a subscription: addresses, query, account and login. */

/** The values of an option that may be one value, a list or missing. */
export const listOf = (given) => [given ?? []].flat().map(String);

/** All options, with defaults. The other modules read only these. */
export function complete(options) {
  const { env = globalThis, token, query, history, silenceSeconds = 30, resumeSeconds = 600 } = options;
  const api = addressOf(options.url ?? "");
  if (!env.location && !env.EventSource && !/^https?:/.test(api)) {
    throw new TypeError("Outside of a web page, `url` must be absolute, such as https://headrace.example.");
  }
  const fetch = options.fetch ?? fetchWith(env, token);
  const ticket = options.ticket ?? (token ? () => ticketOf(api, fetch) : null);
  const account = accountOf(token);
  const user = options.user ?? account;
  return {
    env, api, account, fetch, ticket, user, silenceSeconds, resumeSeconds,
    url: `${api}/v1/events/subscribe`,
    history: history ?? `${api}/v1/events`,
    query: query ?? queryOf(options),
    share: options.share ?? (user !== "" || !ticket), // without an account we could mix two logins
  };
}

/** The address of the API. The address of the subscription is accepted too. */
function addressOf(url) {
  return String(url).replace(/(\/v1)?\/events\/subscribe\/?$/, "").replace(/\/+$/, "");
}

function queryOf({ users, streams, all, types }) {
  const query = new URLSearchParams(all ? { all: "true" } : {});
  for (const [name, given] of Object.entries({ users, streams, types })) {
    const values = listOf(given);
    if (values.length) query.set(name, values.join(","));
  }
  return query.toString();
}

/** The account of a JSON Web Token (its claim `sub`); "" if it cannot be read. */
function accountOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub ?? "";
  } catch {
    return "";
  }
}

/** fetch, with the token in the header Authorization. */
const fetchWith = (env, token) => async (address, init = {}) => {
  if (!token) return env.fetch(address, init);
  const text = typeof token === "function" ? await token() : token;
  return env.fetch(address, { ...init, headers: { ...init.headers, Authorization: `Bearer ${text}` } });
};

/** An EventSource cannot send a header. So its URL has a ticket, which can be used once, not the token. */
async function ticketOf(api, fetch) {
  const answer = await fetch(`${api}/v1/events/ticket`, { method: "POST" });
  if (answer.ok) return (await answer.json()).ticket;
  throw Object.assign(new Error(`the API gave no ticket: status ${answer.status}`), { status: answer.status });
}
