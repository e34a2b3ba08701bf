/** The dialog that creates a stream. */

import { amountField } from "./amount_field.js";
import { post } from "./api.js";
import { field, h } from "./dom.js";
import { session } from "./session.js";

const ACCOUNT = "[GCM][A-Z2-7]{55,68}";
const CONTRACT = "C[A-Z2-7]{55}";

/** Ask for the fields of a stream, create the stream, and show its view. */
export function createDialog() {
  const text = (more = {}) => h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...more });
  const inputs = {
    sender: text({ required: true, pattern: ACCOUNT, value: session.account, readonly: Boolean(session.account) }),
    recipient: text({ required: true, pattern: ACCOUNT }),
    tokenAddress: text({ required: true, pattern: CONTRACT }),
    label: text({ maxlength: 100 }),
  };
  const token = () => (new RegExp(`^${CONTRACT}$`).test(inputs.tokenAddress.value.trim()) ? inputs.tokenAddress.value.trim() : "");
  const rate = amountField("Rate a second", token, { isRate: true });
  const deposit = amountField("Deposit", token);
  const said = h("p", { class: "bad", role: "alert" });
  const title = h("h2", { id: "create-title" }, "New stream");
  const form = h("form", { submit },
    title,
    field("From", inputs.sender, "Address of the sender. A stream of the API moves no money on the chain."),
    field("To", inputs.recipient),
    field("Token", inputs.tokenAddress, "Address of the token contract (C…)."),
    h("div", { class: "pair" }, rate.node, deposit.node),
    field("Label", inputs.label, "Optional. What the stream is for."),
    said,
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "main" }, "Create stream")));
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();

  async function submit(event) {
    event.preventDefault();
    const { label, ...given } = Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value.trim()]));
    try {
      const amounts = { ratePerSecond: rate.read(), depositedAmount: deposit.read() };
      const made = await post("/v1/streams", { ...given, ...amounts, ...(label && { metadata: { label } }) });
      dialog.close();
      location.hash = `#/streams/${made.id}`;
    } catch (error) {
      said.textContent = error.message;
    }
  }
}
