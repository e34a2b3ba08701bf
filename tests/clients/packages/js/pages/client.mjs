// Subscribes with the package, and reports what arrives to the server of the tests, in order.

export function reporter(server, client) {
  let waiting = [];
  let sending = Promise.resolve();
  const send = async () => {
    const reports = waiting;
    waiting = [];
    const body = JSON.stringify(reports);
    if (reports.length) await fetch(`${server}/report/${client}`, { method: "POST", body, mode: "cors" });
  };
  return (report) => {
    waiting.push(report);
    sending = sending.then(send);
  };
}

export function subscribe(Headrace, report, options) {
  const headrace = new Headrace({ all: !options.token, ...options }); // a token subscribes to its own account
  headrace.on("event", ({ id }) => report({ events: id }));
  headrace.on("state", ({ status }) => report({ states: status }));
  headrace.on("reload", ({ reason }) => report({ reloads: reason }));
  return headrace;
}

/** Why the storage of this page cannot be used; "" if it can. */
export function storageError() {
  try {
    return globalThis.localStorage ? "" : "missing";
  } catch (error) {
    return error.name;
  }
}
