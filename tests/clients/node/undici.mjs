import { EventSource } from "undici"
import { listen, url } from "./driver.mjs"

listen(new EventSource(url))
