import { EventSource } from "eventsource"
import { listen, url } from "./driver.mjs"

listen(new EventSource(url))
