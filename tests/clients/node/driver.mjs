// What every driver of a JavaScript library shares: the URL and the names to listen for come as
// arguments, each event goes out as one line of JSON, and the end of stdin ends the process.

export const [url, list] = process.argv.slice(2)
export const names = list.split(",")

export function report(name, id, data) {
  process.stdout.write(JSON.stringify({ name, id: id ?? null, data }) + "\n")
}

/** Report all that an EventSource dispatches under any of the names. */
export function listen(source) {
  for (const name of names) {
    source.addEventListener(name, (event) => report(event.type, event.lastEventId, event.data))
  }
}

process.stdin.on("end", () => process.exit(0)).resume()
