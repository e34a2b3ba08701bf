/** The dialog that asks for the fields of a new stream on the chain. Then a wallet signs it. */

import { amountField } from "./amount_field.js";
import { CONTRACT, previewText, text, tokenIn } from "./create.js";
import { field, h, say, select } from "./dom.js";
import { session } from "./session.js";
import { moves } from "./ticker.js";
import { transact } from "./transact.js";
import { wallets } from "./wallet.js";

const ACCOUNT = "G[A-Z2-7]{55}";
const UNITS = [["60", "minutes"], ["3600", "hours"], ["86400", "days"]];

/** Ask for the fields. `context` is that of the view. */
export function createOnChainDialog(context) {
  const source = text({ required: true, pattern: ACCOUNT, value: session.account, list: "book" });
  const recipient = text({ required: true, pattern: `${ACCOUNT}|${CONTRACT}`, list: "book" });
  const tokenAddress = text({ required: true, pattern: CONTRACT, list: "book" });
  const token = tokenIn(tokenAddress);
  const deposit = amountField("Amount", token);
  const length = h("input", { type: "number", required: true, min: 1, step: 1, max: 999_999 });
  const unit = select({}, UNITS, "3600");
  const preview = h("p", { class: "preview", role: "status" });
  const said = h("p", { class: "bad", role: "alert" });
  const title = h("h2", { id: "on-chain-title" }, "New on-chain stream");
  const seconds = () => Number(length.value) * Number(unit.value);
  const form = h("form", { submit },
    title,
    field("From", source, "The account that pays. Its wallet signs."),
    field("To", recipient),
    field("Token", tokenAddress, "Address of the token contract (C…)."),
    deposit.node,
    h("div", { class: "pair" }, field("Duration", length), field("Unit", unit)),
    preview, said,
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "main" }, "Prepare")));
  const dialog = h("dialog", { "aria-labelledby": title.id, close: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  suggest();
  moves(preview, (time) => {
    const amount = deposit.value();
    const rate = amount && seconds() > 0 ? amount / BigInt(seconds()) : null;
    say(preview, previewText(token(), rate, amount, null, time));
  });

  async function suggest() {
    const [found] = (await wallets(context.hasSandbox)).filter(({ suggested }) => suggested);
    if (found && !source.value) source.value = found.suggested;
  }
  function submit(event) {
    event.preventDefault();
    try {
      const request = { action: "create", source: source.value.trim(), recipient: recipient.value.trim(), token: token(), amount: deposit.read(), duration: seconds() };
      dialog.close();
      transact(request, null, context);
    } catch (error) {
      said.textContent = error.message;
    }
  }
}
