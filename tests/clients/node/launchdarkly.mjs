import { EventSource } from "launchdarkly-eventsource"
import { listen, url } from "./driver.mjs"

const source = new EventSource(url)
source.onerror = () => {} // an EventEmitter throws errors that nobody listens for
listen(source)
