import { createEventSource } from "eventsource-client"
import { report, url } from "./driver.mjs"

createEventSource({ url, onMessage: ({ event, id, data }) => report(event ?? "message", id, data) })
