/** Addresses as people see them, from the 32 bytes in a transaction (SEP-23). Pure. */

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const KINDS = { account: 6 << 3, contract: 2 << 3 }; // the first letters G and C

/** The checksum CRC16-XMODEM. */
function checksum(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/** The address of 32 bytes. `kind` is "account" or "contract". */
export function addressOf(kind, bytes) {
  const body = [KINDS[kind], ...bytes];
  const crc = checksum(body);
  const bits = [...body, crc & 0xff, crc >> 8].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{5}/g).map((five) => LETTERS[parseInt(five, 2)]).join("");
}
