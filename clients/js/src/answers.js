// @ts-check
/** Answers of the API: the answer of a call, or an error that says what the API said. */

/**
 * The answer, if it is a success. An error has the sentences of the API as its message, its `status`, its
 * `problem` (RFC 9457), and the seconds after which the call can be repeated (`retryAfter`, or null).
 */
export async function answerOf(fetch, address, init = undefined) {
  const answer = await (init ? fetch(address, init) : fetch(address));
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(sentences(problem, answer.status)), {
    status: answer.status,
    problem,
    retryAfter: Number(answer.headers?.get("Retry-After")) || null,
  });
}

/** True if the same call can succeed later: there was no answer, or the server asks to wait. */
export const mayPass = ({ status }) => status === undefined || status === 429 || status >= 500;

function sentences({ detail, title, errors = [] }, status) {
  const others = errors.filter((each) => each.detail !== detail); // a field can have the same sentence
  const fields = others.map(({ pointer, parameter, detail: expected }) => `${pointer ?? parameter}: ${expected}`);
  return [detail ?? title ?? `the API answered with status ${status}`, ...fields].join(" ");
}
